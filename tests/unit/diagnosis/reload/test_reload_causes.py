"""Files that nginx refuses, or has not read since they changed."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import ConfigTest, Question
from module_utils.nginx_websocket.diagnosis.reload.stale import stale
from tests.unit.diagnosis.seen import (
    CONF,
    CONNECT_REFUSED,
    MASTER,
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
    refused,
    shown,
    site,
    socket_of,
)


@pytest.mark.parametrize(
    ("message", "line", "code"),
    [
        ('[emerg] "map" directive is not allowed here', "", "map-wrong-context"),
        ('[emerg] unknown "connection_upgrade" variable', "", "missing-map"),
        ('[emerg] unknown "colour" variable', "", "nginx-config-invalid"),
        (
            '[emerg] invalid number of arguments in "proxy_set_header" directive',
            "proxy_set_header Upgrade;",
            "upgrade-header-wrong-value",
        ),
        (
            '[emerg] invalid number of arguments in "proxy_set_header" directive',
            "proxy_set_header Host;",
            "nginx-config-invalid",
        ),
        ('[emerg] invalid value "2"', "proxy_http_version 2;", "http2-upstream"),
        ('[emerg] unknown directive "nonsense"', "", "nginx-config-invalid"),
    ],
)
@pytest.mark.parametrize("running", [True, False])
def test_a_configuration_that_nginx_refuses(tmp_path, message, line, code, running):
    path = tmp_path / "nginx.conf"
    path.write_text(f"events {{}}\n{line}\n")
    facts = host(site(proxied()), {"loopback": page(502)})
    facts.test = ConfigTest(False, [f"{message} in {path}:2"], "nginx -t")
    if not running:
        facts.nginx.master = None
    finding = first(facts)
    assert finding.code == code and (finding.evidence[0].file, finding.evidence[0].line) == (str(path), 2)
    words = "goes on with the configuration that it loaded before" if running else "does not start with it"
    assert words in shown(finding)


def test_workers_that_ask_a_backend_the_files_do_not_name_have_not_been_reloaded():
    facts = host(
        site(proxied()),
        {"loopback": page(502)},
        backends=[backend(opened())],
        log=[about_upstream(CONNECT_REFUSED, "http://127.0.0.1:8999/ws/x")],
        newer_files=[newer()],
    )
    report = conclude_live(facts)
    assert causes(report) == ["stale-config-not-reloaded"]
    assert "8999" in shown(report.findings[0])


def test_workers_that_ask_what_the_files_name_are_not_stale():
    refusal = broken("connect-refused")
    facts = host(
        site(proxied()),
        {"loopback": page(502)},
        backends=[backend(refusal)],
        log=[about_upstream(CONNECT_REFUSED, "http://127.0.0.1:8000/ws/x")],
        newer_files=[newer()],
    )
    assert causes(conclude_live(facts)) == ["backend-down"]


def test_the_next_hop_of_the_same_nginx_asks_a_backend_of_its_own():
    body = f"server {{\n    listen 127.0.0.1:8081;\n{proxied('http://127.0.0.1:8400')}\n}}\n" + site(
        proxied("http://127.0.0.1:8081")
    )
    inner = backend(
        page(502),
        "127.0.0.1:8081",
        ("127.0.0.1", 8081),
        listeners=[socket_of(MASTER, 8081)],
        other_port=(socket_of(62, 8000), opened()),
    )
    facts = host(
        body,
        {"loopback": page(502)},
        backends=[inner],
        log=[about_upstream(CONNECT_REFUSED, "http://127.0.0.1:8400/ws/x")],
        newer_files=[newer()],
    )
    report = conclude_live(facts)
    assert causes(report) == ["backend-down"]
    assert "127.0.0.1:8400" in shown(report.findings[0])


def test_a_page_for_errors_may_ask_any_backend_of_the_configuration():
    body = site(
        proxied(lines="        error_page 502 = @other;")
        + "\n    location @other { proxy_pass http://127.0.0.1:9000; }"
    )
    facts = host(
        body,
        {"loopback": page(502)},
        backends=[backend(broken("connect-refused"))],
        log=[about_upstream(CONNECT_REFUSED, "http://127.0.0.1:9000/ws/x")],
        newer_files=[newer()],
    )
    assert causes(conclude_live(facts)) == ["backend-down"]


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


def test_a_variable_that_is_nearly_one_of_the_files_is_named_with_its_place():
    facts = host(
        site("set $vite 127.0.0.1:5173;\nlocation / { proxy_pass http://$vit; }"), {"loopback": page(502)}
    )
    facts.test = ConfigTest(False, ['[emerg] unknown "vit" variable'], "nginx -t")
    finding = first(facts)
    assert finding.code == "nginx-config-invalid" and finding.fix.startswith("write $vite where $vit stands")
    assert any(item.text == "uses $vit" and item.line for item in finding.evidence)


MISSPELT = """events {}
http {
    server {
        listen 80;
        server_name app.test;
        location / {
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            %s
            proxy_pass http://127.0.0.1:8000;
        }
    }
}
"""


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("proxy_set_header X-Real-IP $remote_adr;", "$remote_addr"),
        ("proxy_set_header X-Forwarded-For $proxy_add_x_forward_for;", "$proxy_add_x_forwarded_for"),
        ("add_header X-A ${schema};", "${scheme}"),
        ("set $room $request_url;", "$request_uri"),
        ("proxy_set_header X-A $colour;", ""),
        ("proxy_set_header X-A $http_hst;", ""),
        ("proxy_set_header X-A $remote_port;", ""),
        ("proxy_set_header X-A $geoip2_data_city;", ""),
        ("set $rooms 1; proxy_set_header X-A $rooms;", ""),
        ("access_log /a $remote_adr;", ""),
    ],
)
def test_a_variable_that_is_nearly_one_is_refused_in_a_dump(line, right):
    text = MISSPELT % line
    finding = diagnose_dump(Question("ws://app.test/ws"), text.encode()).findings[0]
    assert (finding.code == "nginx-config-invalid") == bool(right)
    if right:
        assert right.strip("${}") in finding.fix
        assert f"{right};" in finding.change.diff()


@pytest.mark.parametrize("whole", ["events {}\nhttp {\nSITE}\n", "SITE"])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "if ($http_upgrade) { proxy_set_header Upgrade $http_upgrade; }",
            'nginx refuses proxy_set_header here ("if in location"): it may stand in http, server or '
            "location only",
        ),
        (
            "listen 8080;",
            'nginx refuses listen here ("location"): it may stand in server only',
        ),
    ],
)
def test_a_directive_in_a_block_that_does_not_take_it(whole, line, said):
    block = site(f"    location / {{\n        {line}\n        proxy_pass http://127.0.0.1:8000;\n    }}")
    report = diagnose_dump(Question("wss://app.test/ws/x"), whole.replace("SITE", block).encode())
    cause = report.findings[0]
    assert (report.verdict, cause.code, cause.detail) == ("fails", "nginx-config-invalid", said)
    assert cause.evidence[0].line > 0


def test_how_long_after_the_workers_a_file_changed_is_told():
    facts = host(site(proxied()), {"loopback": page(404)}, newer_files=[newer()])
    assert "nginx.conf changed 1000 s after the workers started" in shown(stale(facts)[0])


def test_what_nginx_refuses_is_mended_by_its_message():
    body = site(proxied(lines="proxy_read_timeout 60 s;"), "80")
    facts = host(body, {"loopback": refused(400)}, url=PLAIN)
    line = next(item.line for item in facts.configuration.walk() if item.name == b"proxy_read_timeout")
    words = 'invalid number of arguments in "proxy_read_timeout" directive'
    facts.test = ConfigTest(False, [f"[emerg] {words} in {CONF}:{line}"], "nginx -t")
    finding = conclude_live(facts).findings[0]
    assert finding.code == "nginx-config-invalid"
    assert "+proxy_read_timeout 60s;" in finding.change.diff()
    # The same from the files alone.
    dump = diagnose_dump(Question(PLAIN), facts.configuration.files[CONF])
    assert "+proxy_read_timeout 60s;" in dump.findings[0].change.diff()
