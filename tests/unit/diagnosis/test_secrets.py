"""Secrets of a configuration stay in it, however they are written there."""

from __future__ import annotations

import importlib.util
import json
import os

import pytest

from module_utils.nginx_websocket.behaviour.secret_values import head, secret_values
from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.diagnosis.engine import Report, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import ConfigTest, Facts, Question
from module_utils.nginx_websocket.diagnosis.websocket_routes import WebSocketRoute
from module_utils.nginx_websocket.diagnosis.words.discreet import discreet

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "..")
SPEC = importlib.util.spec_from_file_location(
    "diagnosis_report", os.path.join(ROOT, "playbooks", "filter_plugins", "diagnosis_report.py")
)
plugin = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plugin)

SECRET = "abcd1234secret"
SERVER = (
    b"server { listen 80; server_name app.test; location /ws/ {\n%s\n proxy_pass http://127.0.0.1:8000;\n } }"
)


def report_on(lines: bytes, http: bytes = b"") -> Report:
    dump = b"# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp {\n%s\n%s\n}\n"
    return diagnose_dump(Question("ws://app.test/ws/x"), dump % (http, SERVER % lines))


def everything(report: Report) -> str:
    data = report.as_data()
    return json.dumps(data) + plugin.diagnosis_text(data, "web1") + plugin.diagnosis_html({"web1": data})


@pytest.mark.parametrize(
    "lines",
    [
        b'proxy_set_header Authorization "Basic x"; proxy_set_header X-Api-Key abcd1234secret;',
        b"proxy_http_version 1.1; proxy_set_header X-Api-Key abcd1234secret; proxy_set_header Host $host;",
        b"proxy_set_header X-Password\n   abcd1234secret;",
        b"proxy_set_header\n X-Password\n   'abcd1234secret';",
        b"set $api_token abcd1234secret;",
        b"set $api_token abcd1234secret; proxy_set_header X-Plain $api_token;",
        b'set $plain "abcd1234secretabcd1234secret"; proxy_set_header X-Plain $plain;',
        b'proxy_set_header Authorization "Basic abcd1234secret $host";',
        b"# proxy_set_header X-Api-Key abcd1234secret;",
        b'if ($http_x_api_key != "abcd1234secret") { return 403; }',
        b"if ($arg_key = abcd1234secret) { return 403; }\n if ($http_x_token = abcd1234secret) { break; }",
        b'if ($http_authorization !~ "^Bearer abcd1234secret$") { return 403; }',
        b'more_set_headers "X-Api-Key: abcd1234secret";',
        b'secure_link_md5 "$uri$arg_e abcd1234secret";',
        b"rewrite ^ /x?token=abcd1234secret last;\n } location /x { ",
        b"return 302 https://b.test/cb?state=1&access_token=abcd1234secret;",
        b"auth_request /a?key=abcd1234secret;",
        b"error_page 403 /e?api_key=abcd1234secret&x=1; deny all;",
        b"try_files /none /x?secret=abcd1234secret;",
        b"proxy_pass http://127.0.0.1:1/a?password=abcd1234secret;\n } location /no {",
    ],
)
def test_a_secret_shows_nowhere_however_it_is_written(lines):
    assert SECRET not in everything(report_on(lines))


def test_a_secret_of_a_map_shows_nowhere():
    http = b'map $http_x_api_key $client { default ""; "abcd1234secret" app; }\n'
    http += b"map $host $upstream_token { default abcd1234secret; }"
    lines = b"proxy_set_header X-Plain $upstream_token; proxy_set_header X-Client $client;"
    assert SECRET not in everything(report_on(lines, http))


def test_an_inherited_header_that_the_diff_repeats_keeps_its_secret():
    server = b"proxy_set_header X-Password\n  hunter2;"
    dump = (
        b"# configuration file /n.conf:\nevents {}\nhttp {\nserver { listen 80; server_name app.test;\n%s\n"
    )
    dump = dump % server + b"location /ws/ {\n proxy_pass http://127.0.0.1:8000;\n} } }\n"
    report = diagnose_dump(Question("ws://app.test/ws/x"), dump)
    diff = report.as_data()["findings"][0]["diff"]
    assert "+" in diff
    assert "hunter2" not in diff + everything(report)


def test_credentials_in_the_message_of_nginx_are_masked():
    message = '[emerg] host not found in upstream "user:hunter2pass@backend" in /etc/nginx/nginx.conf:5'
    facts = Facts(Question("ws://app.test/ws/x"), test=ConfigTest(False, [message]))
    report = Report(facts.question, "fails", f"it fails: {message}", [], facts)
    assert "hunter2pass" not in everything(report)
    assert 'in upstream "***@backend"' in everything(report)


def test_the_list_of_routes_shows_no_credentials():
    item = WebSocketRoute("ws://app.test/", "location /", "/a:1", "app.test", "http://user:hunter2pass@b")
    assert "hunter2pass" not in json.dumps(item.as_data())


@pytest.mark.parametrize(
    "lines",
    [
        b"set $auth_backend http://127.0.0.1:8000;",
        b"set $connection_key upgrade;",
        b"proxy_set_header Authorization $http_authorization;",
        b'if ($http_origin != "https://app.test") { return 403; }',
        b'if ($cookie_session = "") { return 401; }',
        b'if ($http_authorization !~ "^Bearer ") { return 401; }',
        b"set $room general; proxy_set_header Host $host;",
    ],
)
def test_what_is_no_secret_stays_readable(lines):
    shown = report_on(lines).as_data()["excerpts"][0]["lines"]
    assert lines.decode().strip() in [line["text"].strip() for line in shown]


def test_masked_lines_keep_their_numbers():
    report = report_on(b"proxy_set_header X-Password 'hunter\n2hunter\n2';")
    lines = {line["number"]: line["text"] for line in report.as_data()["excerpts"][0]["lines"]}
    place = report.facts.route.upstream.directive.line
    assert "proxy_pass" in lines[place]


def test_a_directive_in_words_is_without_its_secret():
    dump = b'# configuration file /n.conf:\nhttp { if ($http_x_key = "abcd1234secret") { return 403; } }\n'
    configuration = load_dump(dump)
    condition = next(item for item in configuration.walk() if item.name == b"if")
    assert head(condition) == 'if ($http_x_key = "***")'
    assert secret_values(configuration).words == [SECRET]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "proxy_set_header Host $host; proxy_set_header X-Api-Key hunter2;",
            "proxy_set_header X-Api-Key ***;",
        ),
        ("}   set $api_token hunter2; set $a b;", "set $api_token ***; set $a b;"),
        ("#proxy_set_header X-Api-Key hunter2;", "#proxy_set_header X-Api-Key ***;"),
    ],
)
def test_every_directive_of_a_line_is_looked_at(line, shown):
    assert shown in discreet(line)


def test_a_server_of_endless_names_leaves_a_report_that_can_be_read() -> None:
    names = " ".join(f"n{number}.test" for number in range(20_000))
    report = report_on(f"}} location /x {{ }} server_name {names}; location /y {{".encode())
    text = plugin.diagnosis_text(report.as_data(), "web1")
    assert len(text) < 100_000
    assert "more characters" in text


def test_the_key_of_a_handshake_is_public():
    line = "-    proxy_set_header Sec-WebSocket-Key dGhlIHNhbXBsZSBub25jZQ==;"
    assert discreet(line) == line
    other = "proxy_set_header X-Id dGhlIHNhbXBsZSBub25jZQ==;"
    assert "dGhl" not in discreet(other)
    assert discreet(line + " " + other).count("dGhl") == 1
