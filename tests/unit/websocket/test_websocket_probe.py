"""The probe against real sockets: one server for every way in which a WebSocket can fail."""

import os
import socket
import struct
import threading
import time

import pytest

from module_utils.nginx_websocket.exchange.connection import Deadline, Failure, resolve
from module_utils.nginx_websocket.exchange.expectation import unmet
from module_utils.nginx_websocket.exchange.probe import probe
from module_utils.nginx_websocket.exchange.result import ERROR_KINDS
from tests.unit.websocket.tiny_server import TinyServer, answer, open_and_echo, raw

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.SflKxwRJSMeKKF2QT4"


def ask(server, path="/ws", **options):
    options.setdefault("timeout", 5)
    return probe(f"ws://127.0.0.1:{server.port}{path}", **options)


def test_right_server_opens_pongs_and_gets_a_goodbye():
    with TinyServer(open_and_echo) as server:
        result = ask(server, origin="https://a.test")
    assert (result.opened, result.pong, result.status) == (True, True, 101)
    assert (result.error_kind, result.error, result.close_code) == ("", "", None)
    assert result.address == f"127.0.0.1:{server.port}"
    assert server.requests == [result.request.encode()]
    assert b"\r\nOrigin: https://a.test\r\n" in server.requests[0]
    assert server.frames[-1] == (8, struct.pack("!H", 1000))
    assert 0 < result.seconds < 2
    assert result.summary() == f"ws://127.0.0.1:{server.port}/ws: 101, WebSocket open, pong [{result.who()}]"


def test_frames_sent_together_with_the_head_are_counted_and_server_pings_answered():
    def behave(talk):
        talk.accept_websocket()
        talk.send_frame(1, b"hello")
        talk.send_frame(9, b"are you there")
        talk.send_frame(10, b"unsolicited")
        talk.echo_control()

    with TinyServer(behave) as server:
        result = ask(server)
    assert (result.opened, result.pong, result.messages) == (True, True, 1)
    assert (10, b"are you there") in server.frames


def test_large_message_before_the_pong_does_no_harm():
    def behave(talk):
        talk.accept_websocket()
        talk.send(b"\x82\x7f" + struct.pack("!Q", 1 << 20) + b"x" * (1 << 20))
        talk.echo_control()

    with TinyServer(behave) as server:
        result = ask(server)
    assert (result.pong, result.messages, result.error) == (True, 1, "")


def test_without_ping_none_is_sent():
    with TinyServer(open_and_echo) as server:
        result = ask(server, ping=False)
    assert (result.opened, result.pong, result.error_kind) == (True, False, "")
    assert [opcode for opcode, _ in server.frames] == [8]


def test_refusal_at_once_after_the_101_is_an_opened_socket_with_its_code():
    def behave(talk):
        talk.accept_websocket()
        talk.send_frame(8, struct.pack("!H", 1008) + b"bad token")
        talk.echo_control()

    with TinyServer(behave) as server:
        result = ask(server)
    assert (result.opened, result.pong, result.error_kind) == (True, False, "closed-after-101")
    assert (result.close_code, result.close_reason) == (1008, "bad token")
    assert "1008 'bad token' (policy violation" in result.error
    assert (8, struct.pack("!H", 1008)) in server.frames  # the client's echo
    assert unmet(result, "open") == ""
    assert "closed by the server" in unmet(result, "pong")


def test_connection_lost_after_the_101_is_1006():
    with TinyServer(lambda talk: talk.accept_websocket()) as server:
        result = ask(server)
    assert (result.opened, result.error_kind, result.close_code) == (True, "closed-after-101", 1006)


def test_pong_that_never_comes():
    def behave(talk):
        talk.accept_websocket()
        talk.send_frame(10, b"not yours")
        talk.wait_for_client()

    with TinyServer(behave) as server:
        result = ask(server, timeout=0.4)
    assert (result.opened, result.pong, result.error_kind) == (True, False, "pong-timeout")
    assert 0.3 < result.seconds < 2


