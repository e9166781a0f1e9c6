"""Conditions on Upgrade and Connection that look at upper and lower case, and clients that write another."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.diagnosis.engine import diagnose_configuration
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question

UP = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
BACKEND = f"{UP} proxy_set_header Host $host; proxy_pass http://127.0.0.1:8000;"


def diagnosed(location, http="", **question):
    text = (
        f"# configuration file /n.conf:\nevents {{}}\nhttp {{\n{http}\n"
        "server {\nlisten 80;\nserver_name a.test;\n"
        f"location / {{\n{location}\n{BACKEND}\n}}\n}}\n}}\n"
    )
    return diagnose_configuration(Question("ws://a.test/ws", **question), load_dump(text.encode()))


@pytest.mark.parametrize(
    ("condition", "right"),
    [
        ('($http_upgrade != "WebSocket")', '($http_upgrade != "websocket")'),
        ("($http_upgrade != WebSocket)", "($http_upgrade != websocket)"),
        ("( $http_upgrade != WEBSOCKET )", "( $http_upgrade != websocket )"),
        ('($http_upgrade !~ "^WebSocket$")', '($http_upgrade !~ "^websocket$")'),
        ("($http_connection != upgrade)", "($http_connection != Upgrade)"),
        ("($http_connection !~ (^|,.)upgrade)", "($http_connection !~ (^|,.)Upgrade)"),
    ],
)
def test_the_word_is_named_and_written_as_clients_do(condition, right):
    report = diagnosed(f"if {condition} {{ return 400; }}")
    cause = report.findings[0]
    assert (report.verdict, cause.code) == ("fails", "return-status")
    sent = "Upgrade" if "connection" in condition else "websocket"
    assert cause.detail.startswith("a condition answers 400: it compares ")
    assert cause.detail.endswith(f'and clients write "{sent}"')
    diff = cause.as_data()["diff"]
    assert f"-if {condition} {{ return 400; }}" in diff and f"+if {right} {{ return 400; }}" in diff


@pytest.mark.parametrize(
    "condition",
    [
        '($http_upgrade = "websocket")',
        "($http_upgrade ~* ^WebSocket$)",
        "($http_upgrade !~* h2c)",
        "($http_upgrade)",
        "($http_upgrade != h2c)",
        "($http_upgrade !~ [)",
    ],
)
def test_other_conditions_have_no_wrong_case(condition):
    report = diagnosed(f"if {condition} {{ return 400; }}")
    assert all("clients write" not in finding.detail for finding in report.findings)


def test_a_condition_that_would_have_set_what_the_answer_asks_for():
    """The answer is a check of a cookie: the case is named, and no diff takes the check away."""
    report = diagnosed(
        'if ($http_upgrade = "WebSocket") { set $login 0; }\nif ($login = 1) { return 302 /login; }',
        'map $cookie_session $login { default 0; "" 1; }',
    )
    cause = report.findings[0]
    assert cause.code == "return-or-rewrite-redirect"
    assert cause.detail == (
        'a condition answers 302: it compares Upgrade with "WebSocket", and clients write "websocket"'
    )
    assert cause.as_data()["diff"] == ""


def test_a_condition_that_sets_something_else_explains_nothing():
    report = diagnosed(
        'if ($http_upgrade = "WebSocket") { set $other 0; }\nif ($cookie_session = "") { return 302 /login; }'
    )
    assert "the cookie session" in report.findings[0].detail


def test_what_the_client_sends_is_no_pattern_and_no_template():
    report = diagnosed('if ($http_connection != "UP\\1") { return 400; }', headers=[("Connection", "up\\1")])
    cause = report.findings[0]
    assert cause.detail.endswith('and clients write "up\\1"')
    assert '+if ($http_connection != "up\\1") { return 400; }' in cause.as_data()["diff"]
