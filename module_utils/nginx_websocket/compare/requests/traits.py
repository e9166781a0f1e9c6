"""What nginx looks at in a request besides its path: the values that make requests differ there.

Of a whole server, or of the locations that one path enters: what stands in the others is nothing to it.
"""

from __future__ import annotations

import dataclasses
import re
from typing import AbstractSet, Dict, List, Optional, Set, Tuple, TypeVar

from ...behaviour.effective import Level
from ...behaviour.rewrite import condition_words
from ...behaviour.variables import Map, variable_names
from ...conf.tree import Directive, printable
from ..pattern import texts

_PATHS = frozenset((b"uri", b"request_uri", b"document_uri", b"request_filename", b"request"))
_NOT_ASKED = frozenset((b"http_host", b"http_connection", b"http_upgrade", b"http_cookie"))
_OF_PORTS = re.compile(
    rb"(?:scheme|https|http2|http3|server_(?:addr|port|protocol)|ssl_.*|proxy_protocol_.*)\Z"
)
_QUERY = frozenset((b"args", b"query_string", b"is_args", b"request_uri", b"request"))
_HTTP = "HTTP_"
"""How the name of a parameter begins that is a header of the client (RFC 3875, 4.1.18)."""
_HANDSHAKE = frozenset((b"http_upgrade", b"http_connection"))
Given = TypeVar("Given")
_EACH = 3
"""Values asked with for one header or argument."""
_OF_METHODS = 6


@dataclasses.dataclass
class Traits:
    """What the servers of both trees look at."""

    paths: List[bytes] = dataclasses.field(default_factory=list)
    """Regular expressions that a request's path is held against, besides locations."""
    plain: List[bytes] = dataclasses.field(default_factory=list)
    """Paths that are named outside of locations: error pages, fallbacks, keys of maps."""
    methods: List[str] = dataclasses.field(default_factory=list)
    origins: List[str] = dataclasses.field(default_factory=list)
    asks_origin: bool = False
    """Whether answers depend on the Origin of a request that is no handshake."""
    asks_upgrade: bool = False
    """Whether something else than the headers to a backend depends on a handshake."""
    headers: List[Tuple[str, str]] = dataclasses.field(default_factory=list)
    queries: List[str] = dataclasses.field(default_factory=list)
    asks_port: bool = False
    """Whether answers hang on the port that was connected to, or on its TLS."""
    asks_query: bool = False
    """Whether answers hold what the request has after its question mark."""
    written: Dict[str, None] = dataclasses.field(default_factory=dict)
    """Headers of a request that are written for a backend, or taken away."""
    own_headers: Dict[str, None] = dataclasses.field(default_factory=dict)
    """Headers that are looked at, whatever value they have."""
    own_arguments: Dict[str, None] = dataclasses.field(default_factory=dict)
    own_cookies: Dict[str, None] = dataclasses.field(default_factory=dict)


