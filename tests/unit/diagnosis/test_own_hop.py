"""nginx before nginx: what its own server behind says to nginx's own request is diagnosed there."""

from __future__ import annotations

import dataclasses

import pytest

from module_utils.nginx_websocket.diagnosis import engine, observe, own_hop
from module_utils.nginx_websocket.diagnosis.asking.backend import client_request, sent_request
from module_utils.nginx_websocket.diagnosis.backend.own_refusal import own_refusal
from module_utils.nginx_websocket.diagnosis.capacity.open_socket import timeout_finding
from module_utils.nginx_websocket.diagnosis.capacity.timing import silence
from module_utils.nginx_websocket.diagnosis.engine import diagnose
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.fix.model import Case
from tests.unit.diagnosis.seen import (
    MASTER,
    PLAIN,
    backend,
    causes,
    host,
    logged,
    opened,
    page,
    proxied,
    refused,
    shown,
    site,
    socket_of,
)

LIMITED = page(503, "Service Temporarily Unavailable")
HOST = "proxy_set_header Host $http_host;"


def both(inner="", outer="", to="http://127.0.0.1:8081"):
    """Two servers of one nginx, one in front of the other."""
    return site(proxied(to, HOST + outer), "80") + site(proxied(lines=inner), "8081")


def asked(body, answer=LIMITED, pid=MASTER, url=PLAIN, **more):
    """What was seen of the server in front, whose backend is a socket of this process."""
    facts = host(body, {"loopback": answer}, url=url)
    client = client_request(facts.question)
    found = backend(answer, "127.0.0.1:8081", ("127.0.0.1", 8081), **more)
    found.sent, found.client = sent_request(facts.route.upstream, client), client
    found.listeners = [socket_of(pid, 8081)]
    facts.backends = [found]
    return facts


def behind(inner, lines="", **more):
    """The whole diagnosis, where the server behind was seen like this."""
    seen = {"127.0.0.1:8081": inner}

    def observed(question, **_):
        facts = seen.get(question.address) or asked(both(lines), **more)
        return dataclasses.replace(facts, question=question)

    return observed


def test_the_question_is_nginxs_own_request():
    facts = asked(both(outer='proxy_set_header Sec-WebSocket-Protocol "mqtt, tty"; proxy_set_header X-A b;'))
    question = own_hop.question_behind(facts)
    assert (question.url, question.host, question.address) == (
        "ws://app.test:8081/ws/x",
        "app.test",
        "127.0.0.1:8081",
    )
    assert question.subprotocols == ["mqtt", "tty"]
    assert ("X-A", "b") in question.headers
    assert not {"host", "upgrade", "connection", "origin"} & {name.lower() for name, _ in question.headers}
    assert question.origin == facts.question.sent_origin


@pytest.mark.parametrize(
    ("lines", "url"),
    [
        ("", "wss://127.0.0.1:8081/ws/x"),
        ("proxy_ssl_server_name on; proxy_ssl_name b.test;", "wss://b.test:8081/ws/x"),
    ],
)
def test_in_tls_it_asks_by_the_name_that_nginx_sends(lines, url):
    """For an address no client sends a name (RFC 6066, section 3)."""
    question = own_hop.question_behind(asked(both(outer=lines, to="https://127.0.0.1:8081")))
    assert (question.url, question.host, question.verify) == (url, "app.test", False)


@pytest.mark.parametrize(("path", "own"), [("/run/inner.sock", True), ("/run/other.sock", False)])
def test_by_a_unix_socket_the_configuration_tells_whose_it_is(path, own):
    inner = site(proxied(), "unix:/run/inner.sock")
    facts = asked(site(proxied(f"http://unix:{path}", HOST), "80") + inner)
    facts.backends[0].address, facts.backends[0].listeners = path, []
    question = own_hop.question_behind(facts)
    assert (question is not None) == own
    if own:
        assert (question.url, question.address) == ("ws://app.test:80/ws/x", "unix:/run/inner.sock")


@pytest.mark.parametrize(
    ("body", "pid"),
    [
        (both(), 70),  # another process has the port
        (both(outer="proxy_http_version 1.0;").replace("proxy_http_version 1.1;", "", 1), MASTER),
        (both(outer="proxy_set_header Upgrade x;").replace("proxy_set_header Upgrade $http_upgrade;", "", 1),
         MASTER),  # its own lines explain it
    ],
)  # fmt: skip
def test_no_question_where_it_is_none_of_a_clients(body, pid):
    assert own_hop.question_behind(asked(body, pid=pid)) is None


def test_the_cause_behind_is_the_cause(monkeypatch):
    lines = "limit_conn all 2;"
    inner = host(
        both(lines),
        {"loopback": LIMITED},
        url="ws://app.test:8081/ws/x",
        log=[logged('limiting connections by zone "all"')],
        backends=[backend(opened())],
    )
    monkeypatch.setattr(observe, "observe", behind(inner, lines))
    report = diagnose(Question(PLAIN))
    assert report.verdict == "fails" and causes(report) == ["limit-conn"]
    assert "another server of this nginx" in shown(report.findings[0])
    assert report.facts.question.url == PLAIN
    assert report.at_fault.question.url == "ws://app.test:8081/ws/x"
    assert Case(report.question, report, []).urls == [PLAIN, "ws://app.test:8081/ws/x"]


def test_where_the_server_behind_opens_the_first_word_counts(monkeypatch):
    inner = host(both(), {"loopback": opened()}, url="ws://app.test:8081/ws/x", backends=[backend(opened())])
    monkeypatch.setattr(observe, "observe", behind(inner, answer=refused(403)))
    report = diagnose(Question(PLAIN))
    assert causes(report) == ["backend-auth"] and report.behind is None and report.at_fault is report.facts


def test_nginx_is_not_asked_without_an_end(monkeypatch):
    made = []

    def observed(question, **_):
        made.append(question.url)
        return dataclasses.replace(asked(both(), refused(403)), question=question)

    monkeypatch.setattr(observe, "observe", observed)
    assert diagnose(Question(PLAIN)).verdict == "fails"
    assert len(made) == engine.MOST_HOPS + 1


@pytest.mark.parametrize(("port", "code"), [(8000, "backend-error"), (8002, "wrong-backend")])
def test_what_servers_of_this_nginx_lead_to_is_no_other_application(port, code):
    facts = asked(both(), other_port=(socket_of(70, port), opened()))
    (finding,) = own_refusal(facts, LIMITED)
    assert finding.code == code


@pytest.mark.parametrize(
    ("outer", "inner", "seconds", "line"),
    [("1h", "2s", 2.0, "inner"), ("3s", "1h", 3.0, "outer"), ("1h", "", 60.0, "")],
)
def test_the_hop_that_waits_least_ends_a_silent_socket(outer, inner, seconds, line):
    lines = f"proxy_read_timeout {inner}; # inner" if inner else ""
    limit = silence(asked(both(lines, f"proxy_read_timeout {outer}; # outer\n")))
    (come,) = timeout_finding(limit, []).change.added
    assert "proxy_read_timeout 1h;" in come and come.endswith(line)
    assert limit.seconds == seconds
    text = limit.directive.source.data.split(b"\n")[limit.directive.line - 1] if limit.directive else b""
    assert text.decode().endswith(line)
