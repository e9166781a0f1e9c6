"""Levels of the configuration and what each inherits.

A level is one ``http``, ``server``, ``location``, ``if`` or ``limit_except`` block.  nginx merges each
module's settings from the outer level into the inner one; for almost all of them that means: the nearest
level that has the directive supplies its whole value (``ngx_conf_merge_*``).
"""

from __future__ import annotations

import dataclasses
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, TypeVar

from ..conf.tree import Configuration, Directive

Version = Tuple[int, ...]
Derived = TypeVar("Derived")


class Level:
    """One block and the blocks around it."""

    def __init__(self, kind: str, directive: Optional[Directive], parent: Optional[Level]) -> None:
        """Remember the block; its directives are indexed on first use.

        Args:
            kind: "http", "server", "location", "if" or "limit_except".
            directive: the block itself; None when the configuration has no http block.
            parent: the enclosing level.
        """
        self.kind = kind
        self.directive = directive
        self.parent = parent
        self._index: Optional[Dict[bytes, List[Directive]]] = None
        self._nearest: Dict[Tuple[bytes, ...], Tuple[Optional[Level], List[Directive]]] = {}
        self._derived: Dict[Callable[[Level], Any], Any] = {}

    def once(self, build: Callable[[Level], Derived]) -> Derived:
        """What ``build`` makes of this level, made at the first call and the same object ever after.

        Args:
            build: a function of the module that wants it; it is the key, so no closure.
        """
        if build not in self._derived:
            self._derived[build] = build(self)
        result: Derived = self._derived[build]
        return result

    def body(self) -> Sequence[Directive]:
        """The directives of the block itself, in order."""
        if self.directive is None or self.directive.block is None:
            return ()
        return self.directive.block

    def own(self, *names: bytes) -> List[Directive]:
        """Directives with one of the names on this very level, in file order."""
        if self._index is None:
            self._index = {}
            for child in self.body():
                self._index.setdefault(child.name, []).append(child)
        if len(names) == 1:
            return self._index.get(names[0], [])
        if not any(name in self._index for name in names):
            return []
        return [child for child in self.body() if child.name in names]

    def chain(self) -> List[Level]:
        """This level and those around it, inner first."""
        levels: List[Level] = []
        level: Optional[Level] = self
        while level is not None:
            levels.append(level)
            level = level.parent
        return levels

    def nearest(self, *names: bytes) -> Tuple[Optional[Level], List[Directive]]:
        """The nearest level that has any of the directives, and those directives.

        It is looked for once: the requests of a comparison ask a level the same hundreds of times.
        """
        known = self._nearest.get(names)
        if known is None:
            own = self.own(*names)
            if own:
                known = self, own
            else:
                known = self.parent.nearest(*names) if self.parent is not None else (None, [])
            self._nearest[names] = known
        return known

    def value(self, name: bytes, default: bytes) -> bytes:
        """First argument of the nearest directive of that name."""
        found = self.nearest(name)[1]
        return found[-1].args[0] if found and found[-1].args else default

    def on(self, name: bytes, default: bool) -> bool:
        """A flag (``on``/``off``)."""
        return self.value(name, b"on" if default else b"off").lower() == b"on"

    def server(self) -> Optional[Level]:
        """The server level that this one belongs to."""
        return next((level for level in self.chain() if level.kind == "server"), None)

    def where(self) -> str:
        """``file:line`` of the block; "-" without one."""
        return self.directive.where() if self.directive is not None else "-"

    def __repr__(self) -> str:
        """Kind and place."""
        return f"<Level {self.kind} {self.where()}>"


def http_level(configuration: Configuration) -> Level:
    """The http block of a configuration."""
    block = next((d for d in configuration.root if d.name == b"http" and d.block is not None), None)
    return Level("http", block, None)


@dataclasses.dataclass
class Effective:
    """The value of one directive in force, and where it comes from."""

    name: str
    value: str
    directive: Optional[Directive] = dataclasses.field(compare=False)
    """None when it is nginx's default."""
    source: str = dataclasses.field(compare=False)
    """``file:line``, or "default of nginx X"."""
    level: str = dataclasses.field(default="", compare=False)
    """Kind of the level that supplies it; "" for a default."""


DEFAULTS: Sequence[Tuple[str, str]] = (
    ("proxy_read_timeout", "60s"),
    ("proxy_send_timeout", "60s"),
    ("proxy_connect_timeout", "60s"),
    ("proxy_buffering", "on"),
    ("proxy_request_buffering", "on"),
    ("proxy_pass_request_headers", "on"),
    ("proxy_pass_request_body", "on"),
    ("proxy_intercept_errors", "off"),
    ("proxy_cache", "off"),
    ("proxy_method", "the client's method"),
    ("proxy_ssl_server_name", "off"),
    ("proxy_ssl_verify", "off"),
    ("send_timeout", "60s"),
    ("keepalive_timeout", "75s"),
    ("client_max_body_size", "1m"),
    ("merge_slashes", "on"),
    ("underscores_in_headers", "off"),
    ("absolute_redirect", "on"),
    ("port_in_redirect", "on"),
    ("auth_basic", "off"),
    ("auth_request", "off"),
    ("satisfy", "all"),
    ("gzip", "off"),
    ("root", "html"),
)


def version_text(version: Version) -> str:
    """``1.22.1``."""
    return ".".join(str(part) for part in version)


def proxy_http_version(level: Level, version: Version) -> Effective:
    """HTTP version towards the backend: 1.0 by default, 1.1 since nginx 1.29.7."""
    default = "1.1" if version >= (1, 29, 7) else "1.0"
    return scalar(level, "proxy_http_version", default, version)


def scalar(level: Level, name: str, default: str, version: Version) -> Effective:
    """One directive whose nearest occurrence is in force."""
    found_level, found = level.nearest(name.encode())
    if found_level is None:
        return Effective(name, default, None, "default of nginx " + version_text(version))
    directive = found[-1]
    value = b" ".join(directive.args).decode("utf-8", "replace")
    return Effective(name, value, directive, directive.where(), found_level.kind)


def header_list(level: Level) -> Tuple[Optional[Level], List[Directive]]:
    """The whole list of ``proxy_set_header`` in force: the nearest level with any of them (all or nothing).

    The directive is not legal in ``if`` and ``limit_except``, so the chain skips those by itself.
    """
    return level.nearest(b"proxy_set_header")


def effective_directives(level: Level, version: Version) -> Dict[str, Effective]:
    """Everything that matters to a proxied request, each with its value and its place.

    It is worked out once for a level; all who ask share it.
    """
    known = level.once(_effective_of)
    if version not in known:
        known[version] = _effective(level, version)
    return known[version]


def _effective_of(_level: Level) -> Dict[Version, Dict[str, Effective]]:
    return {}


def _effective(level: Level, version: Version) -> Dict[str, Effective]:
    result = {name: scalar(level, name, default, version) for name, default in DEFAULTS}
    result["proxy_http_version"] = proxy_http_version(level, version)
    return result
