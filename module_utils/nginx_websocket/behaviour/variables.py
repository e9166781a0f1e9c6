"""Variables: interpolation and the value of each variable that a request and a configuration determine.

Rules of ``ngx_http_script_compile``, ``ngx_http_variables.c`` and ``ngx_http_map_module.c``.  What only
the running host knows (time, geo databases, TLS session, upstream state) raises ``CannotDecide``.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import functools
from typing import Callable, Dict, List, Optional, Tuple, Union

from ..conf.tree import Directive
from .access.addresses import client_address
from .content.files import document_root, map_uri_to_path
from .effective import Level, Version, version_text
from .regex import CannotDecide, Match, Regex, compiled
from .server.names import primary_name
from .uri import escape_args

_NAME_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")

Part = Tuple[str, Union[bytes, int]]
"""("text", bytes), ("variable", name), ("capture", number) or ("args", b"")."""


@functools.lru_cache(maxsize=8192)
def parse_template(source: bytes, split_args: bool = False) -> Tuple[Part, ...]:
    """Cut a value into text, variables and captures (``ngx_http_script_compile``).

    Args:
        source: the value as it stands in the directive, quotes and escapes already removed.
        split_args: mark the first literal ``?`` as the start of the arguments (rewrite without redirect).
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
        if code == 0x3F and split_args:
            flush()
            parts.append(("args", b""))
            split_args = False
            index += 1
            continue
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


def maps_of(http: Level) -> Tuple[Dict[bytes, Map], Dict[bytes, Directive]]:
    """All ``map`` variables (the last block of a name counts), and those that only the host can tell."""
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
        if directive.name == b"map" and len(directive.args) == 2:
            maps[name] = parse_map(directive)
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
        builtin = _BUILTIN.get(name)
        if builtin is not None:
            return builtin(self)
        for prefix, function in _PREFIXES:
            if name.startswith(prefix) and len(name) > len(prefix):
                return function(self, name[len(prefix) :])
        if name in _ASSIGNED_LATER or self._assigned_somewhere(name):
            return b""
        raise CannotDecide(
            "the value of ${} is known only while nginx runs".format(name.decode("utf-8", "replace"))
        )

    def _assigned_somewhere(self, name: bytes) -> bool:
        """A ``set`` or a named capture elsewhere in the configuration defines it: here it is empty."""
        return name in self.http.once(_assigned_names)

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


def _assigned_names(http: Level) -> frozenset[bytes]:
    names = set()
    stack = list(http.body())
    while stack:
        directive = stack.pop()
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
        elif directive.name == b"auth_request_set" and directive.args:
            continue
        stack.extend(directive.block or ())
    return frozenset(names)


def _argument(exchange: Exchange, name: bytes) -> bytes:
    """``ngx_http_arg``: name compared without case, value as it stands, first one wins."""
    for pair in exchange.args.split(b"&"):
        key, equals, value = pair.partition(b"=")
        if equals and key.lower() == name.lower():
            return value
    return b""


def _cookie(exchange: Exchange, name: bytes) -> bytes:
    """``$cookie_name``: name compared without case."""
    for value in (v for k, v in exchange.headers if k.lower() == b"cookie"):
        for pair in value.split(b";"):
            key, equals, text = pair.strip(b" ").partition(b"=")
            if equals and key.strip(b" ").lower() == name.lower():
                return text.strip(b" ")
    return b""


def _remote_addr(exchange: Exchange) -> bytes:
    address, reason = client_address(exchange)
    if reason:
        raise CannotDecide(reason)
    return address.encode()


def _proxied(exchange: Exchange) -> bytes:
    if exchange.proxied is None:
        raise CannotDecide("the PROXY line is not given")
    return exchange.proxied.encode()


def _forwarded_for(exchange: Exchange) -> bytes:
    found = exchange.header_variable(b"x_forwarded_for")
    address = _remote_addr(exchange)
    return found + b", " + address if found else address


