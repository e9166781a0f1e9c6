"""TLS between the client and nginx, and the protocol spoken inside it."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.reload import on_disk
from module_utils.nginx_websocket.host.certificates import Certificate
from tests.unit.diagnosis.seen import (
    PLAIN,
    backend,
    broken,
    causes,
    first,
    host,
    logged,
    opened,
    page,
    proxied,
    site,
)


def test_a_port_without_tls_names_the_one_that_has_it():
    body = site(proxied(), "8080") + site(proxied(), "8443 ssl")
    facts = host(body, {"loopback": broken("tls", "wrong version number")}, url="wss://app.test:8080/ws/x")
    finding = first(facts)
    assert finding.code == "tls-not-enabled"
    assert "open wss://app.test:8443" in finding.fix and "port 8080 must stay plain" in finding.fix


def test_a_port_that_speaks_no_tls_though_the_files_say_so():
    facts = host(site(proxied()), {"loopback": broken("tls", "the server does not speak TLS on this port")})
    assert first(facts).code == "tls-not-enabled"


def test_the_certificate_of_another_site_is_behind_the_server_that_answers():
    body = site(proxied(), "443 ssl").replace("app.test", "other.test")
    tls = {"verify_error": "Hostname mismatch", "names": "other.test", "subject": "other.test"}
    tls["verify_error"] = "it is for other.test, not for app.test"
    report = conclude_live(host(body, {"loopback": broken("tls", tls=tls)}))
    causes = [finding.code for finding in report.findings if finding.is_cause]
    assert causes[-1] == "cert-invalid" and set(causes) <= {"default-server-captured", "cert-invalid"}


@pytest.mark.parametrize(
    ("hops", "log", "url", "listen", "code"),
    [
        ({"loopback": broken("not-http", "an answer in HTTP/2")}, [], PLAIN, "80", "h2c-on-plain-port"),
        ({"loopback": broken("not-http", "nonsense")}, [], PLAIN, "80 http2", "h2c-on-plain-port"),
        (
            {"loopback": broken("closed-without-answer")},
            [logged("1024 worker_connections are not enough", "alert")],
            PLAIN,
            "80",
            "worker-connections",
        ),
        (
            {"loopback": broken("closed-without-answer")},
            [logged("accept4() failed (24: Too many open files)", "alert")],
            PLAIN,
            "80",
            "open-file-limit",
        ),
        (
            {"loopback": broken("answer-timeout")},
            [logged("accept4() failed (24: Too many open files)", "alert")],
            PLAIN,
            "80",
            "open-file-limit",
        ),
        ({"loopback": broken("answer-timeout")}, [], PLAIN, "80", "backend-hang"),
    ],
)
def test_no_http_comes_back(hops, log, url, listen, code):
    silent = [backend(broken("answer-timeout"))]
    assert first(host(site(proxied(), listen), hops, url=url, log=log, backends=silent)).code == code


def test_a_clients_own_alpn_leads_to_http2():
    facts = host(
        site(proxied(), "443 ssl http2"),
        {"loopback": broken("closed-without-answer"), "alpn": broken("not-http", tls={"alpn": "h2"})},
    )
    assert first(facts).code == "http2-only"


def test_tls_that_breaks_where_no_certificate_was_checked_is_not_the_certificates_fault():
    tls = {"verify_error": "self-signed certificate in certificate chain"}
    closed = broken("tls", "the server closed the connection during the TLS handshake", tls=tls)
    facts = host(site(proxied()), {"loopback": closed})
    facts.question.verify = False
    assert causes(conclude_live(facts)) == ["tls-handshake-failed"]


def test_a_certificate_that_nginx_asks_of_the_client_is_the_cause():
    body = site("    ssl_verify_client on;\n" + proxied())
    answer = page(400, "No required SSL certificate was sent")
    report = conclude_live(host(body, {"loopback": answer}, backends=[backend(opened())]))
    assert causes(report) == ["client-certificate-required"]
    assert report.findings[0].evidence[0].line == 6


@pytest.mark.parametrize(
    ("days", "missing", "until", "said"),
    [
        (80.0, [], "2026-12-01T00:00:00Z", True),
        (-1.0, [], "2026-11-01T00:00:00Z", False),
        (80.0, ["app.test"], "2026-12-01T00:00:00Z", False),
        (80.0, [], "2023-02-01T00:00:00Z", False),
    ],
)
def test_a_renewed_certificate_that_nginx_does_not_show(monkeypatch, days, missing, until, said):
    """The file's own words decide; reading it is `host.certificates`' and tested there."""
    checked = Certificate("/etc/ssl/app.pem", "", usable=True, not_after=until, days_left=days)
    checked.missing_names = missing
    asked = []
    monkeypatch.setattr(on_disk, "check_certificate", lambda path, key, names: asked.append(path) or checked)
    tls = {"verify_error": "certificate has expired", "not_after": "2023-02-01T00:00:00Z"}
    body = site("    ssl_certificate /etc/ssl/app.pem;\n" + proxied())
    facts = host(body, {"loopback": broken("tls", "expired", tls=tls)})
    report = conclude_live(facts)
    assert causes(report) == ["cert-invalid"]
    assert asked == ["/etc/ssl/app.pem"]
    assert ("only the reload is missing" in report.findings[0].title) == said


def test_an_address_in_the_url_is_no_name_that_is_missing():
    tls = {"verify_error": "IP address mismatch", "names": "other.test", "subject": "lab"}
    probe = broken("tls", "the certificate does not verify", tls=tls)
    facts = host(site(proxied()), {"loopback": probe}, url="wss://127.0.0.1/ws/x")
    assert causes(conclude_live(facts))[0] == "cert-invalid"


NO_CERTIFICATE = (
    'cannot load certificate "/etc/nginx/app.test.pem": BIO_new_file() failed (SSL: error:80000002) while '
    "SSL handshaking, client: 127.0.0.1, server: 0.0.0.0:443"
)


def test_a_certificate_by_variable_that_is_not_there():
    body = site("    ssl_certificate $ssl_server_name.pem;\n    ssl_certificate_key key.pem;\n" + proxied())
    facts = host(body, {"loopback": broken("tls", "alert internal error")}, log=[logged(NO_CERTIFICATE)])
    finding = first(facts)
    assert finding.code == "tls-handshake-failed"
    assert "it cannot load /etc/nginx/app.test.pem" in finding.detail
    assert finding.evidence[0].text == "ssl_certificate $ssl_server_name.pem"


def test_a_handshake_that_fails_for_another_reason_names_no_file():
    facts = host(site(proxied()), {"loopback": broken("tls", "alert")}, log=[logged("SSL_do_handshake()")])
    finding = first(facts)
    assert finding.code == "tls-handshake-failed" and not finding.detail
