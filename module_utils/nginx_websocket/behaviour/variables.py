"""One request on its way through the phases: what nginx knows of it, and the values that it interpolates.

Rules of ``ngx_http_script_compile`` and ``ngx_http_map_module.c``; ``built_in`` has the variables of nginx's
modules.  What only the running host knows (time, geo databases, TLS session, upstream state) raises
``CannotDecide``.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Callable, Dict, List, Optional, Tuple, Union

from ..conf.tree import Directive, walked
from .access.networks import Network, ip_of, longest, network_of
from .effective import Level, Version
from .regex import CannotDecide, Match, Regex, compiled
from .uri import escape_args

_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

Part = Tuple[str, Union[bytes, int]]
"""("text", bytes), ("variable", name) or ("capture", number)."""


@functools.lru_cache(maxsize=8192)
def parse_template(source: bytes) -> Tuple[Part, ...]:
    """Cut a value into text, variables and captures (``ngx_http_script_compile``).

    Args:
        source: the value as it stands in the directive, quotes and escapes already removed..
    """
    parts: List[Part] = []
    text = bytearray()

    def flush() -> None:
        if text:
            parts.append(("text", bytes(text)))
            text.clear()

    index, size = 0, len(source)
    while index < size:
        code = source[index]
        if code != 0x24 or index + 1 >= size:
            text.append(code)
            index += 1
            continue
        index += 1
        if 0x31 <= source[index] <= 0x39:
            flush()
            parts.append(("capture", source[index] - 0x30))
            index += 1
            continue
        braced = source[index] == 0x7B
        start = index + 1 if braced else index
        end = start
        while end < size and source[end] in _NAME_BYTES:
            end += 1
        flush()
        parts.append(("variable", source[start:end]))
        index = end + 1 if braced else end
    flush()
    return tuple(parts)


def has_variables(source: bytes) -> bool:
    """``ngx_http_script_variables_count`` is not zero."""
    return b"$" in source


def variable_names(source: bytes) -> List[bytes]:
    """Names of the variables that a value uses."""
    return [
        value for kind, value in parse_template(source) if kind == "variable" and isinstance(value, bytes)
    ]


@dataclasses.dataclass
class Map:
    """One ``map`` block, ready to be searched."""

    source: bytes
    directive: Directive
    hostnames: bool = False
    volatile: bool = False
    default: bytes = b""
    exact: Dict[bytes, bytes] = dataclasses.field(default_factory=dict)
    head: Dict[bytes, Tuple[bytes, bool]] = dataclasses.field(default_factory=dict)
    tail: Dict[bytes, bytes] = dataclasses.field(default_factory=dict)
    regexes: List[Tuple[bytes, bool, bytes]] = dataclasses.field(default_factory=list)

    def find(self, value: bytes, match: Callable[[Regex, bytes], Optional[Match]], version: Version) -> bytes:
        """The template of the value that the key selects (``ngx_http_map_find``)."""
        if self.hostnames and value.endswith(b"."):
            value = value[:-1]
        low = value.lower()
        if low in self.exact:
            return self.exact[low]
        if low:
            found = self._wildcard(low)
            if found is not None:
                return found
            for pattern, caseless, template in self.regexes:
                if match(compiled(pattern, caseless, version), value) is not None:
                    return template
        return self.default

    def _wildcard(self, low: bytes) -> Optional[bytes]:
        entry = self.head.get(low)
        if entry and entry[1]:
            return entry[0]
        position = low.find(b".")
        while position >= 0:
            entry = self.head.get(low[position + 1 :])
            if entry:
                return entry[0]
            position = low.find(b".", position + 1)
        position = low.rfind(b".")
        while position > 0:
            if low[:position] in self.tail:
                return self.tail[low[:position]]
            position = low.rfind(b".", 0, position)
        return None


def parse_map(directive: Directive) -> Map:
    """Read a ``map`` block (``ngx_http_map_block``)."""
    result = Map(directive.args[0] if directive.args else b"", directive)
    entries = directive.block or []
    result.hostnames = any(entry.name == b"hostnames" and not entry.args for entry in entries)
    hostnames = False
    for entry in entries:
        if not entry.args:
            hostnames = hostnames or entry.name == b"hostnames"
            result.volatile = result.volatile or entry.name == b"volatile"
            continue
        key, value = entry.name, entry.args[0]
        if key == b"default":
            result.default = value
        elif key.startswith(b"~"):
            caseless = key.startswith(b"~*")
            result.regexes.append((key[2:] if caseless else key[1:], caseless, value))
        else:
            if key.startswith(b"\\"):
                key = key[1:]
            _add_key(result, key.lower(), value, hostnames)
    return result


def _add_key(result: Map, key: bytes, value: bytes, hostnames: bool) -> None:
    if hostnames and len(key) > 1 and key.startswith(b"."):
        result.head.setdefault(key[1:], (value, True))
    elif hostnames and len(key) > 2 and key.startswith(b"*."):
        result.head.setdefault(key[2:], (value, False))
    elif hostnames and len(key) > 2 and key.endswith(b".*"):
        result.tail.setdefault(key[:-2], value)
    else:
        result.exact.setdefault(key, value)


@dataclasses.dataclass
class Geo(Map):
    """One ``geo`` block (``ngx_http_geo_module.c``): the value by the client's network."""

    networks: List[Tuple[Network, bytes]] = dataclasses.field(default_factory=list)

    def find(self, value: bytes, match: Callable[[Regex, bytes], Optional[Match]], version: Version) -> bytes:
        """The value of the network that holds this address; a client of a unix socket has none."""
        address = ip_of(value.decode("latin-1"))
        if address is None:
            raise CannotDecide(f"geo at {self.directive.where()} looks for the address of the client")
        found = longest(self.networks, address)
        return self.default if found is None else found


