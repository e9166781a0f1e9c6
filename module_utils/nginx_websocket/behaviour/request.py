"""The request whose route is asked for."""

from __future__ import annotations

import dataclasses
from typing import Callable, List, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from .effective import Level, Version
from .server.names import validate_host
from .uri import BadRequest

HANDSHAKE = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
)
PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


@dataclasses.dataclass
class Request:
    """One request as a client sends it.

    ``ws``/``wss`` URLs bring the headers of an opening handshake.  A header in ``headers`` replaces the
    one of that name which the URL would bring; with ``exact_headers`` the list is all that is sent.
    """

    url: str
    headers: Sequence[Tuple[str, str]] = ()
    address: str = ""
    """Local address that the connection reaches: IP, IP:port, [IPv6]:port or unix:/path."""
    method: str = "GET"
    sni: Optional[str] = None
    """TLS server name; the host of the URL by default, "" for none."""
    remote: str = ""
    """The client's address."""
    target: Optional[bytes] = None
    """Request target, when it is not what the URL says."""
    exact_headers: bool = False
    proxy_line: Optional[str] = None
    """The client's address in a PROXY line that comes before the request; None without such a line."""
    http_version: str = "1.1"

    @property
    def scheme(self) -> str:
        """Scheme of the URL, lower case."""
        return urlsplit(self.url).scheme.lower()

    @property
    def tls(self) -> bool:
        """Whether the client speaks TLS."""
        return self.scheme in ("https", "wss")

    @property
    def websocket(self) -> bool:
        """Whether it is an opening handshake."""
        return any(key.lower() == "upgrade" for key, _value in self.header_list())

    def host_port(self) -> Tuple[str, int]:
        """Host and port of the URL.

        Raises:
            ValueError: the URL is not an absolute ws, wss, http or https URL.
        """
        parts = urlsplit(self.url)
        if self.scheme not in PORTS or not parts.hostname:
            text = f"url {self.url!r} is not usable: expected ws://, wss://, http:// or https:// and a host"
            raise ValueError(text)
        try:
            port = parts.port
        except ValueError as error:
            raise ValueError(f"url {self.url!r} has a port that is not a number from 1 to 65535") from error
        return parts.hostname, port or PORTS[self.scheme]

    def local_address(self) -> Tuple[str, int]:
        """Address and port that the connection reaches; the address is "" when only a name is known."""
        host, port = self.host_port()
        if not self.address:
            return host, port
        if self.address.startswith("unix:"):
            return self.address, 0
        if self.address.startswith("["):
            literal, _bracket, rest = self.address[1:].partition("]")
            return literal, int(rest[1:]) if rest.startswith(":") else port
        if self.address.count(":") == 1:
            literal, _colon, rest = self.address.partition(":")
            return literal, int(rest)
        return self.address, port

    def raw_target(self) -> bytes:
        """The request target."""
        if self.target is not None:
            return self.target
        rest = self.url.split("://", 1)[-1]
        cut = min((p for p in (rest.find("/"), rest.find("?"), rest.find("#")) if p >= 0), default=len(rest))
        text = rest[cut:].split("#")[0]
        if not text.startswith("/"):
            text = "/" + text
        return text.encode("utf-8", "surrogateescape")

    def host_header(self) -> str:
        """What a browser puts into Host."""
        host, port = self.host_port()
        literal = f"[{host}]" if ":" in host else host
        return literal if port == PORTS[self.scheme] else f"{literal}:{port}"

    def header_list(self) -> List[Tuple[str, str]]:
        """All headers that the client sends, in order."""
        given = [(key, value) for key, value in self.headers]
        if self.exact_headers:
            return given
        names = {key.lower() for key, _value in given}
        defaults: List[Tuple[str, str]] = [("Host", self.host_header())]
        if self.scheme in ("ws", "wss"):
            defaults += HANDSHAKE
        return [(key, value) for key, value in defaults if key.lower() not in names] + given

    def server_name(self) -> str:
        """The name in the TLS hello; "" for none (IP literals are never sent)."""
        if not self.tls:
            return ""
        if self.sni is not None:
            return self.sni
        host = self.host_port()[0]
        return "" if host.replace(".", "").isdigit() or ":" in host else host


_TOKEN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")


UNIQUE = frozenset(
    b"if-modified-since if-unmodified-since if-match if-none-match if-range content-length content-range "
    b"transfer-encoding expect authorization".split()
)
"""Headers that may come once only (``ngx_http_process_unique_header_line``)."""


@dataclasses.dataclass
class Received:
    """What nginx keeps of the request line and the headers."""

    headers: List[Tuple[bytes, bytes]]
    host: bytes
    """The name that selected the server; empty without Host."""


def receive(
    request: Request,
    authority: bytes,
    version: Version,
    select: Callable[[bytes], Level],
    first: Level,
) -> Received:
    """Read the headers in order (``ngx_http_process_request_headers``).

    Args:
        request: the request.
        authority: host of an absolute-form target; it beats the Host header.
        version: nginx's version.
        select: chooses the server of a host name; settings of that server count for the rest.
        first: the server in force until then (the default one, or the one SNI chose).

    Raises:
        BadRequest: where nginx answers 400 while it reads the headers.
    """
    server = first
    host = b""
    if authority:
        host = validate_host(authority, version)
        server = select(host)
    headers: List[Tuple[bytes, bytes]] = []
    seen = set()
    for key, value in request.header_list():
        name, text = encoded(key), encoded(value).strip(b" ")
        if not name or name[0] <= 0x20 or name[0] in (0x3A, 0x7F) or any(code <= 0x20 for code in name):
            raise BadRequest("client sent invalid header line")
        underscores = server.on(b"underscores_in_headers", False)
        valid = all(code in _TOKEN or (code == 0x5F and underscores) for code in name)
        if not valid and server.on(b"ignore_invalid_headers", True):
            continue
        headers.append((name, text))
        low = name.lower()
        if low in seen and (low in UNIQUE or low == b"host"):
            raise BadRequest(f"client sent duplicate {key} header")
        seen.add(low)
        if low == b"host":
            named = validate_host(text, version)
            if not authority:
                host = named
                server = select(host)
    if not host:
        select(b"")
    if b"host" not in seen and request.http_version != "1.0":
        raise BadRequest('client sent HTTP/1.1 request without "Host" header')
    return Received(headers, host)


def encoded(text: str) -> bytes:
    """Header text as bytes: what a client writes in another character set stays as it is."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def guessed_host(request: Request, version: Version) -> bytes:
    """The host name of the request, before any server is known; empty when it has none or a bad one."""
    hosts = [encoded(value) for key, value in request.header_list() if key.lower() == "host"]
    try:
        return validate_host(hosts[0], version) if hosts else b""
    except BadRequest:
        return b""
