"""One host, reached in the ways that people have: each run deploys or finds the release, and verifies it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml

from tests.integration.conftest import BIN, ROOT, LabHost, LabUp

PASSWORD = "a password with spaces & signs"


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    """A host whose second user needs a password for sudo, and whose root has one for su."""
    host = lab_up("it-connections", scenes=["fresh"])
    host.sh(
        "useradd --create-home --shell /bin/bash ops && cp -r /home/deploy/.ssh /home/ops/ && "
        "chown -R ops /home/ops/.ssh && echo 'ops ALL=(ALL) ALL' > /etc/sudoers.d/ops"
    )
    host.run("chpasswd", data=f"ops:{PASSWORD}\nroot:{PASSWORD}\n".encode())
    return host


@pytest.fixture
def lab_variables(host: LabHost) -> Dict[str, Any]:
    """What the lab's inventory says of the host: how it is reached, and its sites."""
    done = subprocess.run(
        [str(BIN / "ansible-inventory"), "-i", "inventory/lab", "--host", host.name],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    variables: Dict[str, Any] = json.loads(done.stdout)
    return variables


def ssh_config(tmp_path: Path, host: LabHost, variables: Dict[str, Any]) -> Path:
    """A user's own configuration: an alias, and a host that only the alias can reach, by its loopback."""
    common = (
        f"  User deploy\n  IdentityFile {variables['ansible_ssh_private_key_file']}\n  IdentitiesOnly yes\n"
        f"  HostKeyAlias {host.name}\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"
    )
    path = tmp_path / "ssh_config"
    path.write_text(
        f"Host alias\n  HostName {host.address}\n{common}"
        f"Host behind\n  HostName 127.0.0.1\n  ProxyCommand ssh -F {path} -W %h:%p alias\n{common}"
    )
    return path


def site(tmp_path: Path, name: str, variables: Dict[str, Any], *more: str) -> Dict[str, Any]:
    """Run site.yml on a host of an inventory of its own; return what the summary says of it."""
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(yaml.safe_dump({"nginx_websocket": {"hosts": {name: variables}}}))
    summary = tmp_path / "summary.json"
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", str(inventory), "site.yml",
         "-e", f"nginx_websocket_summary_json={summary}", *more],
        cwd=ROOT, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "checks passed" in done.stdout, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + summary.read_text()
    told: Dict[str, Any] = json.loads(summary.read_text())["plays"][0]["hosts"][0]
    assert told["outcome"] in ("applied", "unchanged"), told
    return told


def reached_by_ssh(variables: Dict[str, Any], **changes: Any) -> Dict[str, Any]:
    """The lab's variables with other ones in their place."""
    return {**variables, "ansible_python_interpreter": "/usr/bin/python3", **changes}


@pytest.mark.parametrize("name", ["alias", "behind"])
def test_a_name_of_the_users_ssh_configuration(
    host: LabHost, lab_variables: Dict[str, Any], tmp_path: Path, name: str
) -> None:
    """An alias is dialled at its address; a host behind another one is looked at through ssh."""
    config = ssh_config(tmp_path, host, lab_variables)
    own = {key: value for key, value in lab_variables.items() if not key.startswith("ansible_")}
    told = site(tmp_path, name, reached_by_ssh(own, ansible_ssh_common_args=f"-F {config}"))
    through = any("not-from-outside" in str(finding) for finding in told["findings"])
    assert through == (name == "behind"), told["findings"]


def test_an_interpreter_that_ansible_finds(
    host: LabHost, lab_variables: Dict[str, Any], tmp_path: Path
) -> None:
    site(tmp_path, host.name, {**lab_variables, "ansible_python_interpreter": "auto"})


@pytest.mark.parametrize("method", ["sudo", "su"])
def test_root_with_a_password(
    host: LabHost, lab_variables: Dict[str, Any], tmp_path: Path, method: str
) -> None:
    changes = {
        "ansible_user": "ops",
        "ansible_become_method": method,
        "ansible_become_password": PASSWORD,
        "ansible_control_path": f"%(directory)s/lab-{method}",
    }
    site(tmp_path, host.name, reached_by_ssh(lab_variables, **changes))


def test_paramiko(host: LabHost, lab_variables: Dict[str, Any], tmp_path: Path) -> None:
    changes = {"ansible_connection": "paramiko", "ansible_host_key_checking": False}
    site(tmp_path, host.name, reached_by_ssh(lab_variables, **changes))
