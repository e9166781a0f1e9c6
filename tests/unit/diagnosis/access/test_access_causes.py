"""Who is refused, and what distinguishes them from those who get in."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests.unit.diagnosis.seen import UP, causes, first, host, opened, page, proxied, site


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
