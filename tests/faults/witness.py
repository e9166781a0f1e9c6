"""Who watches while a fault happens: one asks for pages all the time, one holds an open WebSocket."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
import threading
import time
from types import TracebackType
from typing import List, Optional, Set, Tuple, Type

from . import site

_EVERY = 0.02
_PING_EVERY = 0.1
_PATIENCE = 5.0


def page(port: int, address: str = "127.0.0.1") -> str:
    """What a new connection is answered; a sentence in angle brackets when it is not a 200."""
    try:
        with contextlib.closing(socket.create_connection((address, port), _PATIENCE)) as connection:
            connection.settimeout(_PATIENCE)
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {site.NAME}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while True:
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
    except OSError as error:
        return f"<nothing: {error}>"
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].decode("latin-1")
    return body.decode("latin-1") if " 200 " in status + " " else f"<{status or 'closed'}>"


def served(address: str = "127.0.0.1") -> str:
    """The revision that all servers serve, else what they answer."""
    return _named(tuple(page(port, address) for port in site.PORTS))


def _named(answers: Tuple[str, ...]) -> str:
    return site.revisions(answers) or " / ".join(answer.strip() for answer in answers)


def settled(address: str = "127.0.0.1") -> str:
    """The same as `served`, once no reload is under way.

    Whoever was killed after its reload awaited no workers, and between the answers of two ports the new ones
    may take over.  A mixture that lasts is returned.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        answers = tuple(page(port, address) for port in site.PORTS)
        mixed = all(site.revision_of(answer) for answer in answers) and not site.revisions(answers)
        if not mixed or time.monotonic() > deadline:
            return _named(answers)
        time.sleep(_EVERY)


class Pages:
    """Asks for a page of each server, again and again, until it is left."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.address = address
        self.revisions: Set[str] = set()
        self.wrong: List[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._end.is_set():
            for port in site.PORTS:
                answer = page(port, self.address)
                revision = site.revision_of(answer)
                if revision:
                    self.revisions.add(revision)
                else:
                    self.wrong.append(f"port {port}: {answer.strip()[:80]}")
            self._end.wait(_EVERY)

    def __enter__(self) -> Pages:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._end.set()
        self._thread.join()

    def verdict(self, allowed: Set[str]) -> str:
        """``yes`` when every answer was whole and of an allowed release, else ``no`` and what was seen."""
        strange = sorted(self.revisions - allowed)
        if self.wrong or strange:
            return f"no: {(self.wrong + [f'release {name}' for name in strange])[0]}"
        return "yes" if self.revisions else "no: nothing was asked"


class Socket:
    """A WebSocket through nginx whose backend answers every ping with the same bytes, until it is closed."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.echoes = 0
        self.lost = ""
        self._last = time.monotonic()
        self._end = threading.Event()
        self._connection = socket.create_connection((address, site.PORTS[0]), _PATIENCE)
        self._connection.settimeout(_PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self._connection.sendall(
            f"GET {site.WEBSOCKET} HTTP/1.1\r\nHost: {site.NAME}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._held = b""
        while b"\r\n\r\n" not in self._held:
            piece = self._connection.recv(4096)
            if not piece:
                raise OSError("the WebSocket was closed during its handshake")
            self._held += piece
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise OSError(f"no WebSocket: {head.splitlines()[0]!r}")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                self._echo()
                self._end.wait(_PING_EVERY)
        except OSError as error:
            self.lost = str(error) or type(error).__name__

    def _echo(self) -> None:
        """Send a ping and wait for the pong that carries its bytes."""
        payload = os.urandom(8)
        self._send(0x9, payload)
        while True:
            opcode, data = self._frame()
            if opcode == 0xA and data == payload:
                self.echoes += 1
                return
            if opcode == 0x9:  # the backend lets go who does not answer for 40 s, as a long trial takes
                self._send(0xA, data)
            if opcode == 0x8:
                raise OSError(f"the other side closed the WebSocket: {data!r}")

    def _send(self, opcode: int, payload: bytes) -> None:
        """Send one short frame, masked as a client's must be."""
        key = os.urandom(4)
        masked = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
        self._connection.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + key + masked)

    def _frame(self) -> Tuple[int, bytes]:
        head = self._bytes(2)
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._bytes(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._bytes(8))
        return head[0] & 0xF, self._bytes(length)

    def _bytes(self, count: int) -> bytes:
        while len(self._held) < count:
            piece = self._connection.recv(65536)
            if not piece:
                raise OSError("the connection was closed")
            self._held += piece
        taken, self._held = self._held[:count], self._held[count:]
        return taken

    def close(self) -> str:
        """Let it go; ``yes`` when it echoed to the end, one echo after all that happened included."""
        before = self.echoes
        deadline = time.monotonic() + _PATIENCE
        while not self.lost and self.echoes == before and time.monotonic() < deadline:
            time.sleep(0.01)
        self._end.set()
        self._thread.join()
        self._connection.close()
        if self.lost or self.echoes == before:
            return f"no: {self.lost or 'no echo any more'}"
        return "yes"
