"""The collection: built, installed into an empty folder, and used from there alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import BIN, ROOT, LabHost, LabUp

URL = "wss://lammp.test/api/mqtt/ws/hints/session-1"
CONFIGURATION = """\
[defaults]
collections_path = collections
callbacks_enabled = proven.nginx_websocket.nginx_websocket_summary
"""


def run(directory: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs in a directory, with nothing of this checkout in its environment."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(
        [str(BIN / program), *arguments],
        cwd=directory,
        env={**environment, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOST_KEY_CHECKING": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own repository, in which the collection is installed."""
    directory = tmp_path_factory.mktemp("own")
    tree = directory / "tree"
    subprocess.run([sys.executable, str(ROOT / "collection/build.py"), str(tree)], check=True)
    for arguments in (
        ["build", str(tree), "--output-path", str(directory / "packed")],
        ["install", str(directory / "packed/proven-nginx_websocket-1.0.0.tar.gz"), "-p", "collections"],
    ):
        done = run(directory, "ansible-galaxy", "collection", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    (directory / "ansible.cfg").write_text(CONFIGURATION)
    return directory


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    """A host with a site whose WebSocket does not open."""
    return lab_up("it-collection", scenes=["broken"])


def play(own: Path, host: LabHost, name: str, *more: str) -> str:
    """Run one of the collection's playbooks; return what it printed."""
    inventory = ["-i", str(ROOT / "inventory/lab"), "-l", host.name]
    done = run(own, "ansible-playbook", *inventory, f"proven.nginx_websocket.{name}", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_main_job_from_the_collection(own: Path, host: LabHost) -> None:
    """Diagnose, deploy, verify and roll back by full names, with the summary."""
    assert "FAILS" in play(own, host, "diagnose", "-e", f"url={URL}")
    assert "SUMMARY" in (told := play(own, host, "site")) and " applied " in told
    assert " unchanged " in play(own, host, "site")
    assert "checks passed" in play(own, host, "verify")
    assert "back to" in play(own, host, "rollback")


def test_everything_has_its_documentation(own: Path) -> None:
    """ansible-doc renders each module, each filter and the role by its full name."""
    modules = [path.stem for path in sorted((ROOT / "library").glob("*.py"))]
    full = [f"proven.nginx_websocket.{name}" for name in modules]
    done = run(own, "ansible-doc", "--type", "module", *full)
    assert done.returncode == 0 and all(name in done.stdout for name in full), done.stdout + done.stderr
    pages = sorted((ROOT / "playbooks/filter_plugins").glob("*.yml"))
    done = run(
        own, "ansible-doc", "--type", "filter", *(f"proven.nginx_websocket.{one.stem}" for one in pages)
    )
    assert done.returncode == 0 and "diagnosis_html" in done.stdout, done.stdout + done.stderr
    done = run(own, "ansible-doc", "--type", "role", "proven.nginx_websocket.nginx_websocket")
    assert done.returncode == 0 and "nginx_websocket_sites" in done.stdout, done.stdout + done.stderr


def test_nothing_in_it_names_the_checkouts_own_ways(own: Path) -> None:
    """No import of ``ansible.module_utils.nginx_websocket`` is left, and no short name in a playbook."""
    tree = own / "collections/ansible_collections/proven/nginx_websocket"
    for path in (tree / "plugins").rglob("*.py"):
        assert "ansible.module_utils.nginx_websocket" not in path.read_text(), path
    for path in [*(tree / "playbooks").glob("*.yml"), *(tree / "roles").rglob("tasks/*.yml")]:
        for name in ("nginx_rollback", "nginx_diagnose", "nginx_websocket_verify", "nginx_websocket_sites"):
            assert f"\n      {name}:" not in path.read_text() and f"\n  {name}:" not in path.read_text(), path
