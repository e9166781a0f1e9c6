"""Kinds of failures that real applications brought, each by the rule that tells them."""

from __future__ import annotations

import pytest
from seen import (
    UP,
    about_upstream,
    backend,
    broken,
    host,
    logged,
    opened,
    page,
    proxied,
    refused,
    site,
    socket_of,
)

from module_utils.nginx_websocket.behaviour.request import Request as Asked
from module_utils.nginx_websocket.behaviour.stream import passage
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.asking.backend import literal_prefix, other_paths
from module_utils.nginx_websocket.diagnosis.backend.properties import _path_code
from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.diagnosis.experiments.search import Request
from module_utils.nginx_websocket.diagnosis.reload import on_disk
from module_utils.nginx_websocket.host.certificates import Certificate
from module_utils.nginx_websocket.host.stopped_units import StoppedUnit

SILENT = broken("answer-timeout", "connected, but no answer within 5.0 s")


def causes(report):
    return [finding.code for finding in report.findings if finding.is_cause]


def typed(kind):
    """A backend that opens, with this Content-Type in its 101."""
    return opened(headers=[("Content-Type", kind)] if kind else [])


@pytest.mark.parametrize(
    ("lines", "kind", "found"),
    [
        ("ssi on;", "text/html; charset=utf-8", ["ssi-holds-upgrade"]),
        ("ssi on; ssi_types application/json;", "application/json", ["ssi-holds-upgrade"]),
        ("ssi on; ssi_types *;", "text/plain", ["ssi-holds-upgrade"]),
        ("ssi on;", "application/json", []),
        ("ssi on;", "", []),
        ("ssi off;", "text/html", []),
    ],
)
def test_ssi_holds_a_101_of_its_types_alone(lines, kind, found):
    facts = host(site(proxied(lines=lines)), {"loopback": SILENT}, backends=[backend(typed(kind))])
    assert [code for code in causes(conclude_live(facts)) if code == "ssi-holds-upgrade"] == found


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


def test_the_cure_of_ssi_is_for_the_location():
    held = backend(typed("text/html"))
    report = conclude_live(host("ssi on;\n" + site(proxied()), {"loopback": SILENT}, backends=[held]))
    assert "+        ssi off;" in report.findings[0].change.text


def test_a_port_that_proxy_bind_cannot_have():
    line = about_upstream(
        "bind(192.0.2.1) failed (99: Cannot assign requested address) while connecting to upstream",
        "http://127.0.0.1:8000/ws/x",
        level="crit",
    )
    facts = host(
        site(proxied(lines="proxy_bind 192.0.2.1;")),
        {"loopback": page(500)},
        backends=[backend(opened())],
        log=[line],
    )
    report = conclude_live(facts)
    assert causes(report) == ["proxy-bind-failed"]
    assert "proxy_bind" in report.findings[0].evidence[0].text


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


@pytest.mark.parametrize(
    ("to", "found"),
    [
        ("http://127.0.0.1:80", ["proxy-loop"]),
        ("http://127.0.0.1:80/other", []),
        ("http://127.0.0.1:8000", []),
    ],
)
def test_a_proxy_pass_that_leads_back_to_itself(to, found):
    text = "events {}\nhttp {\n" + site(proxied(to), "80") + "}\n"
    report = diagnose_dump(Question("ws://app.test/ws/x"), text.encode(), name="nginx.conf")
    assert causes(report) == found


# ---------------------------------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("regex", "prefix"),
    [
        ("^/gradio-demo/(.*)$", "/gradio-demo/"),
        ("^/ttyd(.*)$", "/ttyd"),
        ("^/app/v[0-9]+/", "/app/"),
        ("^/apps?/(.*)", "/"),
        ("^/(ws|x)/", "/"),
        ("^/ws|/x/", ""),
        ("/ws/", ""),
        ("^/api/ws$", "/api/ws"),
    ],
)
def test_the_whole_parts_with_which_a_regex_begins(regex, prefix):
    assert literal_prefix(regex) == prefix


def variables(path="/"):
    """A location whose proxy_pass is made of variables, with a URI part."""
    return (
        "    location ^~ /desktop/ {\n        set $to 127.0.0.1;\n        "
        f"{UP}\n        proxy_pass http://$to:8000{path};\n    }}"
    )


def placed(head, to):
    """A location with everything that an upgrade needs."""
    return f"    location {head} {{\n        {UP}\n        proxy_pass {to};\n    }}"


def test_the_client_s_path_is_what_to_strip_where_variables_lost_it():
    facts = host(site(variables()), {"loopback": refused(404)}, url="wss://app.test/desktop/websockify")
    assert ("without the prefix /desktop/", "/websockify") in other_paths(facts)


def answered(body, url, sent, opening):
    """Facts where another path than nginx's opened at the backend."""
    found = backend(refused(404, "no route"))
    client = url.partition("app.test")[2]
    found.sent, found.client = Request(sent, []), Request(client, [])
    found.search.opening, found.search.opening_probe = Request(opening, []), opened()
    found.search.tried.append(("another path", found.search.opening_probe))
    found.search.fatal = ["path"]
    return host(body, {"loopback": refused(404, "no route")}, url=url, backends=[found]), found


