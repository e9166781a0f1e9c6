"""What stands in front of nginx: another host, a certificate of its own, a stream server."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request as Asked
from module_utils.nginx_websocket.behaviour.stream import passage
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from tests.unit.diagnosis.seen import broken, causes, host, logged, opened, proxied, refused, shown, site


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
    assert "address-unreachable" in [finding.code for finding in report.findings]


def test_a_bad_certificate_in_front_is_named_as_such():
    tls = {"verify_error": "certificate has expired", "not_after": "2020-01-01T00:00:00Z"}
    facts = host(site(proxied()), {"loopback": opened(), "public": broken("tls", tls=tls)})
    assert causes(conclude_live(facts)) == ["cert-invalid"]


STREAM = (
    "events {}\nstream {\n map $ssl_preread_server_name $behind {\n  www.test 127.0.0.1:8443;\n"
    "  default 127.0.0.1:8446;\n }\n"
    " server { listen 443; ssl_preread on; proxy_pass $behind; }\n}\nhttp {\n"
)


def test_a_name_that_the_map_in_front_does_not_know():
    text = STREAM + site(proxied(), "127.0.0.1:8443 ssl") + "}\n"
    configuration = load("/etc/nginx/nginx.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    facts = host("", {"loopback": broken("tls", "closed during the TLS handshake")})
    facts.configuration = configuration
    asked: Asked = facts.question.route_request("127.0.0.1:443", "127.0.0.1")
    facts.passage, facts.route = passage(configuration, asked, (1, 22, 1)), None
    facts.log = [
        logged(
            "connect() failed (111: Connection refused) while connecting to upstream, client: 127.0.0.1, "
            'server: 0.0.0.0:443, upstream: "127.0.0.1:8446"'
        )
    ]
    report = conclude_live(facts)
    assert causes(report) == ["backend-down"]
    assert "no entry for app.test" in report.sentence
    assert report.findings[0].fix.endswith("app.test 127.0.0.1:8443;")
    facts.log = []
    assert "no entry" not in conclude_live(facts).sentence
