"""One request written byte by byte, as nginx would write it to a backend, and its answer.

The probe of ``websocket`` sends what a browser sends.  An experiment must be able to send what a browser
never
would: HTTP/1.0, two Host lines, no key.
"""

from __future__ import annotations

import contextlib
import re
import socket
from typing import Optional, Sequence, Tuple

from ..exchange.connection import Deadline, Failure, dial, receive, send
from ..exchange.conversation import converse
from ..exchange.endpoint import Address, address_text
from ..exchange.handshake import (
    Head,
    NotHttp,
    escaped,
    handshake_fault,
    looks_like,
    parse_head,
    split_head,
)
from ..exchange.result import Probe

EXCERPT = 2048
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
    ping: bool = True,
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
        ping: after the 101 send a ping.

    Returns:
        The probe; its ``url`` is a description, since no URL leads to a backend this way.
    """
    lines = [f"{method} {target} HTTP/{version}"] + ["{}: {}".format(*pair) for pair in headers]
    request = "\r\n".join(lines) + "\r\n\r\n"
    scheme = "https" if tls_name is not None else "http"
    result = Probe(url=f"{scheme}://{address_text(address)}{target}", request=request)
    key = header_value(headers, "Sec-WebSocket-Key") or ""
    offered = [name.strip() for name in (header_value(headers, "Sec-WebSocket-Protocol") or "").split(",")]
    deadline = Deadline(timeout)
    sock: Optional[socket.socket] = None
    try:
        sock, result.address = dial(address, deadline)
        if tls_name is not None:
            sock = _secure(sock, tls_name, deadline)
        # Bytes above ASCII are the client's own; nginx passes them on, so latin-1 keeps them as they are.
        with contextlib.suppress(OSError):
            send(sock, request.encode("latin-1", "replace"), deadline)
        head, rest = read_answer(sock, deadline)
        result.status, result.reason = head.status, escaped(head.reason.encode("latin-1", "replace"))
        result.http_version = head.version
        result.headers = [(escaped(name.encode()), escaped(value.encode())) for name, value in head.headers]
        result.server = result.header("Server")
        if head.status != 101:
            result.body = escaped(_excerpt(sock, rest, head, deadline.capped(0.7)), EXCERPT)
            raise Failure("http-status", f"answered {head.status} {result.reason}")
        if not key:
            result.opened = True
            return result
        fault = handshake_fault(head, key, [name for name in offered if name])
        if fault:
            raise Failure("bad-handshake", fault)
        result.opened = True
        result.subprotocol = head.get("Sec-WebSocket-Protocol")
        converse(sock, rest, result, deadline, ping=ping, hold=hold)
    except Failure as failure:
        result.error_kind, result.error = failure.kind, failure.message
    except NotHttp as error:
        result.error_kind, result.error = "not-http", f"the answer is not HTTP/1: {error}"
    finally:
        result.seconds = result.seconds or deadline.elapsed()
        if sock is not None:
            sock.close()
    return result


def _secure(sock: socket.socket, name: str, deadline: Deadline) -> socket.socket:
    """TLS without any check; "" sends no server name."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    sock.settimeout(max(0.001, deadline.left()))
    try:
        return context.wrap_socket(sock, server_hostname=name or None)
    except ssl.SSLError as error:
        sock.close()
        raise Failure("tls", "TLS handshake failed: %s" % (error.reason or error)) from None
    except OSError as error:
        sock.close()
        raise Failure("tls", f"the connection broke during the TLS handshake: {error}") from None


def read_answer(sock: socket.socket, deadline: Deadline) -> Tuple[Head, bytes]:
    """The first final response head, and the bytes after it.

    Raises:
        Failure: ``answer-timeout`` or ``closed-without-answer``.
        NotHttp: something else came.
    """
    data = b""
    while True:
        split = split_head(data) if data else None
        if split:
            head, data = parse_head(split[0]), split[1]
            if head.status == 101 or head.status >= 200:
                return head, data
            continue
        chunk = receive(sock, deadline)
        if chunk is None:
            raise Failure("answer-timeout", f"connected, but no answer within {deadline.elapsed():.1f} s")
        if not chunk:
            said = " after " + looks_like(data) if data else " without a byte"
            raise Failure("closed-without-answer", "the connection was closed" + said)
        data += chunk


def _excerpt(sock: socket.socket, data: bytes, head: Head, deadline: Deadline) -> bytes:
    """The beginning of the body, without waiting for more than its length says."""
    length = head.get("Content-Length")
    wanted = min(EXCERPT, int(length)) if length.isdigit() else EXCERPT
    while len(data) < wanted:
        more = receive(sock, deadline)
        if not more:
            break
        data += more
    if "chunked" in head.tokens("Transfer-Encoding"):
        data = re.sub(rb"^[0-9A-Fa-f]+\r\n", b"", data)
    return data[:EXCERPT]


def connect_only(address: Address, timeout: float = 2.0) -> Tuple[str, str]:
    """Whether an address takes a connection.

    Returns:
        Error kind and message; both empty when it does.
    """
    try:
        sock, _ = dial(address, Deadline(timeout))
    except Failure as failure:
        return failure.kind, failure.message
    sock.close()
    return "", ""
