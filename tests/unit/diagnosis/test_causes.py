"""From what probes, logs and processes showed to the cause, without a host."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from tests.unit.diagnosis.seen import (
    MASTER,
    about_upstream,
    backend,
    broken,
    host,
    logged,
    newer,
    opened,
    page,
    proxied,
    refused,
    site,
    socket_of,
)

CONNECT_REFUSED = "connect() failed (111: Connection refused) while connecting to upstream"


def causes(report):
    """The codes of the causes, in order."""
    return [finding.code for finding in report.findings if finding.is_cause]


def shown(finding):
    """All evidence of a finding in one text."""
    return "\n".join(item.shown() for item in finding.evidence)


# ---------------------------------------------------------------------------------------- what is in front


@pytest.mark.parametrize("tls", [{}, {"verify_error": "self-signed certificate in certificate chain"}])
def test_what_stands_in_front_is_the_cause_when_nginx_itself_opens_the_socket(tls):
    facts = host(site(proxied()), {"loopback": opened(tls=tls), "public": refused(400, tls=tls)})
    report = conclude_live(facts)
    assert report.verdict == "fails"
    assert causes(report) == ["front-differs"]
    assert "400 Bad Request" in shown(report.findings[0])


def test_a_name_that_is_not_reached_says_nothing_of_what_stands_in_front():
    facts = host(site(proxied()), {"loopback": opened(), "public": broken("connect-timeout")})
    report = conclude_live(facts)
    assert causes(report) == []
    assert report.verdict == "cannot tell"


def test_a_bad_certificate_in_front_is_named_as_such():
    tls = {"verify_error": "certificate has expired", "not_after": "2020-01-01T00:00:00Z"}
    facts = host(site(proxied()), {"loopback": opened(), "public": broken("tls", tls=tls)})
    assert causes(conclude_live(facts)) == ["cert-invalid"]


# ---------------------------------------------------------------------------------------- old workers


def test_workers_that_ask_a_backend_the_files_do_not_name_have_not_been_reloaded():
    facts = host(
        site(proxied()),
        {"loopback": page(502)},
        backends=[backend(opened())],
        log=[about_upstream(CONNECT_REFUSED, "http://127.0.0.1:8999/ws/x")],
        newer_files=[newer()],
    )
    report = conclude_live(facts)
    assert causes(report) == ["stale-config-not-reloaded"]
    assert "8999" in shown(report.findings[0])


def test_workers_that_ask_what_the_files_name_are_not_stale():
    refusal = broken("connect-refused")
    facts = host(
        site(proxied()),
        {"loopback": page(502)},
        backends=[backend(refusal)],
        log=[about_upstream(CONNECT_REFUSED, "http://127.0.0.1:8000/ws/x")],
        newer_files=[newer()],
    )
    assert causes(conclude_live(facts)) == ["backend-down"]


def test_the_next_hop_of_the_same_nginx_asks_a_backend_of_its_own():
    body = f"server {{\n    listen 127.0.0.1:8081;\n{proxied('http://127.0.0.1:8400')}\n}}\n" + site(
        proxied("http://127.0.0.1:8081")
    )
    inner = backend(
        page(502),
        "127.0.0.1:8081",
        ("127.0.0.1", 8081),
        listeners=[socket_of(MASTER, 8081)],
        other_port=(socket_of(62, 8000), opened()),
    )
    facts = host(
        body,
        {"loopback": page(502)},
        backends=[inner],
        log=[about_upstream(CONNECT_REFUSED, "http://127.0.0.1:8400/ws/x")],
        newer_files=[newer()],
    )
    report = conclude_live(facts)
    assert causes(report) == ["backend-down"]
    assert "127.0.0.1:8400" in shown(report.findings[0])


def test_a_page_for_errors_may_ask_any_backend_of_the_configuration():
    body = site(
        proxied(lines="        error_page 502 = @other;")
        + "\n    location @other { proxy_pass http://127.0.0.1:9000; }"
    )
    facts = host(
        body,
        {"loopback": page(502)},
        backends=[backend(broken("connect-refused"))],
        log=[about_upstream(CONNECT_REFUSED, "http://127.0.0.1:9000/ws/x")],
        newer_files=[newer()],
    )
    assert causes(conclude_live(facts)) == ["backend-down"]


def test_a_name_that_moved_is_no_old_configuration():
    facts = host(
        site(proxied("http://app.internal.test:8000")),
        {"loopback": page(502)},
        backends=[backend(opened(), "app.internal.test:8000", ("10.0.0.2", 8000), resolved=["10.0.0.2"])],
        log=[about_upstream(CONNECT_REFUSED, "http://10.0.0.1:8000/ws/x")],
        newer_files=[newer()],
    )
    assert causes(conclude_live(facts)) == ["stale-upstream-dns"]


# ---------------------------------------------------------------------------------------- no live upstream


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


# ---------------------------------------------------------------------------------------- the PROXY protocol

RESET = broken("tls", "the connection broke during the TLS handshake: Connection reset by peer")


def test_tls_that_breaks_for_want_of_a_proxy_line_is_told_from_tls_that_does_not_match():
    hello = logged('broken header: "\x16\x03\x01\x02\x00\x01\x00')
    facts = host(
        site(proxied(), "443 ssl proxy_protocol"), {"loopback": RESET, "with PROXY": opened()}, log=[hello]
    )
    report = conclude_live(facts)
    assert causes(report) == ["proxy-protocol-mismatch"]
    evidence = shown(report.findings[0])
    assert "listen asks for the PROXY protocol" in evidence
    assert 'broken header: "…' in evidence
    assert "\x16" not in evidence


def test_the_listen_line_alone_explains_tls_that_breaks():
    facts = host(site(proxied(), "443 ssl proxy_protocol"), {"loopback": RESET})
    assert causes(conclude_live(facts)) == ["proxy-protocol-mismatch"]


def test_a_certificate_behind_the_proxy_line_shows_that_the_line_helped():
    unknown = broken("tls", tls={"verify_error": "unable to get local issuer certificate"})
    facts = host(site(proxied()), {"loopback": RESET, "with PROXY": unknown})
    assert causes(conclude_live(facts)) == ["proxy-protocol-mismatch"]


def test_tls_that_breaks_with_a_proxy_line_too_stays_what_it_is():
    facts = host(site(proxied()), {"loopback": RESET, "with PROXY": broken("tls", "wrong version number")})
    assert causes(conclude_live(facts)) == ["tls-handshake-failed"]


def test_tls_that_breaks_where_no_certificate_was_checked_is_not_the_certificates_fault():
    tls = {"verify_error": "self-signed certificate in certificate chain"}
    closed = broken("tls", "the server closed the connection during the TLS handshake", tls=tls)
    facts = host(site(proxied()), {"loopback": closed})
    facts.question.verify = False
    assert causes(conclude_live(facts)) == ["tls-handshake-failed"]


# ---------------------------------------------------------------------------------------- nginx behind nginx


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


# ---------------------------------------------------------------------------------------- without explanation


def test_a_certificate_that_nginx_asks_of_the_client_is_the_cause():
    body = site("    ssl_verify_client on;\n" + proxied())
    answer = page(400, "No required SSL certificate was sent")
    report = conclude_live(host(body, {"loopback": answer}, backends=[backend(opened())]))
    assert causes(report) == ["client-certificate-required"]
    assert report.findings[0].evidence[0].line == 6


UNKNOWN = "socket() failed (97: Address family not supported by protocol) while connecting to upstream"


def test_a_line_of_the_log_that_no_rule_knows_is_shown_all_the_same():
    line = about_upstream(UNKNOWN, "http://127.0.0.1:8000/ws/x", level="crit")
    facts = host(site(proxied()), {"loopback": page(500)}, backends=[backend(opened())], log=[line, line])
    report = conclude_live(facts)
    assert report.verdict == "cannot tell"
    assert "socket() failed" in report.sentence
    assert "client:" not in report.sentence
    finding = report.findings[0]
    assert finding.code == "static-live-disagree"
    assert shown(finding).count("[crit] socket() failed") == 1
    assert "reload" not in finding.fix


def test_a_log_without_such_a_line_leaves_the_contradiction():
    facts = host(site(proxied()), {"loopback": page(500)}, backends=[backend(opened())])
    report = conclude_live(facts)
    assert report.findings[0].code == "static-live-disagree"
    assert "reload" in report.findings[0].fix


def behind_condition(inner, answer):
    body = "geo $bad { default 1; }\n" + site(f"    if ($bad) {{\n        {inner}\n    }}\n" + proxied())
    return conclude_live(host(body, {"loopback": answer}, backends=[backend(opened())]))


CLOSED = broken("closed-without-answer", "the server closed the connection without a byte")


def test_a_condition_that_only_nginx_can_decide_is_offered():
    report = behind_condition("return 444;", CLOSED)
    assert report.verdict == "cannot tell"
    assert "if ($bad)" in report.sentence
    finding = report.findings[0]
    assert finding.code == "undecided"
    assert finding.evidence[0].line == 7
    assert "return 444" in finding.evidence[0].text


def test_a_condition_whose_answer_did_not_come_explains_nothing():
    assert "if ($bad)" not in behind_condition("return 403;", CLOSED).sentence
    assert "if ($bad)" in behind_condition("return 403;", page(403)).sentence
    assert "if ($bad)" in behind_condition("return https://a.test/;", page(302)).sentence
    assert "if ($bad)" in behind_condition("rewrite ^ /x permanent;", page(301)).sentence
    assert "if ($bad)" not in behind_condition("rewrite ^ /x permanent;", page(403)).sentence
    assert "if ($bad)" in behind_condition("set $x 1;", page(403)).sentence
