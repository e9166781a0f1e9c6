"""The probe: one opening handshake (plus ping and pong) with every header it sent and got.

Raw HTTP/1.1 on a socket of its own: no library that follows a redirect, negotiates HTTP/2 or repairs
an answer stands between the probe and the truth.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Optional, Sequence, Tuple

from . import tls
from .connection import Deadline, Failure, dial, proxy_protocol_line, send
from .endpoint import Address, Endpoint, parse_url
from .exchange import attempt, noted
from .handshake import HeaderChange, build_request, new_key, request_headers
from .result import Probe

if TYPE_CHECKING:
    import ssl


def probe(
    url: str,
    *,
    address: Optional[Address] = None,
    origin: Optional[str] = None,
    headers: Sequence[HeaderChange] = (),
    subprotocols: Sequence[str] = (),
    timeout: float = 5.0,
    cafile: Optional[str] = None,
    verify: bool = True,
    assess: bool = True,
    upgrade: bool = True,
    ping: bool = True,
    proxy_protocol: bool = False,
    hold: float = 0.0,
) -> Probe:
    """Ask a URL for a WebSocket, or for a plain answer, and report everything.

    Redirects are never followed, HTTP/2 is never offered (RFC 6455, section 4; browsers do the same).

    Args:
        url: ws, wss, http or https; the target goes out byte for byte.
        address: (host, port), ("unix:" and a path, 0) or the path of a unix socket to connect to instead of
            the URL's host; ``Host`` and SNI stay the URL's.
        origin: value of ``Origin``; None sends none.
        headers: (name, value) pairs to add; one named like a default replaces it, and None removes it.
        subprotocols: ``Sec-WebSocket-Protocol`` to offer.
        timeout: seconds for everything up to the pong: name, connection, TLS, answer, ping.
        cafile: PEM file of authorities to trust instead of the system's.
        verify: False accepts any certificate; what is wrong with it still stands in
            ``tls["verify_error"]``.
        assess: False accepts any certificate without a look at it, for who knows otherwise whom it talks
            to: one connection in place of up to two, and no authorities are read.
        upgrade: False sends an ordinary GET.
        ping: after the 101 send a ping and await its pong.
        proxy_protocol: begin with a PROXY protocol v1 line.
        hold: seconds to keep the socket open in silence after that, to see whether it is closed.

    Returns:
        The `Probe`; whatever a server or the network does is a result, not an exception.

    Raises:
        ValueError: the URL, a header, a subprotocol or ``cafile`` cannot be used.
    """
    endpoint = parse_url(url)
    key = new_key() if upgrade else ""
    pairs = request_headers(
        endpoint.host_header, key=key, origin=origin, subprotocols=subprotocols, changes=headers
    )
    request = build_request(endpoint.target, pairs)
    key = next((value for name, value in pairs if name.lower() == "sec-websocket-key"), key)
    context = tls.make_context(verify=assess, cafile=cafile) if endpoint.tls else None
    result = Probe(url=url, request=request.decode("utf-8"))
    deadline = Deadline(timeout)
    with noted(result, deadline) as sockets:
        target: Address = (endpoint.host, endpoint.port) if address is None else address
        if target[0].startswith("unix:"):
            target = target[0][5:]
        sock, result.address = _connect(target, proxy_protocol, deadline)
        sockets.callback(sock.close)
        if context is not None:
            sock = _secure(sock, endpoint, target, context, verify, proxy_protocol, deadline, result)
            sockets.callback(sock.close)
        attempt(
            sock,
            request,
            result,
            deadline,
            key=key,
            subprotocols=subprotocols,
            upgrade=upgrade,
            ping=ping,
            hold=hold,
        )
    return result


def _connect(target: Address, proxy_protocol: bool, deadline: Deadline) -> Tuple[socket.socket, str]:
    """Dial, and announce the connection when asked to."""
    sock, text = dial(target, deadline)
    if proxy_protocol:
        try:
            send(sock, proxy_protocol_line(sock), deadline)
        except OSError:
            sock.close()
            raise Failure("closed-without-answer", f"{text} closed the connection at once") from None
    return sock, text


def _secure(
    sock: socket.socket,
    endpoint: Endpoint,
    target: Address,
    context: ssl.SSLContext,
    verify: bool,
    proxy_protocol: bool,
    deadline: Deadline,
    result: Probe,
) -> socket.socket:
    """Make the TLS handshake, and describe the certificate even when it does not verify.

    A failed check ends the connection, so the certificate is then read over a second one.
    """
    import ssl

    try:
        wrapped = tls.wrap(sock, endpoint.host, context, deadline)
        if context.verify_mode != ssl.CERT_NONE:
            result.tls = tls.describe_session(wrapped)
        return wrapped
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message or str(error)
    result.tls = {"verify_error": problem}
    lenient = tls.make_context(verify=False)
    try:
        second, _ = _connect(target, proxy_protocol, deadline)
        wrapped = tls.wrap(second, endpoint.host, lenient, deadline)
    except Failure:
        if not verify:
            raise
    else:
        result.tls = tls.describe_session(wrapped, problem)
        if not verify:
            return wrapped
        wrapped.close()
    raise Failure("tls", f"the certificate does not verify: {problem}")
