"""What a secret route is tried with is nobody's to read: not in a result, not in a command's arguments."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.verify.reports import reported
from verify.host_report import asking
from verify.secrecy import masked, masks

ROOT = Path(__file__).resolve().parents[3]
#: Short and plain, so that nothing takes it for a token by its looks.
SECRET = "tiger"


@pytest.mark.parametrize(
    ("route", "shown"),
    [
        ({"path": "/ws/", "probe_path": f"/ws/{SECRET}"}, "/ws/***"),
        ({"path": "/ws", "probe_path": f"/ws/{SECRET}"}, "/ws***"),
        ({"regex": "^/live/[a-z]+$", "probe_path": f"/live/{SECRET}"}, "/***"),
    ],
)
def test_the_path_of_a_secret_route(route, shown):
    probe = route["probe_path"]
    assert masks([{"websockets": [{**route, "secret_path": True}]}]) == {probe: shown}
    assert masks([{"websockets": [route]}, {}]) == {}
    told = {"findings": [f"{probe} opened"], "at": (f"wss://a.test{probe}?x", 3)}
    assert SECRET not in json.dumps(masked(told, masks([{"websockets": [{**route, "secret_path": True}]}])))


def test_a_made_up_path_is_no_secret():
    assert masks([{"websockets": [{"path": "/ws/", "probe_path": "/ws/probe", "secret_path": True}]}]) == {}


@pytest.mark.parametrize("secret", [True, False])
def test_the_suite_does_not_tell_it(secret):
    route = {"path": "/ws/", "probe_path": f"/ws/{SECRET}", "secret_path": secret}
    host = {
        "name": "web1",
        "address": "127.0.0.99",
        "sites": [{"name": "a.test", "websockets": [route]}],
    }
    done = subprocess.run(
        [sys.executable, "-m", "verify", "-", "-k", "test_websocket_opens"],
        input=json.dumps({"timeout": 2, "hosts": [reported(host)]}),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    result = json.loads(done.stdout)["hosts"]["web1"]
    assert len(result["failures"]) == 1
    assert (SECRET in json.dumps(result)) is not secret


@pytest.mark.parametrize("accept", [[], ["dns-unknown"]])
def test_a_finding_can_be_accepted_by_its_name(accept):
    host = {
        "name": "web1",
        "address": "127.0.0.99",
        "accept": accept,
        "report": {},
        "sites": [{"name": "a.invalid"}],
    }
    done = subprocess.run(
        [sys.executable, "-m", "verify", "-", "-k", "test_dns"],
        input=json.dumps({"timeout": 2, "hosts": [host]}),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)["hosts"]["web1"]["findings"]
    assert told == ([] if accept else ["DNS knows no address of a.invalid [dns-unknown]"])


def test_a_host_is_asked_without_a_word_in_the_command():
    """Whatever the question is, the command is the same."""
    asked = {"backends": [], "releases": [], "timeout": 1, "state_dir": f"/nowhere/{SECRET}"}
    argv = asking.command(sys.executable)
    done = subprocess.run(argv, input=asking.asking(asked), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state_dir"]["path"] == f"/nowhere/{SECRET}"
    assert SECRET not in " ".join(argv)
