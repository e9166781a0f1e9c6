"""Where a site is entered, and what is asked there: requests and handshakes as data.

An action plugin reads this to know what to ask a host, so nothing of what sends requests is imported with it.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Tuple, Union


@dataclass(frozen=True)
class Endpoint:
    """Where a site is entered: address and port of the host, and the name that is asked for.

    With ``proxy_protocol`` it is for load balancers only, so the connection begins as one of theirs.
    Where ``relay`` is given, this socket of the controller is dialled, and leads to the address on the host.
    """

    address: str
    port: int
    name: str
    tls: bool
    proxy_protocol: bool = False
    relay: str = ""

    @property
    def dialled(self) -> Union[str, Tuple[str, int]]:
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
            from module_utils.nginx_websocket.exchange.connection import proxy_protocol_line

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
        """Return the URL of a path behind this endpoint."""
        origin = self.origin
        return ("ws" + origin[len("http") :] if websocket else origin) + path


@dataclass(frozen=True)
class Ask:
    """One HTTP request."""

    endpoint: Endpoint
    path: str
    method: str = "GET"
    headers: Tuple[Tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return the request in one line, for the reader of a failure."""
        from module_utils.nginx_websocket.exchange.masking import masked_url

        headers = "".join(f", {name}: {value}" for name, value in self.headers)
        url = masked_url(self.endpoint.url(self.path))
        return f"{self.method} {url} (to {self.endpoint.address}:{self.endpoint.port}){headers}"


@dataclass(frozen=True)
class Handshake:
    """One WebSocket opening handshake; without an Origin it is what a program sends, with one a browser's."""

    endpoint: Endpoint
    path: str
    origin: str = ""
    subprotocols: Tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the request in one line, for the reader of a failure."""
        from module_utils.nginx_websocket.exchange.masking import masked_url

        url = masked_url(self.endpoint.url(self.path, websocket=True))
        at = f"{self.endpoint.address}:{self.endpoint.port}"
        origin = f", Origin: {self.origin}" if self.origin else ", no Origin"
        return f"GET {url} with an Upgrade to websocket (to {at}){origin}"
