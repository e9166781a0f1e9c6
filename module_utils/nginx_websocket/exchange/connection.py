"""Sockets under one deadline: dial, PROXY protocol, read, write."""

from __future__ import annotations

import errno
import socket
import threading
import time
from typing import Any, List, Optional, Tuple

from .endpoint import Address, address_text


class Failure(Exception):
    """The attempt ended before an answer.

    Attributes:
        kind: one of the probe's error kinds.
        message: one sentence for a person.
    """

    def __init__(self, kind: str, message: str) -> None:
        """Keep both."""
        super().__init__(message)
        self.kind = kind
        self.message = message


class Deadline:
    """A point on the monotonic clock; setting the wall clock does not move it."""

    def __init__(self, seconds: float) -> None:
        """Start now."""
        self.started = time.monotonic()
        self.ends = self.started + seconds

    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.ends - time.monotonic())

    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def capped(self, seconds: float) -> Deadline:
        """A deadline that ends after so many seconds, or with this one if that is earlier."""
        return Deadline(min(seconds, self.left()))


def resolve(host: str, port: int, deadline: Deadline) -> List[Tuple[Any, ...]]:
    """Resolve a name within the deadline.

    The resolver of the C library takes no timeout, so a name is looked up in a thread that is left
    behind when the time is over.

    Returns:
        What ``socket.getaddrinfo`` returns.

    Raises:
        Failure: ``dns``.
    """
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        pass
    found: List[Tuple[Any, ...]] = []
    errors: List[OSError] = []

    def look_up() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            errors.append(error if isinstance(error, OSError) else OSError(str(error)))

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(deadline.left())
    if found:
        return found
    if errors:
        raise Failure("dns", f"{host} does not resolve: {errors[0].strerror or errors[0]}")
    raise Failure("dns", f"{host} did not resolve within {deadline.elapsed():.1f} s")


def dial(address: Address, deadline: Deadline) -> Tuple[socket.socket, str]:
    """Connect to an address, trying everything its name resolves to in turn.

    Args:
        address: (host, port), or the path of a unix socket.
        deadline: each of several addresses gets an equal share of what is left.

    Returns:
        The socket, and the address that took the connection as text.

    Raises:
        Failure: ``dns``, ``connect-refused``, ``connect-timeout`` or ``connect-failed``.
    """
    attempts: List[Tuple[int, Any, str]] = []
    if isinstance(address, str):
        attempts.append((socket.AF_UNIX, address, address_text(address)))
    else:
        for family, _, _, _, target in resolve(address[0], address[1], deadline):
            attempts.append((family, target, address_text((target[0], target[1]))))
    failure: Optional[Failure] = None
    for index, (family, target, text) in enumerate(attempts):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.settimeout(max(0.001, deadline.left() / (len(attempts) - index)))
        try:
            sock.connect(target)
        except OSError as error:
            sock.close()
            # The first failure names the address that a client tries first.
            failure = failure or _connect_failure(error, text, deadline)
            continue
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock, text
    raise failure or Failure("dns", f"{address_text(address)} has no address")


def _connect_failure(error: OSError, text: str, deadline: Deadline) -> Failure:
    """Name the reason why a connection did not come about."""
    if isinstance(error, socket.timeout) or error.errno == errno.ETIMEDOUT:
        return Failure(
            "connect-timeout", f"{text} did not take the connection within {deadline.elapsed():.1f} s"
        )
    if error.errno == errno.ECONNREFUSED:
        return Failure("connect-refused", f"{text} refused the connection: nothing listens there")
    if error.errno == errno.ENOENT:
        return Failure("connect-refused", f"{text} does not exist")
    return Failure("connect-failed", f"{text}: {error.strerror or error}")


def proxy_protocol_line(sock: socket.socket) -> bytes:
    """The PROXY protocol v1 line for this connection (HAProxy's specification, section 2.1)."""
    if sock.family == socket.AF_UNIX:
        return b"PROXY UNKNOWN\r\n"
    here, there = sock.getsockname(), sock.getpeername()
    family = "TCP6" if sock.family == socket.AF_INET6 else "TCP4"
    line = f"PROXY {family} {here[0]} {there[0]} {here[1]} {there[1]}\r\n"
    return line.encode("ascii")


def send(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Send everything.

    Raises:
        Failure: ``answer-timeout`` when the peer takes no more bytes in time.
        OSError: the peer closed; what it said before that may still be read.
    """
    sock.settimeout(max(0.001, deadline.left()))
    try:
        sock.sendall(data)
    except socket.timeout:
        raise Failure("answer-timeout", "the request could not be sent in time") from None


def receive(sock: socket.socket, deadline: Deadline, size: int = 65536) -> Optional[bytes]:
    """Receive what comes next.

    Returns:
        Bytes; ``b""`` at the end of the stream, however it came; None when the deadline passed first.

    Raises:
        Failure: ``tls`` when the peer ends the session with an alert (no client certificate, say).
    """
    left = deadline.left()
    if left <= 0:
        return None
    sock.settimeout(max(0.001, left))
    try:
        return sock.recv(size)
    except socket.timeout:
        return None
    except OSError as error:
        reason = getattr(error, "reason", None) or ""  # only ssl.SSLError has one
        if "ALERT" in reason:
            raise Failure("tls", f"the server ended the TLS session: {reason}") from None
        # A reset, or TLS cut off without its closing alert: the stream is over either way.
        return b""
