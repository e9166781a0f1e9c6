"""Every playbook from a directory of the user's own, with a configuration of the user's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.integration.conftest import BIN, ROOT, LabHost, LabUp

URL = "wss://lammp.test/api/mqtt/ws/hints/session-1"


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    """A host with a site whose WebSocket does not open."""
    return lab_up("it-elsewhere", scenes=["broken"])


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's own repository: its ansible.cfg does not know this project, its playbook imports ours."""
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "all.yml").write_text(f"- ansible.builtin.import_playbook: {ROOT}/site.yml\n")
    return tmp_path


def play(own: Path, host: LabHost, playbook: str, *more: str) -> str:
    """Run a playbook from the user's directory; return what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", str(ROOT / "inventory/lab"), "-l", host.name, playbook, *more],
        cwd=own,
        env={**environment, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOST_KEY_CHECKING": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_from_a_directory_of_ones_own(host: LabHost, own: Path) -> None:
    """Diagnose, deploy, verify and roll back need neither this project's directory nor its ansible.cfg."""
    assert "FAILS" in play(own, host, f"{ROOT}/playbooks/diagnose.yml", "-e", f"url={URL}")
    assert "changed=1" in play(own, host, f"{ROOT}/playbooks/deploy.yml")
    assert "checks passed" in play(own, host, f"{ROOT}/playbooks/verify.yml")
    assert "checks passed" in play(own, host, "all.yml")
    assert "back to the state before" in play(own, host, f"{ROOT}/playbooks/rollback.yml")
