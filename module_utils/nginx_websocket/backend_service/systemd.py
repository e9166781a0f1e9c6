"""What is asked of systemd, by way of systemctl, systemd-analyze and journalctl."""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import Dict, List, Sequence

from ..host.processes import children

_TIMEOUT = 120.0
_LAST_LINES = 5
_PLAINLY = {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""}
QUIETLY = ("--output=cat", "--quiet", "--no-pager")


class SystemdError(Exception):
    """systemd refused; the message is what it said."""


def run(*command: str, check: bool = True) -> str:
    """Run a command and return what it printed.

    Raises:
        SystemdError: it failed, or is not there.
    """
    try:
        done = children.run(command, _TIMEOUT, stderr=subprocess.STDOUT, more=_PLAINLY)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SystemdError(f"{' '.join(command)}: {error}") from error
    said = done.stdout.decode("utf-8", "replace").strip()
    if check and done.returncode != 0:
        raise SystemdError(f"{' '.join(command[:3])}: {said or f'ended with {done.returncode}'}")
    return said


def show(unit: str, *properties: str) -> Dict[str, str]:
    """Properties of a unit; those that it does not have are empty."""
    said = run("systemctl", "show", f"--property={','.join(properties)}", unit)
    found = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    return {name: found.get(name, "") for name in properties}


def verify(name: str, content: bytes) -> List[str]:
    """What systemd finds wrong in a unit that is not installed, one message a line.

    ``systemd-analyze verify`` reads the other units of the host too, and speaks of them as well: only what
    names this one counts.
    """
    with tempfile.TemporaryDirectory(prefix="nginx-websocket-") as directory:
        path = os.path.join(directory, name)
        with open(path, "wb") as stream:
            stream.write(content)
        said = run("systemd-analyze", "verify", "--man=no", path, check=False)
    return [line.replace(path, name) for line in said.splitlines() if name in line]


def last_words(unit: str, since: float) -> Sequence[str]:
    """The end of what a unit's own processes have printed; systemd's words on it where they printed nothing.

    systemd's own lines come last and say only that it failed.

    Args:
        unit: with its ``.service``.
        since: seconds since the epoch; what was said before says nothing of this start.
    """
    for whose in (f"_SYSTEMD_UNIT={unit}", f"--unit={unit}"):
        try:
            said = run("journalctl", whose, f"--since=@{int(since)}", f"--lines={_LAST_LINES}", *QUIETLY)
        except SystemdError:
            return ()
        if said.strip():
            return said.splitlines()
    return ()
