"""A real nginx, a backend that reports what it receives, and a raw client."""

# ruff: noqa: UP031  (one format for a whole address or report line)

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import socket
import ssl
import subprocess
import time
from typing import Dict, List, Optional, Tuple

HEAD = """worker_processes 1;
daemon off;
master_process off;
pid {work}/nginx.pid;
error_log {work}/error.log crit;
pcre_jit on;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {work}/t1; proxy_temp_path {work}/t2; fastcgi_temp_path {work}/t3;
    uwsgi_temp_path {work}/t4; scgi_temp_path {work}/t5;
    server_names_hash_bucket_size 256; server_names_hash_max_size 4096;
    map_hash_bucket_size 256; variables_hash_max_size 8192; variables_hash_bucket_size 256;
    proxy_headers_hash_bucket_size 128;
    keepalive_requests 1000000; keepalive_timeout 600s;
    proxy_connect_timeout 3s; proxy_read_timeout 5s;
    log_not_found off; rewrite_log off; uninitialized_variable_warn off;
    root {root};
"""


_OWN = b"X-Back: 1\r\nX-Other: 2\r\nServer: backend\r\nX-Pad: 3\r\n"
"""The backend's own headers, some of which nginx hides."""


def _switches(headers: List[List[bytes]]) -> bool:
    """Whether the client asked for the tunnel and both headers that an upgrade needs arrived."""
    values = {key.lower(): value.lower() for key, value in headers}
    connection = [part.strip() for part in values.get(b"connection", b"").split(b",")]
    asked = values.get(b"x-switch") == b"1" and values.get(b"upgrade") == b"websocket"
    return asked and b"upgrade" in connection


class _Echo(asyncio.Protocol):
    """Answers every request with what it received, as JSON."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        self.address = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while b"\r\n\r\n" in self.buffer:
            head, rest = self.buffer.split(b"\r\n\r\n", 1)
            lines = head.split(b"\r\n")
            headers = [
                line.split(b": ", 1) if b": " in line else [line.rstrip(b":"), b""] for line in lines[1:]
            ]
            length = next((int(v) for k, v in headers if k.lower() == b"content-length" and v.isdigit()), 0)
            if len(rest) < length:
                return
            self.buffer = rest[length:]
            document = {
                "address": self.address,
                "line": lines[0].decode("latin-1"),
                "headers": [[key.decode("latin-1"), value.decode("latin-1")] for key, value in headers],
            }
            body = json.dumps(document).encode()
            keep = lines[0].endswith(b"1.1") and not any(
                k.lower() == b"connection" and v.lower() == b"close" for k, v in headers
            )
            if _switches(headers):
                self.transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nX-Echo: 1\r\n%sUpgrade: websocket\r\n"
                    b"Connection: upgrade\r\n\r\n%s" % (_OWN, body)
                )
                self.transport.close()
                return
            connection = b"" if keep else b"Connection: close\r\n"
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nX-Echo: 1\r\n%s%sContent-Length: %d\r\n\r\n%s"
                % (_OWN, connection, len(body), body)
            )
            if not keep:
                self.transport.close()
                return


def _serve(listener: socket.socket) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Echo, sock=listener)
        await server.serve_forever()

    asyncio.run(main())


class Backend:
    """The echo backend, in a process of its own, on one port of every loopback address."""

    def __init__(self, port: int) -> None:
        listener = socket.create_server(("0.0.0.0", port), backlog=512)
        self.process = multiprocessing.get_context("fork").Process(
            target=_serve, args=(listener,), daemon=True
        )
        self.process.start()
        listener.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.join()


def nginx_version(binary: str) -> Tuple[int, ...]:
    """Version of the binary."""
    done = subprocess.run([binary, "-v"], capture_output=True, text=True, check=True)
    match = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", done.stderr)
    if match is None:
        raise RuntimeError(f"no version in {done.stderr!r}")
    return tuple(int(part) for part in match.groups())


class Nginx:
    """One running nginx."""

    def __init__(self, binary: str, work: str, root: str, text: str, files: List[Tuple[str, str]]) -> None:
        os.makedirs(work, exist_ok=True)
        self.conf = os.path.join(work, "nginx.conf")
        for name, content in files:
            with open(os.path.join(work, name), "w", encoding="utf-8") as file:
                file.write(content + "\n")
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(HEAD.format(work=work, root=root) + text + "\n}\n")
        self.work = work
        self.process = subprocess.Popen(
            [binary, "-p", work, "-c", self.conf], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )

    def wait(self, address: Tuple[str, int]) -> str:
        """Wait until it listens; the error text when it exits instead."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                assert self.process.stderr is not None
                return self.process.stderr.read().decode("utf-8", "replace") or "nginx exited"
            try:
                socket.create_connection(address, timeout=1).close()
                return ""
            except OSError:
                time.sleep(0.005)  # polling a condition: the port
        return "nginx does not listen on %s:%d" % address

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stderr is not None:
            self.process.stderr.close()


class Reply:
    """What the client got."""

    def __init__(self, status: int, headers: Dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """Keep-alive connections, one a local address (and TLS name)."""

    def __init__(self) -> None:
        self.connections: Dict[Tuple[str, int, Optional[str]], socket.socket] = {}
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def close(self) -> None:
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()

    def send(
        self, address: Tuple[str, int], raw: bytes, method: str, sni: Optional[str] = None, tls: bool = False
    ) -> Reply:
        """Send one request; status 0 means the connection was closed, -1 that nobody listens."""
        key = (*address, (sni or "") if tls else None)
        for fresh in (False, True):
            connection = self.connections.pop(key, None)
            if connection is None or fresh:
                if connection is not None:
                    connection.close()
                try:
                    connection = socket.create_connection(address, timeout=10)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    if tls:
                        connection = self.context.wrap_socket(connection, server_hostname=sni or None)
                except ConnectionRefusedError:
                    return Reply(-1, {}, b"")
                fresh = True
            try:
                connection.sendall(raw)
                reply, keep = self._read(connection, method)
            except (ConnectionError, ssl.SSLError):
                reply, keep = Reply(0, {}, b""), False
            if keep:
                self.connections[key] = connection
            else:
                connection.close()
            if reply.status or fresh:
                return reply
        return reply

    def _read(self, connection: socket.socket, method: str) -> Tuple[Reply, bool]:
        buffer = b""
        while b"\r\n\r\n" not in buffer:
            data = connection.recv(65536)
            if not data:
                return Reply(0, {}, buffer), False
            buffer += data
        head, body = buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {}
        for line in lines[1:]:
            key, _colon, value = line.partition(":")
            headers[key.lower()] = value[1:]
        keep = headers.get("connection", "keep-alive").lower() != "close"
        if status == 101:
            while True:
                data = connection.recv(65536)
                if not data:
                    return Reply(status, headers, body), False
                body += data
        if method == "HEAD" or status in (204, 304):
            return Reply(status, headers, b""), keep
        if "content-length" in headers:
            length = int(headers["content-length"])
            while len(body) < length:
                data = connection.recv(65536)
                if not data:
                    return Reply(status, headers, body), False
                body += data
            return Reply(status, headers, body), keep
        if headers.get("transfer-encoding") == "chunked":
            while not body.endswith(b"0\r\n\r\n"):
                data = connection.recv(65536)
                if not data:
                    break
                body += data
            return Reply(status, headers, body), keep
        while True:
            data = connection.recv(65536)
            if not data:
                return Reply(status, headers, body), False
            body += data
