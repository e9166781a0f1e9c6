"""What the rendered site lets through to a backend, and to whom it tells its release, on each nginx."""

from __future__ import annotations

import re
import socket
import ssl
import struct
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple

import pytest

from tests.integration.role.test_template_nginx import NAME, RELEASE, install, lammp

WEBSOCKET = "/api/mqtt/ws/hints/test"
RELEASE_PATH = f"/.well-known/nginx-websocket/{RELEASE}"
HOSTILE = Path(__file__).with_name("hostile_backend.py")


@pytest.fixture(scope="module", params=["bullseye", "bookworm", "trixie", "forky"])
def hostile(request, lab_up):
    """A host whose backend answers 101 to everything, and whose nginx believes every X-Forwarded-For."""
    host = lab_up(f"upgrades-{request.param}", suite=request.param)
    assert "test is successful" in install(host, [lammp()])
    host.write(
        "/etc/nginx/conf.d/real.conf", "set_real_ip_from 0.0.0.0/0;\nreal_ip_header X-Forwarded-For;\n"
    )
    host.write("/opt/hostile_backend.py", HOSTILE.read_text())
    host.sh(
        "systemctl stop lammp-backend; systemctl restart nginx;"
        "systemd-run --quiet --unit hostile --collect python3 /opt/hostile_backend.py 8000;"
        "until ss -ltn | grep -q 127.0.0.1:8000; do sleep 0.05; done"
    )
    return host


def connect(host: Any, alpn: Sequence[str] = ()) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context.wrap_socket(socket.create_connection((host.address, 443), 10), server_hostname=NAME)


