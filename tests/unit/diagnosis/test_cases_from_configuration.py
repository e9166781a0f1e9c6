"""The recorded cases, judged from their configuration alone: right or "cannot tell", never a wrong cause."""

from __future__ import annotations

import json
import os

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError
from module_utils.nginx_websocket.diagnosis.engine import diagnose_configuration, diagnose_dump
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question

CASES = os.path.join(os.path.dirname(__file__), "..", "..", "cases")
RECORDED = os.path.join(CASES, "data")
OWN = os.path.join(CASES, "own")
NAMES = [
    (folder, name)
    for folder in (RECORDED, OWN)
    for name in sorted(os.listdir(folder))
    if os.path.isdir(os.path.join(folder, name))
]

with open(os.path.join(RECORDED, "causes.json"), encoding="utf-8") as file:
    NEEDS = {code: entry["needs"] for code, entry in json.load(file).items()}

# No configuration tells that this backend is content with the key alone; every known server wants the
# headers.
LENIENT_BACKENDS = {"ok-key-only-backend", "ok-header-less-goaccess"}
# A file that no include takes is nowhere in a dump.
OUTSIDE = {"sites-available-only"}


def question_of(case):
    client = case["lab"].get("client", {})
    return Question(
        url=case["url"],
        origin=client.get("origin"),
        host=client.get("host", ""),
        headers=[tuple(line.split(": ", 1)) for line in client.get("headers", ())],
        subprotocols=client.get("subprotocols", ()),
        alpn=client.get("alpn", ()),
    )


def load_case(folder, name):
    with open(os.path.join(folder, name, "case.json"), encoding="utf-8") as file:
        return json.load(file)


def diagnosed(folder, name):
    case = load_case(folder, name)
    dump = os.path.join(folder, name, "nginx-T.txt")
    if os.path.exists(dump):
        with open(dump, "rb") as file:
            return case, diagnose_dump(question_of(case), file.read())
    try:
        # Without nginx's prefix, as in a dump: nothing on this machine may be looked at.
        configuration = load(os.path.join(folder, name, "nginx.conf"))
    except ConfSyntaxError:
        pytest.fail("the case's configuration cannot be read")
    return case, diagnose_configuration(question_of(case), configuration)


@pytest.mark.parametrize(("folder", "name"), NAMES, ids=[name for _, name in NAMES])
def test_never_a_wrong_cause(folder, name):
    if name in LENIENT_BACKENDS:
        pytest.skip("only a probe tells")
    case, report = diagnosed(folder, name)
    causes = [finding.code for finding in report.findings if finding.is_cause]
    if case["cause"] == "ok":
        assert causes == []
        assert report.verdict == "cannot tell"
    else:
        assert causes in ([], [case["cause"]])
        assert report.verdict == ("fails" if causes else "cannot tell")


# Causes that the configuration settles by itself: nginx cannot do otherwise.
SETTLED = [
    (folder, name)
    for folder, name in NAMES
    if name not in OUTSIDE
    and load_case(folder, name)["cause"]
    in {code for code, needs in NEEDS.items() if {"T"} <= set(needs) <= {"T", "P"}}
    - {
        # the backend decides whether it minds
        "http10-upstream",
        "duplicate-host-header",
        "header-underscore-dropped",
        "no-sticky-session",
        "cache",
        # a service, the clock or the client decides
        "auth-request",
        "timeout-short",
        "upstream-host-not-found",
        "ok",
    }
]


@pytest.mark.parametrize(("folder", "name"), SETTLED, ids=[name for _, name in SETTLED])
def test_what_the_configuration_settles_is_settled(folder, name):
    case, report = diagnosed(folder, name)
    assert [finding.code for finding in report.findings if finding.is_cause] == [case["cause"]]
    assert report.findings[0].evidence
    assert report.sentence.startswith(case["url"].split("?")[0])
