"""Causes whose cure is a line or two of nginx's files, and the diff that each brings."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests.unit.diagnosis.seen import UP, about_upstream, backend, host, opened, page, proxied, site

PASS = f"{UP} proxy_pass http://127.0.0.1:8000;"


def shown_in(finding):
    """The lines that a diff takes and adds, each behind its sign."""
    diff = finding.change.text if finding.change is not None else ""
    lines = [line for line in diff.split("\n") if line[:1] in ("+", "-") and line[:3] not in ("+++", "---")]
    return [line[0] + line[1:].strip() for line in lines]


def from_dump(body, scheme="ws", version=(1, 22, 1)):
    """The first cause by the configuration alone, with the lines that its diff adds."""
    text = "events {}\nhttp {\n" + body + "}\n"
    asked = Question(f"{scheme}://127.0.0.1/ws/x", host="app.test")
    report = diagnose_dump(asked, text.encode(), version=version, name="nginx.conf")
    finding = report.findings[0]
    return finding.code, [line[1:] for line in shown_in(finding) if line[0] == "+"]


@pytest.mark.parametrize("flag", [" last", ""])
def test_a_rewrite_that_leaves_the_location_stays_in_it(flag):
    body = site(
        f"    location /ws/ {{\n        rewrite ^/ws/(.*)$ /$1{flag};\n        {PASS}\n    }}\n"
        "    location / {\n        proxy_pass http://127.0.0.1:8001;\n    }",
        "80",
    )
    assert from_dump(body) == ("rewrite-relocates", ["rewrite ^/ws/(.*)$ /$1 break;"])


def test_a_server_hidden_by_an_exact_address_listens_there_too():
    body = (
        "server {\n    listen 127.0.0.1:80;\n    server_name www.test;\n    location / { return 404; }\n}\n"
    )
    assert from_dump(body + site(proxied(), "80")) == ("listen-address-captured", ["listen 127.0.0.1:80;"])


@pytest.mark.parametrize(
    ("own", "added"), [("", []), ("    ssl_certificate b;\n", ["listen 127.0.0.1:443 ssl;"])]
)
def test_tls_is_offered_to_a_server_with_a_certificate(own, added):
    body = (
        "server {\n    listen 127.0.0.1:443 ssl;\n    server_name www.test;\n    ssl_certificate a;\n"
        "    location / { return 404; }\n}\n"
    )
    assert from_dump(body + site(own + proxied()), "wss") == ("listen-address-captured", added)


def test_http2_goes_from_a_plain_listen():
    assert from_dump(site(proxied(), "80 http2")) == ("h2c-on-plain-port", ["listen 80;"])
    grpc = "    location /rpc/ { grpc_pass grpc://127.0.0.1:9; }\n"
    assert from_dump(site(grpc + proxied(), "80 http2")) == ("h2c-on-plain-port", [])
    assert from_dump(site(proxied(), "80 http2"), version=(1, 26, 0))[0] != "h2c-on-plain-port"


def by_log(lines, words, level="error", answer=502):
    """The cause where nginx's log has these words, with the lines of its diff."""
    log = [about_upstream(words, "http://127.0.0.1:8000/ws/x", level)]
    body = site(proxied(lines=lines))
    facts = host(body, {"loopback": page(answer)}, backends=[backend(opened())], log=log)
    finding = conclude_live(facts).findings[0]
    return finding.code, shown_in(finding)


@pytest.mark.parametrize("lines", ["", "proxy_buffer_size 4k;", "proxy_buffers 4 4k;\nproxy_buffer_size 4k;"])
def test_room_for_the_headers_of_an_answer(lines):
    code, shown = by_log(lines, "upstream sent too big header while reading response header from upstream")
    assert code == "upstream-header-too-big"
    added = sorted(line.split()[0] for line in shown if line[0] == "+")
    assert added == ["+proxy_buffer_size", "+proxy_buffers", "+proxy_busy_buffers_size"]
    assert [line for line in shown if line[0] == "-"] == [f"-{line}" for line in lines.split("\n") if line]


def test_a_proxy_bind_that_cannot_be_goes():
    words = "bind(192.0.2.1) failed (99: Cannot assign requested address) while connecting to upstream"
    code, shown = by_log("proxy_bind 192.0.2.1;", words, "crit", 500)
    assert (code, shown) == ("proxy-bind-failed", ["-proxy_bind 192.0.2.1;"])


def test_a_variable_that_is_misspelt_gets_the_name_that_is_meant():
    maps = "map $http_upgrade $connection_upgrade {\n default upgrade;\n '' close;\n}\n"
    head = "        proxy_http_version 1.1;\n        proxy_set_header Upgrade $http_upgraded;\n"
    body = f"    location / {{\n{head}        proxy_set_header Connection $connection_upgraded;\n"
    code, added = from_dump(maps + site(body + "        proxy_pass http://127.0.0.1:8000;\n    }", "80"))
    assert code == "missing-map"
    assert added == [
        "proxy_set_header Upgrade $http_upgrade;",
        "proxy_set_header Connection $connection_upgrade;",
    ]


def test_a_variable_like_no_other_gets_its_map():
    body = proxied().replace('"upgrade"', "$upgrade_of_connections")
    code, added = from_dump(site(body, "80"))
    assert (code, added[0]) == ("missing-map", "map $http_upgrade $upgrade_of_connections {")


@pytest.mark.parametrize("version", [(1, 22, 1), (1, 29, 4)])
def test_http2_to_the_backend_becomes_http_1_1(version):
    body = proxied().replace("proxy_http_version 1.1;", "proxy_http_version 2;")
    assert from_dump(site(body, "80"), version=version)[0] == "http2-upstream"
    assert "proxy_http_version 1.1;" in from_dump(site(body, "80"), version=version)[1][0]
