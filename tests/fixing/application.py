"""The applications behind nginx: one opens WebSockets, all show what request they got."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import socket
import threading
from typing import Dict

from tests.cases.lab_backend import GUID, frame, read_frame, read_head


class Application:
    """Listens until the process ends."""

    def __init__(self, address: str, knows: str = "") -> None:
        """Bind and serve.

        Args:
            address: ``host:port`` or ``unix:PATH``.
            knows: opens the socket for paths that begin so; "" opens none.
        """
        self._knows = knows
        if address.startswith("unix:"):
            self._socket = socket.socket(socket.AF_UNIX)
            self._socket.bind(address[5:])
            os.chmod(address[5:], 0o777)
        else:
            host, _, port = address.rpartition(":")
            self._socket = socket.socket()
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._socket.bind((host, int(port)))
        self._name = address
        self._socket.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError), connection:
            connection.settimeout(30)
            line, headers, _, _ = read_head(connection)
            target, version = line.split(" ")[1:3]
            path, _, query = target.partition("?")
            named: Dict[str, str] = dict(headers)
            known = self._knows and path.startswith(self._knows) and "room&" not in query
            if known:
                asks = named.get("upgrade", "").lower() == "websocket"
                if "sec-websocket-key" not in named:
                    self._answer(connection, "400 Bad Request", "no Sec-WebSocket-Key")
                    return
                if version == "HTTP/1.1" and asks and "upgrade" in named.get("connection", "").lower():
                    self._open(connection, named)
                    return
                self._answer(connection, "426 Upgrade Required", "a WebSocket is needed here")
                return
            shown = "\n".join(
                [f"{self._name} {line}", *sorted(f"{name}: {value}" for name, value in headers)]
            )
            self._answer(connection, "200 OK", shown)

    @staticmethod
    def _answer(connection: socket.socket, status: str, body: str) -> None:
        data = body.encode("latin-1")
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(data)}\r\n"
        connection.sendall(head.encode() + b"Connection: close\r\n\r\n" + data)

    @staticmethod
    def _open(connection: socket.socket, named: Dict[str, str]) -> None:
        digest = hashlib.sha1(named["sec-websocket-key"].encode() + GUID).digest()
        accept = base64.b64encode(digest).decode()
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
        )
        while True:
            opcode, data = read_frame(connection)
            if opcode == 9:
                connection.sendall(frame(10, data))
            elif opcode == 8:
                connection.sendall(frame(8, data))
                return
