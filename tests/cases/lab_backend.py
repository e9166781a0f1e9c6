"""Small real servers that stand behind nginx in the recorded cases, one per entry of ``lab.backends``.

Modes:

* ``echo``: a strict RFC 6455 server; the options below make it stricter or more lenient
* ``http``: a plain HTTP application (``status``, ``body``, ``headers``)
* ``silent``: accepts and never answers
* ``raw``: a server of another protocol, closes on the first bytes
* ``full``: listens with a full accept queue, so that a connect gets no answer
* ``whoami``: an authentication service, 400 when an Upgrade header arrives
* ``auth``: an authentication service, ``status`` (401) without a cookie that holds ``session=``
* ``dns``: a name server on UDP that knows no name (with ``silent``: that answers nobody)

Options of ``echo``: path, path_prefix, wrong_path, missing_status, http10_status, lenient, accept_http10,
close_if_http10, origin (same-host, same-host-proto or a list), origin_status, hosts, hosts_status, token,
need_header, subprotocols, reject_forwarded, big_headers, sink, ping_every, delay, close_after, close_code,
upgrade_headers (lines that go with the 101), sid, chunked (refusals are sent in chunks).
Of applications that ask for more: need_origin (status without an Origin), refuse_header (the name of
one that it takes for a sign-in of its own), single (headers that may come once), need_subprotocol,
origin_against (headers with which the Origin's host is compared, the first that came) with on_mismatch
(status or ``close:CODE``), https_only (redirects what did not come by TLS), spa (any other path is the
page), plain_status and plain_body (of a request that is no handshake), refuse_upgrade and refuse_body,
own_port (Host must name this port), proxy_line (a line of the PROXY protocol comes first).  ``tls`` puts
TLS in front of any mode; with ``need_sni`` (any name), ``sni_names`` (one of these) or ``client_ca`` (a
certificate of the lab's authority) it wants that of the client.
A unix socket's ``chmod`` and ``directory_mode`` are modes.
An address ``own:PORT`` is the host's first address besides the loopback's.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import socket
import ssl
import struct
import threading
import time
from typing import Any, Dict, List, Optional, Set, Tuple
from urllib.parse import parse_qs, urlsplit

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REASONS = {
    101: "Switching Protocols",
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    426: "Upgrade Required",
    505: "HTTP Version Not Supported",
}

Headers = List[Tuple[str, str]]


def frame(opcode: int, data: bytes = b"", mask: bool = False) -> bytes:
    """One WebSocket frame, final, masked when a client sends it."""
    head = bytes([0x80 | opcode])
    bit = 0x80 if mask else 0
    head += bytes([bit | len(data)]) if len(data) < 126 else bytes([bit | 126]) + struct.pack("!H", len(data))
    if not mask:
        return head + data
    key = os.urandom(4)
    return head + key + bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """That many bytes, or EOFError."""
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return data


def read_frame(connection: socket.socket) -> Tuple[int, bytes]:
    """Opcode and unmasked payload of the next frame."""
    first, second = read_exactly(connection, 2)
    length = second & 127
    if length == 126:
        length = struct.unpack("!H", read_exactly(connection, 2))[0]
    elif length == 127:
        length = struct.unpack("!Q", read_exactly(connection, 8))[0]
    key = read_exactly(connection, 4) if second & 128 else b"\0\0\0\0"
    data = read_exactly(connection, length)
    return first & 15, bytes(byte ^ key[i % 4] for i, byte in enumerate(data))


def read_head(connection: socket.socket, limit: int = 262144) -> Tuple[str, Headers, bytes, bytes]:
    """First line, headers, what came after them, and everything read."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < limit:
        chunk = connection.recv(65536)
        if not chunk:
            break
        data += chunk
        if len(data) >= 4 and not data[:4].isalpha() and not data.startswith(b"HTTP"):
            break
    return (*read_request(data), data.partition(b"\r\n\r\n")[2], data)


def read_request(data: bytes) -> Tuple[str, Headers]:
    """First line and headers of these bytes."""
    lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    pairs = [line.split(":", 1) for line in lines[1:] if ":" in line]
    return lines[0], [(name.strip().lower(), value.strip()) for name, value in pairs]


