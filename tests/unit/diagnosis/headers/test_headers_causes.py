"""Headers that a hop loses, or sends twice."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import BackendFacts, Question
from module_utils.nginx_websocket.diagnosis.experiments.search import Request, Search
from module_utils.nginx_websocket.edit.cures import Fault, cures
from module_utils.nginx_websocket.edit.memory import edited
from module_utils.nginx_websocket.exchange.result import Probe
from tests.unit.diagnosis.seen import (
    MASTER,
    UP,
    URL,
    backend,
    causes,
    host,
    opened,
    patched,
    proxied,
    refused,
    site,
    socket_of,
)


def test_the_second_hop_that_strips_the_upgrade_is_blamed_alone():
    body = (
        "server {\n    listen 127.0.0.1:8081;\n    location / {\n        proxy_pass http://127.0.0.1:8000;\n"
    )
    body += "    }\n}\n" + site(proxied("http://127.0.0.1:8081"))
    answer = refused(404, '{"detail":"Not Found"}')
    inner = backend(
        answer,
        "127.0.0.1:8081",
        ("127.0.0.1", 8081),
        listeners=[socket_of(MASTER, 8081)],
        other_port=(socket_of(62, 8000), opened()),
    )
    report = conclude_live(host(body, {"loopback": answer}, backends=[inner]))
    assert causes(report) == ["no-upgrade-header"]
    assert "another server of its own" in report.sentence
    assert report.findings[0].evidence[0].line == 6


def test_a_second_connection_line_goes_too():
    body = f"location / {{\n{UP}\nproxy_set_header Connection close;\nproxy_pass http://b;\n}}"
    text = (
        "events {}\nhttp {\n"
        + site(body.replace('Connection "upgrade"', 'Connection "upgraded"'), "80")
        + "}\n"
    )
    finding = diagnose_dump(Question("ws://app.test/x"), text.encode()).findings[0]
    assert finding.code == "connection-header-wrong"
    assert patched(text, finding.change.diff()).count("proxy_set_header Connection") == 1


KEY = "proxy_set_header Sec-WebSocket-Key %s;"


@pytest.mark.parametrize(
    ("value", "certain"),
    [("dGhlIHNhbXBsZSBub25jZQ==", True), ("$http_sec_websocket_key", False), ("$key", False)],
)
def test_a_key_that_is_no_clients_own(value, certain):
    text = (
        "events {}\nhttp {\nmap $uri $key { default x; }\n" + site(proxied(lines=KEY % value), "80") + "}\n"
    )
    found = causes(diagnose_dump(Question("ws://app.test/x"), text.encode()))
    assert found == (["request-headers-not-passed"] if certain else [])


def test_the_answer_to_a_key_that_is_no_clients_own():
    probe = Probe(URL, status=101, error_kind="bad-handshake", error="Accept does not fit the key")
    body = site(proxied(lines=KEY % "dGhlIHNhbXBsZSBub25jZQ=="))
    report = conclude_live(host(body, {"loopback": probe}))
    assert causes(report) == ["request-headers-not-passed"]
    assert f"-{KEY % 'dGhlIHNhbXBsZSBub25jZQ=='}" in report.findings[0].change.diff()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("X.Device", "ignore_invalid_headers off;"),
        ("X@Device", "ignore_invalid_headers off;"),
        ("X_Device", "underscores_in_headers on;"),
        ("X-Device", ""),
    ],
)
def test_a_header_that_nginx_takes_for_none(name, line):
    text = "events {}\nhttp {\n" + site(proxied(), "80") + "}\n"
    asked = Question("ws://app.test/x", headers=[(name, "7")])
    found = diagnose_dump(asked, text.encode()).findings
    told = [finding for finding in found if finding.code == "header-underscore-dropped"]
    assert [finding.evidence[0].text.split()[0] for finding in told] == ([line.split()[0]] if line else [])
    tree = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    made = cures(tree, route(tree, asked.route_request("127.0.0.1:80")), Fault("header-underscore-dropped"))
    assert line in next(edited(tree, edits).files["/n.conf"].decode() for edits in made)


@pytest.mark.parametrize(("lines", "own"), [("auth_basic x;", True), ("auth_basic off;", False), ("", False)])
def test_an_authorization_that_the_backend_refuses(lines, own):
    sent = Request("/ws/x", [("Host", "app.test"), ("Authorization", "Basic dTpw")])
    right = Request("/ws/x", [("Host", "app.test")])
    search = Search(refused(401), right, opened(), ["Authorization"], [("as nginx sends it", refused(401))])
    search.tried.append(("without Authorization", search.opening_probe))
    seen = BackendFacts("127.0.0.1:8000", ("127.0.0.1", 8000), search=search, sent=sent, client=sent)
    facts = host(site(proxied(lines=lines)), {"loopback": refused(401)}, backends=[seen])
    asked = Question(URL, headers=[("Authorization", "Basic dTpw")])
    facts.request = asked.route_request("127.0.0.1:443", "127.0.0.1")
    report = conclude_live(facts)
    finding = report.findings[0]
    assert causes(report)[0] == "backend-auth"
    assert ("nginx asks for a password" in finding.detail) == own
    assert ('proxy_set_header Authorization ""' in finding.fix) == own
    changed = finding.change.diff() if finding.change is not None else ""
    assert ('+        proxy_set_header Authorization "";' in changed) == own
