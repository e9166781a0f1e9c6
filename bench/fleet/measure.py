#!/usr/bin/env python3
"""What a run costs, beside a ping and beside a plain hand-written playbook.

Starts lab hosts, then times whole commands in turn, round by round, so that a machine that speeds up or slows
down does so for all of them.  Prints medians with their spread, the ratio to a ping of the same hosts pair by
pair, and the round trips that each command makes to a host.

    bench/fleet/measure.py --hosts 10 --rounds 5
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List

import yaml

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv" / "bin"
LAB = [str(VENV / "python"), str(ROOT / "lab" / "lab")]
NAME = "bench-"
INVENTORY = ["-i", str(ROOT / "inventory" / "lab"), "--limit", NAME + "*"]
PLAIN = str(ROOT / "bench" / "fleet" / "plain.yml")
EXECUTIONS = re.compile(r"^<[^>]+> SSH: EXEC ssh ", re.MULTILINE)


def environment(hosts: int) -> Dict[str, str]:
    """Return the environment of every timed command: the project's settings, a fork a host up to 25."""
    forks = str(min(hosts, 25))
    return {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_FORKS": forks,
        "PATH": f"{VENV}:{os.environ['PATH']}",
    }


def sites(revision: int) -> str:
    """Return the lab's sites as extra variables, with one timeout that differs from revision to revision."""
    [defaults] = (ROOT / "inventory" / "lab" / "group_vars").glob("nginx_websocket*")
    files = sorted(defaults.glob("*.yml")) if defaults.is_dir() else [defaults]
    values: Dict[str, object] = {}
    for file in files:
        values.update(yaml.safe_load(file.read_text()) or {})
    wanted = json.loads(json.dumps(values["nginx_websocket_sites"]))
    for route in wanted[0]["websockets"]:
        route["timeout"] = f"{3600 + revision}s"
    return json.dumps({"nginx_websocket_sites": wanted})


def commands(revision: int, changed: Path) -> Dict[str, List[str]]:
    """Return what is timed in one round; `revision` makes the changed runs change something."""
    changed.write_text(sites(revision))
    current = f"@{changed}"
    playbook = ["ansible-playbook", *INVENTORY]
    plain = [*playbook, PLAIN, "-e", f"bench_revision={revision}"]
    site = [*playbook, str(ROOT / "site.yml"), "-e", current]
    return {
        "ping": ["ansible", *INVENTORY, "nginx_websocket", "-m", "ansible.builtin.ping"],
        "plain, changed": plain,
        "plain, unchanged": plain,
        "site.yml, changed": site,
        "site.yml, unchanged": site,
        "site.yml, unchanged, without verification": [*site, "--tags", "deploy"],
    }


def run(command: List[str], hosts: int) -> float:
    """Run one command; returns its wall time in seconds.

    Raises:
        SystemExit: it failed; a benchmark of failures says nothing.
    """
    begin = time.monotonic()
    done = subprocess.run(
        command, cwd=ROOT, env=environment(hosts), capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - begin
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return seconds


def round_trips(command: List[str], hosts: int) -> float:
    """Return how many commands Ansible runs over SSH on each host."""
    done = subprocess.run(
        [*command, "-vvv"], cwd=ROOT, env=environment(hosts), capture_output=True, text=True, check=False
    )
    return len(EXECUTIONS.findall(done.stdout)) / hosts


def main() -> int:
    """Start the hosts, measure, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true", help="leave the hosts running")
    arguments = parser.parse_args()
    names = [f"{NAME}{number}" for number in range(1, arguments.hosts + 1)]
    subprocess.run([*LAB, "up", *names, "--scene", "fresh"], check=True)
    times: Dict[str, List[float]] = {}
    trips: Dict[str, float] = {}
    try:
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / "sites.json"
            begin = time.monotonic()
            for name, command in commands(0, changed).items():
                if name in ("plain, changed", "site.yml, changed"):
                    print(
                        f"first run of {name.split(',')[0]}: {run(command, arguments.hosts):.1f} s",
                        flush=True,
                    )
            for number in range(1, arguments.rounds + 1):
                for name, command in commands(number, changed).items():
                    times.setdefault(name, []).append(run(command, arguments.hosts))
                print(
                    f"round {number} of {arguments.rounds} done after {time.monotonic() - begin:.0f} s",
                    flush=True,
                )
            for name, command in commands(arguments.rounds + 1, changed).items():
                trips[name] = round_trips(command, arguments.hosts)
    finally:
        if not arguments.keep:
            subprocess.run([*LAB, "down", *names], check=False, stdout=subprocess.DEVNULL)
    print(f"\n{arguments.hosts} hosts, {arguments.rounds} rounds, {os.cpu_count()} cores for all")
    print(f"{'':<44}{'median s':>10}{'min':>8}{'max':>8}{'÷ ping':>9}{'min':>7}{'max':>7}{'trips':>7}")
    for name, seconds in times.items():
        ratios = [one / ping for one, ping in zip(seconds, times["ping"])]
        print(
            f"{name:<44}{statistics.median(seconds):>10.2f}{min(seconds):>8.2f}{max(seconds):>8.2f}"
            f"{statistics.median(ratios):>9.2f}{min(ratios):>7.2f}{max(ratios):>7.2f}{trips[name]:>7.1f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
