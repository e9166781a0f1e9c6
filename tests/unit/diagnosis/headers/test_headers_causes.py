"""Headers that a hop loses, or sends twice."""

from __future__ import annotations

from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests.unit.diagnosis.seen import (
    MASTER,
    UP,
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
