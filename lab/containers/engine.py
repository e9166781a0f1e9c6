"""The docker engine, where `lab/setup` had to start it: it left a note of how."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from ..state import STATE, LabError
from . import docker

NOTE = STATE / "engine"
STOP = 30.0  # seconds


def answers() -> bool:
    """Say whether an engine is usable."""
    try:
        docker.engine()
    except LabError:
        return False
    return True


def stop_if_ours() -> bool:
    """Stop the engine if `lab/setup` started it and no container runs on it any more; say whether it was.

    Raises:
        LabError: it does not stop.
    """
    if not NOTE.exists() or docker.text("ps", "--quiet"):
        return False
    how, _, pid = NOTE.read_text().strip().partition(" ")
    if how == "systemd":
        # The socket would start it again at the next touch.
        command = ["systemctl", "stop", "docker.service", "docker.socket"]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            raise LabError(f"`{' '.join(command)}` failed: stop the engine by hand")
    elif not _is_dockerd(int(pid)):
        NOTE.unlink()
        return False
    else:
        os.kill(int(pid), signal.SIGTERM)
        deadline = time.monotonic() + STOP
        while _is_dockerd(int(pid)):
            if time.monotonic() > deadline:
                raise LabError(f"dockerd (pid {pid}) does not stop")
            time.sleep(0.05)
    NOTE.unlink()
    return True


def _is_dockerd(pid: int) -> bool:
    """Say whether a process lives and is a dockerd: a pid may have gone to somebody else."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False
    return os.path.basename(command) == b"dockerd"
