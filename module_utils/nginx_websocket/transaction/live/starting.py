"""Start an nginx that is stopped, as the host starts it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import tempfile
import time
from typing import Sequence

from ...host.processes.children import booted, run
from ..site.instance import Instance
from ..site.model import NotProven
from . import workers
from .instance import masters_of

_POLL_SECONDS = 0.05
_START_TIMEOUT = 90.0
_QUIT_TIMEOUT = 10.0
_SAID = 10000
_UNDER_WAY = ("activating", "deactivating", "reloading")


def restarting(nginx: Instance) -> bool:
    """Whether systemd is about to stop or start nginx's unit: whoever waits sees how that ends."""
    if not booted():
        return False
    command = ["systemctl", "show", "--property=ActiveState,Job", nginx.unit or "nginx.service"]
    try:
        done = run(command, _QUIT_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return False
    shown = dict(line.partition("=")[::2] for line in done.stdout.decode("utf-8", "replace").splitlines())
    return shown.get("ActiveState") in _UNDER_WAY or shown.get("Job", "0") not in ("", "0")


def start(nginx: Instance, deadline: float) -> Instance:
    """Start nginx: its systemd unit where systemd runs, else the binary itself.

    A master that was told to quit and waits for its last connections is ended first: to systemd its unit
    still runs, and when it ends it takes away the pid file, which is its successor's by then.

    Args:
        nginx: stopped.
        deadline: ``time.monotonic()`` value until which workers must have come up.

    Returns:
        The same nginx with its master.

    Raises:
        NotProven: it does not start, or no worker comes up.
    """
    quitting = masters_of(nginx).quitting
    if booted():
        command = ["systemctl", "restart" if quitting else "start", nginx.unit or "nginx.service"]
    else:
        command = [nginx.binary, "-c", nginx.conf_path, *nginx.options]
    if not booted() or not nginx.unit:
        _end(quitting)
    # A file and no pipe: nginx keeps its standard error where error_log stands in http alone, and a pipe that
    # a daemon holds has no end.
    with tempfile.TemporaryFile() as output:
        try:
            done = run(command, _START_TIMEOUT, stdout=output, stderr=output)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NotProven(f"nginx could not be started: {error}") from error
        output.seek(0)
        text = output.read(_SAID)
    if done.returncode != 0:
        said = text.decode("utf-8", "replace").strip().splitlines()
        raise NotProven(
            f"nginx could not be started: {' '.join(command)}: {said[0] if said else 'no message'}"
        )
    while True:
        master = masters_of(nginx).current
        if master is not None and workers.serving(master):
            return dataclasses.replace(nginx, master=master, quitting=None)
        if time.monotonic() >= deadline:
            raise NotProven(f"{' '.join(command)} succeeded, but no nginx worker came up")
        time.sleep(_POLL_SECONDS)


def _end(masters: Sequence[int]) -> None:
    """End masters that quit already, and wait until they are gone."""
    for master in masters:
        with contextlib.suppress(ProcessLookupError):
            os.kill(master, signal.SIGTERM)
    deadline = time.monotonic() + _QUIT_TIMEOUT
    while any(map(workers.alive, masters)) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