def test_nonsense_after_the_101():
    def behave(talk):
        talk.accept_websocket()
        talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
        talk.wait_for_client()

    with TinyServer(behave) as server:
        result = ask(server)
    assert (result.opened, result.error_kind) == (True, "bad-frame")
    assert "reserved bits" in result.error


def test_hold_sees_an_idle_timeout():
    def behave(talk):
        talk.accept_websocket()
        opcode, payload = talk.read_frame()
        assert opcode == 9
        talk.send_frame(10, payload)
        threading.Event().wait(0.3)

    with TinyServer(behave) as server:
        result = ask(server, hold=5)
    assert (result.opened, result.pong, result.close_code) == (True, True, 1006)
    assert 0.2 < result.closed_after < 3


def test_hold_ends_well_when_nobody_closes():
    with TinyServer(open_and_echo) as server:
        started = time.monotonic()
        result = ask(server, hold=0.3)
    assert (result.pong, result.error_kind) == (True, "")
    assert time.monotonic() - started >= 0.3
    assert result.seconds < 0.3


@pytest.mark.parametrize(
    "extra, accept, message",
    [
        ("", "bm90IHlvdXIga2V5IQ==", "does not fit the key"),
        ("Sec-WebSocket-Extensions: x\r\n", None, "extension"),
        ("Sec-WebSocket-Protocol: chat\r\n", None, "'chat', which was not offered"),
    ],
)
def test_wrong_101_is_no_websocket(extra, accept, message):
    with TinyServer(lambda talk: talk.accept_websocket(extra, accept=accept)) as server:
        result = ask(server)
    assert (result.opened, result.status, result.error_kind) == (False, 101, "bad-handshake")
    assert message in result.error
    assert message in unmet(result, "open")


def test_subprotocol_is_reported():
    def behave(talk):
        assert talk.header("Sec-WebSocket-Protocol") == "mqtt, chat"
        talk.accept_websocket("Sec-WebSocket-Protocol: chat\r\n")
        talk.echo_control()

    with TinyServer(behave) as server:
        result = ask(server, subprotocols=["mqtt", "chat"])
    assert (result.opened, result.subprotocol) == (True, "chat")


def test_own_key_is_the_one_that_counts():
    with TinyServer(open_and_echo) as server:
        result = ask(server, headers=[("Sec-WebSocket-Key", "dGVzdHRlc3R0ZXN0dGVzdA==")])
    assert result.opened
    assert b"Sec-WebSocket-Key: dGVzdHRlc3R0ZXN0dGVzdA==\r\n" in server.requests[0]


def test_http_error_comes_back_whole():
    with TinyServer(
        answer("403 Forbidden", b"<b>no\x1b[31m</b>", "X-Why: because\r\nX-Why: twice\r\n")
    ) as server:
        result = ask(server)
    assert (result.opened, result.status, result.reason, result.error_kind) == (
        False,
        403,
        "Forbidden",
        "http-status",
    )
    assert (result.server, result.body) == ("tiny", "<b>no\\x1b[31m</b>")
    assert result.header("x-why") == "because, twice"
    assert unmet(result, "refused") == unmet(result, "status", [401, 403]) == unmet(result, "any") == ""
    message = unmet(result, "open")
    for part in (
        "expected an open WebSocket, got 403 Forbidden",
        "Server: tiny",
        "Upgrade: websocket",
        "<b>no",
    ):
        assert part in message


def test_redirect_is_not_followed():
    with TinyServer(open_and_echo) as right, TinyServer(
        answer("301 Moved Permanently", b"", f"Location: ws://127.0.0.1:{right.port}/ws?token=abcd\r\n")
    ) as server:
        result = ask(server)
        assert right.requests == []
    assert (result.status, result.opened) == (301, False)
    message = unmet(result, "open")
    assert f"redirects to ws://127.0.0.1:{right.port}/ws?token=***; browsers do not follow" in message
    assert "expected a refusal" in unmet(result, "refused")


