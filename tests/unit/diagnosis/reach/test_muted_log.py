"""Where nginx's error log is set to say nothing, other signs tell what it would have said."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.evidence.facts import Facts, Question
from module_utils.nginx_websocket.diagnosis.reach import muted_log
from tests.unit.diagnosis.seen import (
    PLAIN,
    UP,
    backend,
    broken,
    causes,
    host,
    logged,
    opened,
    page,
    proxied,
    refused,
    shown,
    site,
)

MUTE = "error_log /var/log/nginx/error.log emerg;\n"
CLOSED = broken("closed-without-answer")
COPY = f"location = /copy {{ internal; {UP} proxy_pass http://127.0.0.1:8001; }}"
BIND = proxied(lines="proxy_bind 203.0.113.9;")
MIRROR = proxied(lines="mirror /copy;") + COPY


def told(body, answer, *, log=MUTE, direct=None):
    """The causes for a host with that error_log, and the first finding."""
    facts = host(
        log + site(body, "80"), {"loopback": answer}, url=PLAIN, backends=[backend(direct or opened())]
    )
    report = conclude_live(facts)
    return causes(report), report.findings[0]


@pytest.mark.parametrize(
    ("body", "answer", "direct", "code"),
    [
        (BIND, page(500), None, "proxy-bind-failed"),
        (proxied(lines="proxy_bind [2001:db8::9]:0;"), page(500), None, "proxy-bind-failed"),
        (MIRROR, CLOSED, None, "mirror-upgraded"),
        (MIRROR, opened(closed_after=0.01, close_code=1006), None, "mirror-upgraded"),
        (proxied(), page(502), opened(head_bytes=70_000), "upstream-header-too-big"),
        (
            proxied(lines="proxy_buffer_size 1k;"),
            page(502),
            opened(head_bytes=1025),
            "upstream-header-too-big",
        ),
    ],
)
def test_what_a_log_that_says_nothing_would_have_said(body, answer, direct, code):
    for log in (MUTE, "error_log /dev/null;\n", "error_log /dev/null crit;\n"):
        found, finding = told(body, answer, direct=direct, log=log)
        assert found == [code]
        assert "directly" in shown(finding)


@pytest.mark.parametrize(
    ("body", "answer", "direct"),
    [
        (proxied(), page(500), None),
        (proxied(lines="proxy_bind 127.0.0.1;"), page(500), None),  # this host has it
        (proxied(lines="proxy_bind $remote_addr transparent;"), page(500), None),
        (proxied(lines="proxy_bind 203.0.113.9 transparent;"), page(500), None),
        (proxied(lines="proxy_bind off;"), page(500), None),
        (BIND, page(502), None),  # nginx answers 500 where it cannot bind
        (BIND, page(500), refused(403, "no")),
        (proxied(lines="mirror off;") + COPY, CLOSED, None),
        (proxied(lines="mirror /other;") + "location = /other { return 204; }", CLOSED, None),
        (MIRROR.replace("$http_upgrade", '""'), CLOSED, None),
        (MIRROR, page(502), None),
        (MIRROR, opened(closed_after=3.0, close_code=1006), None),
        (MIRROR, opened(closed_after=0.01), opened(closed_after=0.01)),  # the backend closes it itself
        (proxied(lines="proxy_buffer_size 1k;"), page(502), opened(head_bytes=1024)),
        (proxied(lines="proxy_buffer_size 1k;"), page(500), opened(head_bytes=1025)),
    ],
)
def test_nothing_is_guessed(body, answer, direct):
    assert not {"proxy-bind-failed", "mirror-upgraded", "upstream-header-too-big"} & set(
        told(body, answer, direct=direct)[0]
    )


@pytest.mark.parametrize(
    ("body", "answer", "direct"),
    [
        (BIND, page(500), None),
        (MIRROR, CLOSED, None),
        (proxied(), page(502), opened(head_bytes=70_000)),
    ],
)
def test_a_log_that_speaks_and_has_no_line_says_that_it_did_not_happen(body, answer, direct):
    assert told(body, answer, direct=direct, log="")[0] == []


@pytest.mark.parametrize(
    ("lines", "speaks"),
    [
        ("", (True, True)),
        ("error_log x;", (True, True)),
        ("error_log x warn;", (True, True)),
        ("error_log x error;", (True, True)),
        ("error_log x crit;", (False, True)),
        ("error_log x alert;", (False, False)),
        ("error_log /dev/null debug;", (False, False)),
        ("error_log x emerg; error_log y error;", (True, True)),
    ],
)
def test_which_lines_a_log_lets_through(lines, speaks):
    text = f"{lines}\nevents {{}}\nhttp {{\n{site(proxied(), '80')}}}\n".encode()
    configuration = load("/n.conf", read=lambda path: text, glob=lambda pattern: [])
    found = route(configuration, Question(PLAIN).route_request())
    facts = Facts(Question(PLAIN), route=found, log_readable=True)
    assert (muted_log.says(facts, b"error"), muted_log.says(facts, b"crit")) == speaks
    facts.log_readable = False
    assert not muted_log.says(facts, b"emerg")


@pytest.mark.parametrize("words", ["limiting requests, excess: 0.9", "limiting connections by zone"])
def test_a_guard_that_closes_the_connection_is_known_by_the_log(words):
    facts = host(
        site(proxied(), "80"),
        {"loopback": CLOSED},
        url=PLAIN,
        backends=[backend(opened())],
        log=[logged(f'{words} "a", client: 127.0.0.1, request: "GET /ws/x HTTP/1.1"')],
    )
    assert causes(conclude_live(facts)) == ["limit-req" if "requests" in words else "limit-conn"]
