"""Who is refused, and what distinguishes them from those who get in."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.asking.browsers_view import connection_conditions
from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests.unit.diagnosis.seen import UP, causes, first, host, logged, opened, page, proxied, site


def test_clients_that_differ_in_one_header():
    body = site(
        f"    location / {{ {UP}\n        if ($http_connection = Upgrade) {{\n"
        "            proxy_pass http://127.0.0.1:8000;\n        }\n        return 404;\n    }"
    )
    facts = host(body, {"loopback": page(404), "other client": opened()})
    finding = first(facts)
    assert finding.code == "connection-header-wrong" and "$http_upgrade" in finding.fix


def test_a_page_names_its_browser():
    conditions = 'if ($http_user_agent !~* "mozilla") { return 403; }\n'
    conditions += 'if ($http_user_agent ~* "curl|python") { return 403; }\n'
    text = "events {}\nhttp {\n" + site(conditions + proxied(), "80") + "}\n"
    assert causes(diagnose_dump(Question("ws://app.test/ws/x"), text.encode(), name="nginx.conf")) == []
    curl = Question("ws://app.test/ws/x", headers=[("User-Agent", "curl/8")])
    assert causes(diagnose_dump(curl, text.encode(), name="nginx.conf")) == ["return-status"]


@pytest.mark.parametrize("value", ["Upgrade", "'Upgrade'"])
def test_a_condition_on_the_whole_connection_header_looks_at_upgrade_instead(value):
    body = (
        f"    location / {{\n        if ($http_connection = {value}) {{\n"
        "            proxy_pass http://127.0.0.1:8000;\n        }\n"
        f"        {UP}\n    }}"
    )
    report = conclude_live(host(site(body), {"loopback": opened(), "other client": page(404)}))
    assert causes(report) == ["connection-header-wrong"]
    assert '+        if ($http_upgrade ~* "^websocket$") {' in report.findings[0].change.text


def test_no_diff_takes_a_password_away():
    lines = "auth_basic x; auth_basic_user_file /u;"
    report = conclude_live(host(site(proxied(lines=lines)), {"loopback": page(401)}))
    assert causes(report) == ["auth-basic"]
    assert not report.as_data()["findings"][0]["diff"]


PASSWORD = "auth_basic x; auth_basic_user_file users;"
NO_FILE = (
    'open() "/etc/nginx/users" failed (2: No such file or directory), client: 127.0.0.1, request: "GET /ws/x"'
)


def test_a_file_of_passwords_that_is_not_there():
    facts = host(site(proxied(lines=PASSWORD)), {"loopback": page(403)}, log=[logged(NO_FILE)])
    finding = first(facts)
    assert finding.code == "auth-basic"
    assert "/etc/nginx/users (2" not in finding.detail
    assert "/etc/nginx/users (No such file or directory)" in finding.detail
    assert "auth_basic_user_file users" in finding.evidence[0].text


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (PASSWORD, NO_FILE.replace("/users", "/other")),
        (PASSWORD.replace("auth_basic x", "auth_basic off"), NO_FILE),
        ("", NO_FILE),
    ],
)
def test_other_files_say_nothing_of_passwords(lines, words):
    facts = host(site(proxied(lines=lines)), {"loopback": page(403)}, log=[logged(words)])
    assert all("file of passwords" not in finding.detail for finding in conclude_live(facts).findings)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("if ($http_connection = Upgrade) { return 403; }", ["if"]),
        ("if ($http_upgrade = websocket) { return 403; }", []),
        ("set $x $http_connection;", []),
    ],
)
def test_only_conditions_that_look_at_the_connection_header_do(text, found):
    facts = host(
        "map $http_upgrade $a { default 1; }\nmap $http_connection $b { default 1; }\n" + site(text), {}
    )
    names = [one.name.decode() for one in connection_conditions(facts.configuration)]
    assert names == ["map", *found] and connection_conditions(None) == []