def test_chunked_body_and_interim_responses():
    data = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
    )

    def behave(talk):
        for i in range(0, len(data), 10):
            talk.send(data[i : i + 10])
        talk.wait_for_client()

    with TinyServer(behave) as server:
        started = time.monotonic()
        result = ask(server, timeout=30.0)
    assert (result.status, result.body) == (404, "hello world")
    assert time.monotonic() - started < 15  # the last chunk ends it, no timeout does


def test_endless_body_is_cut():
    def behave(talk):
        talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            talk.send(b"spam " * 1000)

    with TinyServer(behave) as server:
        result = ask(server)
    assert (result.status, len(result.body)) == (200, 2048)


@pytest.mark.parametrize(
    "data, kind, message",
    [
        (b"", "closed-without-answer", "without a byte"),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n", "closed-without-answer", "in the response head"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not-http", "SSH banner: SSH-2.0-OpenSSH_9.2"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "not-http", "speaks TLS"),
        (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03", "not-http", "HTTP/2"),
        (b"HTTP/1.1 two hundred\r\n\r\n", "not-http", "malformed status line"),
    ],
)
def test_what_is_no_answer(data, kind, message):
    with TinyServer(raw(data)) as server:
        result = ask(server)
    assert (result.opened, result.status, result.error_kind) == (False, None, kind)
    assert message in result.error
    assert message in unmet(result, "open")


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n"])
def test_silence_ends_at_the_deadline(first):
    def behave(talk):
        talk.send(first)
        talk.wait_for_client()

    with TinyServer(behave) as server:
        result = ask(server, timeout=0.4)
    assert result.error_kind == "answer-timeout"
    assert ("only 17 bytes" in result.error) == bool(first)
    assert 0.35 < result.seconds < 2


def test_dripping_server_cannot_stretch_the_deadline():
    def behave(talk):
        talk.send(b"HTTP/1.1 200 OK\r\nX: ")
        stop = threading.Event()
        while not stop.wait(0.05):
            talk.send(b"a")

    with TinyServer(behave) as server:
        result = ask(server, timeout=0.5)
    assert result.error_kind == "answer-timeout"
    assert 0.4 < result.seconds < 2


def test_refused_connection():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound, but not listening
        port = sock.getsockname()[1]
        result = probe(f"ws://127.0.0.1:{port}/")
    assert (result.error_kind, result.address, result.status) == ("connect-refused", "", None)
    assert f"127.0.0.1:{port} refused" in result.error


def test_full_accept_queue_times_out():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        fillers = []
        try:
            for _ in range(3):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(sock.getsockname())
                fillers.append(filler)
            result = probe(f"ws://127.0.0.1:{sock.getsockname()[1]}/", timeout=0.5)
        finally:
            for filler in fillers:
                filler.close()
    assert result.error_kind == "connect-timeout"
    assert 0.4 < result.seconds < 2


def test_name_that_does_not_resolve():
    result = probe("ws://no-such-host.invalid/", timeout=8)
    assert result.error_kind == "dns"
    assert "no-such-host.invalid" in result.error


def test_slow_resolver_is_left_behind(monkeypatch):
    release = threading.Event()
    real = socket.getaddrinfo

    def slow(host, *args, **kwargs):
        if host == "slow.test" and not kwargs.get("flags"):
            release.wait(10)
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    started = time.monotonic()
    with pytest.raises(Failure, match="did not resolve within") as caught:
        resolve("slow.test", 80, Deadline(0.3))
    release.set()
    assert caught.value.kind == "dns"
    assert time.monotonic() - started < 2


def test_every_address_of_a_name_is_tried(monkeypatch):
    with TinyServer(open_and_echo) as server:
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", server.port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.port)),
        ]
        monkeypatch.setattr("module_utils.nginx_websocket.exchange.connection.resolve", lambda *_: found)
        result = probe(f"ws://two.test:{server.port}/")
    assert (result.opened, result.address) == (True, f"127.0.0.1:{server.port}")
    assert f"Host: two.test:{server.port}\r\n" in result.request


