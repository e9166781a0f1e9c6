"""Carry connections to this host's own addresses over standard input and output: `ssh -W` for containers.

Sent to the host as text (``python3 -c SOURCE``): standard library, Python 3.8. One program carries all
connections of a host, so that starting it costs none of them its patience. Both directions are frames:
`HEADER` (the connection's number, the kind, the length) and so many bytes.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from typing import Dict

HEADER = struct.Struct(">IBI")
#: Kinds of frames: the program runs; connect to "ADDRESS PORT"; bytes; no more bytes in this direction.
READY, OPEN, DATA, END = range(4)
#: The most bytes of one frame.
MOST = 65536
#: Seconds for a connection to an address of the host itself.
CONNECTING = 10.0


def frame(number: int, kind: int, data: bytes = b"") -> bytes:
    """Return a frame."""
    return HEADER.pack(number, kind, len(data)) + data


def exactly(descriptor: int, count: int) -> bytes:
    """Read so many bytes; fewer where the other side has ended."""
    data = b""
    while len(data) < count:
        more = os.read(descriptor, count - len(data))
        if not more:
            break
        data += more
    return data


def main() -> None:
    """Carry connections until standard input ends."""
    connections: Dict[int, socket.socket] = {}
    writing = threading.Lock()

    def tell(number: int, kind: int, data: bytes = b"") -> None:
        with writing:
            told = frame(number, kind, data)
            while told:
                told = told[os.write(1, told) :]

    def listen(number: int, sock: socket.socket) -> None:
        try:
            while True:
                data = sock.recv(MOST)
                if not data:
                    break
                tell(number, DATA, data)
        except OSError:
            pass
        connections.pop(number).close()
        tell(number, END)

    tell(0, READY)
    while True:
        head = exactly(0, HEADER.size)
        if len(head) < HEADER.size:
            # The threads wait for others, who need not end.
            os._exit(0)
        number, kind, length = HEADER.unpack(head)
        data = exactly(0, length)
        try:
            if kind == OPEN:
                address, port = data.decode().split()
                sock = socket.create_connection((address, int(port)), CONNECTING)
                sock.settimeout(None)
                connections[number] = sock
                threading.Thread(target=listen, args=(number, sock), daemon=True).start()
            elif number in connections:
                if kind == DATA:
                    connections[number].sendall(data)
                else:
                    connections[number].shutdown(socket.SHUT_WR)
        except (OSError, KeyError):
            if kind == OPEN:
                tell(number, END)


if __name__ == "__main__":
    main()
