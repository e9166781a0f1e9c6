"""What nginx makes of the handshake, tried with a real backend: the cause, its line, what comes behind."""

from __future__ import annotations

import socket

import pytest

from module_utils.nginx_websocket.diagnosis.asking.backend import ask_backends
from module_utils.nginx_websocket.diagnosis.backend import refusals
from module_utils.nginx_websocket.diagnosis.deciding import mending
from module_utils.nginx_websocket.diagnosis.deciding.static_rules import suspects
from module_utils.nginx_websocket.diagnosis.engine import diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.errorlog import LogLine
from module_utils.nginx_websocket.diagnosis.evidence.facts import BackendFacts, Question
from module_utils.nginx_websocket.diagnosis.reach import no_answer
from tests.cases.lab_backend import LabBackend
from tests.unit.diagnosis.seen import patched

CONF = b"""# configuration file /etc/nginx/nginx.conf:
events {}
http {
server {
    listen 80;
    server_name app.test;
%s
} }
"""
UPGRADE = (
    b"proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
)


@pytest.fixture
def port(tmp_path):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        number = sock.getsockname()[1]
    server = LabBackend({"mode": "echo", "addr": f"127.0.0.1:{number}", "path": "/api/ws/x"}, str(tmp_path))
    yield number
    server.close()


def found(server, port, url="ws://app.test/api/ws/x"):
    """The causes as they are told of a host, with the backend really asked."""
    facts = diagnose_dump(Question(url), CONF % server.replace(b"PORT", str(port).encode())).facts
    ask_backends(facts, opened=False)
    suspected = suspects(facts)
    causes = refusals.refused_by_backend(facts, suspected, facts.backends[0].search.as_sent)
    mending.offer(causes, facts)
    return causes


def test_a_rewrite_in_the_location_is_named_with_its_line(port):
    server = b"location /api/ {\n %s\n rewrite ^/api/(.*)$ /$1 break;\n proxy_pass http://127.0.0.1:PORT;\n}"
    (cause,) = found(server % UPGRADE, port)
    assert cause.code == "rewrite-changes-path"
    assert "gets the path /ws/x" in cause.evidence[0].text
    assert cause.evidence[0].line == 9 - 1
    assert cause.change.diff().endswith(",0 @@\n- rewrite ^/api/(.*)$ /$1 break;\n")


def test_a_rewrite_of_the_server_is_named_and_left_to_its_owner(port):
    server = b"rewrite ^/api/(.*)$ /$1 last;\nlocation / {\n %s\n proxy_pass http://127.0.0.1:PORT;\n}"
    (cause,) = found(server % UPGRADE, port)
    assert cause.code == "rewrite-changes-path"
    assert cause.evidence[0].line == 6
    assert cause.change is None


def test_a_uri_part_that_strips_is_told_as_before(port):
    (cause,) = found(b"location /api/ {\n %s\n proxy_pass http://127.0.0.1:PORT/;\n}" % UPGRADE, port)
    assert cause.code == "proxy-pass-strips-prefix"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"proxy_set_header Sec-WebSocket-Version 8;", "sets Sec-WebSocket-Version to 8"),
        (b'proxy_set_header Sec-WebSocket-Key "";', "blanks Sec-WebSocket-Key"),
    ],
)
def test_a_header_of_the_handshake_is_named_with_the_line_that_spoils_it(port, line, words):
    server = b"location /api/ {\n %s\n %s\n proxy_pass http://127.0.0.1:PORT;\n}" % (UPGRADE, line)
    (cause,) = found(server, port)
    assert cause.code == "request-headers-not-passed"
    assert words in cause.title
    assert "proxy_pass_request_headers" not in cause.title + cause.fix
    assert cause.evidence[0].line == 8
    assert f"\n- {line.decode()}\n" in cause.change.diff()


