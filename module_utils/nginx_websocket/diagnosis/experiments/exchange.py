"""One request written byte by byte, as nginx would write it to a backend, and its answer.

The probe of ``websocket`` sends what a browser sends.  An experiment must be able to send what a browser
never
would: HTTP/1.0, two Host lines, no key.
"""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from ...exchange import tls
from ...exchange.connection import Deadline, dial, proxy_protocol_line, send
from ...exchange.endpoint import Address, address_text
from ...exchange.exchange import attempt, noted
from ...exchange.result import Probe

HeaderList = Sequence[Tuple[str, str]]


def header_value(headers: HeaderList, name: str) -> Optional[str]:
    """The first value of a header; None when it is absent."""
    return next((value for key, value in headers if key.lower() == name.lower()), None)


def ask(
    address: Address,
    target: str,
    headers: HeaderList,
    *,
    version: str = "1.1",
    method: str = "GET",
    tls_name: Optional[str] = None,
    timeout: float = 4.0,
    hold: float = 0.0,
    proxy_line: bool = False,
) -> Probe:
    """Send one request exactly as given and report the answer.

    Args:
        address: (host, port) or the path of a unix socket.
        target: request target, sent as it is.
        headers: header lines in order; nothing is added to them.
        version: "1.0" or "1.1" for the request line.
        method: request method.
        tls_name: None speaks plain; "" speaks TLS without server name; else TLS with this name.
            No certificate is checked: nginx does not check a backend's either by default.
        timeout: seconds up to the answer (and the pong).
        hold: seconds to keep an opened WebSocket in silence.
        proxy_line: whether a line of the PROXY protocol goes ahead, as from a balancer.

    Returns:
        The probe; its ``url`` is a description, since no URL leads to a backend this way.
    """
    lines = [f"{method} {target} HTTP/{version}"] + ["{}: {}".format(*pair) for pair in headers]
    request = "\r\n".join(lines) + "\r\n\r\n"
    scheme = "https" if tls_name is not None else "http"
    result = Probe(url=f"{scheme}://{address_text(address)}{target}", request=request)
    offered = [name.strip() for name in (header_value(headers, "Sec-WebSocket-Protocol") or "").split(",")]
    deadline = Deadline(timeout)
    with noted(result, deadline) as sockets:
        sock, result.address = dial(address, deadline)
        sockets.callback(sock.close)
        if proxy_line:
            send(sock, proxy_protocol_line(sock), deadline)
        if tls_name is not None:
            sock = tls.wrap(sock, tls_name, tls.make_context(verify=False, alpn=False), deadline)
            sockets.callback(sock.close)
            result.tls = tls.describe_session(sock)
        # Bytes above ASCII are the client's own; nginx passes them on, so latin-1 keeps them as they are.
        attempt(
            sock,
            request.encode("latin-1", "replace"),
            result,
            deadline,
            key=header_value(headers, "Sec-WebSocket-Key") or "",
            subprotocols=[name for name in offered if name],
            ping=True,
            hold=hold,
        )
    return result
