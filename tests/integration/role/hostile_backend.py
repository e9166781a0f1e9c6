"""A backend that answers 101 to everything, asked or not, and then sends back what it gets.

``python3 hostile_backend.py PORT``.  The answer's ``X-Got`` has what it was asked to upgrade to.
"""

import socket
import sys
import threading


def serve(connection: socket.socket) -> None:
    """Answer one connection."""
    with connection:
        request = b""
        while b"\r\n\r\n" not in request:
            piece = connection.recv(4096)
            if not piece:
                return
            request += piece
        names = (b"upgrade:", b"connection:", b"http2-settings:")
        got = b" | ".join(line for line in request.split(b"\r\n") if line.lower().startswith(names))
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nX-Got: " + got + b"\r\n\r\n")
        while True:
            piece = connection.recv(4096)
            if not piece:
                return
            connection.sendall(b"tunnel:" + piece)


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()
