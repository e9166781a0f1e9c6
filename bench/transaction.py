#!/usr/bin/env python3
"""What a changed site costs on the host, beside `nginx -t` and one reload on the same host.

Starts a lab host and, in turn, reloads its nginx by hand (`nginx -t`, SIGHUP, until only new workers are
left) and deploys a release that differs in one timeout.  Prints medians with their spread, and the steps of
the transaction.

    bench/transaction.py --rounds 10            about a minute
    bench/transaction.py --confirmed            with the dead-man's switch armed, as site.yml has it
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parent))

from fleet.measure import LAB, ROOT, VENV, sites

HOST = "bench-transaction"
BY_HAND = """
now() { date +%s%N; }
workers() { pgrep -P "$master" | sort | tr '\\n' ' '; }
stale() { for pid in $old; do case " $new" in *" $pid "*) return 0;; esac; done; [ -z "$new" ]; }
master=$(cat /run/nginx.pid); start=$(now)
nginx -t 2>/dev/null; tested=$(now)
old=$(workers); kill -HUP "$master"; new=$old
while stale; do new=$(workers); done
echo $((tested - start)) $(($(now) - tested))
"""


def by_hand() -> List[float]:
    """Return the seconds of `nginx -t`, and of a reload until only new workers are left."""
    done = subprocess.run(
        [*LAB, "exec", HOST, "bash", "-c", BY_HAND], capture_output=True, text=True, check=True
    )
    return [int(word) / 1e9 for word in done.stdout.split()]


def deployed(revision: int, variables: Path, tags: Sequence[str]) -> Dict[str, float]:
    """Deploy another release; returns the seconds of each step of the transaction.

    Raises:
        SystemExit: the release did not go live.
    """
    variables.write_text(sites(revision))
    command = [
        str(VENV / "ansible-playbook"),
        "-i",
        str(ROOT / "inventory/lab"),
        "-l",
        HOST,
        "-v",
        "-e",
        f"@{variables}",
    ]
    done = subprocess.run(
        [*command, *tags, str(ROOT / "site.yml")],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    _, mark, result = done.stdout.partition(f"changed: [{HOST}] => ")
    if done.returncode or not mark:
        raise SystemExit(f"no release went live:\n{done.stdout[-3000:]}{done.stderr[-1000:]}")
    told: Dict[str, Any] = json.JSONDecoder().raw_decode(result)[0]
    return {step["name"]: step["seconds"] for step in told["steps"]}


def spread(seconds: Sequence[float]) -> str:
    """Return median, and least and most in brackets, in milliseconds."""
    middle, least, most = (f"{1000 * f(seconds):.0f}" for f in (statistics.median, min, max))
    return f"{middle} ms ({least}-{most})"


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument(
        "--confirmed", action="store_true", help="arm the dead-man's switch, as a run that verifies does"
    )
    given = parser.parse_args()
    tags = [] if given.confirmed else ["--tags", "deploy"]
    subprocess.run([*LAB, "up", HOST, "--scene", "fresh"], check=True)
    manual: List[List[float]] = []
    steps: List[Dict[str, float]] = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            variables = Path(folder) / "sites.json"
            deployed(0, variables, tags)
            for number in range(1, given.rounds + 1):
                manual.append(by_hand())
                steps.append(deployed(number, variables, tags))
    finally:
        subprocess.run([*LAB, "down", HOST], check=False, stdout=subprocess.DEVNULL)
    totals = [sum(one.values()) for one in steps]
    ratios = [total / sum(hand) for total, hand in zip(totals, manual)]
    print(f"nginx -t                       {spread([hand[0] for hand in manual])}")
    print(f"reload until only new workers  {spread([hand[1] for hand in manual])}")
    print(f"the whole transaction          {spread(totals)}")
    print(
        f"ratio                          "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
    )
    for name in steps[0]:
        print(f"    {name:<26} {spread([one[name] for one in steps])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
