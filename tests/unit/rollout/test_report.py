"""The summary as table, JSON, JUnit and HTML."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from rollout.outcomes import BAD, OUTCOMES
from rollout.page import LEFT, WIDTH, as_html
from rollout.record import Rollout, masked
from rollout.report import as_data, as_json, as_junit, as_retry
from rollout.table import SHOWN_LINES, batch_line, lines

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
            failed=False, undo=False, check=False,
        )  # fmt: skip
        host.saw("deploy", start, start + 2)
        host.saw("verify", start + 2, start + 3.5)
    made.hosts["web3"].failed(f"1 of 22 checks failed.\n{NASTY}")
    made.hosts["web3"].transaction({"outcome": "applied"}, failed=False, undo=True, check=False)
    made.end_batch(1020.0)
    return made


def test_a_run_that_was_to_touch_no_host_has_no_table(run):
    """As with --tags list: the hosts are come to, and nothing is to be done again."""
    idle = Rollout("Roll back", 1000.0, planned=[1])
    idle.begin_batch(["web1"], 1000.0)
    idle.hosts["web1"].saw("roll back", 1000.0, 1001.0)
    idle.end_batch(1001.0)
    assert [text for text, _ in lines(idle, 100)] == [
        "No task that deploys, verifies or rolls back was to run."
    ]
    assert (idle.succeeded, idle.not_done(), as_retry([idle])) == (True, [], "")


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


def table(run, width=100):
    return [text for text, _ in lines(run, width)]


def test_a_line_has_the_colour_of_its_outcome(run):
    told = dict(lines(run, 100))
    assert next(outcome for text, outcome in told.items() if text.startswith("web3")) == "rolled back"
    assert told[table(run)[-2]] == "failed"
    for host in run.hosts.values():
        host.outcome = "applied"
    assert lines(run, 100)[-1][1] == "unchanged"


def test_a_finding_of_several_hosts_is_told_once(run):
    for name in ("web1", "web2"):
        run.hosts[name].find("", "DNS knows no address")
    assert [text for text in table(run) if "DNS" in text] == [
        "web1, web2: worth knowing: DNS knows no address"
    ]
    run.expect(["web5", "web6"])
    for host in run.hosts.values():
        host.find("", "DNS knows no address")
    assert [text for text in table(run) if "DNS" in text] == ["6 hosts: worth knowing: DNS knows no address"]


def test_a_long_failure_is_told_in_part(run):
    run.hosts["web1"].why = [f"line {number}" for number in range(SHOWN_LINES + 3)]
    told = [text.strip() for text in table(run) if text.startswith("    line ") or "lines more" in text]
    shown = [f"line {number}" for number in range(SHOWN_LINES - 1)]
    # The last one says what became of it.
    assert told == [
        *shown,
        "… and 3 lines more: the JSON file of the summary has them",
        f"line {SHOWN_LINES + 2}",
    ]


def test_a_note_is_wrapped_to_the_terminal(run):
    run.hosts["web1"].find("", "word " * 50)
    told = [text for text in table(run, 60) if "word" in text]
    assert len(told) > 4
    assert all(len(text) <= 60 for text in told)


def test_further_sites_of_a_host_have_their_lines(run):
    run.hosts["web1"].transaction(
        {"outcome": "applied", "releases": {"s": NEW, "other.test": NEW}, "previous": {"s": OLD}},
        failed=False, undo=False, check=False,
    )  # fmt: skip
    assert "      – → bbbbbbbb  other.test" in table(run)


def test_to_go_on_is_said_where_there_is_something_to_go_on_with(run):
    run.expect([f"more{number}" for number in range(8)])
    assert "--limit web3,web4,more0," in table(run)[-1]
    run.expect(["more8"])
    assert table(run)[-1].endswith("--limit @FILE, with NGINX_WEBSOCKET_SUMMARY_RETRY=FILE set")
    for host in run.hosts.values():
        host.outcome = "applied"
    assert table(run)[-1].startswith("13 hosts: 13 applied")


def test_check_mode_says_so_and_asks_for_no_retry(run):
    run.check = True
    assert "(check mode: nothing was changed)" in table(run)[-1]
    assert "Check mode: nothing was changed." in as_html([run])
    assert json.loads(as_json([run]))["plays"][0]["check_mode"] is True


def test_one_host_in_one_batch():
    run = Rollout("Play", 0.0, planned=[1])
    run.begin_batch(["web1"], 0.0)
    run.hosts["web1"].outcome = "unchanged"
    run.hosts["web1"].saw("deploy", 0.0, 0.0)
    run.end_batch(0.0)
    assert table(run)[-1] == "1 host: 1 unchanged; 0.0 s"
    assert as_html([run]).count('class="deploy"') == 1


def test_a_run_that_came_to_nobody_is_a_page_too():
    run = Rollout("Play", 0.0)
    run.expect(["web1"])
    page = as_html([run])
    assert "<svg" not in page
    assert "1 not reached" in page


def test_a_large_fleet_lists_only_who_failed(run):
    run.expect([f"more{number}" for number in range(300)])
    told = [text for text, _ in lines(run, 100)]
    assert not any(line.startswith("web1") for line in told)
    assert any(line.startswith("web3") for line in told)
    assert not any(line.startswith("more") for line in told)
    assert "304 hosts: 2 applied, 1 rolled back, 301 not reached" in told[-2]


def test_progress(run):
    assert batch_line(run) == "Batch 2 of 3: web2, web3 (so far 1 of 4 done, 1 with a new release)"
    run.hosts["web2"].outcome = "unchanged"
    run.begin_batch([f"more{number}" for number in range(10)], 1021.0)
    assert batch_line(run) == (
        "Batch 3 of 3: more0, more1, more2, more3, more4, more5, more6, more7 and 2 more "
        "(so far 2 of 14 done, 1 with a new release)"
    )


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
    assert play["batches_planned"] == [1, 2, 1]
    assert play["counts"] == {"applied": 2, "rolled back": 1, "not reached": 1}
    assert host["why"][0] == "1 of 22 checks failed."
    assert play["hosts"][3] == {**play["hosts"][3], "outcome": "not reached", "batch": None, "phases": []}


def test_json_has_all_of_a_host(run):
    run.hosts["web2"].passed = 22
    host = as_data([run])["plays"][0]["hosts"][1]
    del host["phases"]
    assert host == {
        "name": "web2", "batch": 2, "outcome": "applied", "releases": {"s": {"before": OLD, "after": NEW}},
        "backup": 7, "sockets": {"before": 5, "after": 4, "lost": 1}, "checks_passed": 22, "comparison": None,
        "findings": [{"code": "backend-down", "message": masked(NASTY), "fix": "start it"}],
        "why": [], "seconds": 3.5,
    }  # fmt: skip


def test_of_two_plays_both_must_succeed(run):
    good = Rollout("Play", 0.0)
    assert as_data([good])["succeeded"]
    assert not as_data([good, run])["succeeded"]


def test_retry_is_a_list_for_limit(run):
    assert as_retry([run]) == "web3\nweb4\n"
    assert as_retry([run, run]) == "web3\nweb4\n"


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


def test_junit_skips_what_was_taken_back(run):
    run.hosts["web1"].taken_back({"outcome": "applied"}, failed=False)
    suite = ET.fromstring(as_junit([run]).encode()).findall("testsuite")[0]
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "1")
    assert suite.find("testcase/skipped").get("message") == "taken back"


def test_junit_tells_what_the_table_tells(run):
    run.hosts["web3"].saw("undo", 1013.5, 1016.0)
    suite = ET.fromstring(as_junit([run]).encode()).findall("testsuite")[1]
    told = suite.find("testcase[@name='web2']/system-out").text.splitlines()
    assert told[:3] == ["applied", "s: aaaaaaaa → bbbbbbbb", "open sockets: 5 → 4 (1 lost)"]
    assert told[3].startswith("backend-down: ")
    # A batch takes as long as its slowest host.
    assert suite.get("time") == "6.000"


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


def test_no_name_becomes_markup(run):
    evil = "<img src=x>"
    run.play = evil
    host = run.hosts[evil] = run.hosts.pop("web2")
    host.name = evil
    host.releases[0].site = '"><b>'
    page = as_html([run])
    seen = Elements()
    seen.feed(page)
    assert not {"img", "b"} & set(seen.tags)
    assert page.count(html.escape(evil)) >= 4


def test_html_lets_nothing_be_loaded(run):
    policy = re.search(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', as_html([run]))
    assert policy is not None
    style = re.search(r"<style>(.*)</style>", as_html([run]), re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.group(1) == (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


def test_html_tells_what_became_of_the_run(run):
    run.hosts["web1"].passed = 22
    page = as_html([run])
    assert '<span class="badge bad">Not done</span> 2 applied, 1 rolled back, 1 not reached.' in page
    assert '<td class="strong bad">rolled back</td>' in page
    assert "<title>Rollout failed: web3 of 4 hosts</title>" in page
    assert "22 checks passed" in page
    assert "\nFix: start it" in page
    for host in run.hosts.values():
        host.outcome = "applied"
    assert '<span class="badge good">Done</span>' in as_html([run])
    assert "<title>Rollout done: 4 hosts</title>" in as_html([run])


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_html_shows_failures_as_failures(run, outcome):
    run.hosts["web1"].outcome = outcome
    assert (outcome in BAD) == (f'<td class="strong bad">{outcome}</td>' in as_html([run]))


def test_bars_stand_where_their_time_is(run):
    # Twenty seconds from 1000.0 on; web2 begins in the middle.
    bars = re.findall(r'<rect class="deploy" x="([\d.]+)" y="(\d+)" rx="2" width="([\d.]+)"', as_html([run]))
    second = (WIDTH - LEFT) / 20
    assert [(float(x), float(width)) for x, _, width in bars] == [
        (LEFT, 2 * second), (LEFT + 10 * second, 2 * second), (LEFT + 10 * second, 2 * second),
    ]  # fmt: skip
    assert len({y for _, y, _ in bars}) == 3
