"""A backend that answers late is no backend that hangs, and whose patience ended is told."""

from __future__ import annotations

import socket

import pytest

from module_utils.nginx_websocket.diagnosis import hops
from module_utils.nginx_websocket.diagnosis.asking import backend as backend_module
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.experiments.search import Search
from tests.cases.lab_backend import LabBackend
from tests.unit.diagnosis.seen import (
    about_upstream,
    backend,
    broken,
    host,
    opened,
    page,
    proxied,
    refused,
    shown,
    site,
)

SILENT = broken("answer-timeout", "connected, but no answer within 5.0 s", seconds=5.0)
TIMED_OUT = "upstream timed out (110: Connection timed out) while reading response header from upstream"


@pytest.fixture
def slow(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    server = LabBackend({"mode": "echo", "addr": f"127.0.0.1:{port}", "delay": 0.8}, str(tmp_path))
    yield port
    server.close()


def asked(port, monkeypatch, patient, patience=5.0):
    monkeypatch.setattr(backend_module, "PATIENCE", patience)
    facts = host(site(proxied(f"http://127.0.0.1:{port}"), "80"), {}, url="ws://app.test/ws/x")
    facts.question.timeout = 0.3
    facts.nginx = None
    backend_module.ask_backends(facts, False, patient=patient)
    return facts.backends[0].search


def test_a_slow_backend_is_waited_for(slow, monkeypatch):
    found = asked(slow, monkeypatch, patient=True)
    assert found.as_sent.opened
    assert found.as_sent.seconds >= 0.8
    assert [words for words, _ in found.tried] == ["as nginx sends it", "as nginx sends it, and waited for"]


def test_nobody_is_waited_for_where_something_else_explains_it(slow, monkeypatch):
    assert asked(slow, monkeypatch, patient=False).as_sent.error_kind == "answer-timeout"


class Laboratory:
    """A backend that says nothing, and what of it was waited for."""

    waits = None

    def __init__(self, address, tls_name, timeout, hold=0.0):
        self.address, self.tls_name, self.timeout = address, tls_name, timeout

    def search(self, sent, client, paths, scheme):
        return Search(SILENT, tried=[("as nginx sends it", SILENT)])

    def send(self, request, hold=0.0):
        if self.timeout == 2.0:  # the other scheme, with which nobody is waited for
            return refused(400) if "a" in self.answers else SILENT
        self.waits.append(self.timeout)
        return opened()


def waited(monkeypatch, *, timeout=5.0, answers="", servers=1, addresses=("127.0.0.1",)):
    """Seconds for which silent backends are waited for, and what is known of them then."""
    monkeypatch.setattr(Laboratory, "waits", [])
    monkeypatch.setattr(Laboratory, "answers", answers, raising=False)
    monkeypatch.setattr(backend_module, "Laboratory", Laboratory)
    monkeypatch.setattr(backend_module.place, "resolve", lambda facts, host: list(addresses))
    listed = "".join(f"server app{number}.test:8000;\n" for number in range(servers))
    facts = host(f"upstream pool {{\n{listed}}}\n" + site(proxied("http://pool")), {})
    facts.question.timeout, facts.nginx = timeout, None
    backend_module.ask_backends(facts, False, patient=True)
    return Laboratory.waits, [found.search.as_sent if found.search else None for found in facts.backends]


def test_a_silent_backend_gets_the_time_that_a_browser_gives_or_the_user(monkeypatch):
    assert waited(monkeypatch)[0] == [backend_module.PATIENCE] == [20.0]
    assert waited(monkeypatch, timeout=60.0)[0] == [60.0]


def test_only_the_first_silent_backend_is_waited_for(monkeypatch):
    waits, answers = waited(monkeypatch, servers=3)
    assert waits == [20.0] and [answer.opened for answer in answers] == [True, False, False]


def test_a_backend_that_speaks_in_the_other_scheme_is_not_silent(monkeypatch):
    assert waited(monkeypatch, answers="a")[0] == []


def test_a_backend_whose_name_leads_nowhere_is_not_waited_for(monkeypatch):
    assert waited(monkeypatch, addresses=()) == ([], [None])


def test_a_backend_that_refuses_is_not_waited_for(monkeypatch):
    def search(laboratory, *_arguments):
        return Search(refused(403), tried=[("as nginx sends it", refused(403))])

    monkeypatch.setattr(Laboratory, "search", search)
    monkeypatch.setattr(backend_module, "session_probe", lambda *_: None)
    monkeypatch.setattr(backend_module, "look_elsewhere", lambda *_: None)
    assert 20.0 not in waited(monkeypatch)[0]


@pytest.fixture
def patiently(monkeypatch):
    """What becomes of a silent first handshake, for answers of the backend and of a second handshake."""

    def run(direct, second, body=""):
        timeouts = []

        def again(question, address):
            timeouts.append(question.timeout)
            return second

        monkeypatch.setattr(hops, "handshake", again)
        facts = host(body or site(proxied()), {})
        monkeypatch.setattr(
            hops,
            "ask_backends",
            lambda facts, is_open, patient: facts.backends.append(backend(direct)),
        )
        probe, words = hops._patiently(facts, ("127.0.0.1", 443), SILENT, "through nginx on this host")
        return facts, probe, words, timeouts

    return run


def test_a_slow_backend_is_asked_through_nginx_with_the_time_that_it_needs(patiently):
    facts, probe, words, timeouts = patiently(opened(seconds=5.1), opened(seconds=5.2))
    assert probe.opened
    assert words == "through nginx on this host, after 5.2 s"
    assert timeouts[0] > 5.1
    assert [hop.name for hop in facts.hops] == ["hurried"]
    assert facts.backends == []


def test_a_slow_refusal_is_the_answer_that_counts(patiently):
    facts, probe, _, _ = patiently(refused(403, seconds=6.0), refused(403, seconds=6.1))
    assert probe.status == 403
    assert len(facts.backends) == 1


def test_a_backend_that_never_answers_is_not_asked_through_nginx_again(patiently):
    _, probe, words, timeouts = patiently(SILENT, opened())
    assert probe is SILENT
    assert words == "through nginx on this host"
    assert timeouts == []


def test_the_timeout_of_nginx_is_the_cause_where_it_is_shorter_than_the_backend_needs():
    facts = host(
        site(proxied(lines="        proxy_read_timeout 2s;")),
        {"loopback": page(504)},
        backends=[backend(opened(seconds=5.0))],
        log=[about_upstream(TIMED_OUT, "http://127.0.0.1:8000/ws/x")],
    )
    report = conclude_live(facts)
    finding = report.findings[0]
    assert (report.verdict, finding.code) == ("fails", "timeout-short")
    assert "after 5.0 s, and nginx waits 2 s" in report.sentence
    assert "proxy_read_timeout 1h;\n" in finding.change.diff()
    assert "proxy_read_timeout is 2s (set here)" in finding.evidence[0].text


def test_a_backend_that_stays_silent_hangs_and_the_timeout_is_shown():
    silent = broken("answer-timeout", "connected, but no answer within 20.0 s", seconds=20.0)
    facts = host(
        site(proxied(lines="        proxy_read_timeout 2s;")),
        {"loopback": page(504)},
        backends=[backend(silent)],
        log=[about_upstream(TIMED_OUT, "http://127.0.0.1:8000/ws/x")],
    )
    finding = conclude_live(facts).findings[0]
    assert finding.code == "backend-hang"
    assert any("proxy_read_timeout is 2s" in item.text for item in finding.evidence)


@pytest.mark.parametrize("probe", [SILENT, page(502)])
def test_the_timeout_is_not_shown_where_nginx_did_not_give_up_by_it(probe):
    facts = host(site(proxied()), {"loopback": probe}, backends=[backend(SILENT)])
    finding = conclude_live(facts).findings[0]
    assert finding.code == "backend-hang" and "proxy_read_timeout" not in shown(finding)


def test_a_backend_that_answers_at_once_now_hung_before():
    facts = host(
        site(proxied()),
        {"loopback": page(504)},
        backends=[backend(opened(seconds=0.1))],
        log=[about_upstream(TIMED_OUT, "http://127.0.0.1:8000/ws/x")],
    )
    assert conclude_live(facts).findings[0].code == "backend-hang"


def test_silence_that_nothing_explains_says_how_to_wait_longer():
    facts = host(site(proxied()), {"loopback": SILENT})
    report = conclude_live(facts)
    assert report.verdict == "cannot tell"
    assert "probe_timeout" in report.sentence


@pytest.mark.parametrize(("addresses", "watched"), [(1, 0.0), (2, 0.2), (3, 0.2)])
def test_an_open_socket_is_watched_where_nginx_may_have_met_another_address(monkeypatch, addresses, watched):
    """Else the one through nginx was open for as long, and led to this one."""
    held = []

    def send(laboratory, request, hold=0.0):
        held.append(hold)
        return opened(address=str(laboratory.address))

    named = [f"192.0.2.{number}" for number in range(1, addresses + 1)]
    monkeypatch.setattr(Laboratory, "send", send)
    monkeypatch.setattr(backend_module, "Laboratory", Laboratory)
    monkeypatch.setattr(backend_module.place, "resolve", lambda facts, host: named)
    facts = host(site(proxied("http://backend.test:8000")), {})
    facts.question.hold, facts.nginx = 0.2, None
    backend_module.ask_backends(facts, True)
    assert held[0] == watched and len(held) == addresses


def test_where_nobody_can_ask_from_nginx_s_place_that_is_noted(monkeypatch):
    def network(facts):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(backend_module.place, "network", network)
    facts = host(site(proxied()), {})
    backend_module.ask_backends(facts, False)
    assert facts.notes == ["the backend was not asked: Operation not permitted"] and not facts.backends
