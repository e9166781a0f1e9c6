"""Kinds of failures that public reports brought, each by the rule that tells them."""

from __future__ import annotations

import pytest
from seen import UP, about_upstream, backend, broken, host, opened, page, patched, proxied, refused, site

from module_utils.nginx_websocket.diagnosis.asking.browsers_view import refused as was_refused
from module_utils.nginx_websocket.diagnosis.asking.browsers_view import spoken_of
from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question

DOWN = broken("connect-refused", "127.0.0.1:8000 refused the connection")
CONNECT = "connect() failed (111: Connection refused) while connecting to upstream"
LINE = about_upstream(CONNECT, "http://127.0.0.1:8000/ws/x")


def causes(report):
    return [finding.code for finding in report.findings if finding.is_cause]


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


def test_a_page_of_the_site_is_refused_and_a_bare_client_is_not():
    facts = host(site(proxied()), {"loopback": refused(403, "bad origin"), "no origin": opened()})
    facts.backends = []
    report = conclude_live(facts)
    assert causes(report) == ["origin-rejected"]
    assert "a page of this very site" in report.sentence


def test_servers_that_differ_fail_although_one_opens():
    good, bad = backend(opened()), backend(refused(404), "127.0.0.1:8001", ("127.0.0.1", 8001))
    good.each, bad.each = [("127.0.0.1:8000", opened())], [("127.0.0.1:8001", refused(404))]
    pool = "upstream pool {\n server 127.0.0.1:8000;\n server 127.0.0.1:8001;\n}\n"
    facts = host(pool + site(proxied("http://pool")), {"loopback": opened()}, backends=[good, bad])
    facts.repeated = [opened(), refused(404), opened(), refused(404)]
    report = conclude_live(facts)
    assert (report.verdict, causes(report)) == ("fails", ["upstream-servers-differ"])
    assert "127.0.0.1:8001" in report.sentence
    facts.repeated = [opened(), opened()]
    assert conclude_live(facts).verdict == "works"


@pytest.mark.parametrize(
    ("url", "body", "first"),
    [
        ("wss://a.test/mqtt", "", "mqtt"),
        ("wss://a.test/graphql", "", "graphql-transport-ws"),
        ("wss://a.test/x", "unsupported subprotocol", "mqtt"),
        ("wss://a.test/x", "not found", None),
    ],
)
def test_subprotocols_are_offered_where_somebody_speaks_of_them(url, body, first):
    found = spoken_of(Question(url), refused(400, body))
    assert (found[0] if found else None) == first


def test_a_close_frame_at_once_is_a_refusal():
    assert was_refused(opened(closed_after=0.05, close_code=1008))
    assert not was_refused(opened())
    assert was_refused(refused(403))
    assert not was_refused(page(502))


def test_a_page_sends_its_own_origin_and_other_clients_none():
    assert Question("wss://a.test/x").sent_origin == "https://a.test"
    assert Question("ws://a.test:81/x", host="b.test").sent_origin == "http://b.test"
    assert Question("wss://a.test/x", origin="").sent_origin is None


SWALLOWED = """server {{
    listen 80;
    server_name app.test{}
    proxy_http_version 1.1;
    location / {{
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        proxy_pass http://b;
    }}
}}
"""


@pytest.mark.parametrize("end", ["", " # the site", "\r"])
def test_a_missing_semicolon_is_named_before_what_it_swallowed(end):
    text = "events {}\nhttp {\n" + SWALLOWED.format(end) + "}\n"
    report = diagnose_dump(Question("ws://app.test/x"), text.encode())
    codes = [finding.code for finding in report.findings]
    assert codes.index("semicolon-missing") < codes.index("http10-upstream")


def test_a_name_that_no_server_has():
    body = site("    return 404;").replace("app.test", "other.test") + site(proxied()).replace(
        "app.test", "b.test"
    )
    report = conclude_live(host(body, {"loopback": page(404)}))
    assert causes(report)[0] == "default-server-captured"


def test_a_server_alone_on_its_port_that_has_the_name_is_no_stranger():
    report = conclude_live(host(site("    location / { return 503; }"), {"loopback": page(503)}))
    assert causes(report) == ["return-status"]


def test_no_diff_takes_a_password_away():
    lines = "auth_basic x; auth_basic_user_file /u;"
    report = conclude_live(host(site(proxied(lines=lines)), {"loopback": page(401)}))
    assert causes(report) == ["auth-basic"]
    assert not report.as_data()["findings"][0]["diff"]


def test_no_diff_stands_beside_a_socket_that_opens():
    facts = host(site(proxied(lines="proxy_read_timeout 20s;")), {"loopback": opened()}, backends=[])
    report = conclude_live(facts)
    assert report.verdict == "works"
    assert not any(finding["diff"] for finding in report.as_data()["findings"])


def test_a_second_connection_line_goes_too():
    body = f"location / {{\n{UP}\nproxy_set_header Connection close;\nproxy_pass http://b;\n}}"
    text = (
        "events {}\nhttp {\n"
        + site(body.replace('Connection "upgrade"', 'Connection "upgraded"'), "80")
        + "}\n"
    )
    finding = diagnose_dump(Question("ws://app.test/x"), text.encode()).findings[0]
    assert finding.code == "connection-header-wrong"
    assert patched(text, finding.change.diff()).count("proxy_set_header Connection") == 1


def test_an_address_in_the_url_is_no_name_that_is_missing():
    tls = {"verify_error": "IP address mismatch", "names": "other.test", "subject": "lab"}
    probe = broken("tls", "the certificate does not verify", tls=tls)
    facts = host(site(proxied()), {"loopback": probe}, url="wss://127.0.0.1/ws/x")
    assert causes(conclude_live(facts))[0] == "cert-invalid"
