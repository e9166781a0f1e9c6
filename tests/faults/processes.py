"""nginx's processes on the host, as anybody sees them."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import Callable, List

PID, OLD_PID = "/run/nginx.pid", "/run/nginx.pid.oldbin"
_PATIENCE = 10.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something to happen.

    Raises:
        RuntimeError: it did not.
    """
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} did not happen within {_PATIENCE:g} s")
        time.sleep(0.01)


def read(path: str) -> int:
    """The process id in a file; 0 where there is none."""
    with contextlib.suppress(OSError, ValueError), open(path, encoding="ascii") as stream:
        return int(stream.read())
    return 0


def children(master: int, title: str = "worker process") -> List[int]:
    """The processes below a master whose titles hold some words."""
    found = []
    for pid in _below(master):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8") as stream:
            if title in stream.read():
                found.append(int(pid))
    return found


def taking(master: int) -> List[int]:
    """The workers of a master that take new connections."""
    draining = children(master, "is shutting down")
    return [pid for pid in children(master) if pid not in draining]


def _below(pid: int) -> List[str]:
    done = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return done.stdout.split()
