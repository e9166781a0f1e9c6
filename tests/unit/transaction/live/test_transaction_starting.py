"""nginx is started without systemd: what it says is read, and what a daemon keeps open holds nobody up."""

from __future__ import annotations

import os
import signal
import time

import pytest

from module_utils.nginx_websocket.transaction.live import starting
from module_utils.nginx_websocket.transaction.live.instance import Instance
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
