"""nginx is started without systemd: what it says is read, and what a daemon keeps open holds nobody up."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest

from module_utils.nginx_websocket.transaction.live import starting, workers
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import NotProven


@pytest.fixture
def binary(tmp_path, monkeypatch):
    """Stands for nginx on a host that systemd did not boot."""
    monkeypatch.setattr(starting, "booted", lambda: False)
    monkeypatch.setattr(starting, "_START_TIMEOUT", 2.0)
    pids = tmp_path / "pids"

    def made(script):
        path = tmp_path / "nginx"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Instance(str(path), str(tmp_path / "nginx.conf"))

    yield made
    if pids.exists():
        os.kill(int(pids.read_text()), signal.SIGKILL)


def test_a_daemon_keeps_its_standard_error(binary, tmp_path):
    nginx = binary(f"sleep 60 & echo $! > {tmp_path}/pids")
    with pytest.raises(NotProven, match="succeeded, but no nginx worker came up"):
        starting.start(nginx, time.monotonic())


def test_what_it_says_is_told(binary):
    nginx = binary("echo 'nginx: [emerg] no port' >&2; exit 1")
    with pytest.raises(NotProven, match="no port"):
        starting.start(nginx, time.monotonic())


def test_masters_that_quit_already_are_gone_before_another_begins(tmp_path):
    """They hold nginx's addresses until then."""
    up, slow = tmp_path / "up", "nginx: master process"
    script = f"trap 'sleep 0.4; exit' TERM; touch {up}; while :; do sleep 0.05; done"
    process = subprocess.Popen(["bash", "-c", f'exec -a "{slow}" bash -c "$0"', script])
    threading.Thread(target=process.wait, daemon=True).start()
    while not (up.exists() and workers.alive(process.pid)):
        assert process.poll() is None
        time.sleep(0.01)
    starting._end([process.pid])
    assert not workers.alive(process.pid)
    starting._end([process.pid])  # one that has ended meanwhile is no error
