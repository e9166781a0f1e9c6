"""One transaction a host; certbot kept out as certbot keeps itself out."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys

import pytest

from module_utils.nginx_websocket.transaction.safety.lock import certbot_lock, host_lock
from module_utils.nginx_websocket.transaction.site.model import Refused

HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[2], os.O_CREAT | os.O_RDWR, 0o600)
getattr(fcntl, sys.argv[1])(fd, fcntl.LOCK_EX)
os.write(fd, b'{"pid": 4711, "since": "then"}')
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold():
    """Hold a lock in another process; returns the function that starts holding."""
    started = []

    def start(how: str, path: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, how, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"held\n"
        return process

    yield start
    for process in started:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def test_the_second_is_told_who_holds_the_host(tmp_path, hold):
    process = hold("flock", str(tmp_path / "lock"))
    (tmp_path / "lock").write_text(f'{{"pid": {process.pid}, "since": "then"}}')
    with pytest.raises(
        Refused, match=rf"another transaction runs on this host \(process {process.pid}, since then\)"
    ), host_lock(str(tmp_path), timeout=0.15):
        pass


def test_somebody_else_who_holds_it_is_named_not_the_last_run_of_ours(tmp_path, hold):
    process = hold("flock", str(tmp_path / "lock"))
    with pytest.raises(
        Refused, match=rf"lock is held by process {process.pid} \(\S*python"
    ) as told, host_lock(str(tmp_path), timeout=0.15):
        pass
    assert "4711" not in str(told.value)


def test_certbot_is_named(tmp_path, hold):
    process = hold("lockf", str(tmp_path / ".certbot.lock"))
    with pytest.raises(Refused, match=rf"lock \(process {process.pid} \("), certbot_lock(
        str(tmp_path), timeout=0.15
    ):
        pass


@pytest.mark.parametrize("lock, name", [(host_lock, "lock"), (certbot_lock, ".certbot.lock")])
@pytest.mark.parametrize("kind", ["FIFO", "directory", "symbolic link", "socket"])
@pytest.mark.parametrize("write", [True, False])
def test_what_is_no_file_is_refused_at_once(tmp_path, lock, name, kind, write):
    path = tmp_path / name
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(str(path))
    else:
        path.symlink_to("/etc/hostname")
    with pytest.raises(Refused, match=rf"{name} is no lock file .*mv {path} /root/") as told, lock(
        str(tmp_path), timeout=600, write=write
    ):
        pass
    assert kind in str(told.value) or kind == "socket"


def test_the_lock_ends_with_its_holder(tmp_path, hold):
    process = hold("flock", str(tmp_path / "lock"))
    process.kill()
    with host_lock(str(tmp_path), timeout=5):
        assert b'"pid": %d' % os.getpid() in (tmp_path / "lock").read_bytes()
    with host_lock(str(tmp_path), timeout=0):
        pass


def test_check_mode_makes_no_file_but_respects_one(tmp_path, hold):
    with host_lock(str(tmp_path), timeout=0, write=False), certbot_lock(
        str(tmp_path), timeout=0, write=False
    ):
        assert os.listdir(tmp_path) == []
    hold("flock", str(tmp_path / "lock"))
    before = (tmp_path / "lock").read_bytes()
    with pytest.raises(Refused), host_lock(str(tmp_path), timeout=0, write=False):
        pass
    assert (tmp_path / "lock").read_bytes() == before


def test_certbot_is_kept_out_and_the_file_is_gone_afterwards(tmp_path):
    path = tmp_path / ".certbot.lock"
    with certbot_lock(str(tmp_path), timeout=0):
        opened = f"os.open({str(path)!r}, os.O_WRONLY)"
        script = f"import fcntl,os; fcntl.lockf({opened}, fcntl.LOCK_EX | fcntl.LOCK_NB)"
        done = subprocess.run([sys.executable, "-c", script], stderr=subprocess.PIPE, check=False)
        assert done.returncode == 1 and b"BlockingIOError" in done.stderr
    assert not path.exists()


def test_certbot_that_runs_is_waited_for(tmp_path, hold):
    path = str(tmp_path / ".certbot.lock")
    process = hold("lockf", path)
    with pytest.raises(Refused, match=r"certbot holds .*\.certbot\.lock"), certbot_lock(
        str(tmp_path), timeout=0.15
    ):
        pass
    assert os.path.exists(path), "certbot's own file is certbot's to remove"
    process.kill()
    process.wait()
    with certbot_lock(str(tmp_path), timeout=5):
        pass


def test_a_lock_file_that_was_replaced_meanwhile_does_not_count(tmp_path, monkeypatch):
    """certbot removes the file before it lets go: the lock we then get may be on a file that is gone."""
    path = tmp_path / ".certbot.lock"
    path.touch()
    real, calls = fcntl.lockf, []

    def lockf(descriptor, how):
        real(descriptor, how)
        calls.append(descriptor)
        if len(calls) == 1:
            path.unlink()

    monkeypatch.setattr(fcntl, "lockf", lockf)
    with certbot_lock(str(tmp_path), timeout=1):
        assert len(calls) == 2 and os.path.samestat(os.fstat(calls[1]), path.stat())
