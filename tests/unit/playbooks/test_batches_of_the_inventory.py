"""Batches, order and summary where Ansible does not read them, and a controller or host that is too old."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pythons import interpreters

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
SITES = '[{"name":"a.test","backends":[{"name":"b"}]}]'


def play(tmp_path: Path, variables: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Check the variables of three hosts, and nothing else."""
    inventory = tmp_path / "hosts"
    inventory.write_text(
        f"[nginx_websocket]\na1\na2\na3\n[nginx_websocket:vars]\nansible_connection=local\n"
        f"nginx_websocket_sites={SITES}\n{variables}\n"
    )
    return subprocess.run(
        [str(PLAYBOOK), "-i", str(inventory), "site.yml", "--tags", "none", *more], cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("serial", ['[1, "25%"]', "1,25%", "2"])
def test_a_canary_in_the_inventory_is_refused_with_the_way_to_say_it(tmp_path, serial):
    done = play(tmp_path, f"nginx_websocket_serial={serial}")
    assert done.returncode == 2
    assert "a batch of this play has 3 hosts" in done.stdout and "-e nginx_websocket_serial=" in done.stdout


@pytest.mark.parametrize("serial", ["1,25%", "2", "100%", '{"nginx_websocket_serial": [1, "50%"]}'])
def test_a_canary_of_the_command_line_stands_in_the_inventory_too(tmp_path, serial):
    given = serial if serial.startswith("{") else f"nginx_websocket_serial={serial}"
    done = play(tmp_path, "", "-e", given)
    assert "a batch of this play" not in done.stdout, done.stdout


def test_what_comes_to_all_hosts_at_once_anyway(tmp_path):
    assert "a batch of this play" not in play(tmp_path, "nginx_websocket_serial=100%").stdout


@pytest.mark.parametrize(
    ("wish", "refused"), [("reverse_sorted", True), ("shuffle", True), ("inventory", False)]
)
def test_an_order_in_the_inventory(tmp_path, wish, refused):
    done = play(tmp_path, f"nginx_websocket_order={wish}")
    assert (f"-e nginx_websocket_order={wish}" in done.stdout) == refused, done.stdout
    assert "nginx_websocket_order is" not in play(tmp_path, "", "-e", f"nginx_websocket_order={wish}").stdout


def test_a_summary_that_the_inventory_asks_for(tmp_path):
    name, path = "nginx_websocket_summary_json", tmp_path / "summary.json"
    done = play(tmp_path, f"{name}={path}")
    assert f"{name} is '{path}', and no file would be" in " ".join(done.stdout.split()), done.stdout
    assert "no file would be" not in play(tmp_path, f"{name}={path}", "-e", f"{name}={path}").stdout
    assert path.exists()


def test_a_python_that_is_too_old_is_named_in_one_sentence(tmp_path):
    old = {version: path for version, path in interpreters((3, 0)).items() if version < (3, 7)}
    if not old:
        pytest.skip("no Python 3.6 or older is on this machine")
    python = next(iter(old.values()))
    done = subprocess.run(
        [str(PLAYBOOK.with_name("ansible")), "-i", "old,", "old", "-c", "local", "-m", "nginx_facts",
         "-e", f"ansible_python_interpreter={python}"], cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"Python at {python} is older than 3.8" in done.stdout and "Traceback" not in done.stdout
