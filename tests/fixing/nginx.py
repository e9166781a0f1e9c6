"""The nginx of a case's own namespace: started, told to read its files, ended."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Callable, List

PATIENCE = 60.0
"""Seconds that an answer may take: it comes at once, unless others use the machine as well."""


class Nginx:
    """The one of this namespace."""

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        """Start, and wait until it listens."""
        # No pipe: nginx keeps its standard error where error_log stands in http alone.
        if subprocess.call(["nginx"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
            said = subprocess.run(["nginx", "-t"], capture_output=True, text=True, check=False).stderr
            raise ValueError(f"nginx does not start: {said}")
        # What started it ends before it has its name and its file.
        _wait(self._serves)

    def _serves(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(self._workers())
        return False

    def stop(self) -> None:
        """End at once, and wait for it."""
        pid = self._pid()
        os.kill(pid, signal.SIGTERM)
        _wait(lambda: not os.path.exists(f"/proc/{pid}") or _state(pid) == "Z")

    def reload(self) -> None:
        """Read the files, and wait until only new workers are left."""
        old = self._workers()
        os.kill(self._pid(), signal.SIGHUP)
        _wait(lambda: bool(self._workers()) and not set(self._workers()) & set(old))

    @staticmethod
    def _pid() -> int:
        with open("/run/nginx.pid", encoding="ascii") as file:
            return int(file.read())

    def _workers(self) -> List[str]:
        with open(f"/proc/{self._pid()}/task/{self._pid()}/children", encoding="ascii") as file:
            return file.read().split()


def _state(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="latin-1") as file:
        return file.read().rpartition(")")[2].split()[0]
    return "Z"


def _wait(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("nginx did not do what it was told")
        time.sleep(0.01)
