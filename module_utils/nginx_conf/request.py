"""The request whose route is asked for."""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Sequence, Tuple
from urllib.parse import urlsplit

from .server import validate_host
from .uri import BadRequest

Version = Tuple[int, ...]

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
            text = "url %r is not usable: expected ws://, wss://, http:// or https:// and a host" % self.url
            raise ValueError(text)
        try:
            port = parts.port
        except ValueError as error:
            raise ValueError("url %r has a port that is not a number from 1 to 65535" % self.url) from error
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
        literal = "[%s]" % host if ":" in host else host
        return literal if port == PORTS[self.scheme] else "%s:%d" % (literal, port)

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


def received_headers(request: Request, *, underscores: bool, ignore_invalid: bool) -> List[Tuple[bytes, bytes]]:
    """The headers that nginx keeps (``ngx_http_parse_header_line``): invalid names are dropped.

    Raises:
        BadRequest: a name that makes the whole request invalid.
    """
    result: List[Tuple[bytes, bytes]] = []
    for key, value in request.header_list():
        name = key.encode("utf-8", "surrogateescape")
        valid = all(code in _TOKEN or (code == 0x5F and underscores) for code in name)
        if not name or any(code <= 0x20 or code == 0x7F for code in name):
            raise BadRequest("client sent invalid header line")
        if valid or not ignore_invalid:
            result.append((name, value.encode("utf-8", "surrogateescape").strip(b" ")))
    return result


def check_host(headers: Sequence[Tuple[bytes, bytes]], http_version: str, version: Version) -> bytes:
    """The host name that selects the server (``ngx_http_process_host``); empty without Host.

    Raises:
        BadRequest: no Host with HTTP/1.1, a second Host, or an invalid one.
    """
    hosts = [value for key, value in headers if key.lower() == b"host"]
    if not hosts:
        if http_version != "1.0":
            raise BadRequest('client sent HTTP/1.1 request without "Host" header')
        return b""
    if len(hosts) > 1:
        raise BadRequest("client sent duplicate host header")
    return validate_host(hosts[0], version)
