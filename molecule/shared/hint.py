"""Publish a hint to the broker on a lab host and wait for it on a socket: ``hint.py HOST``.

The whole way is real: mosquitto_pub, the broker, the backend, nginx, TLS, and this socket. Exits with 0
when the hint came, else says what came instead.
"""

from __future__ import annotations

import socket
import ssl
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab import hosts
from lab.files import pki
from module_utils.nginx_websocket.exchange.frames import FrameParser
from module_utils.nginx_websocket.exchange.handshake import (
    build_request,
    new_key,
    request_headers,
    split_head,
)

NAME = "lammp.test"
SESSION = "session-874q8t"
SECONDS = 10.0


def opened(address: str) -> tuple[socket.socket, bytes]:
    """Open the session's WebSocket as the page does; return the socket and what came behind the 101."""
    context = ssl.create_default_context(cafile=str(pki.authority()))
    context.set_alpn_protocols(["http/1.1"])
    sock = context.wrap_socket(socket.create_connection((address, 443), SECONDS), server_hostname=NAME)
    headers = request_headers(NAME, key=new_key(), origin=f"https://{NAME}")
    sock.sendall(build_request(f"/api/mqtt/ws/hints/{SESSION}", headers))
    received = b""
    while (parts := split_head(received)) is None:
        chunk = sock.recv(4096)
        if not chunk:
            sys.exit(f"closed before the answer was complete: {received!r}")
        received += chunk
    if not parts[0].startswith(b"HTTP/1.1 101 "):
        sys.exit(f"the WebSocket does not open: {parts[0]!r}")
    return sock, parts[1]


def main(name: str) -> None:
    """Publish, and wait."""
    host = hosts.get(name)
    hint = f"turn left at {time.monotonic_ns()}"
    sock, received = opened(host.address)
    # The backend joins the session after the handshake: publish until the hint comes.
    sock.settimeout(0.5)
    parser = FrameParser()
    seen = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        hosts.run(host, "mosquitto_pub", "-t", f"maze/hint/{SESSION}", "-m", f'{{"hint": "{hint}"}}')
        try:
            received += sock.recv(4096)
        except TimeoutError:
            continue
        seen += [frame.payload.decode("utf-8", "replace") for frame in parser.feed(received)]
        received = b""
        if any(hint in payload for payload in seen):
            print(f"the hint reached the socket: {hint}")
            return
    sys.exit(f"no hint within {SECONDS:g} s; what came: {seen}")


if __name__ == "__main__":
    main(sys.argv[1])
