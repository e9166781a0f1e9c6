"""A socket that ends early, and one that a limit refuses."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from tests.unit.diagnosis.seen import about_upstream, backend, first, host, opened, page, proxied, shown, site


@pytest.mark.parametrize(
    ("lines", "after", "direct", "code"),
    [
        ("proxy_read_timeout 3s;", 3.0, opened(), "timeout-short"),
        ("", 1.0, opened(closed_after=1.0), "backend-closed"),
    ],
)
def test_a_socket_that_ends(lines, after, direct, code):
    facts = host(
        site(proxied(lines=lines)),
        {"loopback": opened(closed_after=after, close_code=1006)},
        backends=[backend(direct)],
    )
    assert first(facts).code == code


@pytest.mark.parametrize(
    ("body", "answer", "log", "code"),
    [
        (
            "limit_conn_zone $binary_remote_addr zone=a:1m;\n"
            + site(proxied(lines="        limit_conn a 1;")),
            page(503),
            [],
            "limit-conn",
        ),
        (
            "upstream app { server 127.0.0.1:8000 max_conns=1; }\n" + site(proxied("http://app")),
            page(502),
            [about_upstream("no live upstreams while connecting to upstream", "http://app/ws/x")],
            "upstream-max-conns",
        ),
    ],
)
def test_a_second_socket_is_refused_by_a_limit(body, answer, log, code):
    facts = host(body, {"loopback": opened()}, backends=[backend(opened())], log=log)
    facts.many = [opened(), answer]
    report = conclude_live(facts)
    finding = next(one for one in report.findings if one.code == code)
    assert "of 2 sockets opened together 1 opened" in shown(finding)
