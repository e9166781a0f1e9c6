"""Backends found by asking: real sockets, one kind of server for each answer."""

import contextlib
import socket
import struct
import threading

import pytest

from module_utils.nginx_websocket.host.backend import Candidate as Asked
from module_utils.nginx_websocket.host.backend import _choose, addresses, detect_backend
from module_utils.nginx_websocket.host.listeners import Listener
from tests.unit.nginx_host.fake_proc import TITLE, FakeProc
from tests.unit.websocket.tiny_server import TinyServer, answer, open_and_echo


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def app(upgrade, plain="404 Not Found", server="tiny"):
    """A backend that treats an upgrade and a plain request differently."""

    def behave(talk):
        wants = talk.header("Upgrade") == "websocket"
        chosen = upgrade if wants else plain
        if callable(chosen):
            chosen(talk)
        else:
            talk.send(f"HTTP/1.1 {chosen}\r\nServer: {server}\r\nContent-Length: 0\r\n\r\n".encode())

    return behave


def test_the_port_that_answers_is_taken():
    dead = closed_port()
    with TinyServer(app(open_and_echo)) as server:
        backend = detect_backend([dead, server.port], http_path="/docs", websocket_path="/ws")
    assert (backend.port, backend.answered, backend.upgrade) == (server.port, True, "upgrades")
    assert backend.address == f"127.0.0.1:{server.port}"
    assert backend.warning == ""
    first, second = backend.candidates
    assert (first.listening, first.answers, first.process) == (False, False, None)
    assert (second.listening, second.answers, second.status) == (True, True, 404)
    assert "python" in " ".join(second.process.argv)
    text = "\n".join(second.evidence)
    assert "GET /docs → 404 Not Found (Server: tiny)" in text
    assert "upgrade /ws → 101" in text
    assert [request.split(b" ")[1] for request in server.requests] == [b"/docs", b"/ws"]


def test_order_decides_among_equals():
    with TinyServer(app(open_and_echo)) as a, TinyServer(app(open_and_echo)) as b:
        assert detect_backend([a.port, b.port]).port == a.port
        assert detect_backend([b.port, a.port]).port == b.port


def test_a_port_that_upgrades_beats_one_that_merely_answers():
    with TinyServer(answer("200 OK", b"files")) as files, TinyServer(app(open_and_echo)) as right:
        backend = detect_backend([files.port, right.port])
    assert (backend.port, backend.upgrade) == (right.port, "upgrades")
    assert f"port {files.port} answers too, and comes first, but does not upgrade" in backend.warning


def test_one_that_answers_is_taken_for_want_of_better_with_a_warning():
    with TinyServer(answer("200 OK", b"files")) as files:
        backend = detect_backend([closed_port(), files.port], configured=9)
    assert (backend.port, backend.answered, backend.upgrade) == (files.port, True, "ignores")
    assert "does not upgrade" in backend.warning


def test_nothing_answers_and_the_configured_port_is_kept():
    ports = [closed_port(), closed_port()]
    backend = detect_backend(ports, configured=4321)
    assert (backend.port, backend.address, backend.answered) == (4321, "127.0.0.1:4321", False)
    assert "the configured port 4321 is kept" in backend.warning
    for port in ports:
        assert f"port {port}: no process listens there" in backend.warning
    backend = detect_backend(ports)
    assert (backend.port, backend.address) == (None, "")
    # Who asked may well keep a port of its own.
    assert "configured" not in backend.warning + backend.why


