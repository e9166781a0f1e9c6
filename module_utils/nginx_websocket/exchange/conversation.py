"""After the 101: ping and pong, a silence to sit through, and a goodbye."""

from __future__ import annotations

import contextlib
import os
import socket

from . import frames
from .connection import Deadline, Failure, receive, send
from .handshake import escaped
from .result import Probe

_GOODBYE_SECONDS = 0.5


def converse(
    sock: socket.socket, data: bytes, result: Probe, deadline: Deadline, *, ping: bool, hold: float
) -> None:
    """Ping, await the pong, stay for ``hold`` seconds, say goodbye."""
    parser = frames.FrameParser()
    opened = Deadline(0)
    token = os.urandom(8)
    try:
        if ping:
            _send_frame(sock, frames.PING, token, deadline)
            pending = parser.feed(data)
            while not result.pong:
                for frame in pending:
                    _take(sock, frame, token, result, opened, deadline)
                if result.pong:
                    break
                pending = parser.feed(_next(sock, result, opened, deadline))
            data = b""
        result.seconds = deadline.elapsed()
        silence = Deadline(hold)
        pending = parser.feed(data)
        while True:
            for frame in pending:
                _take(sock, frame, token, result, opened, silence)
            if hold <= 0:
                break
            chunk = receive(sock, silence)
            if chunk is None:
                break
            if not chunk:
                _gone(result, opened, frames.ABNORMAL)
            pending = parser.feed(chunk)
        _goodbye(sock, parser, Deadline(_GOODBYE_SECONDS))
    except frames.FrameError as error:
        raise Failure("bad-frame", f"after the 101: {error}") from None


def _next(sock: socket.socket, result: Probe, opened: Deadline, deadline: Deadline) -> bytes:
    """The next bytes while the pong is awaited."""
    chunk = receive(sock, deadline)
    if chunk is None:
        raise Failure("pong-timeout", f"opened, but no pong within {deadline.elapsed():.1f} s")
    if not chunk:
        _gone(result, opened, frames.ABNORMAL)
    return chunk


def _take(
    sock: socket.socket,
    frame: frames.Frame,
    token: bytes,
    result: Probe,
    opened: Deadline,
    deadline: Deadline,
) -> None:
    """Act on one frame as a client must (RFC 6455, section 5.5)."""
    if frame.opcode == frames.PONG:
        # An unsolicited pong is allowed, and proves nothing.
        result.pong = result.pong or frame.payload == token
    elif frame.opcode == frames.PING:
        _send_frame(sock, frames.PONG, frame.payload, deadline)
    elif frame.opcode == frames.CLOSE:
        code, reason = frames.parse_close(frame.payload)
        _send_frame(sock, frames.CLOSE, frame.payload[:2], deadline)
        _gone(result, opened, code, escaped(reason.encode()))
    elif frame.opcode != frames.CONTINUATION:
        result.messages += 1


def _gone(result: Probe, opened: Deadline, code: int, reason: str = "") -> None:
    """Record the server's close and end the conversation."""
    result.close_code, result.close_reason = code, reason
    result.closed_after = round(opened.elapsed(), 3)
    said = f" {reason!r}" if reason else ""
    raise Failure(
        "closed-after-101",
        f"opened, then closed by the server after {result.closed_after:.1f} s"
        f" with {code}{said} ({frames.close_meaning(code)})",
    )


def _send_frame(sock: socket.socket, opcode: int, payload: bytes, deadline: Deadline) -> None:
    """Send one frame; a server that is gone shows at the next read."""
    with contextlib.suppress(OSError, Failure):
        send(sock, frames.build_frame(opcode, payload, key=os.urandom(4)), deadline)


def _goodbye(sock: socket.socket, parser: frames.FrameParser, deadline: Deadline) -> None:
    """Close with 1000 and wait a moment for the echo, so that no server logs a lost connection."""
    _send_frame(sock, frames.CLOSE, frames.close_payload(frames.NORMAL), deadline)
    while True:
        chunk = receive(sock, deadline)
        if not chunk or any(frame.opcode == frames.CLOSE for frame in parser.feed(chunk)):
            return