def own_address() -> str:
    """An address of this host that is not the loopback's; namespaces of their own get one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 9))
        return str(sock.getsockname()[0])


class LabNameServer:
    """A DNS server that knows no name (RFC 1035: the question comes back with NXDOMAIN)."""

    def __init__(self, spec: Dict[str, Any]) -> None:
        """Bind and answer until ``close()``."""
        self.spec, self.stopped = spec, False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        host, port = spec["addr"].rsplit(":", 1)
        self._socket.bind((host, int(port)))
        self._socket.settimeout(0.2)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self.stopped:
            with contextlib.suppress(OSError):
                question, client = self._socket.recvfrom(2048)
                if not self.spec.get("silent"):
                    end = question.index(b"\0", 12) + 5
                    head = question[:2] + b"\x81\x83" + question[4:6] + b"\0" * 6
                    self._socket.sendto(head + question[12:end], client)

    def close(self) -> None:
        """Stop answering."""
        self.stopped = True
        self._thread.join(2)
        self._socket.close()


def lab_backend(spec: Dict[str, Any], prefix: str) -> Any:
    """The server that an entry of ``lab.backends`` describes."""
    if spec["mode"] == "dns":
        return LabNameServer(spec)
    if spec.get("addr", "").startswith("own:"):
        spec = dict(spec, addr=f"{own_address()}:{spec['addr'][4:]}")
    return LabBackend(spec, prefix)


class LabBackend:
    """A listening server as one entry of ``lab.backends`` describes it; it serves until ``close()``."""

    def __init__(self, spec: Dict[str, Any], prefix: str) -> None:
        """Bind, listen and start to serve.  ``prefix`` is where unix sockets and certificates are."""
        self.spec = spec
        self.stopped = False
        self.sessions: Set[str] = set()
        self._queue_fillers: List[socket.socket] = []
        self._thread: Optional[threading.Thread] = None
        self._tls: Optional[ssl.SSLContext] = None
        self._socket = self._bind(spec, prefix)
        self._socket.listen(0 if spec["mode"] == "full" else 64)
        if spec["mode"] == "full":
            for _ in range(4):
                filler = socket.socket(self._socket.family)
                filler.setblocking(False)
                filler.connect_ex(self._socket.getsockname())
                self._queue_fillers.append(filler)
            return
        if spec.get("tls"):
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(
                os.path.join(prefix, "certs/backend.pem"), os.path.join(prefix, "certs/backend.key")
            )
            if spec.get("client_ca"):
                self._tls.verify_mode = ssl.CERT_REQUIRED
                self._tls.load_verify_locations(os.path.join(prefix, "certs/ca.pem"))
            if spec.get("need_sni") or spec.get("sni_names"):
                known = spec.get("sni_names")
                self._tls.sni_callback = lambda _socket, name, _context: (
                    None
                    if name and (not known or name in known)
                    else ssl.AlertDescription.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
                )
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @staticmethod
    def _bind(spec: Dict[str, Any], prefix: str) -> socket.socket:
        address = spec["addr"]
        if address.startswith("unix:"):
            listener = socket.socket(socket.AF_UNIX)
            path = os.path.join(prefix, address[5:])
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            listener.bind(path)
            os.chmod(path, int(spec.get("chmod", "0777"), 8))
            os.chmod(os.path.dirname(path), int(spec.get("directory_mode", "0755"), 8))
            return listener
        host, port = address.rsplit(":", 1)
        host = host.strip("[]")
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ":" in host:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, int(port)))
        return listener

    def close(self) -> None:
        """Stop listening; open sockets end with their threads."""
        self.stopped = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for sock in [*self._queue_fillers, self._socket]:
            sock.close()
        if self._thread:
            self._thread.join(2)

    def _accept(self) -> None:
        self._socket.settimeout(0.2)
        while not self.stopped:
            try:
                connection, _ = self._socket.accept()
            except socket.timeout:
                continue
            except OSError:
                return
            threading.Thread(target=self._guarded, args=(connection,), daemon=True).start()

    def _guarded(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(100)
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._serve(connection)
        except (OSError, EOFError, ValueError, IndexError):
            pass
        finally:
            connection.close()

    def _reply(
        self, connection: socket.socket, status: int, body: str = "", extra: Tuple[str, ...] = ()
    ) -> None:
        payload = body.encode()
        length = f"Content-Length: {len(payload)}"
        if self.spec.get("chunked"):
            pieces = [payload[at : at + 7] for at in range(0, len(payload), 7)] + [b""]
            length = "Transfer-Encoding: chunked"
            payload = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        lines = [
            f"HTTP/1.1 {status} {REASONS.get(status, 'X')}",
            "X-Backend: lab",
            "Content-Type: text/plain",
            length,
            "Connection: close",
            *extra,
        ]
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)

    def _serve(self, connection: socket.socket) -> None:
        mode = self.spec["mode"]
        if mode == "silent":
            while not self.stopped:
                time.sleep(0.2)
            return
        if mode == "raw":
            connection.recv(65536)
            return
        line, headers, _, raw = read_head(connection)
        if self.spec.get("proxy_line"):
            if not line.startswith("PROXY "):
                return
            line, headers = read_request(raw.partition(b"\r\n")[2])
        if not line.endswith(("HTTP/1.1", "HTTP/1.0")):
            if raw:
                self._reply(connection, 400, "not HTTP/1.x")
            return
        method, target, version = line.split(" ", 2)
        if mode == "whoami":
            upgrade = any(name == "upgrade" for name, _ in headers)
            self._reply(
                connection,
                *(
                    (400, "this is a plain HTTP endpoint")
                    if upgrade
                    else (self.spec.get("status", 200), "me")
                ),
            )
        elif mode == "auth":
            known = "session=" in dict(headers).get("cookie", "")
            self._reply(connection, *((200, "me") if known else (self.spec.get("status", 401), "")))
        elif mode == "http":
            self._reply(
                connection,
                self.spec.get("status", 404),
                self.spec.get("body", "no such page"),
                tuple(self.spec.get("headers", ())),
            )
        else:
            refusal = (
                (405, "a handshake is a GET") if method != "GET" else self._refusal(headers, target, version)
            )
            if refusal:
                self._reply(connection, *refusal)
            else:
                self._websocket(connection, dict(reversed(headers)), version)

    def _refusal(self, headers: Headers, target: str, version: str) -> Optional[Tuple[Any, ...]]:
        """Status and body of the refusal, checked in the order in which real servers check."""
        spec = self.spec
        path = target.split("?")[0]
        url = urlsplit("http://x" + target) if target.startswith("/") else urlsplit(target)
        query = parse_qs(url.query)
        first = dict(reversed(headers))
        for once in ("host", *spec.get("single", ())):
            if sum(name == once for name, _ in headers) > 1:
                return 400, f"duplicate {once.title()} header"
        special = self._special_refusal(first, target, path)
        if special is not None:
            return special
        if spec.get("hosts") and first.get("host") not in spec["hosts"]:
            return spec.get("hosts_status", 403), "Blocked request: host {!r} is not allowed".format(
                first.get("host")
            )
        if first.get(spec.get("refuse_header", "")):
            return 401, "{} is of no kind that is known here".format(spec["refuse_header"])
        if spec.get("reject_forwarded") and first.get("x-forwarded-for"):
            return 400, "request from an untrusted reverse proxy"
        if spec.get("sid") and query.get("transport") == ["polling"]:
            session = base64.b16encode(os.urandom(5)).decode()
            self.sessions.add(session)
            return 200, json.dumps({"sid": session, "upgrades": ["websocket"]})
        if path != spec.get("path", path) or not path.startswith(spec.get("path_prefix", "")):
            return spec.get("wrong_path", 404), f"no route {path}"
        return self._handshake_refusal(first, version) or self._policy_refusal(first, query)

    def _special_refusal(
        self, first: Dict[str, str], target: str, path: str
    ) -> Optional[Tuple[int, str, Tuple[str, ...]]]:
        """What applications ask for besides a right handshake, and say of other requests."""
        spec, host = self.spec, first.get("host", "")
        upgrade = first.get("upgrade", "").lower() == "websocket" and (
            "upgrade" in first.get("connection", "").lower()
        )
        if spec.get("https_only") and first.get("x-forwarded-proto") != "https":
            return 301, "", (f"Location: https://{host}{target}",)
        if spec.get("own_port", spec.get("autobahn_port")):
            port = str(spec.get("own_port", spec.get("autobahn_port")))
            if host.rpartition(":")[2] != port or ":" not in host:
                return 400, f"port missing or wrong in HTTP Host header {host!r}: server runs on {port}", ()
        known = path == spec.get("path") or (
            bool(spec.get("path_prefix")) and path.startswith(spec["path_prefix"])
        )
        if spec.get("spa") and not known:
            return 200, "<!doctype html><title>app</title><div id=root></div>", ("Cache-Control: no-cache",)
        if spec.get("plain_status") and not upgrade:
            return spec["plain_status"], spec.get("plain_body", "this is not a WebSocket request"), ()
        if spec.get("refuse_upgrade") and upgrade:
            return spec["refuse_upgrade"], spec.get("refuse_body", "internal error"), ()
        if spec.get("need_origin") and upgrade and not first.get("origin"):
            return spec["need_origin"], spec.get("need_origin_body", "Origin header is missing"), ()
        if spec.get("need_subprotocol") and upgrade and not first.get("sec-websocket-protocol"):
            return 400, spec.get("need_subprotocol_body", "no subprotocol offered"), ()
        if upgrade and isinstance(spec.get("on_mismatch", 403), int) and self._foreign(first):
            return spec.get("on_mismatch", 403), self._foreign(first), ()
        return None

    def _foreign(self, first: Dict[str, str]) -> str:
        """Why the Origin is not that of the site; empty when it is, or nobody asks."""
        names = self.spec.get("origin_against")
        if not names or not first.get("origin"):
            return ""
        expected = next((first[name] for name in names if first.get(name)), "")
        if "host=" in expected:  # Forwarded (RFC 7239)
            expected = expected.partition("host=")[2].partition(";")[0].strip('"')
        origin = urlsplit(first["origin"]).netloc
        return "" if origin == expected else f"host {expected!r} does not match origin {origin!r}"

    def _handshake_refusal(self, first: Dict[str, str], version: str) -> Optional[Tuple[int, str]]:
        spec = self.spec
        tokens = [token.strip().lower() for token in first.get("connection", "").split(",")]
        lenient = spec.get("lenient") is True or (spec.get("lenient") == "http10" and version == "HTTP/1.0")
        if not lenient:
            if first.get("upgrade", "").lower() != "websocket":
                return (
                    spec.get("missing_status", 400),
                    "Upgrade header is {!r}, expected websocket".format(first.get("upgrade")),
                )
            if "upgrade" not in tokens:
                return (
                    spec.get("missing_status", 400),
                    "Connection header is {!r}, expected upgrade".format(first.get("connection")),
                )
            if version == "HTTP/1.0" and not spec.get("accept_http10"):
                return spec.get("http10_status", 505), "WebSocket needs HTTP/1.1"
        if not first.get("sec-websocket-key") or first.get("sec-websocket-version") != "13":
            return 400, "Sec-WebSocket-Key or -Version missing"
        return None

    def _policy_refusal(
        self, first: Dict[str, str], query: Dict[str, List[str]]
    ) -> Optional[Tuple[int, str]]:
        spec = self.spec
        if spec.get("sid") and query.get("sid", [""])[0] not in self.sessions:
            return 400, '{"code":1,"message":"Session ID unknown"}'
        origin, policy = first.get("origin"), spec.get("origin")
        if origin and policy:
            scheme = first.get("x-forwarded-proto", "http")
            host = first.get("host")
            allowed = (
                urlsplit(origin).netloc == host
                if policy == "same-host"
                else origin == f"{scheme}://{host}"
                if policy == "same-host-proto"
                else origin in policy
            )
            if not allowed:
                return (
                    spec.get("origin_status", 403),
                    f"origin {origin} not allowed (Host {host}, proto {scheme})",
                )
        if spec.get("token") and query.get("token") != [spec["token"]]:
            return 401, "missing or wrong token"
        if spec.get("need_header") and first.get(spec["need_header"][0]) != spec["need_header"][1]:
            return 401, "missing {}".format(spec["need_header"][0])
        return None

    def _websocket(self, connection: socket.socket, first: Dict[str, str], version: str) -> None:
        spec = self.spec
        time.sleep(spec.get("delay", 0))
        accept = base64.b64encode(hashlib.sha1(first["sec-websocket-key"].encode() + GUID).digest())
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "X-Backend: lab",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Accept: " + accept.decode(),
        ]
        offered = [name.strip() for name in first.get("sec-websocket-protocol", "").split(",")]
        chosen = next((name for name in offered if name and name in spec.get("subprotocols", [])), None)
        if chosen:
            lines.append("Sec-WebSocket-Protocol: " + chosen)
        lines += spec.get("upgrade_headers", ())
        if spec.get("big_headers"):
            lines.append("Set-Cookie: session=" + "x" * spec["big_headers"])
        connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        if spec.get("close_if_http10") and version == "HTTP/1.0":
            return
        code, after = spec.get("close_code"), spec.get("close_after")
        mismatch = spec.get("on_mismatch", "")
        if isinstance(mismatch, str) and mismatch.startswith("close:") and self._foreign(first):
            code, after = int(mismatch[6:]), 0.05
        if after is not None:
            time.sleep(after)
            if code:
                connection.sendall(frame(8, struct.pack("!H", code)))
            time.sleep(0.05)
            return
        if spec.get("ping_every"):
            threading.Thread(target=self._ping, args=(connection,), daemon=True).start()
        while not self.stopped:
            opcode, data = read_frame(connection)
            if opcode == 8:
                connection.sendall(frame(8, data))
                return
            if opcode in (1, 2) and not spec.get("sink"):
                connection.sendall(frame(opcode, data))
            if opcode == 9 and not spec.get("sink"):
                connection.sendall(frame(10, data))

    def _ping(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not self.stopped:
                time.sleep(self.spec["ping_every"])
                connection.sendall(frame(9, b"hb"))
