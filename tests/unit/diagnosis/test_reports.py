"""The reports: what stands in them, in which order, and that nothing in them can act."""

from __future__ import annotations

import importlib.util
import os
import re

import pytest

from module_utils.nginx_websocket.diagnosis.engine import conclude_live, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Hop, Question
from module_utils.nginx_websocket.diagnosis.evidence.probes import answered
from module_utils.nginx_websocket.diagnosis.words.findings import (
    Evidence,
    Finding,
    conclude,
    ranked,
    scrubbed,
)
from module_utils.nginx_websocket.edit.changes.change import Change
from tests.unit.diagnosis.seen import backend, host, proxied, refused, site

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "..")
SPEC = importlib.util.spec_from_file_location(
    "diagnosis_report", os.path.join(ROOT, "playbooks", "filter_plugins", "diagnosis_report.py")
)
plugin = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(plugin)

BODY = b"""server {
    listen 80;
    server_name app.test;
    location /ws/ {
        proxy_pass http://127.0.0.1:8000;
        proxy_http_version 1.1;
    }
}
server { listen 80; server_name <script>alert(1)</script>; }
"""


@pytest.fixture
def data():
    dump = b"# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp {\n" + BODY + b"}\n"
    return diagnose_dump(Question("ws://app.test/ws/x"), dump).as_data()


def test_the_text_begins_with_the_verdict_the_cause_and_the_fix(data):
    text = plugin.diagnosis_text(data, "web1")
    lines = text.splitlines()
    assert lines[0] == "web1: FAILS"
    assert lines[1].strip().startswith("ws://app.test/ws/x fails: ")
    assert "  Cause: no-upgrade-header" in lines
    cause, way, others = (text.index(words) for words in ("Cause:", "The way of the request", "Also found"))
    assert cause < way < others
    assert "+        proxy_set_header Upgrade $http_upgrade;" in text
    assert "[/etc/nginx/nginx.conf:7]" in text
    assert "proxy_read_timeout 60s (default of nginx 1.22.1)" in text
    assert "Connection: close  [default of nginx 1.22.1]" in text
    assert max(len(line) for line in lines) <= 160


def test_the_page_is_whole_marks_the_lines_and_runs_nothing(data):
    page = plugin.diagnosis_html({"web1": data, "web2": plugin.no_diagnosis("unreachable <b>")})
    assert page.startswith("<!DOCTYPE html>")
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert "unreachable &lt;b&gt;" in page
    assert not re.search(r"\bsrc=|@import|url\(", page)
    assert re.search(r"<mark>\s+7 .*proxy_pass", page)
    assert page.count('class="station"') == len(data["way"])
    assert "web2" in page


def test_the_data_has_the_documented_keys(data):
    with open(os.path.join(ROOT, "docs", "diagnosis.md"), encoding="utf-8") as file:
        documented = file.read()
    for key in data:
        assert f'"{key}"' in documented, key
    for key in data["findings"][0]:
        assert f'"{key}"' in documented, key
    for key in data["route"]:
        assert f'"{key}"' in documented, key
    assert data["findings"][0]["is_cause"]
    assert [finding["is_cause"] for finding in data["findings"][1:]] == [False] * (len(data["findings"]) - 1)


def test_a_working_host_and_a_list_of_routes_are_rendered():
    routes = [
        {
            "url": "wss://a.test/ws/",
            "location": "location /ws/",
            "where": "/a:1",
            "server": "a.test",
            "proxy_pass": "http://b",
            "state": "fails",
            "reason": "why",
            "code": "backend-down",
        }
    ]
    data = {**plugin.no_diagnosis("x"), "verdict": "works", "sentence": "s", "notes": [], "routes": routes}
    assert "✗ wss://a.test/ws/: why (backend-down)" in plugin.diagnosis_text(data, "h")
    assert "backend-down" not in plugin.diagnosis_html({"h": {**data, "routes": []}})


# ---------------------------------------------------------------------------------------- findings


def test_causes_come_first_then_risks_by_weight_each_code_once():
    found = ranked(
        [
            Finding("timeout-short", weight=50),
            Finding("backend-down", is_cause=True),
            Finding("worker-connections", weight=70),
            Finding("backend-down", weight=99),
        ]
    )
    assert [finding.code for finding in found] == ["backend-down", "worker-connections", "timeout-short"]


@pytest.mark.parametrize(
    ("cause", "opened", "verdict"),
    [
        (True, None, "fails"),
        (True, True, "fails"),
        (False, True, "works"),
        (False, None, "cannot tell"),
        (False, False, "cannot tell"),
    ],
)
def test_the_verdict_needs_a_cause_or_an_open_socket(cause, opened, verdict):
    assert conclude([Finding("backend-down", is_cause=cause)], opened) == verdict


def test_a_finding_has_a_code_of_the_vocabulary():
    with pytest.raises(KeyError):
        Finding("no-such-code")


@pytest.mark.parametrize(
    ("change", "head"),
    [
        (Change("/a", 7, ["old"], ["new", "more"]), "@@ -7,1 +7,2 @@"),
        (Change("/a", 7, [], ["new"]), "@@ -6,0 +7,1 @@"),
        (Change("/a", 7, ["old"], []), "@@ -7,1 +6,0 @@"),
    ],
)
def test_a_change_is_a_unified_diff(change, head):
    assert change.diff().splitlines()[2] == head


def test_scrubbing_hides_words_and_escapes_control_characters():
    assert scrubbed({"a": ["token=abcdefgh \x1b[31m"]}, ["abcdefgh"]) == {"a": ["token=*** \\x1b[31m"]}


def test_evidence_names_its_place():
    assert Evidence("configuration", "x", "/etc/nginx/a", 3).shown() == "x (/etc/nginx/a:3)"


def test_every_experiment_stands_in_the_data_and_tells_where_an_answer_leads():
    away = refused(302, headers=[("Location", "https://app.test/login")])
    hops = {"loopback": away, "public": refused(404)}
    report = conclude_live(host(site(proxied()), hops, backends=[backend(refused(401))]))
    told = {(one["hop"], one["words"]): one["status"] for one in report.as_data()["probes"]}
    assert told == {
        ("loopback", "the loopback handshake"): 302,
        ("public", "the public handshake"): 404,
        ("direct", "127.0.0.1:8000, as nginx sends it"): 401,
    }
    ways = [answered(Hop("x", "through nginx", probe)).text for probe in (away, refused(404))]
    assert ways == ["through nginx: 302 No to https://app.test/login", "through nginx: 404 No"]