@pytest.mark.parametrize(
    "behaviour, upgrade, meaning",
    [
        (app("403 Forbidden"), "refuses", "403 to the upgrade but 404 to a plain GET"),
        (app("401 Unauthorized", "200 OK"), "refuses", "401 to the upgrade but 200"),
        (app("400 Bad Request", "200 OK"), "refuses", "knows WebSockets"),
        (app("426 Upgrade Required", "426 Upgrade Required"), "refuses", "another version of the protocol"),
        (app("404 Not Found", "404 Not Found", "uvicorn"), "ignores", "pip install 'uvicorn[standard]'"),
        (app("404 Not Found", "200 OK", "uvicorn"), "ignores", "no WebSocket library"),
        (answer("400 Bad Request", b"Unsupported upgrade request."), "ignores", "no WebSocket library"),
        (app("404 Not Found"), "ignores", "no such path, or a server without WebSockets"),
        (app("403 Forbidden", "403 Forbidden"), "unknown", "alike: refused before"),
        (app("200 OK", "200 OK"), "ignores", "ignores the upgrade"),
        (app("500 Internal Server Error"), "unknown", "500 to the upgrade, 404"),
        (app(lambda talk: talk.accept_websocket(accept="bm9uc2Vuc2U=")), "unknown", "does not fit the key"),
    ],
)
def test_what_an_answer_to_the_upgrade_means(behaviour, upgrade, meaning):
    with TinyServer(behaviour) as server:
        backend = detect_backend([server.port], http_path="/docs", websocket_path="/ws")
    assert (backend.port, backend.upgrade) == (server.port, upgrade)
    assert meaning in "\n".join(backend.candidates[0].evidence)
    assert (backend.warning == "") == (upgrade == "refuses")


def test_closing_at_once_with_a_code_is_an_upgrade_all_the_same():
    def refuse_token(talk):
        talk.accept_websocket()
        talk.send_frame(8, struct.pack("!H", 1008))

    with TinyServer(app(refuse_token)) as server:
        assert detect_backend([server.port]).upgrade == "upgrades"


def test_hanging_ports_are_asked_side_by_side():
    hang = threading.Event()

    def behave(talk):
        hang.wait(10)

    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(TinyServer(behave, read=False)) for _ in range(4)]
        stack.callback(hang.set)
        import time

        started = time.monotonic()
        backend = detect_backend([server.port for server in servers], configured=1, timeout=0.4)
        seconds = time.monotonic() - started
        hang.set()
    assert (backend.answered, backend.port) == (False, 1)
    assert [candidate.listening for candidate in backend.candidates] == [True] * 4
    assert "no answer within 0.4 s" in backend.warning
    assert seconds < 2


def test_backend_on_ipv6_alone_is_found_with_its_address():
    with TinyServer(app(open_and_echo), host="::1") as server:
        backend = detect_backend([server.port])
    assert (backend.port, backend.address) == (server.port, f"[::1]:{server.port}")
    assert backend.candidates[0].bound_to == ["::1"]


def test_backend_on_another_loopback_address_is_found():
    with TinyServer(app(open_and_echo), host="127.0.0.9") as server:
        backend = detect_backend([server.port])
    assert backend.address == f"127.0.0.9:{server.port}"


def test_which_addresses_are_asked():
    assert addresses("127.0.0.1", ["0.0.0.0"]) == ["127.0.0.1"]
    assert addresses("127.0.0.1", ["::"]) == ["127.0.0.1", "::1"]
    assert addresses("127.0.0.1", ["10.0.0.5", "::1"]) == ["127.0.0.1", "10.0.0.5", "::1"]
    assert addresses("10.1.1.1", []) == ["10.1.1.1"]


def test_host_header_origin_and_tokens(tmp_path):
    token = "xK9pQ2mN8vB4wZ7tR1yL"
    with TinyServer(app(open_and_echo)) as server:
        backend = detect_backend(
            [server.port], websocket_path=f"/ws/{token}", host_header="a.test", origin="https://a.test"
        )
    assert all(b"\r\nHost: a.test\r\n" in request for request in server.requests)
    assert [b"Origin: https://a.test" in request for request in server.requests] == [False, True]
    assert token not in repr(backend.to_dict())


def test_nginx_itself_is_no_backend(tmp_path):
    with TinyServer(app(open_and_echo)) as server:
        host = FakeProc(tmp_path / "proc")
        host.tcp((f"0100007F:{server.port:04X}", "0A", 7))
        host.add(20, TITLE, sockets=[7])
        backend = detect_backend([server.port], configured=server.port, proc=host.proc)
        assert server.requests == []
    assert not backend.answered
    assert "nginx itself; passing to it would be a loop" in backend.warning


