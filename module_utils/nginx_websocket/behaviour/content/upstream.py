"""The request that ``proxy_pass`` sends: target, URI, headers.

Rules of ``ngx_http_proxy_pass``, ``ngx_http_proxy_eval``, ``ngx_http_proxy_create_request`` and
``ngx_http_proxy_init_headers``.
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Tuple

from ...conf.tree import Directive, printable
from ..effective import Level, header_list, proxy_http_version, version_text
from ..location import Location
from ..regex import CannotDecide
from ..uri import escape_uri
from ..variables import Exchange, has_variables


@dataclasses.dataclass
class Header:
    """One header line as the backend receives it.

    ``value`` is None when it cannot be told; ``source`` is "file:line", "client" or "default of nginx X".
    """

    name: str
    value: Optional[str]
    source: str = dataclasses.field(compare=False)
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False)
    reason: str = dataclasses.field(default="", compare=False)


@dataclasses.dataclass
class Url:
    """A ``proxy_pass`` URL taken apart (``ngx_parse_url``)."""

    scheme: str
    host: bytes
    port: int
    host_header: bytes
    port_text: bytes
    uri: bytes
    unix: bool = False


@dataclasses.dataclass
class Upstream:
    """Where the request goes and what it looks like there."""

    directive: Directive = dataclasses.field(compare=False)
    url: str = dataclasses.field(compare=False)
    """The target as it is written."""
    scheme: str
    host: str
    port: int
    servers: List[str]
    """Addresses of the ``upstream`` block, or the one address."""
    block: Optional[Directive] = dataclasses.field(compare=False)
    """The ``upstream`` block."""
    method: str
    uri: str
    raw_uri: Optional[bytes]
    version: str
    version_directive: Optional[Directive] = dataclasses.field(compare=False)
    headers: List[Header]
    header_level: Optional[Level] = dataclasses.field(default=None, compare=False)
    """The level whose ``proxy_set_header`` list is in force."""
    resolver_needed: bool = False
    unix: str = ""

    def values(self, name: str) -> List[Header]:
        """Header lines of a name."""
        return [header for header in self.headers if header.name.lower() == name.lower()]

    @property
    def set_headers(self) -> List[Directive]:
        """The ``proxy_set_header`` lines in force."""
        return self.header_level.own(b"proxy_set_header") if self.header_level is not None else []

    def lines(self, name: bytes) -> List[Directive]:
        """Those of them that set one header, named in lower case: nginx sends each."""
        return [line for line in self.set_headers if line.args and line.args[0].lower() == name]

    def line(self, name: bytes) -> Optional[Directive]:
        """The first of them."""
        return next(iter(self.lines(name)), None)


class BadUpstream(Exception):
    """nginx answers 500: the evaluated URL is not usable."""


def parse_url(value: bytes) -> Url:
    """Take a ``proxy_pass`` URL apart.

    Raises:
        BadUpstream: no ``http://`` or ``https://``, no host, or a bad port.
    """
    low = value[:8].lower()
    if low.startswith(b"http://"):
        scheme, rest, default = "http", value[7:], 80
    elif low.startswith(b"https://"):
        scheme, rest, default = "https", value[8:], 443
    else:
        raise BadUpstream('invalid URL prefix in "{}"'.format(value.decode("utf-8", "replace")))
    if rest[:5].lower() == b"unix:":
        path, _colon, uri = rest[5:].partition(b":")
        return Url(scheme, path, 0, b"localhost", b"", uri, unix=True)
    cut = min(
        (position for position in (rest.find(b"/"), rest.find(b"?")) if position >= 0), default=len(rest)
    )
    authority, uri = rest[:cut], rest[cut:]
    if authority.startswith(b"["):
        host, _bracket, port = authority.partition(b"]")
        host += b"]"
        port = port[1:] if port.startswith(b":") else b""
    else:
        host, _colon, port = authority.partition(b":")
    if not host:
        raise BadUpstream("no host in upstream")
    if authority.endswith(b":") or (port and (not port.isdigit() or not 1 <= int(port) <= 65535)):
        raise BadUpstream("invalid port in upstream")
    number = int(port) if port else default
    header = host if not port or number == default else host + b":" + port
    text = port if port and number != default else str(default).encode()
    return Url(scheme, host, number, header, text, uri)


def proxy_pass_of(level: Level) -> Tuple[Optional[Directive], Optional[Level]]:
    """The ``proxy_pass`` in force: not inherited, except into ``if`` and ``limit_except``."""
    current: Optional[Level] = level
    while current is not None:
        found = [directive for directive in current.own(b"proxy_pass") if directive.args]
        if found:
            return found[0], current
        if current.kind not in ("if", "limit_except"):
            return None, None
        current = current.parent
    return None, None


def replaced_prefix(level: Level) -> int:
    """``plcf->location``: length of the name that a URI in ``proxy_pass`` replaces."""
    if isinstance(level, Location) and not level.regex and not level.named:
        return len(level.name)
    return 0


DEFAULT_NAMES = b"Host Connection Content-Length Transfer-Encoding TE Keep-Alive Expect Upgrade".split()
CACHE_NAMES = b"If-Modified-Since If-Unmodified-Since If-None-Match If-Match Range If-Range".split()


def upstream_block(level: Level, name: str) -> Optional[Directive]:
    """The ``upstream`` block of a name, in any case, in ``http`` or ``stream`` (ngx_http_upstream_add)."""
    low = name.lower()
    return next((b for b in level.own(b"upstream") if b.args and printable(b.args[0]).lower() == low), None)


def servers_of(level: Level, name: str) -> Tuple[str, ...]:
    """The addresses that a name stands for: its ``upstream`` block's servers, or the name itself."""
    block = upstream_block(level, name)
    return (name,) if block is None else up_servers(block)