@pytest.mark.parametrize(
    ("body", "url", "sent", "opening", "code", "change"),
    [
        (
            variables(),
            "wss://app.test/desktop/websockify",
            "/",
            "/websockify",
            "proxy-pass-variable-uri",
            "rewrite ^/desktop(/.*)$ $1 break;",
        ),
        (
            placed("~ ^/gradio/(.*)$", "http://127.0.0.1:8000"),
            "wss://app.test/gradio/queue/join",
            "/gradio/queue/join",
            "/queue/join",
            "proxy-pass-keeps-prefix",
            "rewrite ^/gradio(/.*)$ $1 break;",
        ),
        (
            placed("~ ^/ttyd(.*)$", "http://127.0.0.1:8000/$1"),
            "wss://app.test/ttyd/ws",
            "//ws",
            "/ws",
            "proxy-pass-double-slash",
            "proxy_pass http://127.0.0.1:8000$1;",
        ),
        (
            placed("/cable", "http://127.0.0.1:8000/"),
            "wss://app.test/cable",
            "/",
            "/cable",
            "proxy-pass-strips-prefix",
            "proxy_pass http://127.0.0.1:8000;",
        ),
    ],
)
def test_paths_that_no_uri_part_can_make(body, url, sent, opening, code, change):
    facts, found = answered(site(body), url, sent, opening)
    assert _path_code(facts, found) == code
    report = conclude_live(facts)
    assert causes(report) == [code]
    assert change in report.findings[0].change.text


# ---------------------------------------------------------------------------------------- who asks


def test_a_page_names_its_browser():
    conditions = 'if ($http_user_agent !~* "mozilla") { return 403; }\n'
    conditions += 'if ($http_user_agent ~* "curl|python") { return 403; }\n'
    text = "events {}\nhttp {\n" + site(conditions + proxied(), "80") + "}\n"
    assert causes(diagnose_dump(Question("ws://app.test/ws/x"), text.encode(), name="nginx.conf")) == []
    curl = Question("ws://app.test/ws/x", headers=[("User-Agent", "curl/8")])
    assert causes(diagnose_dump(curl, text.encode(), name="nginx.conf")) == ["return-status"]


def test_why_the_location_that_leads_there_does_not_answer_is_the_cause():
    body = (
        "    location ~ / {\n        proxy_pass http://127.0.0.1:8001;\n    }\n"
        f"    location /ws {{\n        {UP}\n        proxy_pass http://127.0.0.1:8000;\n    }}"
    )
    wrong = backend(refused(404, "no such page"), "127.0.0.1:8001", ("127.0.0.1", 8001))
    wrong.other_port = (socket_of(7, 8000), opened())
    facts = host(site(body), {"loopback": refused(404, "no such page")}, backends=[wrong])
    assert causes(conclude_live(facts)) == ["regex-shadows-prefix"]


# ---------------------------------------------------------------------------------------- in front, on disk

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


def test_the_unit_that_should_listen_is_named_with_what_it_said_last():
    nobody = backend(broken("connect-refused", "127.0.0.1:8000 refused the connection"))
    nobody.unit = StoppedUnit(
        "app.service", "failed (exit-code)", ["ModuleNotFoundError: No module named 'app'"]
    )
    line = about_upstream(
        "connect() failed (111: Connection refused) while connecting to upstream",
        "http://127.0.0.1:8000/ws/x",
    )
    report = conclude_live(host(site(proxied()), {"loopback": page(502)}, backends=[nobody], log=[line]))
    assert causes(report) == ["backend-down"]
    assert "app.service is failed (exit-code)" in report.sentence
    first = report.findings[0]
    assert any("ModuleNotFoundError" in item.text for item in first.evidence)
    assert "systemctl start app.service" in first.change.commands


@pytest.mark.parametrize("name", ["web", ""])
def test_the_container_that_has_the_port_is_named_where_it_is_known(name):
    facts = host(site(proxied()), {"loopback": refused(404)})
    facts.owner_is_nginx, facts.container = False, name
    facts.owner.exe = "/usr/bin/docker-proxy"
    first = conclude_live(facts).findings[0]
    assert first.code == "other-process-on-port"
    assert ("docker exec web nginx -T" in first.fix) == bool(name)
    assert "stop the other process" not in first.fix


@pytest.mark.parametrize("value", ["Upgrade", "'Upgrade'"])
def test_a_condition_on_the_whole_connection_header_looks_at_upgrade_instead(value):
    body = (
        f"    location / {{\n        if ($http_connection = {value}) {{\n"
        "            proxy_pass http://127.0.0.1:8000;\n        }\n"
        f"        {UP}\n    }}"
    )
    report = conclude_live(host(site(body), {"loopback": opened(), "other client": page(404)}))
    assert causes(report) == ["connection-header-wrong"]
    assert '+        if ($http_upgrade ~* "^websocket$") {' in report.findings[0].change.text


def test_a_listen_that_a_balancer_may_feed_keeps_its_proxy_line():
    closed = broken("closed-without-answer", "closed without a byte")
    facts = host(site(proxied(), "80 proxy_protocol"), {"loopback": closed}, url="ws://app.test/ws/x")
    facts.log = [
        logged('broken header: "GET /ws/x HTTP/1.1" while reading PROXY protocol, client: 127.0.0.1')
    ]
    report = conclude_live(facts)
    assert causes(report) == ["proxy-protocol-mismatch"]
    assert report.findings[0].change is None or not report.findings[0].change.text
