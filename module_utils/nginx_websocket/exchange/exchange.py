"""One HTTP/1 exchange over a socket that somebody else connected: send, read, judge.

Everybody who speaks HTTP here goes through this: the probe, the diagnosis' experiments, and the question for
the release.  ``response`` knows the bytes, this knows the socket and its deadline.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Iterator, Sequence

from .connection import Deadline, Failure, receive, send
from .conversation import converse
from .handshake import NotHttp, escaped, handshake_fault
from .response import Response
from .result import Probe

EXCERPT = 2048
BODY_SECONDS = 1.0


def exchange(
    sock: socket.socket,
    request: bytes,
    deadline: Deadline,
    *,
    limit: int = EXCERPT,
    seconds: float = BODY_SECONDS,
) -> Response:
    """Send one request and read its answer.

    Args:
        sock: connected, TLS and PROXY line done.
        request: head (and body), as it goes out.
        deadline: up to the end of the answer's head.
        limit: bytes of the body that are wanted.
        seconds: how long the body may take; one that is short or endless is no error.

    Returns:
        The response, with its head.

    Raises:
        Failure: ``answer-timeout`` or ``closed-without-answer``.
        NotHttp: something else came.
    """
    response = Response(request.split(b" ", 1)[0].decode("latin-1"), limit)
    # A server may refuse while we write; what it said may still be there to read.
    with contextlib.suppress(OSError):
        send(sock, request, deadline)
    while response.head is None:
        data = receive(sock, deadline)
        if data is None:
            part = f" (only {response.unfinished()})" if response.unfinished() else ""
            raise Failure(
                "answer-timeout", f"connected, but no answer within {deadline.elapsed():.1f} s{part}"
            )
        if not data:
            if response.unfinished():
                raise Failure(
                    "closed-without-answer",
                    "the connection closed in the response head: " + response.raw(200),
                )
            raise Failure("closed-without-answer", "the server closed the connection without a byte")
        response.feed(data)
    patience = deadline.capped(seconds)
    while not response.complete:
        data = receive(sock, patience)
        if not data:
            break
        response.feed(data)
    return response


def attempt(
    sock: socket.socket,
    request: bytes,
    result: Probe,
    deadline: Deadline,
    *,
    key: str,
    subprotocols: Sequence[str] = (),
    upgrade: bool = True,
    ping: bool = True,
    hold: float = 0.0,
) -> None:
    """One exchange with everything that it showed written into a probe; after a right 101, the conversation.

    Args:
        sock: connected, TLS and PROXY line done.
        request: as it goes out.
        result: is filled.
        deadline: up to the pong.
        key: ``Sec-WebSocket-Key`` that was sent; without one a 101 cannot be judged, and counts.
        subprotocols: those that were offered.
        upgrade: whether a 101 was asked for; else every answer is right.
        ping: after the 101 send a ping and await its pong.
        hold: seconds to stay in silence after that.

    Raises:
        Failure: the handshake was refused, or the socket broke.
        NotHttp: the answer is not HTTP/1.
    """
    response = exchange(sock, request, deadline)
    head = response.head
    assert head is not None
    result.status, result.reason = head.status, escaped(head.reason.encode())
    result.http_version = head.version
    result.headers = [(escaped(name.encode()), escaped(value.encode())) for name, value in head.headers]
    result.head_bytes = head.length
    result.server = result.header("Server")
    if not upgrade or head.status != 101:
        result.body = escaped(response.body, EXCERPT)
        if upgrade:
            raise Failure("http-status", f"answered {head.status} {result.reason} instead of 101")
        return
    fault = handshake_fault(head, key, subprotocols) if key else ""
    if fault:
        raise Failure("bad-handshake", fault)
    result.opened = True
    if key:
        result.subprotocol = head.get("Sec-WebSocket-Protocol")
        converse(sock, response.rest, result, deadline, ping=ping, hold=hold)


@contextlib.contextmanager
def noted(result: Probe, deadline: Deadline) -> Iterator[contextlib.ExitStack]:
    """Whatever ends an attempt becomes a result; sockets handed to the stack are closed."""
    with contextlib.ExitStack() as sockets:
        try:
            yield sockets
        except Failure as failure:
            result.error_kind, result.error = failure.kind, failure.message
        except NotHttp as error:
            result.error_kind, result.error = "not-http", f"the answer is not HTTP/1: {error}"
        finally:
            result.seconds = result.seconds or deadline.elapsed()
