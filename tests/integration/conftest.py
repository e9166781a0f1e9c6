"""Hosts of the lab for the integration tests: real systemd and nginx, reached over SSH as real hosts are."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable, Dict, Generator, List, Sequence

import pytest

from lab import hosts
from lab.state import lock

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


class LabHost:
    """One host of the lab, and Ansible on its way there."""

    def __init__(self, host: hosts.Host) -> None:
        self.host = host
        self.name = host.name
        self.address = host.address

    def run(self, *command: str, data: bytes = b"", check: bool = True) -> str:
        """Run a command as root inside the host; return its standard output."""
        return hosts.run(self.host, *command, data=data, check=check)

    def sh(self, script: str, check: bool = True) -> str:
        """Run a shell script as root inside the host; return its standard output."""
        return self.run("sh", "-c", script, check=check)

    def write(self, path: str, content: str) -> None:
        """Write a file on the host."""
        self.run("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat > "$1"', "sh", path, data=content.encode())

    def digest(self, *directories: str) -> str:
        """Return every name below the directories with its content, owner, mode and link target, as text.

        Whole rather than hashed, so that an assertion shows what differs. Lock files are left out:
        they only say who held the lock last.
        """
        script = (
            'for d in "$@"; do [ -e "$d" ] || { echo "$d absent"; continue; }; '
            'find "$d" ! -name lock -printf "%p %y %m %u:%g %l\\n" | sort; '
            'find "$d" -type f ! -name lock -print0 | sort -z | xargs -0 -r sha256sum; done'
        )
        return self.run("sh", "-c", script, "sh", *directories)

    def workers(self) -> List[str]:
        """Return the process ids of nginx's workers: a reload gives others."""
        return sorted(self.sh("pgrep -f '^nginx: worker process' || true").split())

    def has_package(self, name: str) -> bool:
        """Say whether the host can get a package: `apt-get update` succeeds where it reached nobody, too."""
        get = "timeout 60 apt-get -q -y"
        script = f"({get} update; {get} --download-only install {name}) >/dev/null 2>&1; echo $?"
        return self.sh(script).strip() == "0"

    def module(self, name: str, arguments: Dict[str, Any], *flags: str) -> Dict[str, Any]:
        """Run one Ansible module as root on the host and return its result."""
        given = ["-a", json.dumps(arguments)] if arguments else []
        done = _ansible("ansible", self.name, "-b", "-m", name, *given, *flags)
        found = re.search(
            rf"^{re.escape(self.name)} \| .*?=> ({{.*^}})", done.stdout, re.MULTILINE | re.DOTALL
        )
        assert found, f"{name} gave no result:\n{done.stdout}{done.stderr}"
        result: Dict[str, Any] = json.loads(found.group(1))
        return result

    def playbook(
        self, playbook: str, *flags: str, variables: Dict[str, Any] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook of this project on this host alone."""
        extra = ["-e", json.dumps(variables)] if variables else []
        return _ansible("ansible-playbook", playbook, "-l", self.name, *extra, *flags)


def _ansible(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / program), "-i", "inventory/lab", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            # Messages stay on one line, so that a test finds them.
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "0",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


LabUp = Callable[..., LabHost]


@pytest.fixture(scope="session")
def lab_up() -> Generator[LabUp, None, None]:
    """Return the function that starts a lab host; what it started is removed in the end.

    ``lab_up("case", suite="trixie", scenes=["broken", "neighbour"])`` gives a new host each time: tests may
    leave it in any state.
    """
    started: List[str] = []
    with contextlib.ExitStack() as held:

        def up(name: str, *, suite: str = "bookworm", scenes: Sequence[str] = ()) -> LabHost:
            if name not in started:
                # Somebody else's tests in the same checkout may have a host of that name: wait for them.
                held.enter_context(lock(f"test-{name}"))
                started.append(name)
            return LabHost(hosts.up([name], suite, scenes, recreate=True)[0])

        yield up
        if not os.environ.get("NGINX_WEBSOCKET_KEEP_LAB"):
            hosts.down(started)