def test_a_process_of_another_namespace_still_answers(tmp_path):
    with TinyServer(app(open_and_echo)) as server:
        host = FakeProc(tmp_path / "proc")
        host.tcp((f"0100007F:{server.port:04X}", "0A", 7))
        backend = detect_backend([server.port], proc=host.proc)
    assert backend.answered
    assert "/proc does not show" in backend.candidates[0].evidence[0]


def test_duplicates_are_asked_once():
    with TinyServer(app(open_and_echo)) as server:
        assert len(detect_backend([server.port, server.port]).candidates) == 1


def test_refusing_beats_ignoring_in_any_order():
    asked = [
        Asked(1, True, "h:1", answers=True, upgrade="ignores", evidence=["x", "y"]),
        Asked(2, True, "h:2", answers=True, upgrade="refuses", evidence=["x"]),
        Asked(3, True, "h:3", answers=True, upgrade="upgrades", evidence=["x"]),
    ]
    assert _choose(asked, "h", None).port == 2
    assert _choose(asked[::-1], "h", None).port == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"http_path": "no slash"}, "path 'no slash' does not begin with /"),
        ({"websocket_path": "/a b"}, "percent-encode"),
        ({"ports": [0]}, "port 0 is not between"),
        ({"origin": "a\nb"}, "Origin holds a control character"),
        ({"host_header": "a\r\nX: y"}, "Host holds a control character"),
        ({"host": "bad host"}, "not a URL|not a host name"),
    ],
)
def test_what_cannot_be_sent_is_refused(options, message):
    with TinyServer(answer("200 OK")) as server:
        with pytest.raises(ValueError, match=message):
            detect_backend(options.pop("ports", [server.port]), **options)
        assert server.requests == []


def held(port, *, answers=True, user="lammp", origin="unit", listening=True, upgrade="upgrades"):
    """What a port of this host said, and who holds it."""
    process = Listener("tcp", "127.0.0.1", port, 1, pid=7, argv=["app"], user=user, origin=origin, unit="x")
    return Asked(
        port,
        listening,
        f"127.0.0.1:{port}",
        process=process if listening else None,
        answers=answers,
        upgrade=upgrade,
        evidence=["x"],
    )


SILENT = held(8000, answers=False, listening=False)


@pytest.mark.parametrize("origin", ["session", "user unit", "unknown", "container"])
def test_while_the_live_port_is_silent_nobody_gets_its_traffic_by_binding_another(origin):
    mallory = held(3000, user="mallory", origin=origin)
    backend = _choose([SILENT, mallory], "127.0.0.1", None, 8000)
    assert (backend.port, backend.answered) == (8000, False)
    for part in ("port 8000", "port 3000", "user mallory", "name its port"):
        assert part in backend.warning


def test_a_move_to_a_system_unit_is_made_and_told():
    backend = _choose([SILENT, held(3000)], "127.0.0.1", None, 8000)
    assert (backend.port, backend.answered) == (3000, True)
    assert "moves from port 8000" in backend.warning


@pytest.mark.parametrize(("user", "taken"), [("lammp", True), ("mallory", False)])
def test_a_live_port_that_hangs_still_says_whose_it_was(user, taken):
    hangs = held(8000, answers=False)
    backend = _choose([hangs, held(3000, user=user)], "127.0.0.1", None, 8000)
    assert (backend.port == 3000) == taken
    assert taken or "another user (mallory) than the live one's (lammp)" in backend.warning


def test_the_live_port_counts_first_whatever_the_order():
    live = held(8000, upgrade="ignores")
    for candidates in ([held(3000), live], [live, held(3000)]):
        assert _choose(candidates, "127.0.0.1", None, 8000).port == 8000


def test_a_port_that_is_named_is_taken():
    with TinyServer(app(open_and_echo)) as server:
        assert detect_backend([server.port], live=closed_port()).port == server.port


def test_on_another_host_the_move_is_told():
    there = Asked(3000, True, "h:3000", answers=True, upgrade="upgrades", evidence=["x"])
    backend = _choose([Asked(8000, False), there], "h", None, 8000)
    assert backend.port == 3000
    assert "moves from port 8000" in backend.warning
