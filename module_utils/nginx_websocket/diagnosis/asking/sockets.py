"""Special handshakes: several at once, with a client's ALPN, and Socket.IO's polling before the upgrade."""

from __future__ import annotations

import re
import socket
import threading
from typing import Callable, List, Optional, Sequence, Tuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from ...conf import foreign_json
from ...exchange.connection import Deadline, Failure, dial, receive
from ...exchange.handshake import looks_like
from ...exchange.result import Probe
from ...exchange.tls import make_context
from ..evidence.facts import Question

SOCKET_IO = re.compile(r"/(?:socket\.io|engine\.io)(?:/|$)")
TRIES = 4
"""Polling sessions to open: with two backends, round robin sends every second request elsewhere."""


def open_together(attempt: Callable[[], Probe], count: int) -> List[Probe]:
    """Make the same handshake several times at once; the sockets overlap while ``attempt`` holds them."""
    results: List[Probe] = []
    gate = threading.Barrier(count)

    def one() -> None:
        gate.wait(timeout=10)
        results.append(attempt())

    together([one] * count)
    return results


def together(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks at the same time, to their ends."""
    threads = [threading.Thread(target=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def http2_alpn(address: Tuple[str, int], question: Question) -> Probe:
    """An HTTP/1.1 handshake after TLS with the client's own ALPN list: what a client that offers h2 meets."""
    endpoint = question.endpoint
    result = Probe(url=question.url)
    deadline = Deadline(question.timeout)
    sock: Optional[socket.socket] = None
    try:
        sock, result.address = dial(address, deadline)
        context = make_context(verify=False, alpn=False)
        context.set_alpn_protocols(list(question.alpn))
        sock.settimeout(max(0.001, deadline.left()))
        secure = context.wrap_socket(sock, server_hostname=endpoint.host)
        sock = secure
        result.tls = {"version": secure.version() or "", "alpn": secure.selected_alpn_protocol() or ""}
        request = (
            f"GET {endpoint.target} HTTP/1.1\r\nHost: {question.host_header}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n"
        )
        result.request = request
        sock.sendall(request.encode("ascii"))
        data = receive(sock, deadline) or b""
        result.opened = data.startswith(b"HTTP/1.1 101")
        if not result.opened:
            result.error_kind = "http-status" if data.startswith(b"HTTP/1.") else "not-http"
            result.error = "answered " + looks_like(data)
    except Failure as failure:
        result.error_kind, result.error = failure.kind, failure.message
    except OSError as error:
        result.error_kind, result.error = "tls", f"TLS handshake failed: {error}"
    finally:
        result.seconds = deadline.elapsed()
        if sock is not None:
            sock.close()
    return result


def speaks_socket_io(target: str, answer: Probe) -> bool:
    """Whether the path or the answer is Engine.IO's (its errors are JSON with code and message)."""
    return bool(SOCKET_IO.search(urlsplit(target).path)) or "Session ID unknown" in answer.body


def session_probe(ask: Callable[[str, bool], Probe], target: str, first: Probe) -> List[Probe]:
    """Open Socket.IO sessions by polling and upgrade each, as its clients do by default.

    Args:
        ask: sends a target, as a handshake or as an ordinary request.
        target: of the URL.
        first: the plain handshake's answer.

    Returns:
        The answers to the upgrades; empty when polling opens no session.
    """
    if not speaks_socket_io(target, first):
        return []
    upgrades: List[Probe] = []
    for _ in range(TRIES):
        polled = ask(with_query(target, transport="polling"), False)
        match = re.search(r'\{.*"sid".*\}', polled.body, re.S)
        if polled.status != 200 or not match:
            break
        try:
            sid = foreign_json.loads(match.group())["sid"]
        except (ValueError, KeyError):
            break
        if not isinstance(sid, str):
            break
        upgrades.append(ask(with_query(target, transport="websocket", sid=sid), True))
        if upgrades[-1].opened is False:
            break
    return upgrades


def with_query(target: str, **changes: str) -> str:
    """The target with Engine.IO's parameters set."""
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.setdefault("EIO", "4")
    query.update(changes)
    return f"{parts.path}?{urlencode(query)}"
