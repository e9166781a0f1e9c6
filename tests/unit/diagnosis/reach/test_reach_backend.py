"""The way from nginx to the backend, broken at each of its steps."""

from __future__ import annotations

import dataclasses

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.host.stopped_units import StoppedUnit
from tests.unit.diagnosis.seen import (
    CONNECT_REFUSED,
    MASTER,
    about_upstream,
    backend,
    broken,
    causes,
    first,
    host,
    newer,
    opened,
    page,
    proxied,
    refused,
    site,
    socket_of,
)


@pytest.mark.parametrize(
    ("probe", "more", "code"),
    [
        (broken("connect-timeout"), {}, "backend-connect-timeout"),
        (broken("answer-timeout"), {}, "backend-hang"),
        (broken("answer-timeout"), {"other_scheme": opened()}, "upstream-scheme-mismatch"),
        (broken("closed-without-answer"), {"other_scheme": refused(404)}, "upstream-scheme-mismatch"),
        (broken("closed-without-answer"), {}, "wrong-backend-protocol"),
        (broken("not-http"), {}, "wrong-backend-protocol"),
        (broken("tls"), {}, "upstream-tls-failed"),
        (broken("tls"), {"with_name": opened()}, "upstream-sni-missing"),
        (broken("connect-refused"), {"other_port": (socket_of(62, 8001), opened())}, "backend-down"),
    ],
)
def test_no_answer_of_the_backend(probe, more, code):
    facts = host(site(proxied()), {"loopback": page(502)}, backends=[backend(probe, **more)])
    assert first(facts).code == code


def test_a_location_that_does_not_match_is_the_cause_also_where_php_is_down():
    body = "location / { fastcgi_pass 127.0.0.1:9999; }\n" + proxied().replace(
        "location /", "location = /ws/"
    )
    facts = host(site(body), {"loopback": page(502)}, backends=[backend(broken("connect-refused"))])
    assert first(facts).code == "wrong-location"


@pytest.mark.parametrize("status", [502, 404])
def test_a_plain_backend_that_is_spoken_to_in_tls_is_known_also_behind_a_page_of_its_own(status):
    line = about_upstream(
        "peer closed connection in SSL handshake while SSL handshaking to upstream",
        "https://127.0.0.1:8000/ws/x",
    )
    facts = host(
        site(f"error_page 502 /50x.html;\n{proxied('https://127.0.0.1:8000')}"),
        {"loopback": page(status)},
        backends=[backend(broken("tls"), other_scheme=opened())],
        log=[line],
    )
    assert first(facts).code == "upstream-scheme-mismatch"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (
            "upstream sent too big header while reading response header from upstream",
            "upstream-header-too-big",
        ),
        (
            "connect() to 127.0.0.1:8000 failed (13: Permission denied) while connecting to upstream",
            "upstream-permission-denied",
        ),
        (
            "upstream timed out (110: Connection timed out) while connecting to upstream",
            "backend-connect-timeout",
        ),
        (
            "upstream timed out (110: Connection timed out) while reading response header from upstream",
            "timeout-short",
        ),
    ],
)
def test_the_log_says_what_a_direct_question_does_not(words, code):
    line = about_upstream(words, "http://127.0.0.1:8000/ws/x")
    late = dataclasses.replace(refused(404), seconds=90.0)
    facts = host(site(proxied()), {"loopback": page(504)}, backends=[backend(late)], log=[line])
    assert first(facts).code == code


def test_a_name_that_moved_is_no_old_configuration():
    facts = host(
        site(proxied("http://app.internal.test:8000")),
        {"loopback": page(502)},
        backends=[backend(opened(), "app.internal.test:8000", ("10.0.0.2", 8000), resolved=["10.0.0.2"])],
        log=[about_upstream(CONNECT_REFUSED, "http://10.0.0.1:8000/ws/x")],
        newer_files=[newer()],
    )
    assert causes(conclude_live(facts)) == ["stale-upstream-dns"]


def test_a_name_whose_addresses_all_refuse_is_a_backend_that_is_down():
    no_address = broken("connect-failed", "[::1]:8400: Cannot assign requested address")
    facts = host(
        site(proxied("http://localhost:8400")),
        {"loopback": page(502)},
        backends=[backend(no_address, "localhost:8400", ("::1", 8400), resolved=["127.0.0.1", "::1"])],
        log=[about_upstream("no live upstreams while connecting to upstream", "http://localhost/ws/x")],
    )
    assert causes(conclude_live(facts)) == ["backend-down"]


def test_a_backend_that_answers_again_was_marked_down():
    facts = host(
        site(proxied()),
        {"loopback": page(502)},
        backends=[backend(opened())],
        log=[about_upstream("no live upstreams while connecting to upstream", "http://app/ws/x")],
    )
    assert causes(conclude_live(facts)) == ["upstream-marked-down"]


