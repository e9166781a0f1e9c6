"""What rules must leave alone, and the values at which they turn."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.asking import backend as asking
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.evidence.facts import BackendFacts, Facts, Question
from module_utils.nginx_websocket.diagnosis.experiments.search import Request, client_only
from module_utils.nginx_websocket.diagnosis.reload import stale
from tests.unit.diagnosis.seen import (
    CONNECT_REFUSED,
    PLAIN,
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
    shown,
    site,
)

TIMED_OUT = "upstream timed out (110: Connection timed out) while reading response header from upstream"


def test_headers_of_every_handshake_are_nobodys_own():
    headers = [("Host", "a"), ("Upgrade", "websocket"), ("Origin", "http://a"), ("X-Token", "1")]
    assert client_only(Request("/", headers)) == ["X-Token"]


@pytest.mark.parametrize("status", [400, 404])
def test_words_about_the_tls_port_count_in_a_400_alone(status):
    answer = page(status, "The plain HTTP request was sent to HTTPS port")
    facts = host(site(proxied(), "80"), {"loopback": answer}, url=PLAIN, backends=[backend(opened())])
    assert ("plain-http-to-tls-port" in causes(conclude_live(facts))) == (status == 400)


@pytest.mark.parametrize(("hold", "seconds"), [(0.0, asking.LOOK), (0.3, 0.3), (60.0, asking.LOOK)])
def test_an_open_socket_is_watched_as_long_as_was_asked_and_not_longer(hold, seconds):
    assert asking._watched(Facts(Question(PLAIN, hold=hold)), alone=False) == seconds


@pytest.mark.parametrize(("hold", "seconds"), [(0.0, asking.LOOK), (0.3, 0.0), (0.4, 0.4)])
def test_the_only_backend_was_watched_through_nginx(hold, seconds):
    assert asking._watched(Facts(Question(PLAIN, hold=hold)), alone=True) == seconds


def test_without_a_master_a_relative_socket_hangs_on_the_root():
    assert asking.working_directory(Facts(Question(PLAIN))) == "/"


@pytest.mark.parametrize(
    ("written", "used", "same"),
    [
        ("http://127.0.0.1/x", "127.0.0.1:80", True),
        ("https://127.0.0.1/x", "127.0.0.1:443", True),
        ("https://127.0.0.1", "127.0.0.1:80", False),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
    ],
)
def test_an_address_without_a_port_has_that_of_its_scheme(written, used, same):
    assert bool(stale._may_be(written, used)) == same


@pytest.mark.parametrize(("seconds", "late"), [(2.9, False), (3.0, True), (3.1, True)])
def test_an_answer_at_the_very_timeout_comes_too_late(seconds, late):
    facts = host(
        site(proxied(lines="proxy_read_timeout 3s;"), "80"),
        {"loopback": page(504)},
        url=PLAIN,
        backends=[backend(opened(seconds=seconds))],
        log=[about_upstream(TIMED_OUT, "http://127.0.0.1:8000/ws/x")],
    )
    assert first(facts).code == ("timeout-short" if late else "backend-hang")


def test_a_refusal_of_nginx_that_no_file_has_comes_from_what_it_loaded_before():
    facts = host(
        site(proxied(), "80"),
        {"loopback": page(403)},
        url=PLAIN,
        backends=[backend(opened())],
        newer_files=[newer()],
    )
    assert causes(conclude_live(facts)) == ["stale-config-not-reloaded"]


def test_the_page_that_hides_a_dead_backend_is_named():
    line = about_upstream(CONNECT_REFUSED, "http://127.0.0.1:8000/ws/x")
    facts = host(
        site("error_page 502 =200 /m.html;\n" + proxied(), "80"),
        {"loopback": page(200)},
        url=PLAIN,
        backends=[backend(broken("connect-refused"))],
        log=[line],
    )
    finding = first(facts)
    assert finding.code == "backend-down"
    assert "error_page 502 =200 /m.html" in shown(finding)


def test_a_backend_that_was_asked_for_a_page_alone_opens_nothing():
    facts = host(
        "error_log /dev/null;\n" + site(proxied(lines="mirror /copy;"), "80"),
        {"loopback": broken("closed-without-answer")},
        url=PLAIN,
        backends=[BackendFacts("127.0.0.1:8000", ("127.0.0.1", 8000), plain=page(200))],
    )
    assert causes(conclude_live(facts)) == []
