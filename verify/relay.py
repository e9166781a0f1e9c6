"""Carry standard input and output to an address and port: what `ssh -W` does, for containers.

Sent to the host as text (``python3 -c SOURCE ADDRESS PORT``): standard library, Python 3.8.
"""

from __future__ import annotations

import os
import socket
import sys
import threading


def main() -> None:
    """Carry one connection until the other side ends it."""
    sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))

    def send() -> None:
        while True:
            data = os.read(0, 65536)
            if not data:
                break
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)

    threading.Thread(target=send, daemon=True).start()
    while True:
        data = sock.recv(65536)
        if not data:
            return
        while data:
            data = data[os.write(1, data) :]


main()
