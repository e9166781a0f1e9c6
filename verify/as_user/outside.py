"""The controller as a user: HTTP requests, TLS handshakes and WebSockets to the host's address.

The address is the host's, the name is the site's: DNS is not trusted to point here yet. Redirects are never
followed, because browsers do not follow them on a WebSocket either.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import dataclass, field
from typing import Dict

from module_utils.nginx_websocket.exchange.connection import Deadline, Failure
from module_utils.nginx_websocket.exchange.exchange import exchange
from module_utils.nginx_websocket.exchange.handshake import NotHttp, build_request, request_headers
from module_utils.nginx_websocket.exchange.probe import probe
from module_utils.nginx_websocket.exchange.result import Probe
from verify.as_user.endpoints import Ask, Endpoint, Handshake


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
                ask.path, request_headers(ask.endpoint.host, changes=ask.headers), method=ask.method
            )
            with contextlib.closing(self._connected(ask.endpoint)) as sock:
                response = exchange(sock, request, deadline, limit=65536, seconds=self.timeout)
        except (OSError, ValueError) as error:
            return Answer(error=f"{type(error).__name__}: {error}")
        except (Failure, NotHttp) as error:
            return Answer(error=str(error))
        head = response.head
        assert head is not None
        headers = {name.lower(): value for name, value in head.headers}
        return Answer(status=head.status, headers=headers, body=response.body.decode("utf-8", "replace"))

    def _connected(self, endpoint: Endpoint) -> socket.socket:
        sock = endpoint.connect(self.timeout)
        if not endpoint.tls:
            return sock
        try:
            return self._lax.wrap_socket(sock, server_hostname=endpoint.name)
        except BaseException:
            sock.close()
            raise

    def handshake(self, endpoint: Endpoint) -> Tls:
        """Make a TLS handshake as a browser does: certificate and name checked, HTTP/2 offered."""
        try:
            plain = endpoint.connect(self.timeout)
            with self._strict.wrap_socket(plain, server_hostname=endpoint.name) as tls:
                return Tls(version=tls.version() or "", alpn=tls.selected_alpn_protocol() or "")
        except ssl.SSLCertVerificationError as error:
            told = f"certificate refused: {error.verify_message}"
            return Tls(error=told, refused=True, code=error.verify_code)
        except OSError as error:
            return Tls(error=f"{type(error).__name__}: {error}")

    def open(self, shake: Handshake) -> Probe:
        """Open a WebSocket, send a ping, wait for the pong, close. Certificates: see `handshake`."""
        return probe(
            shake.endpoint.url(shake.path, websocket=True),
            address=shake.endpoint.dialled,
            origin=shake.origin or None,
            subprotocols=shake.subprotocols,
            timeout=self.timeout,
            assess=False,
            proxy_protocol=shake.endpoint.proxy_protocol,
        )
