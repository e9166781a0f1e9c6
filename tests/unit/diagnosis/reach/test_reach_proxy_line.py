"""A PROXY line that is missing, in front of nginx or between two of its servers."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests.unit.diagnosis.seen import (
    UP,
    backend,
    broken,
    causes,
    host,
    logged,
    opened,
    page,
    proxied,
    shown,
    site,
)

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


INNER = "server { listen 127.0.0.1:8000 WORDS; location / { UP proxy_pass http://127.0.0.1:9000; } }\n"


def inner(words):
    """A second server of the same nginx, with these words in its listen."""
    return INNER.replace(" WORDS", words).replace("UP", UP)


@pytest.mark.parametrize(("words", "found"), [(" proxy_protocol", ["proxy-protocol-mismatch"]), ("", [])])
def test_an_inner_server_that_waits_for_a_proxy_line(words, found):
    closed = broken("closed-without-answer", "closed without a byte")
    facts = host(
        site(proxied()) + inner(words),
        {"loopback": page(502)},
        backends=[backend(closed)],
        log=[],
    )
    report = conclude_live(facts)
    assert [code for code in causes(report) if code == "proxy-protocol-mismatch"] == found
    if found:
        assert "+server { listen 127.0.0.1:8000; location" in report.findings[0].change.text


def test_a_listen_that_a_stream_server_feeds_keeps_its_proxy_line():
    text = (
        "events {}\nstream { server { listen 7000; proxy_pass 127.0.0.1:8000; proxy_protocol on; } }\n"
        "http {\n" + site(proxied(), "80") + inner(" proxy_protocol") + "}\n"
    )
    report = diagnose_dump(Question("ws://app.test/ws/x"), text.encode(), name="nginx.conf")
    assert causes(report) == ["proxy-protocol-mismatch"]
    assert report.findings[0].change is None
    works = text.replace("listen 127.0.0.1:8000 proxy_protocol", "listen 127.0.0.1:8000")
    assert causes(diagnose_dump(Question("ws://app.test/ws/x"), works.encode(), name="nginx.conf")) == []


def test_a_listen_that_a_balancer_may_feed_keeps_its_proxy_line():
    closed = broken("closed-without-answer", "closed without a byte")
    facts = host(site(proxied(), "80 proxy_protocol"), {"loopback": closed}, url="ws://app.test/ws/x")
    facts.log = [
        logged('broken header: "GET /ws/x HTTP/1.1" while reading PROXY protocol, client: 127.0.0.1')
    ]
    report = conclude_live(facts)
    assert causes(report) == ["proxy-protocol-mismatch"]
    assert report.findings[0].change is None or not report.findings[0].change.text
