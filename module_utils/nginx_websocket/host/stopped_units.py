"""The systemd unit that should listen at a port or socket, and does not run."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
from typing import Dict, Iterator, List, Optional, Sequence

from ..conf.regular import open_regular
from .processes.children import booted, run

DIRECTORIES = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
               "/usr/lib/systemd/system", "/lib/systemd/system")  # fmt: skip
"""Where systemd looks for units, the strongest first (systemd.unit, "Unit File Load Path")."""
MOST_FILES = 500
MOST_BYTES = 65536
LINES = 3
SECONDS = 3.0
_NAME = re.compile(r"^[\w.@:-]+\.service$")
_TELLS = re.compile(r"^\s*(?:ExecStart|Environment)\s*=", re.M)


@dataclasses.dataclass
class StoppedUnit:
    """A unit whose file names the port or socket, and that does not run."""

    name: str
    state: str
    """``failed (exit-code)``, ``inactive (dead)`` and the like, in systemd's words."""
    lines: List[str]
    """What its journal says last; empty where it cannot be read."""


def stopped_unit(needle: str, directories: Sequence[str] = DIRECTORIES) -> Optional[StoppedUnit]:
    """The one unit that speaks of a port or socket and does not run.

    Args:
        needle: a port's number, or the path of a unix socket.
        directories: that hold unit files.

    Returns:
        None where systemd does not run this host, and where no unit or more than one comes into question.
    """
    if not booted():
        return None
    found = [unit for unit in map(_state, _speaking_of(needle, directories)) if unit is not None]
    if len(found) != 1:
        return None
    found[0].lines = _said("journalctl", "-u", found[0].name, "-n", str(LINES), "-o", "cat", "--no-pager")
    return found[0]


def _speaking_of(needle: str, directories: Sequence[str]) -> Iterator[str]:
    """Names of units whose command or environment names it; a file hides those of its name further on."""
    word = re.compile(rf"(?<![\w.]){re.escape(needle)}(?![\w.])" if needle.isdigit() else re.escape(needle))
    files: Dict[str, str] = {}
    for directory in directories:
        try:
            names = sorted(os.listdir(directory))
        except OSError:
            continue
        for name in names:
            if _NAME.match(name) and "@." not in name:
                files.setdefault(name, os.path.join(directory, name))
    for name, path in list(files.items())[:MOST_FILES]:
        try:
            with open_regular(path) as file:
                text = file.read(MOST_BYTES).decode("utf-8", "replace").replace("\\\n", " ")
        except OSError:
            continue
        if any(word.search(line) for line in text.split("\n") if _TELLS.match(line)):
            yield name


def _state(name: str) -> Optional[StoppedUnit]:
    """The unit, unless it runs, is about to, or is not known."""
    said = _said("systemctl", "show", name, "-p", "LoadState,ActiveState,SubState,Result")
    values = dict(line.split("=", 1) for line in said if "=" in line)
    if values.get("LoadState") not in ("loaded", "masked"):
        return None
    if values.get("ActiveState") not in ("inactive", "failed"):
        return None
    why = values.get("Result", "") if values["ActiveState"] == "failed" else values.get("SubState", "")
    masked = ", masked" if values["LoadState"] == "masked" else ""
    return StoppedUnit(name, f"{values['ActiveState']} ({why}{masked})", [])


def _said(*command: str) -> List[str]:
    try:
        done = run(command, SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    lines = done.stdout.decode("utf-8", "replace").splitlines() if not done.returncode else []
    return [line.strip()[:300] for line in lines if line.strip()]
