"""What a controller does while a command runs: memory of its processes, and files that it changes."""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Dict, List, Tuple

EVERY = 0.02  # seconds
LEFT_OUT = {
    ".git",
    ".venv",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".lab",
    ".hypothesis",
    # compiled modules and environments, which this and other sections of the tests make
    ".cache",
    ".ansible",
    ".state",  # the lab's own, where other tests start hosts at the same time
}


class Memory(threading.Thread):
    """Samples a process and its children, in MiB: ``one`` is the most that one took, ``all`` all of them."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()
        self.one = self.all = 0.0

    def run(self) -> None:
        while not self._over.wait(EVERY):
            total = 0.0
            for pid in descendants(self._pid):
                with suppress(OSError, ValueError, IndexError, StopIteration):
                    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
                    pss = next(line for line in rollup.splitlines() if line.startswith("Pss:"))
                    total += int(pss.split()[1]) / 1024
                    status = Path(f"/proc/{pid}/status").read_text()
                    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
                    self.one = max(self.one, int(peak.split()[1]) / 1024)
            self.all = max(self.all, total)

    def end(self) -> None:
        self._over.set()
        self.join()


def descendants(pid: int) -> List[int]:
    """The process and all that come from it."""
    parents: Dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError, ValueError, IndexError, StopIteration):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def watched(command: List[str], cwd: Path, environment: Dict[str, str]) -> Tuple[int, bytes, Memory]:
    """Run a command; its exit code, its output, and what memory it took."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        memory = Memory(process.pid)
        memory.start()
        assert process.stdout is not None
        output = process.stdout.read()
        process.wait()
        memory.end()
    return process.returncode, output, memory


def files(*roots: Path) -> Dict[str, Tuple[int, int, int]]:
    """Every file below the directories, with mode, size and time."""
    found = {}
    for root in roots:
        for directory, names, here in os.walk(root):
            names[:] = [name for name in names if name not in LEFT_OUT]
            for name in here:
                with suppress(OSError):
                    path = os.path.join(directory, name)
                    status = os.lstat(path)
                    found[path] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return found
