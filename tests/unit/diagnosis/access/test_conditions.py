"""Answers behind an if: the advice never takes a check away."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.deciding.static_rules import suspects
from module_utils.nginx_websocket.diagnosis.engine import diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question

CONF = b"""# configuration file /etc/nginx/nginx.conf:
events {}
http {
map $http_origin $foreign { default 1; "http://app.test" 0; }
server { listen 80; server_name app.test;
location /ws/ {
%s
proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1;
proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
} } }
"""


def first(lines, url="ws://app.test/ws/x", **options):
    return diagnose_dump(Question(url, **options), CONF % lines).findings[0]


@pytest.mark.parametrize(
    "lines",
    [
        b'if ($http_origin != "http://app.test") { return 403; }',
        b'if ($http_origin !~ "^http://app[.]test$") { return 444; }',
        b"if ($foreign) { return 403; }",
        b'if ($http_origin != "http://app.test") { set $deny 1; }\n if ($deny) { return 403; }',
    ],
)
def test_a_check_of_the_origin_is_named_and_stays(lines):
    finding = first(lines, origin="")
    assert finding.is_cause
    assert finding.code == "origin-rejected"
    assert "carries none" in finding.title
    assert finding.fix.endswith("-e origin=http://app.test")
    assert finding.evidence[0].text.startswith("if (")
    foreign = first(lines, origin="https://evil.test")
    assert foreign.code == "origin-rejected"
    assert "https://evil.test" in foreign.title
    assert not first(lines, origin="http://app.test").is_cause


@pytest.mark.parametrize(
    ("lines", "words", "headers"),
    [
        (b'if ($cookie_session = "") { return 401; }', "the cookie session", [("Cookie", "session=abc")]),
        (b'if ($http_x_client = "") { return 403; }', "the header X-Client", [("X-Client", "app")]),
        (b'if ($http_cookie !~ "session=") { return 401; }', "the header Cookie", [("Cookie", "session=a")]),
    ],
)
def test_a_check_of_a_header_asks_for_the_header(lines, words, headers):
    finding = first(lines)
    assert (finding.code, finding.is_cause) == ("return-status", True)
    assert words in finding.title
    assert finding.fix.startswith(f"ask again with {words}")
    assert "headers" in finding.fix
    assert not first(lines, headers=headers).is_cause


def test_a_header_that_was_sent_and_refused_is_said_to_be():
    finding = first(b'if ($http_x_client != "app") { return 403; }', headers=[("X-Client", "web")])
    assert "not what it lets through" in finding.title
    assert "the check is no fault" in finding.fix


def test_an_argument_of_the_url_is_asked_for():
    finding = first(b'if ($arg_room = "") { return 403; }')
    assert (
        finding.fix
        == "ask again with the argument room of the URL, as the client sends it: -e 'url=...?room=...'"
    )


def test_a_redirect_to_the_login_is_no_reason_to_let_everybody_in():
    finding = first(b'if ($cookie_session = "") { return 302 /login; }')
    assert finding.code == "return-or-rewrite-redirect"
    assert finding.fix.startswith("ask again with the cookie session")


def test_any_other_condition_is_shown_and_not_argued_away():
    finding = first(b"if ($host = app.test) { return 403; }")
    assert finding.code == "return-status"
    assert finding.evidence[0].text == "if ($host = app.test) is true for this handshake"
    assert "only if the condition is not a check" in finding.fix


def test_a_return_without_condition_is_told_as_before():
    finding = first(b"return 403;")
    assert finding.fix == "exempt the WebSocket path from the return"


def test_a_stray_file_explains_nothing_that_a_condition_explains():
    report = diagnose_dump(
        Question("ws://app.test/ws/x"), CONF % b'if ($cookie_session = "") { return 401; }'
    )
    report.facts.stray_files = [("/etc/nginx/sites-available/app", "location /ws/", 3)]
    found = suspects(report.facts)
    assert found[0].code == "return-status"
    assert found[0].finding.evidence[0].text == 'if ($cookie_session = "") is true for this handshake'