class Reader:
    """Collects the traits of servers; the maps of their http block are followed."""

    def __init__(self, entered: Optional[AbstractSet[Directive]] = None) -> None:
        """Begin with nothing.

        Args:
            entered: the locations that count; None for all.
        """
        self.traits = Traits()
        self._entered = entered
        self._maps: Dict[bytes, Map] = {}
        self._seen: Set[bytes] = set()

    def read(self, server: Level, maps: Dict[bytes, Map]) -> None:
        """Take in one server.

        Args:
            server: of one of the trees.
            maps: of its http block, by variable.
        """
        self._maps, self._seen = maps, set()
        for outer in server.chain()[1:]:
            for directive in outer.body():
                if directive.block is None and not directive.name.startswith(b"log_format"):
                    self._values(directive)
        if server.directive is not None:
            self._block(server.directive)

    def _block(self, block: Directive) -> None:
        for directive in block.block or ():
            self._directive(directive)
            if directive.block is not None and self._counts(directive):
                self._block(directive)

    def _counts(self, block: Directive) -> bool:
        return self._entered is None or block.name != b"location" or block in self._entered

    def _directive(self, directive: Directive) -> None:
        name, args = directive.name, directive.args
        if name == b"if":
            self._condition(directive)
        elif name == b"limit_except":
            self._methods([*args, b"POST", b"OPTIONS", b"PUT", b"DELETE"])
        elif name == b"rewrite" and args:
            _add(self.traits.paths, args[0])
            self.traits.asks_query = True
        elif name == b"error_page" and args and args[-1].startswith(b"/"):
            _add(self.traits.plain, args[-1].split(b"?")[0])
        elif name == b"try_files":
            for word in args:
                if word.startswith(b"/") and b"$" not in word:
                    _add(self.traits.plain, word.split(b"?")[0])
        if name not in (b"location", b"server_name", b"rewrite"):
            self._values(directive)

    def _values(self, directive: Directive) -> None:
        """Variables that a value uses, and what the maps behind them look at."""
        header = header_of(directive)
        if header and not _OF_ONE_CONNECTION.fullmatch(header):
            self.traits.written[header.lower()] = None
        for argument in directive.args:
            if b"$" in argument:
                for name in variable_names(argument):
                    self._variable(name, told=directive.name in _OF_NO_ANSWER)

    def _variable(self, name: bytes, *, told: bool) -> None:
        self._uses(name, told)
        found = self._maps.get(name)
        if found is None or name in self._seen:
            return
        self._seen.add(name)
        for source in variable_names(found.source):
            for key in found.exact:
                self._key(source, key, regex=False)
            for pattern, _caseless, _value in found.regexes:
                self._key(source, pattern, regex=True)
            self._variable(source, told=told)
        for value in (found.default, *found.exact.values(), *(value for _p, _c, value in found.regexes)):
            for inner in variable_names(value):
                self._variable(inner, told=told)

    def _uses(self, name: bytes, told: bool) -> None:
        if name == b"http_origin":
            self.traits.asks_origin = True
        elif name in _HANDSHAKE and not told:
            self.traits.asks_upgrade = True
        elif name in _QUERY and not told:
            self.traits.asks_query = True
        kind, _mark, rest = name.decode("latin-1").partition("_")
        if kind == "http" and name not in _NOT_ASKED and name != b"http_origin":
            self.traits.own_headers[rest.replace("_", "-")] = None
        elif kind == "arg":
            self.traits.own_arguments[rest] = None
        elif kind == "cookie":
            self.traits.own_cookies[rest] = None

    def _condition(self, directive: Directive) -> None:
        words = condition_words(directive.args)
        if not words or not words[0].startswith(b"$"):
            return
        names = variable_names(words[0])
        if not names:
            return
        if len(words) == 1:
            self._key(names[0], b"1", regex=False)
        elif len(words) == 3:
            self._key(names[0], words[2], regex=b"~" in words[1])

    def _key(self, variable: bytes, value: bytes, *, regex: bool) -> None:
        """A value that a variable is held against."""
        self.traits.asks_port |= _OF_PORTS.match(variable) is not None
        if variable in _PATHS:
            if regex:
                _add(self.traits.paths, value)
            elif value.startswith(b"/"):
                _add(self.traits.plain, value.split(b"?")[0])
            return
        values = texts(value)[:_EACH] if regex else [value]
        words = [text.decode("latin-1") for text in values if _sendable(text)]
        if variable == b"request_method":
            self._methods([word.encode("latin-1") for word in words])
        elif variable == b"http_origin":
            self.traits.asks_origin = True
            for word in words:
                if word not in self.traits.origins:
                    self.traits.origins.append(word)
        elif variable.startswith(b"http_") and variable not in _NOT_ASKED:
            header = variable[5:].decode("latin-1").replace("_", "-")
            self._few(self.traits.headers, [(header, word) for word in words])
        elif variable.startswith(b"cookie_"):
            self._few(
                self.traits.headers,
                [("cookie", f"{variable[7:].decode('latin-1')}={word}") for word in words],
            )
        elif variable.startswith(b"arg_"):
            self._few(self.traits.queries, [f"{variable[4:].decode('latin-1')}={word}" for word in words])
        elif variable in (b"args", b"query_string"):
            self._few(self.traits.queries, words)

    @staticmethod
    def _few(into: List[Given], values: List[Given]) -> None:
        for value in values:
            if value not in into and len(into) < 4 * _EACH:
                into.append(value)

    def _methods(self, names: List[bytes]) -> None:
        for name in names:
            text = name.decode("latin-1").upper()
            if text.isalpha() and text not in ("GET", *self.traits.methods):
                self.traits.methods.append(text)
        del self.traits.methods[_OF_METHODS:]


_PARAMETERS = frozenset((b"fastcgi_param", b"uwsgi_param", b"scgi_param"))
_OF_NO_ANSWER = _PARAMETERS | {b"proxy_set_header", b"access_log"}
"""Directives whose values no browser sees: to a backend, or to a log."""


_SET_HEADER = b"_set_header"
_OF_ONE_CONNECTION = re.compile(
    r"(?:content|sec)-.*|connection|early-data|expect|host|http2-settings|keep-alive|origin|te|trailer|"
    r"transfer-encoding|upgrade",
    re.IGNORECASE,
)
"""Headers of the transport and the handshake; Origin is asked with by itself."""
_OF_BROWSERS = re.compile(
    r"(?:accept|access-control|if)-.*|accept|authorization|cache-control|cookie|dnt|pragma|priority|range|referer|"
    r"upgrade-insecure-requests|user-agent",
    re.IGNORECASE,
)


def sent_by_browsers(header: str) -> bool:
    """Whether a browser sends a header by itself, so that nobody takes its value for a proxy's word.

    Args:
        header: its name in any case, or that of the parameter that FastCGI makes of it (``HTTP_COOKIE``).
    """
    name = header[len(_HTTP) :].replace("_", "-") if header.startswith(_HTTP) else header
    return bool(_OF_ONE_CONNECTION.fullmatch(name) or _OF_BROWSERS.fullmatch(name))


def header_of(directive: Directive) -> str:
    """The header of a request that a directive writes for the backend; "" for any other directive."""
    name = printable(directive.args[0]) if directive.args else ""
    if directive.name.endswith(_SET_HEADER):
        return name
    if directive.name in _PARAMETERS and name.startswith(_HTTP):
        return name[len(_HTTP) :].replace("_", "-")
    return ""


def _sendable(text: bytes) -> bool:
    return bool(text) and len(text) < 500 and all(0x20 < code < 0x7F for code in text)


def _add(into: List[bytes], value: bytes) -> None:
    if value not in into:
        into.append(value)


def traits_of(
    *servers: Tuple[Optional[Level], Dict[bytes, Map]], entered: Optional[AbstractSet[Directive]] = None
) -> Traits:
    """What some servers look at.

    Args:
        servers: each with the maps of its http block.
        entered: the locations that count; None for all.
    """
    reader = Reader(entered)
    for server, maps in servers:
        if server is not None:
            reader.read(server, maps)
    return reader.traits
