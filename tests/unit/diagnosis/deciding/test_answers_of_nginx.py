"""nginx's own answer to its cause; what is said beside a socket that opens."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from tests.unit.diagnosis.seen import (
    PLAIN,
    backend,
    first,
    host,
    logged,
    opened,
    page,
    proxied,
    refused,
    site,
)


@pytest.mark.parametrize(
    ("answer", "log", "code"),
    [
        (page(400, "The plain HTTP request was sent to HTTPS port"), [], "plain-http-to-tls-port"),
        (page(400, "Request Header Or Cookie Too Large"), [], "request-header-too-large"),
        (page(414), [], "request-header-too-large"),
        (page(503), [logged('limiting requests, excess: 1.0 by zone "a", client: 127.0.0.1')], "limit-req"),
        (page(503), [logged('limiting connections by zone "a", client: 127.0.0.1')], "limit-conn"),
        (page(403), [logged("access forbidden by rule, client: 127.0.0.1")], "access-denied"),
    ],
)
def test_nginx_says_no(answer, log, code):
    facts = host(
        site(proxied(), "80"), {"loopback": answer}, url=PLAIN, log=log, backends=[backend(opened())]
    )
    assert first(facts).code == code


@pytest.mark.parametrize(("answer", "told"), [(opened(), False), (refused(404, "no route"), True)])
def test_what_a_socket_that_opens_refutes_is_not_told(answer, told):
    body = site(proxied("http://127.0.0.1:8000/other/", "ssi on;"))
    report = conclude_live(host(body, {"loopback": answer}, backends=[backend(answer)]))
    codes = [finding.code for finding in report.findings]
    assert ("ssi-holds-upgrade" in codes, any(code.startswith("proxy-pass-") for code in codes)) == (
        told,
        told,
    )
    assert report.verdict == ("fails" if told else "works")


def test_no_diff_stands_beside_a_socket_that_opens():
    facts = host(site(proxied(lines="proxy_read_timeout 20s;")), {"loopback": opened()}, backends=[])
    report = conclude_live(facts)
    assert report.verdict == "works"
    assert not any(finding["diff"] for finding in report.as_data()["findings"])
