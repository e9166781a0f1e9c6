#!/usr/bin/env python3
"""What a run costs the controller as the fleet grows, over a connection that costs nothing.

The hosts' answers are recorded (``--record HOST`` records them again from a host of the lab on which site.yml
has run); connection_plugins/recorded.py says what is real. Prints for each number of hosts: wall time, CPU
time of all processes, the same by host, and peak memory: of the main process, and of all processes together,
with what they share counted once (PSS).

    bench/controller/measure.py                        50 and 200 hosts, about two minutes
    bench/controller/measure.py --hosts 500 2000       as in docs/performance.md
    bench/controller/measure.py --hosts 500 --serial 100 --forks 25
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Dict, List, Tuple

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from roles.nginx_websocket.site_model import check, looked_for
from verify.host_report import along

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
RECORD = HERE / "recorded.json"
SITES = ROOT / "inventory" / "lab" / "group_vars" / "nginx_websocket.yml"
#: The module that an unchanged run asks hosts for.
MODULE = "nginx_facts"
SAMPLE = 0.25


def record(host: str) -> int:
    """Keep what a lab host that is up to date answers to the question of an unchanged run."""
    plan = check(yaml.safe_load(SITES.read_text()))
    state_dir = plan["settings"]["state_dir"]
    whole = along.asked(plan["sites"], {}, state_dir, 5.0, looked_for(plan["sites"]))
    asked = {**plan["questions"], "verification": along.argument(whole)}
    done = subprocess.run(
        [
            str(BIN / "ansible"),
            "-i",
            str(ROOT / "inventory/lab"),
            host,
            "-b",
            "-m",
            MODULE,
            "-a",
            json.dumps(asked),
        ],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    _, mark, result = done.stdout.partition(f"{host} | SUCCESS => ")
    told = json.JSONDecoder().raw_decode(result)[0] if mark else {}
    if not told.get("deployed") or not told.get("report"):
        print(f"{host} has no release that stands; run site.yml there first\n{done.stdout}", file=sys.stderr)
        return 1
    kept = {"ping": {"ping": "pong", "changed": False}, MODULE: told}
    RECORD.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    return 0


def inventory(directory: Path, hosts: int) -> Path:
    """Write an inventory; returns its path."""
    path = directory / "inventory"
    (path / "group_vars").mkdir(parents=True)
    names = "\n".join(f"web{number:04}" for number in range(1, hosts + 1))
    (path / "hosts").write_text(f"[nginx_websocket]\n{names}\n")
    (path / "group_vars" / "nginx_websocket.yml").write_text(SITES.read_text())
    (path / "group_vars" / "all.yml").write_text("---\nansible_connection: recorded\n")
    return path


def descendants(pid: int) -> List[int]:
    """Return a process and all below it."""
    found = [pid]
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += descendants(int(child))
    return found


def memory(pid: int) -> Tuple[float, float]:
    """Return resident memory of a process and the PSS of it and all below it, MiB."""
    own = total = 0
    for process in descendants(pid):
        with suppress(OSError):
            for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
                elif process == pid and line.startswith("Rss:"):
                    own = int(line.split()[1])
    return own / 1024, total / 1024


def measure(command: List[str], environment: Dict[str, str]) -> Dict[str, float]:
    """Run a command; returns ``seconds``, ``cpu`` (s), ``main`` and ``all`` (peaks, MiB).

    Raises:
        RuntimeError: the command failed; the message has the end of its output.
    """
    peaks = [0.0, 0.0]
    over = threading.Event()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as output:
        clock = os.times().elapsed
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )

        def watch() -> None:
            while not over.wait(SAMPLE):
                peaks[:] = map(max, peaks, memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        code = process.wait()
        seconds = os.times().elapsed - clock
        over.set()
        watcher.join()
        if code:
            output.seek(0)
            raise RuntimeError(output.read()[-3000:].decode("utf-8", "replace"))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "main": peaks[0], "all": peaks[1]}


def commands(where: Path, serial: str) -> Dict[str, List[str]]:
    """Return what is measured: what Ansible itself takes, the main job without and with verification."""
    # The hosts are names that lead nowhere; an address that answers, though nobody listens, is way enough.
    given: Dict[str, object] = {"nginx_websocket_verify_address": "127.0.0.1"}
    if serial:
        given["nginx_websocket_serial"] = [serial]
    playbook = [
        str(BIN / "ansible-playbook"),
        "-i",
        str(where),
        str(ROOT / "site.yml"),
        "-e",
        json.dumps(given),
    ]
    return {
        "ping": [str(BIN / "ansible"), "-i", str(where), "nginx_websocket", "-m", "ansible.builtin.ping"],
        "site.yml --tags deploy": [*playbook, "--tags", "deploy"],
        "site.yml": playbook,
    }


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, nargs="+", default=[50, 200])
    parser.add_argument("--forks", type=int, default=25)
    parser.add_argument("--serial", default="", help="size of the batches, as nginx_websocket_serial has it")
    parser.add_argument("--only", help="measure only this one: ping, site.yml, 'site.yml --tags deploy'")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument(
        "--record", metavar="HOST", help="record the answers of this lab host, and do nothing else"
    )
    given = parser.parse_args()
    if given.record:
        return record(given.record)
    figures = []
    print("| hosts | command | seconds | CPU s | CPU ms/host | main MiB | all MiB |")
    print("|---|---|---|---|---|---|---|")
    for hosts in given.hosts:
        with tempfile.TemporaryDirectory() as directory:
            where = inventory(Path(directory), hosts)
            environment = {
                **{key: value for key, value in os.environ.items() if not key.startswith("NGINX_WEBSOCKET_")},
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "connection_plugins"),
                "ANSIBLE_FORKS": str(given.forks),
                "ANSIBLE_LOCAL_TEMP": directory,
                "NGINX_WEBSOCKET_BENCH_RECORD": str(RECORD),
                "NGINX_WEBSOCKET_SUITE": json.dumps([sys.executable, str(HERE / "answered.py")]),
            }
            for name, command in commands(where, given.serial).items():
                if given.only not in (None, name):
                    continue
                found = measure(command, environment)
                figures.append({"hosts": hosts, "command": name, "serial": given.serial, **found})
                print(
                    f"| {hosts} | {name} | {found['seconds']:.1f} | {found['cpu']:.1f} "
                    f"| {1000 * found['cpu'] / hosts:.0f} | {found['main']:.0f} | {found['all']:.0f} |",
                    flush=True,
                )
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