def parse_geo(directive: Directive) -> Optional[Geo]:
    """Read a ``geo`` block; None where ranges, proxies or files of its own decide."""
    found = Geo(directive.args[0] if len(directive.args) == 2 else b"$remote_addr", directive)
    for entry in directive.block or ():
        network = network_of(entry.name.decode("latin-1"))
        if len(entry.args) == 1 and entry.name == b"default":
            found.default = entry.args[0]
        elif len(entry.args) == 1 and network is not None:
            found.networks.append((network, entry.args[0]))
        else:
            return None
    return found


def maps_of(http: Level) -> Tuple[Dict[bytes, Map], Dict[bytes, Directive]]:
    """All variables of ``map`` and ``geo`` (the last block of a name counts), and those that only the host
    can tell."""
    maps: Dict[bytes, Map] = {}
    opaque: Dict[bytes, Directive] = {}
    for directive in http.own(
        b"map", b"geo", b"split_clients", b"perl_set", b"js_set", b"js_var", b"auth_jwt_claim_set"
    ):
        if not directive.args:
            continue
        last = (
            directive.args[-1] if directive.name in (b"map", b"geo", b"split_clients") else directive.args[0]
        )
        name = last[1:]
        known: Optional[Map] = None
        if directive.name == b"map" and len(directive.args) == 2:
            known = parse_map(directive)
        elif directive.name == b"geo":
            known = parse_geo(directive)
        if known is not None:
            maps[name] = known
            opaque.pop(name, None)
        else:
            opaque[name] = directive
            maps.pop(name, None)
    return maps, opaque


VALUE_LIMIT = 1 << 20
"""Bytes that one value may have: ``set $a $a$a`` doubles it each time."""


