#!/usr/bin/env python3
"""Run the main job under the oldest ansible-core that is supported, 2.19, the newest and the coming one.

Each gets an environment in .cache/cores/, made with a Python of this machine that it runs on; one that no
Python here can run is told and left out. On one lab host each deploys (the first run changes, the others
prove that they agree), verifies, and writes the summary. Ends with 1 when one failed, or when none could run.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lab import hosts  # noqa: E402
from tests.pythons import interpreters  # noqa: E402

CACHE = ROOT / ".cache" / "cores"
HOST = "cores"
TOGETHER = ["pytest>=8", "pytest-testinfra>=10.1"]


class Core(NamedTuple):
    """An ansible-core, and the Pythons that it runs on (the support matrix in Ansible's documentation)."""

    name: str
    requirement: str
    pythons: Tuple[Tuple[int, int], Tuple[int, int]]
    coming: bool = False


CORES = [
    Core("the oldest, on the oldest Python", "ansible-core>=2.16,<2.17", ((3, 10), (3, 10))),
    Core("2.19", "ansible-core>=2.19,<2.20", ((3, 11), (3, 13))),
    Core("the newest", "ansible-core>=2.20", ((3, 12), (3, 14))),
    Core("the coming one", "ansible-core>=2.20", ((3, 12), (3, 14)), coming=True),
]


def environment(core: Core, python: str) -> Path:
    """Return the directory of programs of an environment with this ansible-core.

    Raises:
        subprocess.CalledProcessError: it could not be made; ``stderr`` says why.
    """
    folder = CACHE / "".join(letter if letter.isalnum() else "-" for letter in core.name)
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
        for command in (
            [python, "-m", "venv", str(folder)],
            [*pip, *(["--pre"] if core.coming else []), core.requirement],
            [*pip, *TOGETHER],
        ):
            subprocess.run(command, check=True, capture_output=True, text=True)
        (folder / "ready").touch()
    return folder / "bin"


def run(programs: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook of an environment on the lab host."""
    return subprocess.run(
        [str(programs / "ansible-playbook"), "-i", "inventory/lab", "-l", HOST, *arguments],
        cwd=ROOT,
        env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def judge(programs: Path) -> str:
    """Deploy, deploy again, verify; return what is wrong, or nothing."""
    summary = programs.parent / "summary.json"
    summary.unlink(missing_ok=True)
    for arguments in (
        ["site.yml", "-e", "nginx_websocket_on_drift=overwrite"],
        ["site.yml", "-e", f"nginx_websocket_summary_json={summary}"],
        ["playbooks/verify.yml"],
    ):
        done = run(programs, *arguments)
        called, output = f"ansible-playbook {' '.join(arguments)}", done.stdout + done.stderr
        if done.returncode:
            return f"{called} ended with {done.returncode}:\n{output}"
        if "Traceback" in output or "Failure using method" in output:
            return f"{called} met an error:\n{output}"
    if not summary.exists():
        return "the summary was not written"
    told = json.loads(summary.read_text(encoding="utf-8"))
    return "" if HOST in json.dumps(told) else f"the summary does not name the host: {told}"


def suitable(core: Core, found: Dict[Tuple[int, int], str]) -> Optional[str]:
    """Return the newest Python here that an ansible-core runs on."""
    lowest, highest = core.pythons
    return next(
        (found[version] for version in sorted(found, reverse=True) if lowest <= version <= highest), None
    )


def main() -> int:
    """Run all; return the exit code."""
    found = interpreters()
    failed: List[str] = []
    passed = 0
    hosts.up([HOST], "bookworm", ["broken"], recreate=True)
    try:
        for core in CORES:
            python = suitable(core, found)
            if python is None:
                needed = " to ".join(".".join(map(str, version)) for version in core.pythons)
                print(
                    f"   left out: ansible-core, {core.name}: no Python {needed} is on this machine",
                    flush=True,
                )
                continue
            begun = time.monotonic()
            try:
                programs = environment(core, python)
            except subprocess.CalledProcessError as error:
                wrong, version = f"no environment: {error.stderr or error}", core.requirement
            else:
                banner = subprocess.run(
                    [str(programs / "ansible"), "--version"], capture_output=True, text=True, check=True
                )
                version, wrong = banner.stdout.splitlines()[0], judge(programs)
            verdict, seconds = "FAILED" if wrong else "passed", time.monotonic() - begun
            print(f"   {verdict}: {version}, {python}, {seconds:.0f} s", flush=True)
            if wrong:
                print(wrong, flush=True)
                failed.append(core.name)
            else:
                passed += 1
    finally:
        hosts.down([HOST])
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
