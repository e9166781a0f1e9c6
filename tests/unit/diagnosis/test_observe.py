"""One look at a host whose nginx is this very process: its files, its sockets, its log, its answers."""

from __future__ import annotations

import os
import time
import types

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis import observe as room
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.host.masters import Choice, Worker
from tests.unit.diagnosis.seen import page, proxied, site
from tests.unit.websocket.tiny_server import TinyServer, answer, open_and_echo


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that looks at the port of a server, with an nginx of these lines, running or not."""
    log = tmp_path / "error.log"
    log.write_text("2026/01/02 03:04:05 [error] 1#1: *1 an old line\n")
    binary = tmp_path / "nginx"
    binary.write_text("#!/bin/sh\nexit 0\n")
    binary.chmod(0o755)
    main = tmp_path / "nginx.conf"

    def look(server, body, *, running=True, found=True, unsafe="", **question):
        main.write_text(f"events {{}}\nhttp {{\n{body}}}\n")
        # It began after the file was written.
        ticks = (time.clock_gettime(time.CLOCK_BOOTTIME) + 5) * os.sysconf("SC_CLK_TCK")
        worker = Worker(os.getpid(), time.time() + 5, int(ticks), False)
        master = types.SimpleNamespace(
            pid=os.getpid(), workers=[worker], unit="nginx.service", prefix="", directives=""
        )
        nginx = types.SimpleNamespace(
            binary=types.SimpleNamespace(path=str(binary)),
            conf_path=str(main),
            pid_path=str(tmp_path / "nginx.pid"),
            master=master if running else None,
            configuration=load(str(main)),
            version=(1, 22, 1),
            unsafe=unsafe,
            writable=[],
            error_logs=[str(log)],
            prefix=str(tmp_path),
            conf_error="",
        )
        monkeypatch.setattr(room, "masters", lambda strangers: [master] if running else [])
        monkeypatch.setattr(room, "find_binary", lambda: str(binary) if found else "")
        monkeypatch.setattr(room, "describe", lambda target, conf_path="": nginx)
        host = f"127.0.0.1:{server.port}"
        return room.observe(Question(f"ws://{host}/ws/x", hold=0.1, timeout=3.0, **question))

    return types.SimpleNamespace(look=look, log=log)


def listening(server, to="http://127.0.0.1:9"):
    return site(proxied(to), str(server.port)).replace("app.test", "127.0.0.1")


def test_what_opens_is_seen_with_all_that_surrounds_it(machine):
    with TinyServer(open_and_echo) as behind, TinyServer(open_and_echo) as front:
        facts = machine.look(front, listening(front, f"http://127.0.0.1:{behind.port}"))
    assert facts.main_hop.opened and facts.owner_is_nginx and facts.owner.pid == os.getpid()
    assert facts.route.upstream.port == behind.port and facts.local == ["127.0.0.1"]
    assert facts.test.valid and facts.log_readable and facts.log == [] and facts.newer_files == []
    assert facts.limits["used"] > 0 and facts.workers_started and facts.old_workers == 0
    assert conclude_live(facts).verdict == "works"


def test_the_line_that_the_request_left_in_the_log_names_the_cause(machine):
    def failing(talk):
        with machine.log.open("a") as stream:
            stream.write(
                "2026/01/02 03:04:06 [error] 1#1: *7 connect() failed (111: Connection refused) while "
                'connecting to upstream, client: 127.0.0.1, request: "GET /ws/x HTTP/1.1", '
                'upstream: "http://127.0.0.1:9/ws/x", host: "127.0.0.1"\n'
            )
        answer("502 Bad Gateway", page(502).body.encode())(talk)

    with TinyServer(failing) as front:
        facts = machine.look(front, listening(front))
    report = conclude_live(facts)
    assert [finding.code for finding in report.findings if finding.is_cause] == ["backend-down"]
    assert facts.log and all("an old line" not in line.text for line in facts.log)


def test_an_nginx_that_does_not_run_is_read_and_not_asked(machine):
    with TinyServer(open_and_echo) as front:
        facts = machine.look(front, listening(front), running=False)
    assert facts.hops == [] and facts.route is not None and front.requests == []
    report = conclude_live(facts)
    assert report.findings[0].code == "other-process-on-port", "this process is no nginx then"


def test_a_host_without_nginx_has_no_route(machine):
    with TinyServer(open_and_echo) as front:
        facts = machine.look(front, listening(front), running=False, found=False)
    assert facts.nginx is None and facts.route is None and facts.hops == []


def test_an_nginx_that_others_can_change_is_not_run(machine):
    with TinyServer(open_and_echo) as front:
        facts = machine.look(front, listening(front), unsafe="mallory can write it", running=False)
    assert facts.test is None and "mallory can write it" in facts.notes


def test_the_address_that_the_user_names_is_asked(machine):
    with TinyServer(open_and_echo) as behind, TinyServer(open_and_echo) as front:
        body = listening(front, f"http://127.0.0.1:{behind.port}")
        facts = machine.look(front, body, address=f"127.0.0.1:{front.port}")
    assert facts.main_hop.opened and facts.main_hop.probe.address == f"127.0.0.1:{front.port}"


def test_a_master_whose_binary_others_can_write_is_not_even_asked_for_its_version(machine, monkeypatch):
    found = Choice(None, "nothing of the running nginx is executed: mallory can write it", distrusted=True)
    monkeypatch.setattr(room, "choose", lambda *_arguments, **_more: found)
    with TinyServer(open_and_echo) as front:
        facts = machine.look(front, listening(front), running=False)
    assert facts.nginx is None and facts.notes == [found.why]


def test_a_server_that_listens_on_a_unix_socket_is_asked_there(machine, tmp_path, monkeypatch):
    """As nginx asks one of its own: no address is that of its client."""
    monkeypatch.setattr(room, "choose", lambda running, **_: Choice(running[0], "the only one", False))
    path = str(tmp_path / "inner.sock")
    with TinyServer(open_and_echo, path=path), TinyServer(open_and_echo) as other:
        facts = machine.look(other, site(proxied(), f"unix:{path}"), address=f"unix:{path}")
    assert facts.main_hop.opened and facts.main_hop.probe.address == f"unix:{path}"
    assert facts.route.listen is not None and facts.route.request.remote == ""