def _remote_user(exchange: Exchange) -> bytes:
    value = exchange.header(b"authorization")
    if value is None or value[:6].lower() != b"basic ":
        return b""
    try:
        return base64.b64decode(value[6:].strip(b" ")).partition(b":")[0]
    except (binascii.Error, ValueError):
        return b""


def _server_addr(exchange: Exchange) -> bytes:
    if not exchange.server_address:
        raise CannotDecide("the local address of the connection is not given")
    return exchange.server_address.encode()


def _host(exchange: Exchange) -> bytes:
    return exchange.host or primary_name(exchange.server)


def _invalid_referer(exchange: Exchange) -> bytes:
    """``ngx_http_referer_variable``, as far as the absence of the header decides it."""
    rules = exchange.level.nearest(b"valid_referers")[1]
    arguments = [argument for rule in rules for argument in rule.args]
    if not [argument for argument in arguments if argument not in (b"none", b"blocked")]:
        return b""
    if exchange.header(b"referer") is None:
        return b"" if b"none" in arguments else b"1"
    raise CannotDecide("$invalid_referer depends on the Referer header")


def _proxy_host(exchange: Exchange) -> bytes:
    return exchange.proxy_host or b""


def _split_path(exchange: Exchange) -> Tuple[bytes, bytes]:
    """``ngx_http_fastcgi_split``: script name and path info."""
    found = exchange.level.nearest(b"fastcgi_split_path_info")[1]
    if found and found[-1].args:
        match = compiled(found[-1].args[0], False, exchange.version).match(exchange.uri)
        if match is not None and len(match.groups) > 2:
            return match.groups[1], match.groups[2]
    return exchange.uri, b""


def _script_name(exchange: Exchange) -> bytes:
    name = _split_path(exchange)[0]
    return name + exchange.level.value(b"fastcgi_index", b"") if name.endswith(b"/") else name


_BUILTIN: Dict[bytes, Callable[[Exchange], bytes]] = {
    b"uri": lambda e: e.uri,
    b"document_uri": lambda e: e.uri,
    b"args": lambda e: e.args,
    b"query_string": lambda e: e.args,
    b"is_args": lambda e: b"?" if e.args else b"",
    b"request_uri": lambda e: e.unparsed,
    b"request_method": lambda e: e.method,
    b"request": lambda e: e.line,
    b"host": _host,
    b"server_name": lambda e: primary_name(e.server),
    b"server_port": lambda e: str(e.server_port).encode(),
    b"server_addr": _server_addr,
    b"server_protocol": lambda e: e.protocol,
    b"scheme": lambda e: b"https" if e.tls else b"http",
    b"https": lambda e: b"on" if e.tls else b"",
    b"http2": lambda e: b"",
    b"http3": lambda e: b"",
    b"ssl_server_name": lambda e: e.sni,
    b"content_type": lambda e: e.header(b"content-type") or b"",
    b"content_length": lambda e: e.header(b"content-length") or b"",
    b"remote_addr": _remote_addr,
    b"proxy_protocol_addr": _proxied,
    b"remote_user": _remote_user,
    b"proxy_add_x_forwarded_for": _forwarded_for,
    b"proxy_host": _proxy_host,
    b"proxy_port": lambda e: e.proxy_port,
    b"invalid_referer": _invalid_referer,
    b"document_root": document_root,
    b"request_filename": map_uri_to_path,
    b"fastcgi_script_name": _script_name,
    b"fastcgi_path_info": lambda e: _split_path(e)[1],
    b"nginx_version": lambda e: version_text(e.version).encode(),
    b"limit_rate": lambda e: b"0",
    b"pipe": lambda e: b".",
}

_PREFIXES: Tuple[Tuple[bytes, Callable[[Exchange, bytes], bytes]], ...] = (
    (b"http_", lambda e, name: e.header_variable(name)),
    (b"arg_", _argument),
    (b"cookie_", _cookie),
    (b"upstream_", lambda e, name: b""),
    (b"sent_http_", lambda e, name: b""),
)

_ASSIGNED_LATER = frozenset((b"proxy_internal_body_length", b"proxy_internal_chunked"))
