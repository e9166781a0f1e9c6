"""The soak time, with a clock that only a wait moves."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

from rollout import soak as soaking
from rollout.soak import soak
from tests.unit.verify.reports import reported

ROOT = Path(__file__).resolve().parents[3]


class Clock:
    def __init__(self):
        self.now = 100.0

    def wait(self, seconds):
        self.now += seconds

    def __call__(self):
        return self.now


def looks(clock, failing_at=None, costs=1.0):
    seen = []

    def look():
        number = len(seen)
        seen.append(clock.now - 100.0)
        clock.now += costs
        return {"hosts": {"web1": {"failures": ["no pong"] if number == failing_at else []}}}

    return seen, look


def test_it_looks_until_the_time_is_over():
    clock = Clock()
    seen, look = looks(clock)
    document = soak(look, 10, 4, clock=clock, wait=clock.wait)
    assert seen == [0, 4, 8, 10]
    assert document["hosts"]["web1"]["failures"] == []
    assert document["soaked"] == 11


def test_the_first_failure_ends_it():
    clock = Clock()
    seen, look = looks(clock, failing_at=1)
    document = soak(look, 60, 4, clock=clock, wait=clock.wait)
    assert seen == [0, 4]
    assert document["hosts"]["web1"]["failures"] == ["4 s into the soak time: no pong"]


def test_looks_that_take_longer_than_the_interval_follow_each_other():
    clock = Clock()
    seen, look = looks(clock, costs=7.0)
    soak(look, 15, 4, clock=clock, wait=clock.wait)
    assert seen == [0, 7, 14, 21]


def test_one_host_that_fails_is_enough():
    clock = Clock()
    hosts = {"web1": {"failures": []}, "web2": {"failures": ["no pong"]}, "web3": {"failures": []}}
    document = soak(lambda: {"hosts": hosts}, 60, 4, clock=clock, wait=clock.wait)
    assert (clock.now, document["soaked"]) == (100.0, 0.0)


def run(targets: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program with the real suite."""
    return subprocess.run(
        [sys.executable, "-m", "rollout.soak", *arguments],
        input=targets, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip


#: A host that has told of itself already, and of whose site nothing answers: no port of 127.0.0.99 is open.
DEAD = {
    "name": "web1",
    "address": "127.0.0.99",
    "sites": [
        {
            "name": "a.test",
            "backends": [{"name": "app", "port": 8000}],
            "websockets": [{"path": "/ws/", "backend": "app"}],
        }
    ],
}


def test_the_program_asks_the_suite_and_ends_at_a_failure():
    done = run(json.dumps({"ca_file": "", "timeout": 3, "hosts": [reported(DEAD)]}), "600", "600")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    failures = document["hosts"]["web1"]["failures"]
    assert any("no nginx master process runs" in text for text in failures)
    assert all(text.startswith("0 s into the soak time: ") for text in failures)


def test_the_program_takes_seconds_and_interval_in_this_order(monkeypatch, capsys):
    monkeypatch.setattr(soaking, "soak", lambda look, seconds, interval: {"asked": [seconds, interval]})
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert soaking.main(["60", "4.5"]) == 0
    assert json.loads(capsys.readouterr().out) == {"asked": [60, 4.5]}


def test_a_look_that_does_not_work_is_no_good_look():
    done = run("no targets", "0", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the suite could not run" in done.stderr


def test_the_program_says_how_it_is_called():
    done = run("", "1")
    assert done.returncode == 2
    assert "SECONDS INTERVAL" in done.stderr


def test_an_application_that_goes_ends_it_and_one_that_was_away_does_not():
    for gone_at, times in ((2, [0, 4, 8]), (None, [0, 4, 8, 10])):
        clock = Clock()
        seen, look = looks(clock)

        def look_at_both(look=look, gone_at=gone_at, seen=seen):
            document = look()
            gone = gone_at is not None and len(seen) > gone_at
            document["hosts"]["web1"]["down"] = ["away all the time", *(["gone"] if gone else [])]
            return document

        soak(look_at_both, 10, 4, clock=clock, wait=clock.wait)
        assert seen == times
