"""What is true of most sites is said in one line; what nobody was asked is said of a dump alone."""

from __future__ import annotations

import os
import types

import pytest

from module_utils.nginx_websocket.command.page import page_of
from module_utils.nginx_websocket.diagnosis.deciding.commands import commands_for
from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from module_utils.nginx_websocket.report.text import diagnosis_text
from tests.unit.diagnosis.seen import UP, Hop, backend, host, opened, proxied, site

URL = "wss://app.test/ws/x"


def dumped(text, url=URL, **more):
    """The report on a dump."""
    return diagnose_dump(Question(url, **more), text if isinstance(text, bytes) else text.encode())


def http(lines="", to="http://127.0.0.1:8000"):
    """A whole configuration."""
    return "events {}\nhttp {\n" + site(f"location /ws {{ {UP} {lines} proxy_pass {to}; }}") + "}\n"


def test_a_healthy_site_gets_one_line_of_hints():
    facts = host(site(proxied()), {"loopback": opened()}, backends=[backend(opened())])
    facts.hops.append(Hop("foreign origin", "with another Origin", opened()))
    data = conclude_live(facts).as_data()
    text = diagnosis_text(data, "web", 400)
    assert data["verdict"] == "works" and "Also found" not in text
    (line,) = [line for line in text.splitlines() if "Hints: " in line]
    for code in ("timeout-short", "origin-open", "worker-connections", "connection-hardcoded"):
        assert f"({code})" in line and text.count(code) == 1
    page = page_of(data, "web")
    assert "<p>Hints: " in page and "Also found" not in page


def test_what_is_no_hint_stands_by_itself():
    facts = host(
        "limit_conn_zone $binary_remote_addr zone=a:1m;\n"
        + site(proxied(lines="limit_conn a 2; proxy_read_timeout 20s;")),
        {"loopback": opened()},
        backends=[backend(opened())],
    )
    text = diagnosis_text(conclude_live(facts).as_data(), "web", 400)
    assert "- limit-conn: " in text and "- timeout-short: " in text and "Hints: " in text


@pytest.mark.parametrize(("seconds", "said"), [(0, True), (30, False), (90, True)])
def test_an_application_that_pings_in_time_needs_no_word_about_it(seconds, said):
    found = [finding.code for finding in dumped(http(), ping_interval=seconds).findings]
    assert ("timeout-short" in found) is said


@pytest.mark.parametrize(
    ("lines", "to", "url", "code"),
    [
        ("", "http://127.0.0.1:8000", URL, "host-header-wrong"),
        ("proxy_set_header Host $host;", "http://127.0.0.1:8000", URL, "forwarded-proto-missing"),
        ("", "https://backend.test", URL, "upstream-sni-missing"),
    ],
)
def test_a_dump_tells_what_applications_mind(lines, to, url, code):
    found = {finding.code: finding for finding in dumped(http(lines, to), url).findings}
    assert code in found and not found[code].is_cause and found[code].evidence[0].line
    facts = host(site(proxied(to, lines)), {"loopback": opened()}, backends=[backend(opened())])
    assert code not in [finding.code for finding in conclude_live(facts).findings]


def test_what_is_set_right_is_not_mentioned():
    right = (
        "proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto $scheme; proxy_ssl_server_name on;"
    )
    for to in ("http://127.0.0.1:8000", "https://backend.test"):
        codes = [finding.code for finding in dumped(http(right, to)).findings]
        assert not {"host-header-wrong", "forwarded-proto-missing", "upstream-sni-missing"} & set(codes)


@pytest.mark.parametrize("data", [b"<html>{}</html>", b"\x00\x01{}\xff"])
def test_what_is_no_configuration_gets_no_verdict_about_nginx(data):
    report = dumped(data)
    assert report.verdict == "cannot tell" and "no nginx configuration" in report.sentence


@pytest.mark.parametrize("url", [URL, "ws://app.test:8080/ws/x"])
def test_a_bare_location_is_asked_where_the_url_leads(url):
    report = dumped(f"location /ws/ {{ {UP} proxy_pass http://127.0.0.1:8000; }}", url)
    assert report.verdict == "cannot tell" and "reaches http://127.0.0.1:8000" in report.sentence


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("proxy_read_timeout 1h 2h;", True),
        ("proxy_buffering;", True),
        ("proxy_set_header X;", True),
        ("return;", True),
        ("add_header A b always;", False),
        ("keepalive_timeout 5 6;", False),
        ("map_hash_bucket_size 1 2;", False),
    ],
)
def test_nginx_counts_arguments(line, refused):
    report = dumped(http(line))
    causes = [finding for finding in report.findings if finding.is_cause]
    assert bool(causes) is refused
    if refused:
        assert causes[0].code == "nginx-config-invalid" and causes[0].evidence[0].line == 6


def test_a_line_that_swallowed_the_next_is_a_missing_semicolon():
    report = dumped(http("proxy_read_timeout 1h\n proxy_buffering off;"))
    assert report.findings[0].code in ("semicolon-missing", "nginx-config-invalid")


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("sites-available/app", "ln -s {0}/sites-available/app {0}/sites-enabled/app"),
        ("sites-available/there", "grep"),
        ("conf.d/app.conf.txt", "grep"),
    ],
)
def test_a_stray_file_is_taken_in_by_a_command(tmp_path, path, command):
    for name in ("sites-available", "sites-enabled", "conf.d"):
        (tmp_path / name).mkdir()
    (tmp_path / "sites-enabled" / "there").touch()
    layout = types.SimpleNamespace(
        site_dir=str(tmp_path / "sites-available"),
        enabled_dir=str(tmp_path / "sites-enabled"),
        include=str(tmp_path / "sites-enabled" / "*"),
        suffix="",
        includes=lambda name: name.startswith(str(tmp_path / "sites-enabled")),
    )
    facts = host(site(proxied()), {})
    facts.nginx.layout, facts.stray_files = layout, [(str(tmp_path / path), "location /ws", 3)]
    assert command.format(tmp_path) in commands_for("not-included-file", facts)[0]


def test_a_stray_file_of_another_ending_is_renamed(tmp_path):
    layout = types.SimpleNamespace(
        site_dir=str(tmp_path),
        enabled_dir=None,
        include=str(tmp_path / "*.conf"),
        suffix=".conf",
        includes=lambda name: name.endswith(".conf"),
    )
    facts = host(site(proxied()), {})
    facts.nginx.layout, facts.stray_files = layout, [(str(tmp_path / "app.conf.txt"), "location /ws", 3)]
    assert commands_for("not-included-file", facts)[0] == f"mv -n {tmp_path}/app.conf.txt {tmp_path}/app.conf"
    (tmp_path / "app.conf").touch()
    assert "grep" in commands_for("not-included-file", facts)[0] and os.listdir(tmp_path) == ["app.conf"]
