"""Whose fault it is when a socket does not open, and what counts as evidence."""

from __future__ import annotations

import os

import pytest

from module_utils.nginx_websocket.behaviour.server.listen import Address
from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.exchange.result import Probe
from module_utils.nginx_websocket.transaction.live import routes
from module_utils.nginx_websocket.transaction.live.answers import dial_address, questions
from module_utils.nginx_websocket.transaction.live.errorlog import (
    LogWatch,
    final,
    forbidden,
    log_paths,
    taken_addresses,
)
from module_utils.nginx_websocket.transaction.live.routes import verdict
from module_utils.nginx_websocket.transaction.site.model import RouteCheck, Site
from module_utils.nginx_websocket.transaction.surroundings.host import read_tree

CHECK = RouteCheck("ws://a.test/ws/x", "http://127.0.0.1:8000")
NGINX_PAGE = "<center>nginx</center>"


def probe(status=None, *, kind="", opened=False, body=""):
    return Probe(
        CHECK.url,
        address="127.0.0.1:80",
        opened=opened,
        status=status,
        body=body,
        error="said so",
        error_kind=kind or ("" if opened else "http-status"),
    )


@pytest.mark.parametrize(
    ("through", "direct", "code"),
    [
        # the backend opens: nginx is to blame, whatever it says
        (probe(502), probe(101, opened=True), "FAIL"),
        (probe(404, body=NGINX_PAGE), probe(101, opened=True), "FAIL"),
        (probe(None, kind="closed-without-answer"), probe(101, opened=True), "FAIL"),
        # the backend is down
        (probe(502, body=NGINX_PAGE), probe(None, kind="connect-refused"), "backend-down"),
        (probe(504, body=NGINX_PAGE), probe(None, kind="answer-timeout"), "backend-down"),
        (probe(None, kind="answer-timeout"), probe(None, kind="answer-timeout"), "backend-down"),
        # … but nginx does not even ask it
        (probe(301, body=NGINX_PAGE), probe(None, kind="connect-refused"), "FAIL"),
        (probe(200, body="<html>the app"), probe(None, kind="connect-refused"), "FAIL"),
        (probe(404, body=NGINX_PAGE), probe(None, kind="connect-refused"), "FAIL"),
        # the backend refuses by itself
        (probe(403), probe(403), "backend-refuses"),
        (probe(404), probe(404), "backend-refuses"),
        (probe(403), probe(401), "backend-refuses"),
        (probe(301, body=NGINX_PAGE), probe(403), "FAIL"),
        (probe(404, body=NGINX_PAGE), probe(403), "FAIL"),
        # the backend is not known
        (probe(502, body=NGINX_PAGE), None, "route-not-open"),
        (probe(403), None, "route-not-open"),
        (probe(404, body=NGINX_PAGE), None, "FAIL"),
        (probe(None, kind="connect-refused"), None, "FAIL"),
    ],
)
def test_whose_fault(through, direct, code):
    found = verdict("a", CHECK, through, direct)
    if code == "FAIL":
        assert found.failure and found.finding is None
    else:
        assert not found.failure and found.finding is not None and found.finding.code == code


def test_a_password_of_nginx_is_its_answer_and_no_fault() -> None:
    """With WWW-Authenticate, and only so: nothing was tried, and nothing is said to work."""
    asked = probe(401, body=NGINX_PAGE)
    assert verdict("a", CHECK, asked, probe(101, opened=True)).failure
    asked.headers.append(("WWW-Authenticate", 'Basic realm="S"'))
    for direct in (probe(101, opened=True), probe(None, kind="connect-refused"), None):
        found = verdict("a", CHECK, asked, direct)
        assert found.finding is not None and not found.failure
        assert found.finding.code == "behind-password" and "was not tried" in found.finding.message


@pytest.mark.parametrize(
    ("through", "servers", "code"),
    [
        # a dead spare server says nothing of a refusal, wherever it stands in the list
        (probe(403), [probe(403), probe(None, kind="connect-refused")], "backend-refuses"),
        (probe(403), [probe(None, kind="connect-refused"), probe(403)], "backend-refuses"),
        # nginx refuses by itself what a server would open
        (probe(404, body=NGINX_PAGE), [probe(None, kind="connect-refused"), probe(101, opened=True)], "FAIL"),
        (probe(502), [probe(None, kind="connect-refused"), probe(101, opened=True)], "FAIL"),
        # one of two refuses, and it was its turn
        (probe(403), [probe(101, opened=True), probe(403)], "backend-refuses"),
        # the first hangs, so nginx did not come to the second
        (probe(504), [probe(None, kind="connect-timeout"), probe(101, opened=True)], "backend-down"),
        (probe(None, kind="answer-timeout"), [probe(101, opened=True), probe(None, kind="answer-timeout")],
         "backend-down"),
        # all are down
        (probe(502), [probe(None, kind="connect-refused")] * 2, "backend-down"),
    ],
)  # fmt: skip
def test_whose_fault_with_several_servers(monkeypatch, through, servers, code):
    check = RouteCheck(CHECK.url, " ".join(f"http://127.0.0.1:{8000 + n}" for n in range(len(servers))))
    monkeypatch.setattr(routes, "probe", lambda url, **_: through)
    monkeypatch.setattr(routes, "ask_backend", lambda asked: servers[int(asked.backend[-1])])
    [found] = routes.check_live([Site("a", b"", ("a.test",), (check,))], Configuration("", [], {}))
    assert ("FAIL" if found.failure else found.finding.code) == code


