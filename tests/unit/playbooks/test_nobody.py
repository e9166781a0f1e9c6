"""A run that comes to no host says so, and is no success."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
PLAYBOOKS = ["site.yml", *(f"playbooks/{name}.yml" for name in ("deploy", "verify", "rollback"))]
NO_GROUP = "The inventory has no host in the group nginx_websocket."
NO_HOST = "Nothing was done: --limit and the play leave no host."


def play(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PLAYBOOK), *arguments], cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def inventory(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("[nginx_websocket]\nweb1\n[others]\ndb1\n")
    return str(path)


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_an_inventory_that_is_none_or_lacks_the_group(tmp_path, playbook):
    empty = tmp_path / "hosts"
    for given in (tmp_path / "mistyped", empty):
        done = play("-i", str(given), playbook)
        assert done.returncode and NO_GROUP in done.stdout + done.stderr
        empty.write_text("[websockets]\nweb1\n")


def test_a_list_of_names_has_no_group_to_misspell():
    """A fix on a host of no inventory is taken back there as well."""
    done = play("-i", "web1,", "--list-hosts", "playbooks/rollback.yml")
    assert done.returncode == 0 and "web1" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_limit_that_leaves_no_host(inventory, playbook):
    done = play("-i", inventory, "--limit", "db1", playbook)
    assert done.returncode and NO_HOST in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["diagnose", "fix"])
def test_any_host_will_do_and_there_is_none(tmp_path, inventory, name):
    done = play("-i", str(tmp_path / "mistyped"), f"playbooks/{name}.yml")
    assert done.returncode and "The inventory has no host." in done.stdout + done.stderr
    done = play("-i", inventory, "-e", "target=web2", f"playbooks/{name}.yml")
    assert done.returncode and NO_HOST in done.stdout + done.stderr


def test_another_play_of_the_same_run_may_have_the_hosts(tmp_path, inventory):
    """A playbook for everything is run with --limit for other groups, too."""
    everything = tmp_path / "all.yml"
    everything.write_text(
        f"- import_playbook: {ROOT}/site.yml\n"
        "- hosts: others\n  gather_facts: false\n  connection: local\n  tasks: [{debug: {msg: here}}]\n"
    )
    done = play("-i", inventory, "--limit", "db1", str(everything))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [ROOT / "site.yml", *sorted((ROOT / "playbooks").glob("*.yml"))], ids=str)
def test_every_play_on_hosts_names_its_strategy(path):
    """Mitogen's, which a controller may have as its own, cannot ship these modules."""
    for one in yaml.safe_load(path.read_text()):
        assert one.get("hosts") in (None, "localhost") or one.get("strategy") == "linear", one["name"]
