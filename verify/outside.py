"""The controller as a user: HTTP requests, TLS handshakes and WebSockets to the host's address.

The address is the host's, the name is the site's: DNS is not trusted to point here yet. Redirects are never
followed, because browsers do not follow them on a WebSocket either.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass, field
from typing import Dict, Tuple

from module_utils.nginx_websocket.exchange import Probe, masked_url, probe
from module_utils.nginx_websocket.exchange.connection import Deadline, Failure, proxy_protocol_line
from module_utils.nginx_websocket.exchange.endpoint import Address
from module_utils.nginx_websocket.exchange.exchange import exchange
from module_utils.nginx_websocket.exchange.handshake import NotHttp, build_request, request_headers


@dataclass(frozen=True)
class Door:
    """Where a site is entered: address and port of the host, and the name that is asked for.

    With ``proxy_protocol`` the door opens to load balancers only, so the connection begins as one of theirs.
    Where ``relay`` is given, this socket of the controller is dialled, and leads to the address on the host.
    """

    address: str
    port: int
    name: str
    tls: bool
    proxy_protocol: bool = False
    relay: str = ""

    @property
    def dialled(self) -> Address:
        """What is dialled."""
        return self.relay or (self.address, self.port)

    def connect(self, timeout: float) -> socket.socket:
        """Connect to the address rather than to what the name resolves to."""
        if self.relay:
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(timeout)
            sock.connect(self.relay)
        else:
            sock = socket.create_connection((self.address, self.port), timeout)
        if self.proxy_protocol:
            sock.sendall(proxy_protocol_line(sock))
        return sock

    @property
    def host(self) -> str:
        """The name as ``Host`` has it: the scheme's own port is left out."""
        return self.name + ("" if self.port == (443 if self.tls else 80) else f":{self.port}")

    @property
    def origin(self) -> str:
        """The site's own Origin as a browser writes it: default ports are left out (RFC 6454 section 6.2)."""
        return f"{'https' if self.tls else 'http'}://{self.host}"

    def url(self, path: str, *, websocket: bool = False) -> str:
        """Return the URL of a path behind this door."""
        origin = self.origin
        return ("ws" + origin[len("http") :] if websocket else origin) + path


@dataclass(frozen=True)
class Ask:
    """One HTTP request."""

    door: Door
    path: str
    method: str = "GET"
    headers: Tuple[Tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return the request in one line, for the reader of a failure."""
        headers = "".join(f", {name}: {value}" for name, value in self.headers)
        url = masked_url(self.door.url(self.path))
        return f"{self.method} {url} (to {self.door.address}:{self.door.port}){headers}"


@dataclass(frozen=True)
class Handshake:
    """One WebSocket opening handshake; without an Origin it is what a program sends, with one a browser's."""

    door: Door
    path: str
    origin: str = ""
    subprotocols: Tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the request in one line, for the reader of a failure."""
        url = masked_url(self.door.url(self.path, websocket=True))
        origin = f", Origin: {self.origin}" if self.origin else ", no Origin"
        return f"GET {url} with an Upgrade to websocket (to {self.door.address}:{self.door.port}){origin}"


@dataclass(frozen=True)
class Answer:
    """What came back for an `Ask`; ``error`` says why nothing did."""

    status: int = 0
    headers: Dict[str, str] = field(default_factory=dict)
    body: str = ""
    error: str = ""

    def __str__(self) -> str:
        """Return the answer in one line, for the reader of a failure."""
        if self.error:
            return self.error
        location = f" to {self.headers['location']}" if "location" in self.headers else ""
        return f"{self.status}{location}"


@dataclass(frozen=True)
class Tls:
    """One TLS handshake: the protocol, what ALPN chose, or why there was none.

    ``refused`` says that it was the client's doing, who did not accept the certificate; ``code`` is OpenSSL's
    for why.
    """

    version: str = ""
    alpn: str = ""
    error: str = ""
    refused: bool = False
    code: int = 0


class User:
    """A user of the sites, with a list of trusted certificate authorities and little patience."""

    def __init__(self, *, ca_file: str = "", timeout: float = 5.0) -> None:
        """Trust the system's authorities, or only those in ``ca_file``; wait ``timeout`` seconds."""
        self.ca_file = ca_file
        self.timeout = timeout
        # As a browser, and as a program that takes any certificate.
        self._strict = ssl.create_default_context(cafile=ca_file or None)
        self._strict.set_alpn_protocols(["h2", "http/1.1"])
        self._lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._lax.check_hostname = False
        self._lax.verify_mode = ssl.CERT_NONE
        self._lax.set_alpn_protocols(["http/1.1"])

    def ask(self, ask: Ask) -> Answer:
        """Send a request. The certificate is not checked here: `handshake` has a test of its own for that."""
        deadline = Deadline(self.timeout)
        try:
            request = build_request(
                ask.path, request_headers(ask.door.host, changes=ask.headers), method=ask.method
            )
            with contextlib.closing(self._connected(ask.door)) as sock:
                response = exchange(sock, request, deadline, limit=65536, seconds=self.timeout)
        except (OSError, ValueError) as error:
            return Answer(error=f"{type(error).__name__}: {error}")
        except (Failure, NotHttp) as error:
            return Answer(error=str(error))
        head = response.head
        assert head is not None
        headers = {name.lower(): value for name, value in head.headers}
        return Answer(status=head.status, headers=headers, body=response.body.decode("utf-8", "replace"))

    def _connected(self, door: Door) -> socket.socket:
        sock = door.connect(self.timeout)
        if not door.tls:
            return sock
        try:
            return self._lax.wrap_socket(sock, server_hostname=door.name)
        except BaseException:
            sock.close()
            raise

    def handshake(self, door: Door) -> Tls:
        """Make a TLS handshake as a browser does: certificate and name checked, HTTP/2 offered."""
        try:
            plain = door.connect(self.timeout)
            with self._strict.wrap_socket(plain, server_hostname=door.name) as tls:
                return Tls(version=tls.version() or "", alpn=tls.selected_alpn_protocol() or "")
        except ssl.SSLCertVerificationError as error:
            told = f"certificate refused: {error.verify_message}"
            return Tls(error=told, refused=True, code=error.verify_code)
        except OSError as error:
            return Tls(error=f"{type(error).__name__}: {error}")

    def open(self, shake: Handshake) -> Probe:
        """Open a WebSocket, send a ping, wait for the pong, close. Certificates: see `handshake`."""
        return probe(
            shake.door.url(shake.path, websocket=True),
            address=shake.door.dialled,
            origin=shake.origin or None,
            subprotocols=shake.subprotocols,
            timeout=self.timeout,
            assess=False,
            proxy_protocol=shake.door.proxy_protocol,
        )