def ask(host: Any, path: str, *lines: str) -> Tuple[int, str, bool]:
    """Send one request; return the status, what the backend got of it, and whether a tunnel stands."""
    with connect(host) as connection:
        connection.sendall("\r\n".join([f"GET {path} HTTP/1.1", f"Host: {NAME}", *lines, "", ""]).encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = connection.recv(4096)
            if not piece:
                break
            answer += piece
        head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
        status = int(head.split(" ")[1])
        got = re.search(r"^X-Got: (.*?)\r?$", head, re.MULTILINE)
        tunnel = False
        if status == 101:
            connection.sendall(b"hello")
            tunnel = connection.recv(4096) == b"tunnel:hello"
    return status, got.group(1) if got else "", tunnel


HANDSHAKE = (
    "Connection: Upgrade, HTTP2-Settings",
    "HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA",
    "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==",
    "Sec-WebSocket-Version: 13",
)


@pytest.mark.parametrize("word", ["websocket", "WebSocket", "WEBSOCKET"])
def test_a_websocket_is_asked_for(hostile, word):
    status, got, tunnel = ask(hostile, WEBSOCKET, f"Upgrade: {word}", *HANDSHAKE)
    assert (status, got, tunnel) == (101, "Upgrade: websocket | Connection: upgrade", True)


@pytest.mark.parametrize(
    "word",
    ["h2c", "h2c, websocket", "websocket, h2c", "websocket/13", "xwebsocket", "TLS/1.0", "*", "websocket,"],
)
def test_nothing_else_is_let_through_a_websocket_route(hostile, word):
    assert ask(hostile, WEBSOCKET, f"Upgrade: {word}", *HANDSHAKE) == (400, "", False)


@pytest.mark.parametrize("words", [("websocket", "h2c"), ("h2c", "websocket"), ("h2c", "h2c")])
def test_of_two_upgrade_headers_the_backend_gets_a_websocket_or_none(hostile, words):
    """nginx before 1.23 looks at the first one alone; the backend never sees another protocol."""
    lines = [f"Upgrade: {word}" for word in words]
    status, got, _ = ask(hostile, WEBSOCKET, *lines, *HANDSHAKE)
    assert (status, got) in ((400, ""), (101, "Upgrade: websocket | Connection: upgrade"))
    assert words[0] == "websocket" or status == 400


@pytest.mark.parametrize("word", ["websocket", "h2c"])
def test_a_general_route_asks_for_no_upgrade(hostile, word):
    _, got, _ = ask(hostile, "/api/docs", f"Upgrade: {word}", *HANDSHAKE)
    assert got == ""


@pytest.mark.parametrize(
    "origins",
    [
        ["https://evil.example", f"https://{NAME}"],
        ["https://evil.example", "https://evil.example"],
        [f"https://{NAME}, https://evil.example"],
    ],
)
def test_a_repeated_origin_is_refused(hostile, origins):
    lines = [f"Origin: {origin}" for origin in origins]
    assert ask(hostile, WEBSOCKET, "Upgrade: websocket", *HANDSHAKE, *lines)[0] == 403


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header field that no table holds (RFC 7541, 6.2.2)."""
    return b"\0" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def test_extended_connect_is_refused(hostile):
    """RFC 8441: a WebSocket over HTTP/2, which nginx does not know and answers with an error."""
    fields = [
        *((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "https")),
        *((":path", WEBSOCKET), (":authority", NAME), ("sec-websocket-version", "13")),
    ]
    with connect(hostile, ["h2"]) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        block = b"".join(literal(*field) for field in fields)
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, block))
        kind, code = answer_to_stream(connection)
    refused = (kind == 3 and code) or (kind == 1 and code is not None and code >= 400) or kind == 7
    assert refused, (kind, code)


def answer_to_stream(connection: ssl.SSLSocket) -> Tuple[int, Optional[int]]:
    """The first of HEADERS, RST_STREAM and GOAWAY, with its status or error code."""
    held = b""

    def take(count: int) -> bytes:
        nonlocal held
        while len(held) < count:
            piece = connection.recv(65536)
            if not piece:
                return b""
            held += piece
        taken, held = held[:count], held[count:]
        return taken

    static = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
    while True:
        head = take(9)
        if not head:
            return 7, None  # closed
        kind = head[3]
        payload = take(int.from_bytes(head[:3], "big"))
        if kind == 1:
            if payload[0] & 0x80:
                return kind, static.get(payload[0] & 0x7F)
            digits: List[bytes] = re.findall(rb"\d{3}", payload[:8])
            return kind, int(digits[0]) if digits else None
        if kind in (3, 7):
            return kind, int.from_bytes(payload[-4:], "big")


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_the_release_is_no_outsiders_business_whatever_the_rest_trusts(hostile, header):
    addresses = [hostile.address, "127.0.0.1", "::1"]
    answers = [ask(hostile, RELEASE_PATH, f"{header}: {address}")[0] for address in addresses]
    assert answers == [404, 404, 404]
    inside = hostile.run("curl", "-sk", "--resolve", f"{NAME}:443:127.0.0.1", f"https://{NAME}{RELEASE_PATH}")
    assert inside == f"{RELEASE}\n"


def test_behind_a_proxy_on_the_host_the_proxy_line_decides(lab_up):
    """The proxy connects from the host itself: whom it speaks for is in its line."""
    host = lab_up("upgrades-proxy")
    site = {**lammp(), "listen": {"proxy_protocol": True}, "real_ip": {"trusted": ["127.0.0.1"]}}
    site["real_ip"]["header"] = "proxy_protocol"
    assert "test is successful" in install(host, [site])
    host.sh("systemctl restart nginx")
    script = (
        "import socket,sys\n"
        "s=socket.create_connection(('127.0.0.1',80))\n"
        f"lines=[sys.argv[1],'GET {RELEASE_PATH} HTTP/1.0','Host: {NAME}','','']\n"
        "s.sendall('\\r\\n'.join(lines).encode())\n"
        "print(s.makefile().readline())"
    )
    asked = {
        "PROXY TCP4 127.0.0.1 127.0.0.1 50000 80": "200",
        "PROXY TCP4 203.0.113.9 127.0.0.1 50000 80": "404",
        "PROXY UNKNOWN": "404",
    }
    answers = {line: host.run("python3", "-c", script, line).split(" ")[1] for line in asked}
    assert answers == asked
