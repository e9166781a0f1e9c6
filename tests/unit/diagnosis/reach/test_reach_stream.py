"""A ``stream`` server in front: what it does to a connection, and when it ends one."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.capacity.timing import silence
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.diagnosis.evidence.following import followed
from module_utils.nginx_websocket.diagnosis.hops import LOOK, hold_seconds
from tests.unit.diagnosis.seen import (
    CONF,
    PLAIN,
    URL,
    backend,
    broken,
    first,
    host,
    logged,
    opened,
    page,
    proxied,
    refused,
    shown,
    site,
)

BEHIND = site(proxied(lines="        proxy_read_timeout 1h;"), "127.0.0.1:8081")
OTHER = "server {\n    listen 127.0.0.1:8446 ssl;\n    server_name www.test;\n    return 404;\n}\n"


def in_front(stream, http=BEHIND, *, url=PLAIN, hops=None, **more):
    """A host whose stream block has these lines."""
    facts = host("", hops or {}, url=url, **more)
    text = f"events {{}}\nstream {{\n{stream}\n}}\nhttp {{\n{http}}}\n".encode()
    facts.configuration = load(CONF, read=lambda path: text, glob=lambda pattern: [])
    port = facts.question.endpoint.port
    facts.route = followed(facts, facts.question.route_request(f"127.0.0.1:{port}", "127.0.0.1"))
    return facts


def server(*lines):
    return "server {\n" + "".join(f"    {line}\n" for line in lines) + "}"


@pytest.mark.parametrize(
    ("line", "seconds", "name"),
    [
        ("", 600.0, "proxy_timeout of stream"),
        ("proxy_timeout 2s;", 2.0, "proxy_timeout of stream"),
        ("proxy_timeout 2h;", 3600.0, "proxy_read_timeout"),
    ],
)
def test_the_shortest_time_of_silence_counts(line, seconds, name):
    facts = in_front(server("listen 80;", line, "proxy_pass 127.0.0.1:8081;"))
    limit = silence(facts)
    assert (limit.seconds, limit.name) == (seconds, name)
    assert hold_seconds(facts) == (3.0 if seconds == 2.0 else LOOK)
    inherited = in_front(line + server("listen 80;", "proxy_pass 127.0.0.1:8081;"))
    assert silence(inherited).seconds == seconds


def test_it_ends_a_silent_socket():
    ends = opened(closed_after=2.02, close_code=1006)
    facts = in_front(
        server("listen 80;", "proxy_timeout  2s;", "proxy_pass 127.0.0.1:8081;"),
        hops={"loopback": opened(), "held": ends},
        backends=[backend(opened())],
    )
    finding = first(facts)
    assert finding.code == "timeout-short" and "2 s of silence (proxy_timeout of stream)" in finding.title
    assert (
        "+    proxy_timeout 1h;" in finding.change.diff()
        and "proxy_read_timeout" not in finding.change.diff()
    )


def test_a_socket_that_does_not_last_is_no_success():
    ends = opened(closed_after=3.3, close_code=1006, error="closed by the server after 3.3 s")
    facts = in_front(
        server("listen 80;", "proxy_pass 127.0.0.1:8081;"),
        hops={"loopback": opened(), "held": ends},
        backends=[backend(opened())],
    )
    report = conclude_live(facts)
    assert report.verdict == "cannot tell" and "closed by the server after 3.3 s" in report.sentence
    assert not any(finding.is_cause for finding in report.findings)


def test_it_lets_an_address_in_by_no_rule():
    facts = in_front(
        server("listen 80;", "allow 192.0.2.77;", "deny all;", "proxy_pass 127.0.0.1:8081;"),
        hops={"loopback": broken("closed-without-answer")},
        log=[logged("access forbidden by rule, client: 127.0.0.1, server: 0.0.0.0:80")],
    )
    finding = first(facts)
    assert finding.code == "access-denied" and "stream server in front" in finding.title
    assert "deny all" in shown(finding) and "allow 192.0.2.77" in shown(finding)
    assert not finding.change or not finding.change.diff(), "a guard is never taken away"
    facts.log = []
    assert conclude_live(facts).verdict == "cannot tell"


def test_it_ends_tls_where_tls_is_expected():
    facts = in_front(
        server("listen 443 ssl;", "proxy_pass 127.0.0.1:8444;"),
        site(proxied(), "127.0.0.1:8444 ssl"),
        url=URL,
        hops={"loopback": refused(400)},
    )
    finding = first(facts)
    assert finding.code == "plain-http-to-tls-port" and "proxy_ssl on" in finding.fix
    assert "+    proxy_ssl on;" in finding.change.diff()


MAP = "map $ssl_preread_server_name $behind {{\n    {} 127.0.0.1:8444;\n    default 127.0.0.1:8446;\n}}\n"


@pytest.mark.parametrize(("name", "code"), [("ap.test", "default-server-captured"), ("app.test", "")])
def test_its_map_has_no_entry_for_the_name(name, code):
    facts = in_front(
        MAP.format(name) + server("listen 443;", "ssl_preread on;", "proxy_pass $behind;"),
        site(proxied(), "127.0.0.1:8444 ssl") + OTHER,
        url=URL,
        hops={"loopback": page(404)},
    )
    finding = conclude_live(facts).findings[0]
    assert (finding.code == "default-server-captured") == bool(code)
    if code:
        assert "has no entry for app.test" in finding.title and "app.test 127.0.0.1:8444;" in finding.fix
        assert "+    app.test 127.0.0.1:8444;" in finding.change.diff()