def test_a_backend_that_is_down_is_told_once(monkeypatch):
    urls = ["ws://a.test/ws/x", "ws://a.test/rooms", "ws://a.test/other"]
    checks = [RouteCheck(url, f"http://127.0.0.1:{8001 if 'other' in url else 8000}") for url in urls]
    monkeypatch.setattr(routes, "probe", lambda url, **_: probe(502))
    monkeypatch.setattr(routes, "ask_backend", lambda asked: probe(None, kind="connect-refused"))
    found = routes.check_live([Site("a", b"", ("a.test",), tuple(checks))], Configuration("", [], {}))
    told = [check.finding.message for check in found if check.finding]
    assert (len(found), len(told)) == (3, 2)
    assert told[0].endswith("; so it is with 1 more of its URLs")
    assert "8001" in told[1] and "more of its URLs" not in told[1]


def test_the_server_that_is_down_is_named():
    answers = [
        (RouteCheck(CHECK.url, "http://10.0.0.1:80"), probe(404)),
        (RouteCheck(CHECK.url, "http://10.0.0.2:80"), probe(403)),
    ]
    assert routes.telling(probe(403), answers)[0].backend == "http://10.0.0.2:80"


def test_tokens_in_urls_do_not_reach_the_text():
    secret = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
    check = RouteCheck(f"ws://a.test/ws/{secret}?token={secret}", "http://127.0.0.1:8000")
    through = Probe(check.url, address="127.0.0.1:80", status=502, error="no", error_kind="http-status")
    for direct in (
        None,
        Probe(check.url, opened=True, status=101),
        Probe(check.url, error_kind="connect-refused"),
    ):
        found = verdict("a", check, through, direct)
        assert secret not in found.failure + (found.finding.message if found.finding else "")


MASTER = 41
LINE = "2026/11/23 03:10:00 [emerg] %d#%d: %s\n"
BIND = "bind() to 0.0.0.0:8085 failed (98: Address already in use)"


def write(path, *messages, master=MASTER, mode="a"):
    with open(path, mode, encoding="utf-8") as stream:
        for message in messages:
            stream.write(LINE % (master, master, message))


def test_only_new_lines_of_our_master_are_evidence(tmp_path):
    path = str(tmp_path / "error.log")
    write(path, "old trouble")
    watch = LogWatch([path])
    write(path, "somebody's nginx -t", master=99)
    with open(path, "a", encoding="utf-8") as stream:
        stream.write("2026/11/23 03:10:00 [crit] 41#41: *7 connect() failed\nnot a log line\n")
    assert watch.emergencies(MASTER) == []
    write(path, BIND, BIND)
    assert watch.emergencies(MASTER) == [BIND]
    watch.close()


def test_rotation_loses_nothing(tmp_path):
    path = str(tmp_path / "error.log")
    write(path, "old")
    watch = LogWatch([path, str(tmp_path / "missing.log")])
    write(path, "first")
    os.rename(path, path + ".1")
    write(path, "second")
    write(str(tmp_path / "missing.log"), "third")
    assert watch.emergencies(MASTER) == ["first", "second", "third"]
    watch.close()


def test_a_log_that_is_truncated_is_read_from_its_start(tmp_path):
    path = str(tmp_path / "error.log")
    write(path, "old " * 50)
    watch = LogWatch([path])
    write(path, "new", mode="w")
    assert watch.emergencies(MASTER) == ["new"]
    watch.close()


def test_nginx_tries_a_taken_port_again_before_it_gives_up():
    assert not final([]) and not final([BIND])
    assert final([BIND, "still could not bind()"]) and final(['open() "/x" failed'])
    assert taken_addresses([BIND, "bind() to [::]:8085 failed (98: x)"]) == ["0.0.0.0:8085", "[::]:8085"]


def test_an_address_that_nginx_may_not_bind_ends_the_wait_at_once():
    """It tries again only where somebody else has the address (`ngx_open_listening_sockets`)."""
    message = "bind() to 0.0.0.0:444 failed (13: Permission denied)"
    assert final([message]) and taken_addresses([message]) == [] and forbidden([message])


