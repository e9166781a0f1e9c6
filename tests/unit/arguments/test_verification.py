"""The verification's question within a module: completed, asked in a process of its own, never in the way."""

from __future__ import annotations

import json
import os

import pytest

from module_utils.nginx_websocket.arguments import verification
from tests.unit.verify.test_verify_reports import HOST, SITE
from verify.host_report import along
from verify.targets import parse, question

FOUND = {("a.test", "app"): "a_test_app"}


def wish(**changes):
    whole = along.asked([SITE], {}, "/nowhere", 1.0, FOUND)
    return json.loads(json.dumps({**along.argument(whole), **changes}))


def test_the_answer_is_one_to_the_question_of_the_suite():
    given = wish()
    found = verification.report(given, HOST["releases"], {"binary": ""}, {"a_test_app": 10})
    expected = question(parse({"hosts": [HOST]}).hosts[0], 1.0)
    assert found["nonce"] == given["question"]["nonce"] != expected["nonce"]
    assert [one["release"] for one in found["releases"]] == [one["release"] for one in expected["releases"]]
    assert {one["port"] for one in found["backends"]} == {10}
    assert {one["answer"]["status"] for one in found["releases"]} == {None}


def test_a_port_that_was_not_looked_for_stays():
    assert {one["port"] for one in verification.report(wish(), {})["backends"]} == {9}


def test_a_process_of_its_own_in_which_nothing_of_ours_is():
    program = "import json, os, sys; print(json.dumps({'pid': os.getpid(), 'has': sorted(sys.modules)}))"
    found = verification.report(wish(starter=program), {})
    assert found["pid"] != os.getpid()
    # Tests of the role may have run in this process before.
    ours = [
        name
        for name in found["has"]
        if name.split(".")[0] in ("ansible", "ansible_collections", "module_utils")
    ]
    assert ours == []


@pytest.mark.parametrize(
    "changes",
    [
        {"starter": "raise SystemExit(1)"},
        {"starter": "print('no JSON')"},
        {"starter": "print('[]')"},
        {"starter": "import signal; signal.pause()", "patience": 0.5},
    ],
    ids=["fails", "no-json", "another-type", "never-ends"],
)
def test_no_answer_is_none(changes):
    assert verification.report(wish(**changes), {}) is None


def test_nobody_verifies():
    assert verification.report(None, {}) is None


def test_what_is_too_much_is_no_answer(monkeypatch):
    monkeypatch.setattr(verification, "MOST_BYTES", 1000)
    assert verification.report(wish(starter="print('{' + ' ' * 100000 + '}')"), {}) is None


def test_no_process_is_no_answer(monkeypatch):
    def refused():
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    assert verification.report(wish(), {}) is None


def test_nothing_of_ours_can_be_imported():
    program = "import module_utils.nginx_websocket.conf.load"
    assert verification.report(wish(starter=f"print('{{}}'); {program}"), {}) is None
    assert verification.report(wish(starter="print('{}')"), {}) == {}
