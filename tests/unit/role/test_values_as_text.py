"""``-e name=value`` gives text: every number, truth value and list of batches is read from it, too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from roles.nginx_websocket.site_model.specification import options
from roles.nginx_websocket.site_model.variables import PREFIX, check
from tests.unit.role.rendering import ROOT

SITE = {"name": "a.test", "backends": [{"name": "app"}], "websockets": [{"path": "/ws/"}]}
NUMBERS = {name: "60" for name, option in options().items() if option["type"] == "int"}
TRUTHS = {name: "yes" for name, option in options().items() if option["type"] == "bool"}
PLAYBOOKS = ["site.yml", "playbooks/deploy.yml", "playbooks/verify.yml", "playbooks/rollback.yml"]
HOSTS = ["web1", "web2", "web3", "web4"]


@pytest.mark.parametrize("name", [*NUMBERS, *TRUTHS])
def test_numbers_and_truth_values_are_read_from_text(name):
    text, value = (NUMBERS[name], 60) if name in NUMBERS else (TRUTHS[name], True)
    plan = check({"nginx_websocket_sites": [SITE], name: text})
    assert plan["errors"] == []
    assert plan["settings"][name[len(PREFIX) :]] == value


SERIALS = [
    ("1", ["1"]),
    (1, ["1"]),
    ("1,25%", ["1", "25%"]),
    ('[1, "25%"]', ["1", "25%"]),
    ([1, "25%"], ["1", "25%"]),
]


@pytest.mark.parametrize(("given", "sizes"), SERIALS, ids=repr)
def test_batches_are_a_list_a_number_or_text(given, sizes):
    plan = check({"nginx_websocket_sites": [SITE], "nginx_websocket_serial": given})
    assert (plan["errors"], plan["settings"]["serial"]) == ([], sizes)


@pytest.mark.parametrize("given", ["", "some", "1-2", "1.5", "-1", "0", True, {"a": 1}])
def test_batches_that_are_none_are_refused(given):
    plan = check({"nginx_websocket_sites": [SITE], "nginx_websocket_serial": given})
    assert "nginx_websocket_serial" in plan["errors"][0]


def played(directory: Path, tasks: str, *arguments: str) -> str:
    """Run tasks of the role on hosts that are this machine, in site.yml's batches."""
    serial = yaml.safe_load((ROOT / "site.yml").read_text())[0]["serial"]
    play = {
        "hosts": "all",
        "gather_facts": False,
        "serial": serial,
        "tasks": yaml.safe_load(tasks),
    }
    playbook = directory / "play.yml"
    playbook.write_text(yaml.safe_dump([play]))
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), "-i", ",".join(HOSTS), "-c", "local",
         str(playbook), *arguments],
        cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_ROLES_PATH": str(ROOT / "roles")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_all_playbooks_have_the_same_batches():
    assert len({yaml.safe_load((ROOT / name).read_text())[-1]["serial"] for name in PLAYBOOKS}) == 1


BATCHES = [
    ("nginx_websocket_serial=1,50%", ["web1", "web2 web3", "web4"]),
    ('{"nginx_websocket_serial": [1, "100%"]}', ["web1", "web2 web3 web4"]),
    ("nginx_websocket_serial=3", ["web1 web2 web3", "web4"]),
    ("other=1", ["web1 web2 web3 web4"]),
]


@pytest.mark.parametrize(("given", "batches"), BATCHES, ids=repr)
def test_ansible_makes_these_batches(tmp_path, given, batches):
    tasks = "[{debug: {msg: 'batch {{ ansible_play_batch | join(\" \") }}!'}, run_once: true}]"
    output = played(tmp_path, tasks, "-e", given)
    assert [
        line.partition("batch ")[2].partition("!")[0] for line in output.splitlines() if "msg:" in line
    ] == (batches)


def test_tasks_calculate_with_text(tmp_path):
    """The looks of the soak time ask nobody here: no host has been looked at before."""
    tasks = """
- import_role: {name: nginx_websocket, tasks_from: soak}
- import_role: {name: nginx_websocket, tasks_from: take_back}
"""
    texts = [part for name, text in {**NUMBERS, **TRUTHS}.items() for part in ("-e", f"{name}={text}")]
    output = played(tmp_path, tasks, *texts, "-e", "nginx_websocket_on_failure=take_back")
    assert "After a failure, roll back the finished hosts" in output