@pytest.mark.parametrize(
    ("message", "let"),
    [
        (BIND, True),
        ('open() "/x" failed (13: Permission denied)', False),
        ('open() "/x" failed (30: Read-only file system)', False),
        (
            'cannot load certificate "/x": BIO_new_file() failed '
            "(SSL: error:8000000D:system library::Permission denied:calling fopen(/x, r))",
            False,
        ),
        ('the size 1 of shared memory zone "x" conflicts with already declared size 2', True),
    ],
)
def test_what_nginx_was_not_let_do(message, let):
    assert forbidden([message]) != let


def test_the_logs_of_the_master(tree):
    conf = read_tree(tree.instance()).configuration
    assert log_paths(tree.instance(), [conf]) == [tree.path("error.log")]
    tree.write(
        "nginx.conf", "error_log syslog:server=x; error_log stderr; events {} http { error_log /h.log; }"
    )
    assert log_paths(tree.instance(), [read_tree(tree.instance()).configuration]) == []
    tree.write("nginx.conf", "events {} http { error_log /h.log; }")
    nginx = tree.instance(error_log="/var/log/nginx/error.log")
    assert log_paths(nginx, [read_tree(nginx).configuration]) == ["/var/log/nginx/error.log"]


def test_which_address_reaches_a_socket():
    any4, any6 = Address("inet", "0.0.0.0", 80), Address("inet6", "::", 80)
    assert dial_address(any4, frozenset([any4])) == "127.0.0.1"
    hidden = frozenset([any4, Address("inet", "127.0.0.1", 80)])
    assert dial_address(any4, hidden) == "127.0.0.2", "an exact listen hides the wildcard"
    assert dial_address(any6, frozenset([Address("inet6", "::1", 80)])) is None
    assert dial_address(Address("inet", "127.0.0.9", 80), hidden) == "127.0.0.9"
    assert dial_address(Address("inet", "192.0.2.1", 80), hidden) is None, "not an address of this host"
    assert dial_address(Address("unix", "/run/x", 0), hidden) is None


def test_every_listen_of_every_marked_server_is_asked(tree):
    mark = "location = /.well-known/nginx-websocket/%s { return 200; }" % ("a" * 32)
    tree.write(
        "conf.d/a.conf",
        f"""
        server {{ listen 80; listen 127.0.0.7:81 proxy_protocol; server_name www.a.test; {mark} }}
        server {{ listen 443 ssl; server_name *.b.test; {mark} }}
        server {{ listen 8443 quic; listen 8444 http2; listen unix:/run/x; server_name c.test; {mark} }}
        server {{ listen 82; server_name ~^d; {mark} }}
        server {{ listen 83; server_name e.test; }}
    """,
    )
    found = questions(read_tree(tree.instance()).configuration, tree.instance())
    asked = {(q.dial, q.address.port, q.tls, q.proxy_protocol, q.host) for q in found}
    assert asked == {
        ("127.0.0.1", 80, False, False, "www.a.test"),
        ("127.0.0.7", 81, False, True, "www.a.test"),
        ("127.0.0.1", 443, True, False, "nginx-websocket-check.b.test"),
    }


FORGED = "2026/11/28 23:00:00 [emerg] 41#41: forged"


@pytest.mark.parametrize(
    "before",
    [
        '2026/11/28 23:00:00 [error] 50#50: *2 open() "/var/www/html/',
        '2026/11/28 23:00:00 [error] 50#50: *2 open() "/var/www/x" well\n2026/11/28 23:00:00 [crit] 1#1: x',
    ],
)
@pytest.mark.parametrize(
    "after",
    ['" failed (2: No such file or directory), client: 192.0.2.1, server: , request: "GET /"', "x" * 1950],
)
def test_a_line_that_a_client_had_written_is_nobodys(tmp_path, before, after):
    """nginx writes the name of a file as it is, with line ends: seen with 1.22 and 1.30."""
    path = str(tmp_path / "error.log")
    watch = LogWatch([path])
    with open(path, "a", encoding="utf-8") as stream:
        stream.write(f"{before}\n{FORGED.replace('41', str(MASTER))}\n{after}\n")
    assert watch.emergencies(MASTER) == []
    write(path, "of nginx itself")
    assert watch.emergencies(MASTER) == ["of nginx itself"]
    watch.close()


def test_a_log_that_becomes_a_fifo_keeps_nobody_waiting(tmp_path):
    path = str(tmp_path / "error.log")
    write(path, "old")
    watch = LogWatch([path])
    os.unlink(path)
    os.mkfifo(path)
    assert watch.emergencies(MASTER) == []
    watch.close()
    assert LogWatch([path]).emergencies(MASTER) == []