def test_what_keeps_it_shut_behind_the_first_fault_is_said(port):
    causes = found(b"location /api/ {\n proxy_pass http://127.0.0.1:PORT/;\n}", port)
    assert [cause.code for cause in causes] == ["no-upgrade-header", "proxy-pass-strips-prefix"]


def test_a_hidden_header_of_the_answer_is_said_behind_the_missing_ones(port):
    server = b"location /api/ {\n proxy_hide_header Upgrade;\n proxy_pass http://127.0.0.1:PORT;\n}"
    assert [cause.code for cause in found(server, port)] == ["no-upgrade-header", "response-header-hidden"]


@pytest.mark.parametrize(
    "lines",
    [
        b'proxy_set_header Upgrade "";\n proxy_set_header Connection "";',
        b'proxy_set_header Upgrade "";\n proxy_set_header Host $host;\n proxy_set_header Connection close;',
        b'proxy_set_header Upgrade "";',
        b'proxy_set_header Upgrade ""; proxy_http_version 1.0;',
    ],
)
def test_the_diff_mends_both_headers(port, lines):
    server = b"location /api/ {\n %s\n proxy_pass http://127.0.0.1:PORT;\n}" % lines
    cause = found(server, port)[0]
    assert cause.code == "upgrade-header-wrong-value"
    head, _, text = (CONF % server.replace(b"PORT", str(port).encode())).decode().partition("\n")
    conf = f"{head}\n{patched(text, cause.change.diff())}".encode()
    facts = diagnose_dump(Question("ws://app.test/api/ws/x"), conf).facts
    ask_backends(facts, opened=False)
    assert facts.backends[0].search.as_sent.opened


def test_another_protocol_comes_before_what_the_log_makes_of_it():
    server = b"location /api/ { grpc_pass grpc://127.0.0.1:8000; }"
    facts = diagnose_dump(Question("ws://app.test/api/ws/x"), CONF % server).facts
    text = "upstream sent too large http2 frame: 4740180 while reading response header from upstream"
    facts.log = [LogLine(0.0, "error", 1, text, "/var/log/nginx/error.log", "http2-upstream")]
    causes = no_answer.unreachable_backend(facts, suspects(facts))
    assert [cause.code for cause in causes] == ["wrong-pass-directive"]


def test_a_name_that_its_own_resolver_does_not_know_is_no_refused_configuration():
    server = (
        b"resolver 127.0.0.1:5;\nset $backend app.internal;\n"
        b"location /api/ {\n %s\n proxy_pass http://$backend:8000;\n}" % UPGRADE
    )
    facts = diagnose_dump(Question("ws://app.test/api/ws/x"), CONF % server).facts
    text = "app.internal could not be resolved (110: Operation timed out), upstream"
    facts.log = [LogLine(0.0, "error", 1, text, "/var/log/nginx/error.log", "upstream-host-not-found")]
    (cause,) = no_answer.unreachable_backend(facts, suspects(facts))
    assert cause.code == "upstream-host-not-found"
    assert "refuses the configuration" not in cause.title
    assert "127.0.0.1:5" in cause.evidence[-1].text
    assert cause.evidence[-1].line == 6
    assert "resolver that answers" in cause.fix
    facts.log = []
    facts.backends = [BackendFacts("app.internal:8000", None)]
    (cause,) = no_answer.unreachable_backend(facts, suspects(facts))
    assert "refuses the configuration" not in cause.title


def test_a_rewrite_cycle_is_told_with_its_line_and_no_return():
    server = b"location /api/ {\n rewrite ^/api/(.*)$ /api/v1/$1 last;\n proxy_pass http://127.0.0.1:8000;\n}"
    cause = diagnose_dump(Question("ws://app.test/api/ws/x"), CONF % server).findings[0]
    assert (cause.code, cause.is_cause) == ("return-status", True)
    assert "return" not in cause.fix
    assert "rewrite ... break" in cause.fix
    assert cause.evidence[0].line == 7
