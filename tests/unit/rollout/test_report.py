"""The summary as table, JSON, JUnit and HTML."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from rollout.page import as_html
from rollout.record import Rollout
from rollout.report import as_json, as_junit, as_retry
from rollout.table import batch_line, lines

OLD, NEW = "a" * 32, "b" * 32
NASTY = '<script>alert("x")</script> & \x00 \x1b[31m'


@pytest.fixture
def run():
    """Four hosts in three batches; the third fails, so the fourth is not reached."""
    made = Rollout("Deploy <all>", 1000.0, planned=[1, 2, 1])
    made.expect(["web1", "web2", "web3", "web4"])
    made.begin_batch(["web1"], 1000.0)
    finding = {"code": "backend-down", "message": NASTY, "fix": "start it"}
    for name, start in (("web1", 1000.0), ("web2", 1010.0), ("web3", 1010.0)):
        if name == "web2":
            made.begin_batch(["web2", "web3"], 1010.0)
        host = made.hosts[name]
        host.transaction(
            {"outcome": "applied", "releases": {"s": NEW}, "previous": {"s": OLD}, "backup": 7,
             "sockets": {"before": 5, "after": 4, "lost": 1},
             "findings": [finding] if name == "web2" else []},
            undo=False, check=False,
        )  # fmt: skip
        host.saw("deploy", start, start + 2)
        host.saw("verify", start + 2, start + 3.5)
    made.hosts["web3"].failed(f"1 of 22 checks failed.\n{NASTY}")
    made.hosts["web3"].transaction({"outcome": "applied"}, undo=True, check=False)
    made.end_batch(1020.0)
    return made


def test_table(run):
    told = [text for text, _ in lines(run, 100)]
    assert told[0].split() == ["host", "release", "outcome", "seconds", "sockets"]
    assert told[1].split() == [
        "web1",
        "aaaaaaaa",
        "→",
        "bbbbbbbb",
        "applied",
        "3.5",
        "5",
        "→",
        "4",
        "(1",
        "lost)",
    ]
    assert any(
        line.startswith("web3") and "aaaaaaaa → aaaaaaaa" in line and "rolled back" in line for line in told
    )
    assert told[-2] == "4 hosts: 2 applied, 1 rolled back, 1 not reached; 2 of 3 batches; 20.0 s"
    assert told[-1] == "To go on with the hosts that are not done: --limit web3,web4"


def test_a_finding_of_several_hosts_is_told_once(run):
    for name in ("web1", "web2"):
        run.hosts[name].find("", "DNS knows no address")
    told = [text for text, _ in lines(run, 100) if "DNS" in text]
    assert told == ["web1, web2: worth knowing: DNS knows no address"]


def test_a_large_fleet_lists_only_who_failed(run):
    run.expect([f"more{number}" for number in range(300)])
    told = [text for text, _ in lines(run, 100)]
    assert not any(line.startswith("web1") for line in told)
    assert any(line.startswith("web3") for line in told)
    assert "304 hosts: 2 applied, 1 rolled back, 301 not reached" in told[-2]


def test_progress(run):
    assert batch_line(run) == "Batch 2 of 3: web2, web3 (so far 1 of 4 done, 1 with a new release)"


def test_json_has_what_a_machine_asks_for(run):
    data = json.loads(as_json([run]))
    assert (data["format"], data["succeeded"]) == (1, False)
    [play] = data["plays"]
    assert play["not_done"] == ["web3", "web4"]
    assert [batch["hosts"] for batch in play["batches"]] == [["web1"], ["web2", "web3"]]
    host = play["hosts"][2]
    assert host["outcome"] == "rolled back"
    assert host["releases"] == {"s": {"before": OLD, "after": OLD}}
    assert [phase["name"] for phase in host["phases"]] == ["deploy", "verify"]
    assert host["phases"][0]["start"] == "1970-01-01T00:16:50.000Z"
    assert play["hosts"][3] == {**play["hosts"][3], "outcome": "not reached", "batch": None, "phases": []}


def test_retry_is_a_list_for_limit(run):
    assert as_retry([run]) == "web3\nweb4\n"


def test_junit_counts_and_survives_any_text(run):
    root = ET.fromstring(as_junit([run]).encode())
    suites = root.findall("testsuite")
    assert [(s.get("tests"), s.get("failures"), s.get("skipped")) for s in suites] == [
        ("1", "0", "0"), ("2", "1", "0"), ("1", "0", "1"),
    ]  # fmt: skip
    failure = root.find(".//testcase[@name='web3']/failure")
    assert failure is not None
    assert '<script>alert("x")</script>' in failure.text


def test_junit_calls_an_unreachable_host_an_error(run):
    run.hosts["web2"].failed("no route to host", unreachable=True)
    suite = ET.fromstring(as_junit([run]).encode()).findall("testsuite")[1]
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("1", "1", "0")
    assert suite.find("testcase[@name='web2']/error") is not None


class Elements(HTMLParser):
    """Collects tags and what they would load."""

    def __init__(self):
        super().__init__()
        self.tags, self.loads = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in ("src", "href", "data", "action")]


def test_html_is_one_file_and_escapes_everything(run):
    page = as_html([run])
    assert "\x00" not in page
    seen = Elements()
    seen.feed(page)
    assert seen.loads == []
    assert "script" not in seen.tags
    assert not re.search(r"https?://|@import|url\(", page)
    assert "&lt;script&gt;" in page
    bars = re.findall(r'<rect class="(\w+)"', page)
    assert bars.count("batch") == 2
    assert bars.count("deploy") == bars.count("verify") == 3
