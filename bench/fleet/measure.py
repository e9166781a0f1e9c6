#!/usr/bin/env python3
"""What a run costs, beside a ping and beside a plain hand-written playbook.

Starts lab hosts, then runs whole commands in turn, round by round, so that a machine that speeds up or slows
down does so for all of them.  Prints medians with their spread: wall time, its ratio to a ping of the same
hosts in the same round, CPU time of the controller and of the hosts (they share the machine, and CPU time is
the steadier figure when others use it, too), and the round trips that each command makes to a host.

    bench/fleet/measure.py --hosts 10 --rounds 5          about ten minutes, as in docs/performance.md
    bench/fleet/measure.py --hosts 50 --rounds 5 --only ping "site.yml, unchanged"
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Dict, List, Optional, Sequence

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
        # As in a shell of a user: this one would have the project's own Python compiled anew each time.
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
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


def commands(number: int, changed: Path, only: Sequence[str] = ()) -> Dict[str, List[str]]:
    """Return what is timed in one round.

    Args:
        number: of the round; a changed run deploys what no round before it did.
        changed: file for the sites of this round.
        only: measure these alone, beside ping; an unchanged run without a changed one before it in the same
            round asks for what the hosts had at the start.
    """
    plain_revision, revision = (
        number if not only or f"{kind}, changed" in only else 0 for kind in ("plain", "site.yml")
    )
    changed.write_text(sites(revision))
    current = f"@{changed}"
    playbook = ["ansible-playbook", *INVENTORY]
    plain = [*playbook, PLAIN, "-e", f"bench_revision={plain_revision}"]
    site = [*playbook, str(ROOT / "site.yml"), "-e", current]
    every = {
        "ping": ["ansible", *INVENTORY, "nginx_websocket", "-m", "ansible.builtin.ping"],
        "plain, changed": plain,
        "plain, unchanged": plain,
        "site.yml, changed": site,
        "site.yml, unchanged": site,
        "site.yml, unchanged, without verification": [*site, "--tags", "deploy"],
    }
    return {name: every[name] for name in every if not only or name in ("ping", *only)}


@dataclass
class Cost:
    """What one run took, in seconds: wall time, and CPU time of the controller and of all hosts."""

    wall: float
    controller: float
    hosts: float


class Fleet:
    """The lab hosts, and the control groups that count their CPU time."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self._counters: List[Path] = []

    def up(self) -> None:
        """Start the hosts."""
        subprocess.run([*LAB, "up", *self.names, "--scene", "fresh"], check=True)
        listed = subprocess.run(
            ["docker", "ps", "--no-trunc", "--quiet", "--filter", f"name={NAME}"],
            capture_output=True,
            text=True,
            check=True,
        )
        for container in listed.stdout.split():
            first = Path("/sys/fs/cgroup/cpuacct/docker", container, "cpuacct.usage")
            second = Path(f"/sys/fs/cgroup/system.slice/docker-{container}.scope/cpu.stat")
            self._counters += [path for path in (first, second) if path.exists()]

    def down(self) -> None:
        """Remove the hosts."""
        subprocess.run([*LAB, "down", *self.names], check=False, stdout=subprocess.DEVNULL)

    def cpu(self) -> float:
        """Return the CPU time that all hosts have taken, in seconds; nan where no control group tells."""
        total = 0.0
        for path in self._counters:
            text = path.read_text().split()
            total += int(text[1]) / 1e6 if path.name == "cpu.stat" else int(text[0]) / 1e9
        return total if len(self._counters) == len(self.names) else float("nan")

    def run(self, command: List[str]) -> Cost:
        """Run one command.

        Raises:
            SystemExit: it failed; a benchmark of failures says nothing.
        """
        before, hosts = resource.getrusage(resource.RUSAGE_CHILDREN), self.cpu()
        begin = time.monotonic()
        done = subprocess.run(
            command, cwd=ROOT, env=environment(len(self.names)), capture_output=True, text=True, check=False
        )
        wall = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        own = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Cost(wall, own, self.cpu() - hosts)

    def round_trips(self, command: List[str]) -> int:
        """Return how many commands are run over SSH on a host."""
        done = subprocess.run(
            [*command, "--limit", self.names[0], "-vvv"],
            cwd=ROOT,
            env=environment(1),
            capture_output=True,
            text=True,
            check=False,
        )
        return len(EXECUTIONS.findall(done.stdout))


def leave(_number: int, _frame: Optional[FrameType]) -> None:
    """End as by Ctrl-C, so that the hosts are removed."""
    raise KeyboardInterrupt


def spread(values: Sequence[float], digits: int) -> str:
    """Return median, and least and most in brackets."""
    middle, least, most = (f"{f(values):.{digits}f}" for f in (statistics.median, min, max))
    return f"{middle} ({least}-{most})"


def table(costs: Dict[str, List[Cost]], trips: Dict[str, int], hosts: int) -> List[str]:
    """Return the lines of the table, in Markdown."""
    lines = [
        "| | wall s | ÷ ping | controller CPU s | CPU ms of a host | CPU ÷ ping | round trips |",
        "|---|---|---|---|---|---|---|",
    ]
    pings = costs["ping"]
    for name, runs in costs.items():
        wall = [run.wall / ping.wall for run, ping in zip(runs, pings)]
        cpu = [(r.controller + r.hosts) / (p.controller + p.hosts) for r, p in zip(runs, pings)]
        cells = [
            spread([run.wall for run in runs], 1),
            spread(wall, 2),
            spread([run.controller for run in runs], 1),
            spread([1000 * run.hosts / hosts for run in runs], 0),
            spread(cpu, 2),
            str(trips[name]),
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def main() -> int:
    """Start the hosts, measure, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", metavar="COMMAND", help="measure only these, beside ping")
    parser.add_argument("--keep", action="store_true", help="leave the hosts running")
    arguments = parser.parse_args()
    only = arguments.only or ()
    signal.signal(signal.SIGTERM, leave)
    fleet = Fleet([f"{NAME}{number}" for number in range(1, arguments.hosts + 1)])
    costs: Dict[str, List[Cost]] = {}
    try:
        fleet.up()
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / "sites.json"

            begin = time.monotonic()
            for name in ("plain, changed", "site.yml, changed"):
                first = fleet.run(commands(0, changed)[name])
                print(f"first run of {name.split(',')[0]}: {first.wall:.1f} s", flush=True)
            for number in range(1, arguments.rounds + 1):
                for name, command in commands(number, changed, only).items():
                    costs.setdefault(name, []).append(fleet.run(command))
                took = time.monotonic() - begin
                print(f"round {number} of {arguments.rounds} done after {took:.0f} s", flush=True)
            last = commands(arguments.rounds + 1, changed, only)
            trips = {name: fleet.round_trips(command) for name, command in last.items()}
    finally:
        if not arguments.keep:
            fleet.down()
    print(f"\n{arguments.hosts} hosts, {arguments.rounds} rounds, {os.cpu_count()} cores for all\n")
    print("\n".join(table(costs, trips, arguments.hosts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