def test_plain_http_sent_to_a_tls_backend_is_no_other_application():
    answer = page(400, "The plain HTTP request was sent to HTTPS port")
    inner = backend(
        answer,
        "127.0.0.1:9443",
        ("127.0.0.1", 9443),
        listeners=[socket_of(MASTER, 9443)],
        other_scheme=opened(),
        other_port=(socket_of(62, 8000), opened()),
    )
    report = conclude_live(
        host(site(proxied("http://127.0.0.1:9443")), {"loopback": answer}, backends=[inner])
    )
    assert causes(report) == ["upstream-scheme-mismatch"]
    assert "proxy_pass https://127.0.0.1:9443;\n" in report.findings[0].change.diff()


SILENT = broken("answer-timeout", "connected, but no answer within 5.0 s")


def typed(kind):
    """A backend that opens, with this Content-Type in its 101."""
    return opened(headers=[("Content-Type", kind)] if kind else [])


@pytest.mark.parametrize(
    ("lines", "kind", "found"),
    [
        ("ssi on;", "text/html; charset=utf-8", ["ssi-holds-upgrade"]),
        ("ssi on; ssi_types application/json;", "application/json", ["ssi-holds-upgrade"]),
        ("ssi on; ssi_types *;", "text/plain", ["ssi-holds-upgrade"]),
        ("ssi on;", "application/json", []),
        ("ssi on;", "", []),
        ("ssi off;", "text/html", []),
    ],
)
def test_ssi_holds_a_101_of_its_types_alone(lines, kind, found):
    facts = host(site(proxied(lines=lines)), {"loopback": SILENT}, backends=[backend(typed(kind))])
    assert [code for code in causes(conclude_live(facts)) if code == "ssi-holds-upgrade"] == found


def test_the_cure_of_ssi_is_for_the_location():
    held = backend(typed("text/html"))
    report = conclude_live(host("ssi on;\n" + site(proxied()), {"loopback": SILENT}, backends=[held]))
    assert "+        ssi off;" in report.findings[0].change.text


def test_a_port_that_proxy_bind_cannot_have():
    line = about_upstream(
        "bind(192.0.2.1) failed (99: Cannot assign requested address) while connecting to upstream",
        "http://127.0.0.1:8000/ws/x",
        level="crit",
    )
    facts = host(
        site(proxied(lines="proxy_bind 192.0.2.1;")),
        {"loopback": page(500)},
        backends=[backend(opened())],
        log=[line],
    )
    report = conclude_live(facts)
    assert causes(report) == ["proxy-bind-failed"]
    assert "proxy_bind" in report.findings[0].evidence[0].text


@pytest.mark.parametrize(
    ("to", "found"),
    [
        ("http://127.0.0.1:80", ["proxy-loop"]),
        ("http://127.0.0.1:80/other", []),
        ("http://127.0.0.1:8000", []),
    ],
)
def test_a_proxy_pass_that_leads_back_to_itself(to, found):
    text = "events {}\nhttp {\n" + site(proxied(to), "80") + "}\n"
    report = diagnose_dump(Question("ws://app.test/ws/x"), text.encode(), name="nginx.conf")
    assert causes(report) == found


def test_the_unit_that_should_listen_is_named_with_what_it_said_last():
    nobody = backend(broken("connect-refused", "127.0.0.1:8000 refused the connection"))
    nobody.unit = StoppedUnit(
        "app.service", "failed (exit-code)", ["ModuleNotFoundError: No module named 'app'"]
    )
    line = about_upstream(
        "connect() failed (111: Connection refused) while connecting to upstream",
        "http://127.0.0.1:8000/ws/x",
    )
    report = conclude_live(host(site(proxied()), {"loopback": page(502)}, backends=[nobody], log=[line]))
    assert causes(report) == ["backend-down"]
    assert "app.service is failed (exit-code)" in report.sentence
    first = report.findings[0]
    assert any("ModuleNotFoundError" in item.text for item in first.evidence)
    assert "systemctl start app.service" in first.change.commands


DOWN = broken("connect-refused", "127.0.0.1:8000 refused the connection")


LINE = about_upstream(CONNECT_REFUSED, "http://127.0.0.1:8000/ws/x")


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ("error_page 500 502 503 504 /50x.html;", refused(502, "<h1>An error occurred.</h1>")),
        ("error_page 502 504 = @down;", refused(200, "back soon")),
        ("error_page 502 /missing.html;", page(404)),
        ("error_page 502 https://status.example/;", refused(302, "")),
    ],
)
def test_a_dead_backend_behind_any_error_page(lines, answer):
    facts = host(site(proxied(lines=lines)), {"loopback": answer}, backends=[backend(DOWN)], log=[LINE])
    report = conclude_live(facts)
    assert causes(report) == ["backend-down"]


def test_an_answer_of_the_backend_is_not_hidden_by_a_line_about_another_server():
    facts = host(
        site(proxied(lines="error_page 502 /50x.html;")),
        {"loopback": refused(404, "no such route")},
        backends=[backend(refused(404, "no such route"))],
        log=[LINE],
    )
    assert "backend-down" not in causes(conclude_live(facts))
