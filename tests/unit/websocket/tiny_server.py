"""A server on loopback that does exactly one thing: each behaviour is a function over its connection."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
from typing import Callable, List, Optional, Sequence

from module_utils.nginx_websocket.exchange.handshake import accept_for

NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
CA = """\
[ca]
default_ca = tiny
[tiny]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
[any]
organizationName = optional
commonName = supplied
"""

Behaviour = Callable[["Talk"], None]


class Talk:
    """One accepted connection, with the request that came."""

    def __init__(self, sock: socket.socket, server: TinyServer) -> None:
        self.sock = sock
        self.server = server
        self.request = b""

    def read_request(self) -> bytes:
        while b"\r\n\r\n" not in self.request:
            data = self.sock.recv(65536)
            if not data:
                break
            self.request += data
        return self.request

    def header(self, name: str) -> str:
        match = re.search(rb"(?im)^" + name.encode() + rb":[ \t]*(.*?)\r?$", self.request)
        return match.group(1).decode() if match else ""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def accept_websocket(self, extra: str = "", *, accept: Optional[str] = None) -> None:
        value = accept_for(self.header("Sec-WebSocket-Key")) if accept is None else accept
        self.send(
            (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {value}\r\n{extra}\r\n"
            ).encode()
        )

    def read_frame(self) -> Optional[tuple]:
        """Opcode and unmasked payload of the client's next (short) frame; None at the end."""
        head = self._exactly(2)
        if head is None:
            return None
        size = head[1] & 0x7F
        assert head[1] & 0x80, "a client must mask"
        assert size < 126
        key = self._exactly(4) or b""
        payload = self._exactly(size) if size else b""
        return head[0] & 0x0F, bytes(b ^ key[i % 4] for i, b in enumerate(payload or b""))

    def send_frame(self, opcode: int, payload: bytes = b"") -> None:
        if len(payload) < 126:
            self.send(struct.pack("!BB", 0x80 | opcode, len(payload)) + payload)
        else:
            self.send(struct.pack("!BBH", 0x80 | opcode, 126, len(payload)) + payload)

    def echo_control(self) -> None:
        """Answer pings and the close until the client is gone."""
        while True:
            frame = self.read_frame()
            if frame is None:
                return
            self.server.frames.append(frame)
            if frame[0] == 9:
                self.send_frame(10, frame[1])
            elif frame[0] == 8:
                self.send_frame(8, frame[1])
                return

    def wait_for_client(self) -> None:
        """Say nothing until the client closes."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass

    def _exactly(self, size: int) -> Optional[bytes]:
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                return None
            data += more
        return data


class TinyServer:
    """Listens from ``with`` on; keeps what clients sent, and what its own code raised."""

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        read: bool = True,
        tls: Optional[ssl.SSLContext] = None,
        host: str = "127.0.0.1",
        path: str = "",
    ) -> None:
        self.behaviour = behaviour
        self.read = read
        self.tls = tls
        self.requests: List[bytes] = []
        self.frames: List[tuple] = []
        self.errors: List[BaseException] = []
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.bind(path)
            self.port = 0
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.sock = socket.socket(family)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.sock.bind((host, 0))
            self.port = self.sock.getsockname()[1]
        self.sock.listen(8)
        self.threads: List[threading.Thread] = []

    def __enter__(self) -> TinyServer:
        self._start(self._serve)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive(), "a server thread hangs"
        if self.errors:
            raise self.errors[0]

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def _serve(self) -> None:
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            self._start(self._talk, sock)

    def _talk(self, sock: socket.socket) -> None:
        sock.settimeout(10)
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            talk = Talk(sock, self)
            if self.read and talk.read_request():
                self.requests.append(talk.request)
            self.behaviour(talk)
        except (OSError, ssl.SSLError):
            pass  # A client that refuses our certificate or goes away is what some tests are about.
        except BaseException as error:
            self.errors.append(error)
        finally:
            sock.close()


def open_and_echo(talk: Talk) -> None:
    """The right server: 101, then pongs."""
    talk.accept_websocket()
    talk.echo_control()


def answer(status: str, body: bytes = b"", headers: str = "") -> Behaviour:
    """A server that always gives this answer."""

    def behave(talk: Talk) -> None:
        talk.send(
            f"HTTP/1.1 {status}\r\nServer: tiny\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
            + body
        )

    return behave


def raw(data: bytes) -> Behaviour:
    """A server that sends these bytes and closes."""
    return lambda talk: talk.send(data)


class Authority:
    """A certificate authority in a directory, driven through the openssl command."""

    def __init__(self, directory: str, name: str = "Tiny Test CA") -> None:
        self.directory = directory
        self.cafile = os.path.join(directory, "ca.pem")
        self._openssl(
            *("req", "-x509", *NEW_KEY, "-days", "30", "-keyout", "ca.key", "-out", "ca.pem"),
            *("-subj", f"/CN={name}"),
        )

    def issue(self, name: str, *, days: int = 20, names: str = "", stem: str = "") -> str:
        """Issue STEM.pem and STEM.key; a negative number of days makes an expired one."""
        stem = os.path.join(self.directory, stem or name)
        with open(stem + ".ext", "w") as file:
            file.write(f"subjectAltName={names or 'DNS:' + name}\n")
        self._openssl(
            *(
                "req",
                "-new",
                *NEW_KEY,
                "-keyout",
                stem + ".key",
                "-out",
                stem + ".csr",
                "-subj",
                f"/O=Tiny/CN={name}",
            ),
        )
        signed = ("-in", stem + ".csr", "-extfile", stem + ".ext", "-out", stem + ".pem")
        if days < 0:
            self._sign_expired(days, signed)
        else:
            ca = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial")
            self._openssl("x509", "-req", *ca, "-days", str(days), *signed)
        return stem

    def _sign_expired(self, days: int, signed: Sequence[str]) -> None:
        """Sign with dates in the past: `openssl x509 -days` takes nothing negative since OpenSSL 3.4."""
        for name, content in (("index.txt", ""), ("index.txt.attr", "unique_subject = no\n"), ("ca.cnf", CA)):
            with open(os.path.join(self.directory, name), "w") as file:
                file.write(content)
        moments = [time.gmtime(time.time() + 86400 * day) for day in (days - 10, days)]
        dates = [time.strftime("%Y%m%d%H%M%SZ", moment) for moment in moments]
        own = ("-batch", "-notext", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key")
        self._openssl("ca", *own, "-startdate", dates[0], "-enddate", dates[1], *signed)

    def server_context(self, stem: str, *, alpn: Optional[List[str]] = None) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(stem + ".pem", stem + ".key")
        if alpn:
            context.set_alpn_protocols(alpn)
        return context

    def _openssl(self, *args: str) -> None:
        subprocess.run(["openssl", *args], cwd=self.directory, check=True, capture_output=True)