def test_address_is_dialled_and_the_url_stays_in_the_request():
    with TinyServer(open_and_echo) as server:
        result = probe("ws://a.test/ws", address=("127.0.0.1", server.port))
    assert result.opened
    assert b"\r\nHost: a.test\r\n" in server.requests[0]


def test_ipv6():
    with TinyServer(open_and_echo, host="::1") as server:
        result = probe(f"ws://[::1]:{server.port}/")
    assert (result.opened, result.address) == (True, f"[::1]:{server.port}")
    assert f"Host: [::1]:{server.port}\r\n".encode() in server.requests[0]


def test_unix_socket(tmp_path):
    path = str(tmp_path / "app.sock")
    with TinyServer(open_and_echo, path=path):
        result = probe("ws://a.test/", address=path)
        assert (result.opened, result.address) == (True, "unix:" + path)
        result = probe("ws://a.test/ws", address=("unix:" + path, 0))
        assert (result.opened, result.address) == (True, "unix:" + path)
    os.unlink(path)
    result = probe("ws://a.test/", address=path)
    assert (result.error_kind, result.error) == ("connect-refused", f"unix:{path} does not exist")


def test_proxy_protocol_line_comes_first():
    with TinyServer(open_and_echo) as server:
        result = ask(server, proxy_protocol=True)
    line, _, rest = server.requests[0].partition(b"\r\n")
    words = line.decode().split(" ")
    assert words[:4] == ["PROXY", "TCP4", "127.0.0.1", "127.0.0.1"]
    assert words[5] == str(server.port)
    assert rest.startswith(b"GET /ws HTTP/1.1\r\n")
    assert result.opened


def test_plain_request():
    with TinyServer(answer("200 OK", b"fine")) as server:
        result = ask(server, upgrade=False)
    assert (result.status, result.body, result.opened, result.error_kind) == (200, "fine", False, "")
    assert b"pgrade" not in server.requests[0]
    assert b"\r\nConnection: close\r\n" in server.requests[0]


def test_plain_request_that_is_upgraded_all_the_same_is_reported_as_it_came():
    with TinyServer(raw(b"HTTP/1.1 101 X\r\n\r\n")) as server:
        result = ask(server, upgrade=False)
    assert (result.status, result.opened) == (101, False)


@pytest.mark.parametrize(
    "options", [{"headers": [("X", "a\nb")]}, {"origin": "a\r\n"}, {"subprotocols": ["a b"]}]
)
def test_bad_input_is_refused_before_anything_is_sent(options):
    with TinyServer(open_and_echo) as server:
        with pytest.raises(ValueError):
            ask(server, **options)
        assert server.requests == []


def test_nothing_secret_leaves_the_result():
    page = f"no route for /ws/{JWT}?q=hush1 and Bearer s3cr3t-word".encode()
    with TinyServer(answer("404 Not Found", page, "Set-Cookie: sid=cookie-monster; Path=/\r\n")) as server:
        result = ask(
            server,
            f"/ws/{JWT}?q=hush1",
            headers=[("Authorization", "Bearer s3cr3t-word"), ("Cookie", "a=biscuit")],
        )
    assert JWT.encode() in server.requests[0]  # it was sent
    shown = repr(result.to_dict()) + unmet(result, "open") + result.summary()
    for secret in (JWT, JWT[:30], "hush1", "s3cr3t", "cookie-monster", "biscuit"):
        assert secret not in shown
    assert "/ws/***?q=***" in shown


def test_error_kinds_are_those_that_are_documented():
    import re
    from pathlib import Path

    import module_utils.nginx_websocket.exchange as package

    source = "".join(path.read_text() for path in Path(package.__file__).parent.glob("*.py"))
    used = set(re.findall(r'Failure\(\s*"([a-z0-9-]+)"', source)) | {"not-http"}
    assert used == set(ERROR_KINDS)


def test_unknown_expectation():
    with pytest.raises(ValueError, match="'opne'"):
        unmet(probe("ws://127.0.0.1:1/"), "opne")