def up_servers(block: Directive) -> Tuple[str, ...]:
    """The addresses of an ``upstream`` block but for those that are ``down``."""
    lines = [line for line in block.children(b"server") if line.args and b"down" not in line.args]
    return tuple(printable(line.args[0]) for line in lines)


def build(exchange: Exchange, level: Level) -> Upstream:
    """The request that nginx would send from this level.

    Raises:
        CannotDecide: the target depends on something unknown.
        BadUpstream: nginx answers 500.
    """
    directive, owner = proxy_pass_of(level)
    if directive is None or owner is None:
        raise BadUpstream("no proxy_pass")
    source = directive.args[0]
    variable = has_variables(source)
    url = parse_url(exchange.evaluate(source) if variable else source)
    if variable and url.uri.startswith(b"?"):
        url.uri = b"/" + url.uri
    exchange.proxy_host, exchange.proxy_port = url.host_header, url.port_text
    raw_uri = _uri(exchange, url, owner, variable)
    version = proxy_http_version(level, exchange.version)
    list_level, lines = header_list(level)
    headers = _headers(exchange, level, lines)
    name = url.host.decode("utf-8", "replace")
    block = upstream_block(exchange.http, name)
    method = _method(exchange, level)
    return Upstream(
        directive=directive,
        url=source.decode("utf-8", "replace"),
        scheme=url.scheme,
        host=name,
        port=url.port,
        servers=_servers(block, url),
        block=block,
        method=method,
        uri=raw_uri.decode("utf-8", "backslashreplace"),
        raw_uri=raw_uri,
        version=version.value,
        version_directive=version.directive,
        headers=headers,
        header_level=list_level,
        resolver_needed=variable and block is None and not url.unix and not _literal(name),
        unix=name if url.unix else "",
    )


def _literal(host: str) -> bool:
    from ..server.listen import canonical_host

    return bool(canonical_host(host)[0])


def _servers(block: Optional[Directive], url: Url) -> List[str]:
    if block is None:
        host = url.host.decode("utf-8", "replace")
        return ["unix:" + host if url.unix else f"{host}:{url.port}"]
    return list(up_servers(block))


def _method(exchange: Exchange, level: Level) -> str:
    value = level.value(b"proxy_method", b"")
    return (exchange.evaluate(value) if value else exchange.method).decode("utf-8", "replace")


def _uri(exchange: Exchange, url: Url, owner: Level, variable: bool) -> bytes:
    """The URI of the request line (``ngx_http_proxy_create_request``)."""
    if variable and url.uri:
        return url.uri
    if not url.uri and exchange.valid_unparsed:
        return exchange.unparsed
    cut = replaced_prefix(owner) if exchange.valid_location and url.uri else 0
    if cut > len(exchange.uri) and exchange.version < (1, 29, 4):
        raise CannotDecide("the URI is shorter than the location's name: undefined before nginx 1.29.4")
    rest = exchange.uri[cut:]
    if exchange.quoted or exchange.internal:
        rest = escape_uri(rest, exchange.version)
    result = (url.uri if exchange.valid_location else b"") + rest
    if exchange.args:
        result += b"?" + exchange.args
    if not result:
        raise BadUpstream("zero length URI to proxy")
    return result


def _headers(exchange: Exchange, level: Level, lines: List[Directive]) -> List[Header]:
    """Header lines in nginx's order: the list in force, defaults, then what the client sent."""
    default_source = f"default of nginx {version_text(exchange.version)}"
    result: List[Header] = []
    names = set()
    for line in lines:
        if len(line.args) != 2:
            continue
        names.add(line.args[0].lower())
        _append(result, exchange, line.args[0], line.args[1], line.where(), line)
    cached = level.value(b"proxy_cache", b"off") != b"off"
    for name in DEFAULT_NAMES + (CACHE_NAMES if cached else []):
        if name.lower() in names:
            continue
        names.add(name.lower())
        if name == b"Host":
            _append(result, exchange, name, b"$proxy_host", default_source, None)
        elif name == b"Connection" and exchange.version < (1, 29, 7):
            _append(result, exchange, name, b"close", default_source, None)
        elif name == b"Content-Length" and exchange.header(b"content-length") is not None:
            length = b"0" if exchange.body_discarded else b"$content_length"
            _append(result, exchange, name, length, default_source, None)
    if level.on(b"proxy_pass_request_headers", True):
        for key, value in exchange.headers:
            if key.lower() not in names:
                result.append(Header(_text(key), _text(value), "client"))
    return result


def _text(value: bytes) -> str:
    return value.decode("latin-1")


def _append(
    result: List[Header],
    exchange: Exchange,
    name: bytes,
    source: bytes,
    where: str,
    line: Optional[Directive],
) -> None:
    if not source:
        return
    try:
        value = exchange.evaluate(source)
    except CannotDecide as error:
        result.append(Header(_text(name), None, where, line, str(error)))
        return
    if value:
        result.append(Header(_text(name), _text(value), where, line))
