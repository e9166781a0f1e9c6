#!/usr/bin/env python3
"""What a diagnosis of a healthy host costs who is on call: the one file, and the playbook beside a ping.

Starts one lab host with a site whose WebSocket works, and runs whole commands in turn, round by round. A part
of the one file's time is a wait (an opened socket is watched for 0.3 s), so wall and CPU time are printed;
CPU time is the steadier figure when others use the machine.

    .venv/bin/python bench/on_call.py [--rounds 7] [--keep]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, Dict, List, Tuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from lab import hosts as lab  # noqa: E402
from release.pyz import archive  # noqa: E402

NAME = "bench-on-call"
URL = "wss://lammp.test/api/mqtt/ws/hints/session-1"
PYZ = "/root/nginx-websocket.pyz"
TIMED = """
import json, os, resource, subprocess, sys, time
began = time.monotonic()
done = subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
wall = time.monotonic() - began
said = done.stdout[:200] + done.stderr[:200]
print(json.dumps([wall, used.ru_utime + used.ru_stime, done.returncode, said]))
"""
Figures = Dict[str, List[Tuple[float, float]]]


def on_host(host: lab.Host, *command: str) -> Tuple[float, float]:
    """Wall and CPU seconds of a command on the host, as root.

    Raises:
        RuntimeError: it did not end well.
    """
    wall, used, code, said = json.loads(lab.run(host, "python3", "-c", TIMED, *command))
    if code:
        raise RuntimeError(f"{command}: {said}")
    return wall, used


def from_here(*command: str) -> Tuple[float, float]:
    """Wall and CPU seconds of a command of the controller.

    Raises:
        subprocess.CalledProcessError: it did not end well.
    """
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
    }
    before, began = os.times(), time.monotonic()
    subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdin=subprocess.DEVNULL, capture_output=True
    )
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, used


def main() -> int:
    """Start the host, measure, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="leave the host running")
    arguments = parser.parse_args()
    inventory = ["-i", "inventory/lab", "--limit", NAME]
    figures: Figures = {}
    try:
        [host] = lab.up([NAME], "bookworm", ["fresh"], recreate=True)
        from_here("ansible-playbook", *inventory, "site.yml")
        lab.run(host, "sh", "-c", f"echo 127.0.0.1 lammp.test >> /etc/hosts; cat > {PYZ}", data=archive())
        commands: Dict[str, Callable[[], Tuple[float, float]]] = {
            "python3 -c pass, on the host": lambda: on_host(host, "python3", "-c", "pass"),
            "nginx -t, on the host": lambda: on_host(host, "nginx", "-t"),
            "nginx-websocket.pyz diagnose URL, on the host": lambda: on_host(
                host, "python3", PYZ, "diagnose", URL
            ),
            "ansible -m ping": lambda: from_here("ansible", *inventory, "all", "-m", "ansible.builtin.ping"),
            "playbooks/diagnose.yml -e url=URL": lambda: from_here(
                "ansible-playbook", *inventory, "playbooks/diagnose.yml", "-e", f"url={URL}"
            ),
        }
        for _ in range(arguments.rounds):
            for name, measure in commands.items():
                figures.setdefault(name, []).append(measure())
    finally:
        if not arguments.keep:
            lab.down([NAME])
    print(f"one host, {arguments.rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("\n".join(table(figures)))
    return 0


def table(figures: Figures) -> List[str]:
    """Medians with the least and the most."""
    lines = ["| | wall s | CPU s |", "|---|---|---|"]
    for name, runs in figures.items():
        cells = [_spread([run[column] for run in runs]) for column in (0, 1)]
        lines.append(f"| {re.sub(r'URL', '…', name)} | {cells[0]} | {cells[1]} |")
    pings, plays = figures["ansible -m ping"], figures["playbooks/diagnose.yml -e url=URL"]
    beyond = [play[0] - ping[0] for ping, play in zip(pings, plays)]
    ratio = [play[1] / ping[1] for ping, play in zip(pings, plays)]
    return [
        *lines,
        "",
        f"the playbook beyond a ping of the same round: {_spread(beyond)} s; its CPU time on the controller "
        f"÷ a ping's: {_spread(ratio)}",
    ]


def _spread(values: List[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


if __name__ == "__main__":
    sys.exit(main())
