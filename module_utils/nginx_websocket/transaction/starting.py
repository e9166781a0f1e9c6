"""Start an nginx that is stopped, as the host starts it."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time

from . import workers
from .instance import Instance, running_master
from .model import NotProven

_POLL_SECONDS = 0.05
_START_TIMEOUT = 90.0


def start(nginx: Instance, deadline: float) -> Instance:
    """Start nginx: its systemd unit where systemd runs, else the binary itself.

    Args:
        nginx: stopped.
        deadline: ``time.monotonic()`` value until which workers must have come up.

    Returns:
        The same nginx with its master.

    Raises:
        NotProven: it does not start, or no worker comes up.
    """
    if os.path.isdir("/run/systemd/system"):
        command = ["systemctl", "start", nginx.unit or "nginx.service"]
    else:
        command = [nginx.binary, "-c", nginx.conf_path, *nginx.options]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_START_TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotProven(f"nginx could not be started: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
        raise NotProven(
            f"nginx could not be started: {' '.join(command)}: {said[0] if said else 'no message'}"
        )
    while True:
        master = running_master(nginx)
        if master is not None and workers.serving(master):
            return dataclasses.replace(nginx, master=master)
        if time.monotonic() >= deadline:
            raise NotProven(f"{' '.join(command)} succeeded, but no nginx worker came up")
        time.sleep(_POLL_SECONDS)
