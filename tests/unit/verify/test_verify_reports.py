"""A report that came with a deployment: which one is taken, and which one is none."""

from __future__ import annotations

import json

import pytest

from host_answers.shapes import Misshapen
from tests.unit.verify.reports import reported
from verify.host_report import along, gather
from verify.targets import parse

RELEASE = "1" * 32
BACKEND = {"name": "app", "host": "127.0.0.1", "port": 9}
SITE = {"name": "a.test", "backends": [BACKEND], "websockets": [{"path": "/ws/", "backend": "app"}]}
HOST = {"name": "web1", "address": "127.0.0.99", "sites": [SITE], "releases": {"a.test": RELEASE}}


def target(**changes):
    return parse({"hosts": [json.loads(json.dumps({**reported(HOST), **changes}))]}).hosts[0]


def test_an_answer_to_this_question():
    found = gather.report(target(), 1.0)
    assert [one["release"] for one in found["releases"]] == [RELEASE] * 2
    assert [one["port"] for one in found["backends"]] == [9] * len(found["backends"]) != []


@pytest.mark.parametrize(
    ("changes", "which"),
    [
        ({"nonce": "0" * 32}, "nonce: expected the answer to this question"),
        ({"nonce": ""}, "nonce: expected the answer to this question"),
        ({"releases": {"a.test": "2" * 32}}, "releases: expected the release that was asked for"),
        ({"sites": [{**SITE, "backends": [{**BACKEND, "port": 10}]}]}, "backends: expected answers"),
        ({"report": {"nonce": "x"}}, "is missing"),
    ],
    ids=["another-run", "no-question", "another-release", "another-port", "another-shape"],
)
def test_an_answer_to_another_one(changes, which):
    with pytest.raises(Misshapen, match=which):
        gather.report(target(**changes), 1.0)


def test_a_soak_asks_again_where_it_can(monkeypatch):
    asked = []
    monkeypatch.setattr(gather, "_asked", lambda target, question: asked.append(target.name) or {"new": True})
    assert gather.report(target(), 1.0) != {"new": True} and asked == []
    assert gather.report(target(again=True), 1.0) == {"new": True}
    assert asked == ["web1"]


def test_a_host_that_ssh_alone_cannot_ask_keeps_its_report_in_a_soak():
    assert gather.report(target(again=True), 1.0)["backends"]
    with pytest.raises(gather.Unreachable):
        gather.report(target(report=None), 1.0)


def test_a_report_is_kept_for_its_question_alone(tmp_path):
    one, other = "1" * 32, "2" * 32
    along.keep(tmp_path, one, {"uid": 0})
    assert (along.kept(tmp_path, one), along.kept(tmp_path, other)) == ({"uid": 0}, None)
    with pytest.raises(ValueError, match="no name of a question"):
        along.kept(tmp_path, "../" + one)
