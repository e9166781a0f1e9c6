"""What root executes or believes from the state directory cannot be put there by anybody else."""

from __future__ import annotations

import time
from typing import Any, Callable, Generator

import pytest

from lab import hosts
from lab.containers import docker
from tests.integration.conftest import LabHost
from tests.integration.transaction_host import TransactionHost, site

PROOF = "/root/run-by-root"
STATE = "/var/lib/nginx_websocket"
SWAP = (
    "python3 -c \"import zipfile; z = zipfile.ZipFile('/home/mallory/g.zip', 'w'); "
    f'z.writestr(\'__main__.py\', \'open(\\"{PROOF}\\", \\"w\\")\')" && '
    f"mv -f /home/mallory/g.zip {STATE}/guard.zip"
)


@pytest.fixture(scope="module")
def started(attacked: LabHost) -> TransactionHost:
    return TransactionHost(attacked)


@pytest.fixture
def host(started: TransactionHost) -> Generator[TransactionHost, None, None]:
    started.sh(f"rm -f {PROOF}; chmod 0700 {STATE} 2>/dev/null; true")
    started.reset()
    yield started
    started.sh(f"systemctl stop nginx-websocket-undo.timer 2>/dev/null; chmod 0700 {STATE} 2>/dev/null; true")


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for something that the host does by itself."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def as_mallory(host: TransactionHost, script: str) -> None:
    host.lab.run("runuser", "-u", "mallory", "--", "sh", "-c", script)


def run_by_root(host: TransactionHost) -> bool:
    return bool(host.sh(f"ls {PROOF} 2>/dev/null || true").strip())


def refused(outcome: Any) -> str:
    assert outcome["failed"] and outcome["outcome"] == "refused", outcome
    return str(outcome["message"])


def test_the_timer_runs_what_was_armed_and_nothing_else(host: TransactionHost) -> None:
    host.deploy(site())
    host.deploy(site(tail="# two"), confirm_window=2, deadline=3)
    host.sh(f"chmod 0777 {STATE}")
    as_mallory(host, SWAP)
    until(lambda: "not the archive that was armed" in host.sh("journalctl -u nginx-websocket-undo -o cat"))
    assert not run_by_root(host)


def test_the_boot_unit_runs_what_was_armed_and_nothing_else(host: TransactionHost) -> None:
    host.deploy(site())
    host.deploy(site(tail="# two"), confirm_window=300)
    host.sh(f"chmod 0777 {STATE}")
    as_mallory(host, SWAP)
    host.sh("systemctl daemon-reload; systemctl start nginx-websocket-recover.service || true")
    assert not run_by_root(host)


def test_a_state_directory_for_all_is_refused_with_the_command(host: TransactionHost) -> None:
    host.deploy(site())
    host.sh(f"chmod 0777 {STATE}")
    said = refused(host.deploy(site(tail="# two")))
    assert f"{STATE} has mode 0777; expected: 0700, for root alone: chmod 0700 {STATE}" in said
    host.sh(f"chmod 0700 {STATE}")
    assert host.deploy(site(tail="# two"))["outcome"] == "applied"


def test_a_backup_of_somebody_is_not_put_back(host: TransactionHost) -> None:
    host.deploy(site())
    host.deploy(site(tail="# two"))
    host.sh(f"chown -R mallory {STATE}/backups/*/before")
    outcome, _, _ = host.begin("rollback", to="previous")
    assert "chown -h root" in refused(outcome)


@pytest.mark.parametrize("state_dir", ["/tmp/x", "/", "/etc/nginx", "/etc", "/home/mallory/state"])
def test_no_other_directory_is_taken_for_ours(host: TransactionHost, state_dir: str) -> None:
    before = host.lab.digest("/etc/nginx")
    assert "state directory" in refused(host.deploy(site(), state_dir=state_dir))
    assert host.lab.digest("/etc/nginx") == before
    assert not host.sh("ls -d /tmp/x /home/mallory/state 2>/dev/null || true")


def test_a_start_of_all_units_in_the_window_is_no_boot(host: TransactionHost) -> None:
    host.deploy(site())
    done = host.deploy(site(tail="# two"), confirm_window=300)
    host.sh("systemctl daemon-reload && systemctl start multi-user.target")
    until(lambda: "activating" not in host.sh("systemctl is-active nginx-websocket-recover.service || true"))
    assert "this is no boot" in host.sh("journalctl -u nginx-websocket-recover -o cat")
    confirmed, _, _ = host.begin("confirm", backup=done["backup"])
    assert confirmed["outcome"] == "applied", confirmed


def test_a_boot_in_the_window_is_one(host: TransactionHost) -> None:
    first = host.deploy(site())
    host.deploy(site(tail="# two"), confirm_window=300)
    docker.docker("restart", host.lab.host.container)
    hosts.wait_ready(hosts.get(host.lab.name))  # its address may be another now
    release = first["releases"]["lammp"]
    until(lambda: host.serves(f"/.well-known/nginx-websocket/{release}") == f"200 {release}")
    assert "(at boot)" in host.sh(f"cat {STATE}/gone-back.json")


def test_a_lock_that_is_no_file_keeps_nobody_waiting(host: TransactionHost) -> None:
    host.deploy(site())
    for path in ("/etc/nginx/.certbot.lock", f"{STATE}/lock"):
        host.sh(f"rm -f {path} && mkfifo {path}")
        assert f"mv {path} /root/" in refused(host.deploy(site(tail="# two"), lock_timeout=1))
        host.sh(f"rm {path}")