@dataclasses.dataclass
class Exchange:
    """What nginx knows of one request while it walks the phases."""

    version: Version
    http: Level
    server: Level
    level: Level
    """The level whose settings are in force (nginx's ``r->loc_conf``)."""
    built_in: Callable[[Exchange, bytes], Optional[bytes]]
    """The value of a variable that nginx's modules define; None for what is none of them."""
    line: bytes = b""
    """The request line as the client sent it; ``error_page`` changes the method, never the line."""
    method: bytes = b"GET"
    uri: bytes = b"/"
    args: bytes = b""
    unparsed: bytes = b"/"
    quoted: bool = False
    plus: bool = False
    valid_unparsed: bool = True
    valid_location: bool = True
    internal: bool = False
    uri_changed: bool = False
    uri_changes: int = 11
    add_uri_to_alias: bool = False
    body_discarded: bool = False
    """A body beyond ``client_max_body_size`` was thrown away: an ``error_page`` gets none."""
    before_uri: bytes = b""
    """The byte in memory before an empty URI: nginx reads it to know whether the URI ends in a slash."""
    headers: List[Tuple[bytes, bytes]] = dataclasses.field(default_factory=list)
    host: bytes = b""
    tls: bool = False
    sni: bytes = b""
    protocol: bytes = b"HTTP/1.1"
    server_address: str = ""
    server_port: int = 0
    remote: str = ""
    """Address of the other end of the connection; "unix:" for a unix socket, "" when it is not known."""
    proxied: Optional[str] = None
    """The client's address in the PROXY line."""
    prefix: str = ""
    captures: Tuple[bytes, ...] = ()
    proxy_host: Optional[bytes] = None
    proxy_port: bytes = b""
    maps: Dict[bytes, Map] = dataclasses.field(default_factory=dict)
    opaque: Dict[bytes, Directive] = dataclasses.field(default_factory=dict)
    values: Dict[bytes, Union[bytes, CannotDecide]] = dataclasses.field(default_factory=dict)
    depth: int = 0
    signed_in: bool = False
    """Whether the access phase has come, in which ``auth_request_set`` gives variables their values."""
    fallback_of: Optional[Directive] = None
    """The ``try_files`` whose last argument is being followed."""

    # -- captures ---------------------------------------------------------------------------------

    def keep(self, match: Match) -> None:
        """Take over the captures of a successful match (end of ``ngx_http_regex_exec``)."""
        self.captures = match.groups
        for name, value in match.named.items():
            self.values[name] = value

    def search(self, regex: Regex, subject: bytes) -> Optional[Match]:
        """``ngx_http_regex_exec``."""
        match = regex.match(subject)
        if match is not None:
            self.keep(match)
        return match

    def capture(self, number: int) -> bytes:
        """``$1`` … ``$9``."""
        return self.captures[number] if number < len(self.captures) else b""

    # -- evaluation -------------------------------------------------------------------------------

    def evaluate(self, source: bytes, escape: bool = False) -> bytes:
        """Interpolate a value.

        Args:
            source: the value as written.
            escape: escape captures as arguments when the request's path was quoted; only the rewrite
                module asks for that.

        Raises:
            CannotDecide: it uses a variable that the configuration and the request do not determine.
        """
        if b"$" not in source:
            return source
        out: List[bytes] = []
        for kind, value in parse_template(source):
            if kind == "text" and isinstance(value, bytes):
                out.append(value)
            elif kind == "capture" and isinstance(value, int):
                text = self.capture(value)
                if escape and (self.quoted or self.plus):
                    text = escape_args(text, self.version)
                out.append(text)
            elif isinstance(value, bytes):
                out.append(self.variable(value))
        if sum(map(len, out)) > VALUE_LIMIT:
            raise CannotDecide(f"a value grows beyond {VALUE_LIMIT} bytes")
        return b"".join(out)

    def told(self, source: bytes) -> Optional[str]:
        """The same as Latin-1; None where configuration and request do not tell."""
        try:
            return self.evaluate(source).decode("latin-1")
        except CannotDecide:
            return None

    def variable(self, name: bytes) -> bytes:
        """Value of a variable; not found counts as empty, as nginx has it.

        Raises:
            CannotDecide: the value is not determined by configuration and request.
        """
        if name in self.values:
            known = self.values[name]
            if isinstance(known, CannotDecide):
                raise known
            return known
        if name in self.maps:
            return self._map(name)
        if name in self.opaque:
            directive = self.opaque[name]
            words = (name.decode(), directive.name.decode(), directive.where())
            raise CannotDecide("${} comes from {} at {}".format(*words))
        if not self.signed_in and name in self.http.once(signed_in_names):
            return b""  # ngx_http_auth_request_variable: not found before the subrequest has ended
        value = self.built_in(self, name)
        if value is not None:
            return value
        if name in self.http.once(_assigned_names):
            return b""  # A set or a named capture elsewhere in the configuration defines it.
        raise CannotDecide(
            "the value of ${} is known only while nginx runs".format(name.decode("utf-8", "replace"))
        )

    def _map(self, name: bytes) -> bytes:
        block = self.maps[name]
        self.depth += 1
        try:
            if self.depth > 100:
                raise CannotDecide("cycle while evaluating ${}".format(name.decode("utf-8", "replace")))
            key = self.evaluate(block.source)
            value = self.evaluate(block.find(key, self.search, self.version))
        except CannotDecide as error:
            if not block.volatile:
                self.values[name] = error
            raise
        finally:
            self.depth -= 1
        if not block.volatile:
            self.values[name] = value
        return value

    # -- request headers --------------------------------------------------------------------------

    def header(self, name: bytes) -> Optional[bytes]:
        """First value of a request header; None when it is absent."""
        low = name.lower()
        return next((value for key, value in self.headers if key.lower() == low), None)

    def header_variable(self, name: bytes) -> bytes:
        """``$http_name``: one header, or all of the name joined (cookies; everything since 1.23.0)."""
        found = [value for key, value in self.headers if key.lower().replace(b"-", b"_") == name]
        if not found:
            return b""
        if name == b"cookie":
            return b"; ".join(found)
        if name == b"x_forwarded_for" or self.version >= (1, 23, 0):
            return b", ".join(found)
        return found[0]


def signed_in_names(http: Level) -> frozenset[bytes]:
    """Variables that ``auth_request_set`` fills, anywhere."""
    lines = (line for line in walked(http.body()) if line.name == b"auth_request_set" and line.args)
    return frozenset(line.args[0][1:] for line in lines)


def _assigned_names(http: Level) -> frozenset[bytes]:
    names = set()
    for directive in walked(http.body()):
        if directive.name == b"set" and directive.args:
            names.add(directive.args[0][1:])
        elif directive.name in (b"location", b"server_name", b"rewrite", b"if", b"map"):
            for argument in (
                *directive.args,
                *(e.name for e in directive.block or () if directive.name == b"map"),
            ):
                for opening in (b"(?<", b"(?P<", b"(?'"):
                    for piece in argument.split(opening)[1:]:
                        names.add(piece.split(b">")[0].split(b"'")[0])
    return frozenset(names)
