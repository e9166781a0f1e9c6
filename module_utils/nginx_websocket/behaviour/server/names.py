"""Which server takes a request: names of one listen group.

Rules of ``ngx_http_server_names``, ``ngx_hash_add_key``, ``ngx_hash_find_combined`` and
``ngx_http_find_virtual_server``: exact name, longest ``*.x``, longest ``x.*``, regexes in file order,
default server.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List, Optional, Set, Tuple

from ..effective import Level, Version
from ..regex import Match, compiled
from ..uri import BadRequest
from .listen import ListenGroup


@dataclasses.dataclass
class NameMatch:
    """The server that a host name selects.

    ``how`` is "exact", "leading wildcard", "trailing wildcard", "regex" or "default".
    """

    server: Level
    how: str
    name: bytes = b""
    match: Optional[Match] = None


def server_names(server: Level) -> List[bytes]:
    """All names of a server, as written; a server without ``server_name`` has the empty name."""
    names = [name for directive in server.own(b"server_name") for name in directive.args]
    return names or [b""]


def real_names(server: Level) -> Set[bytes]:
    """The names of a server, lower case, without the two that stand for none: ``""`` and ``_``."""
    return {name.lower() for name in server_names(server)} - {b"", b"_"}


def primary_name(server: Level) -> bytes:
    """``$server_name``: the first name, without the dot of ``.example.com``."""
    name = server_names(server)[0]
    if name.startswith(b"~"):
        return name
    name = name.lower()
    return name[1:] if name.startswith(b".") else name


def validate_host(value: bytes, version: Version = (1, 22, 1)) -> bytes:
    """``ngx_http_validate_host``: strip port and one trailing dot, lower the case.

    Raises:
        BadRequest: where nginx answers 400; since 1.29.4 it refuses more.
    """
    host = _strict_host(value) if version >= (1, 29, 4) else _lax_host(value, version)
    if host.endswith(b"."):
        host = host[:-1]
    if not host:
        raise BadRequest("client sent invalid host header")
    return host.lower()


def _lax_host(value: bytes, version: Version) -> bytes:
    end = len(value)
    state = "usual"
    previous_dot = -2
    for index, code in enumerate(value):
        char = bytes((code,))
        if char == b".":
            if previous_dot == index - 1:
                raise BadRequest("client sent invalid host header")
            previous_dot = index
        elif char == b":":
            if state == "usual":
                end, state = index, "rest"
        elif char == b"[":
            if index == 0:
                state = "literal"
        elif char == b"]":
            if state == "literal":
                end, state = index + 1, "rest"
        elif char == b"/" or code == 0 or (version >= (1, 21, 1) and (code <= 0x20 or code == 0x7F)):
            raise BadRequest("client sent invalid host header")
    return value[:end]


_HOST_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=")


def _strict_host(value: bytes) -> bytes:
    if value.startswith(b"["):
        host, bracket, port = value.partition(b"]")
        allowed = _HOST_BYTES | {0x3A}
        body, host = host[1:], host + bracket
        if not bracket or (port and not port.startswith(b":")):
            raise BadRequest("client sent invalid host header")
        port = port[1:]
    else:
        host, _colon, port = value.partition(b":")
        allowed = _HOST_BYTES | {0x25}
        body = host
    if any(code not in allowed for code in body) or b".." in body:
        raise BadRequest("client sent invalid host header")
    if port and (not port.isdigit() or int(port) > 65535):
        raise BadRequest("client sent invalid host header")
    return host


class VirtualNames:
    """The names of one listen group, ready to be searched; duplicates are kept as warnings."""

    def __init__(self, group: ListenGroup, version: Version = (1, 22, 1)) -> None:
        """Enter every name in nginx's order; the first of a kind wins."""
        self.version = version
        self.exact: Dict[bytes, Level] = {}
        self.head: Dict[bytes, Tuple[Level, bytes]] = {}
        self.tail: Dict[bytes, Tuple[Level, bytes]] = {}
        self.regexes: List[Tuple[bytes, Level]] = []
        self.conflicts: List[Tuple[bytes, Level]] = []
        self._taken: Dict[bytes, bool] = {}
        assert group.default is not None
        self.default = group.default
        self.searched = len(group.servers) > 1 or _captures(group.default, version)
        for server in group.servers:
            for name in server_names(server):
                self._add(name, server)

    def _add(self, name: bytes, server: Level) -> None:
        """``ngx_hash_add_key`` with NGX_HASH_WILDCARD_KEY."""
        if name.startswith(b"~"):
            self.regexes.append((name[1:], server))
            return
        name = name.lower()
        if len(name) > 1 and name.startswith(b"."):
            # ".x" stands for "x" and "*.x"; it is dropped whole when "x" is taken
            if name[1:] in self._taken:
                self.conflicts.append((name, server))
                return
            self._taken[name[1:]] = True
            self._wildcard(self.head, name[1:], name, server)
        elif len(name) > 2 and name.startswith(b"*."):
            self._wildcard(self.head, name[2:], name, server)
        elif len(name) > 2 and name.endswith(b".*"):
            self._wildcard(self.tail, name[:-2], name, server)
        elif name in self._taken:
            self.conflicts.append((name, server))
        else:
            self._taken[name] = True
            self.exact[name] = server

    def _wildcard(
        self, table: Dict[bytes, Tuple[Level, bytes]], key: bytes, name: bytes, server: Level
    ) -> None:
        if key in table:
            self.conflicts.append((name, server))
        else:
            table[key] = (server, name)

    def find(self, host: bytes) -> Optional[NameMatch]:
        """The server of a validated host name; None when no name matches (the default then serves).

        Raises:
            CannotDecide: a regex name would have to be tried and PCRE is missing.
        """
        return self.lookup(host) if self.searched else None

    def lookup(self, host: bytes) -> Optional[NameMatch]:
        """The server that has a name for the host; nginx skips this for the only server of an address.

        Raises:
            CannotDecide: a regex name would have to be tried and PCRE is missing.
        """
        if host in self.exact:
            return NameMatch(self.exact[host], "exact", host)
        if host:
            found = self._find_head(host) or self._find_tail(host)
            if found:
                return found
            for pattern, server in self.regexes:
                match = compiled(pattern, is_caseless(pattern), self.version).match(host)
                if match:
                    return NameMatch(server, "regex", b"~" + pattern, match)
        return None

    def _find_head(self, host: bytes) -> Optional[NameMatch]:
        """Longest ``*.x`` or ``.x`` (``ngx_hash_find_wc_head``)."""
        entry = self.head.get(host)
        if entry and entry[1].startswith(b"."):
            return NameMatch(entry[0], "exact" if entry[1] == host else "leading wildcard", entry[1])
        position = host.find(b".")
        while position >= 0:
            entry = self.head.get(host[position + 1 :])
            if entry:
                return NameMatch(entry[0], "leading wildcard", entry[1])
            position = host.find(b".", position + 1)
        return None

    def _find_tail(self, host: bytes) -> Optional[NameMatch]:
        """Longest ``x.*`` (``ngx_hash_find_wc_tail``)."""
        position = host.rfind(b".")
        while position > 0:
            entry = self.tail.get(host[:position])
            if entry:
                return NameMatch(entry[0], "trailing wildcard", entry[1])
            position = host.rfind(b".", 0, position)
        return None


def is_caseless(pattern: bytes) -> bool:
    """A regex name with any upper-case letter is compiled caseless (``ngx_http_core_server_name``)."""
    return any(0x41 <= code <= 0x5A for code in pattern)


def _captures(server: Level, version: Version) -> bool:
    """``cscf->captures``: the last regex name of the server has groups, so names are searched."""
    patterns = [name[1:] for name in server_names(server) if name.startswith(b"~")]
    return bool(patterns) and compiled(patterns[-1], is_caseless(patterns[-1]), version).groups > 0
