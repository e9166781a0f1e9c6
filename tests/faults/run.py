"""Real transactions on lab hosts, a fault at every step, and a table of what came of it.

``python -m tests.faults.run [--kills 200] [--seed 1] [--short] [--only kills,reboots]``.  Ends with 1 while
any column of ours says no.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Iterator, List, Optional

from lab import hosts

from . import from_outside, plain
from .bench import Row

ROOT = Path(__file__).resolve().parents[2]
PLAIN = plain.NAME
INSIDE = (
    "kills",
    "ports",
    "disks",
    "read-only",
    "certificates",
    "edits",
    "second",
    "backends",
    "fixes",
    "masters",
)


def bring_code(host: hosts.Host) -> None:
    """Put the package and the harness on the host."""

    def clean(item: tarfile.TarInfo) -> Optional[tarfile.TarInfo]:
        return None if "__pycache__" in item.name else item

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name in ("module_utils", "tests/faults"):
            tar.add(ROOT / name, name, filter=clean)
    code = from_outside.CODE
    hosts.run(host, "sh", "-c", f"rm -rf {code}; mkdir -p {code}/tests; touch {code}/tests/__init__.py")
    hosts.run(host, "tar", "-x", "-C", code, data=packed.getvalue())


def inside(host: hosts.Host, groups: List[str], given: argparse.Namespace) -> Iterator[Row]:
    """The faults that happen in the host itself."""
    command = ["docker", "exec", "-w", from_outside.CODE, host.container, "python3", "-B"]
    command += ["-m", "tests.faults.on_host", "--kills", str(given.kills), "--seed", str(given.seed)]
    command += ["--only", ",".join(groups), *(["--short"] if given.short else [])]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            yield Row(**json.loads(line))
    if running.returncode:
        raise RuntimeError(f"the harness in {host.name} ended with {running.returncode}")


def show(row: Row) -> None:
    """One line of the table."""
    cells = (f"{row.fault[:40]:40}", f"{row.step[:44]:44}", f"{row.outcome[:26]:26}")
    print(" | ".join((*cells, row.served, row.socket, row.healed)), flush=True)


def main() -> int:
    """Bring hosts up, let it happen, and count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    only = set(filter(None, given.only.split(",")))
    names = [f"fault-{kind}-{os.getpid()}" for kind in ("in", "out")]
    begun = time.monotonic()
    rows: List[Row] = []
    show(Row("fault", "step", "outcome", "served throughout", "socket kept", "healed by the next run"))

    def take(found: Iterator[Row]) -> None:
        for row in found:
            rows.append(row)
            show(row)

    def outside(host: hosts.Host) -> None:
        for name, faults in (
            ("controllers", lambda: from_outside.controllers(host)),
            ("reboots", lambda: from_outside.reboots(host, given.short)),
            ("plain", lambda: plain.faults(hosts.get(host.name))),
        ):
            # The comparison tests nothing of ours; the short form does without.
            if name in only or (not only and not (given.short and name == "plain")):
                take(faults())

    try:
        first, second = hosts.up(names, "bookworm", [], recreate=True)
        for host in (first, second):
            bring_code(host)
        groups = [name for name in INSIDE if not only or name in only]
        with ThreadPoolExecutor(2) as pool:
            work = [pool.submit(outside, second)]
            if groups:
                work.append(pool.submit(lambda: take(inside(first, groups, given))))
            for one in work:
                one.result()
    finally:
        hosts.down(names)
    ours = [row for row in rows if not row.fault.startswith(PLAIN)]
    bad = [row for row in ours if not row.good() or row.outcome.startswith("no")]
    theirs = [row for row in rows if row.fault.startswith(PLAIN) and not row.good()]
    print(f"\n{len(ours)} faults, {len(bad)} with a no, in {time.monotonic() - begun:.0f} s", flush=True)
    if len(rows) > len(ours):
        print(f"{len(rows) - len(ours)} faults against the plain playbook, {len(theirs)} with a no")
    for row in bad:
        show(row)
    return 1 if bad or not ours else 0


if __name__ == "__main__":
    sys.exit(main())
