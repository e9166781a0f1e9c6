"""Mends every case on the nginx that is installed, and prints a table.

    python3 -m tests.fixing.run [--sample N [--seed N]] [--json] [--jobs N] [WORD...]

Runs as root in a container of its own, where it may make namespaces: each case gets its own network,
processes and /etc/nginx.  ``--sample N`` takes so many at random.  Ends with 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import random
import subprocess
import sys
import traceback
from typing import Any, Dict, List

from . import trial
from .faults import FAULTS
from .sites import SITES

NAMESPACES = ["unshare", "--net", "--pid", "--mount", "--fork", "--mount-proc"]
SETUP = (
    "ip link set lo up && for d in /run /var/log/nginx /var/lib/nginx_websocket /www; do mkdir -p $d; "
    "mount -t tmpfs -o mode=755 none $d; done && chmod 700 /var/lib/nginx_websocket && "
    "cp -a /etc/nginx /run/etc && mount --bind /run/etc /etc/nginx && "
    "mkdir -p /run/lock /www/wwwroot /etc/nginx/tls && cp /tmp/cert.pem /tmp/key.pem /etc/nginx/tls/ && "
    "cp /etc/hosts /run/hosts && echo '127.0.0.1 chat.example.test' >> /run/hosts && "
    'mount --bind /run/hosts /etc/hosts && exec "$@"'
)
CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=chat.example.test "
    "-addext subjectAltName=DNS:chat.example.test -keyout /tmp/key.pem -out /tmp/cert.pem 2>/dev/null"
)
GOAL = 0.97
"""So many of the faults that an edit can mend must be open after one run."""


def apart(name: str) -> Dict[str, Any]:
    """One case in namespaces of its own."""
    command = [*NAMESPACES, "sh", "-c", SETUP, "sh", sys.executable, "-m", "tests.fixing.run", "--here", name]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode:
        wrong = [done.stderr[-1500:]]
        return {"name": name, "fault": True, "opened": False, "reason": "", "wrong": wrong, "shut": False}
    result = {"name": name, **json.loads(done.stdout)}
    site, fault = name.split(" ", 1)
    result["shut"] = FAULTS[fault].told or any(one.name == site and fault in one.shut for one in SITES)
    return result


def table(results: List[Dict[str, Any]]) -> str:
    """What came of all, the unusual first."""
    counted = [one for one in results if one["fault"]]
    mendable = [one for one in counted if not one["shut"]]
    lines = []
    for one in counted:
        if one["wrong"]:
            lines.append(f"WRONG   {one['name']}: " + "; ".join(one["wrong"]))
        if not one["opened"]:
            lines.append(f"REFUSED {one['name']}: {one['reason']}")
        if one["wrong"] or not one["opened"]:
            lines += [f"        {line}" for edit in one.get("edits", []) for line in edit.split("\n")]
    lines.append(
        f"{sum(one['opened'] for one in mendable)} of {len(mendable)} opened by one run; "
        f"{len(counted) - len(mendable)} behind a password or redirect stayed as they were; "
        f"{sum(bool(one['wrong']) for one in counted)} wrong; "
        f"{len(results) - len(counted)} faults are none with this nginx"
    )
    return "\n".join(lines)


def good(results: List[Dict[str, Any]]) -> bool:
    """Whether the goal is met: almost all open, and nothing that should not be."""
    counted = [one for one in results if one["fault"]]
    mendable = [one for one in counted if not one["shut"]]
    opened = sum(one["opened"] for one in mendable)
    return opened >= GOAL * len(mendable) and not any(one["wrong"] for one in counted)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--here", metavar="NAME")
    given = parser.parse_args()
    if given.here:
        try:
            print(json.dumps(trial.run(*trial.find(given.here))))
        except Exception:
            traceback.print_exc()
            return 1
        return 0
    subprocess.run(["sh", "-c", CERTIFICATE], check=True)
    names = trial.names(given.words)
    if 0 < given.sample < len(names):
        names = random.Random(given.seed).sample(names, given.sample)
    with concurrent.futures.ThreadPoolExecutor(given.jobs) as pool:
        results = list(pool.map(apart, names))
    print(json.dumps(results) if given.json else table(results))
    return 0 if good(results) else 1


if __name__ == "__main__":
    sys.exit(main())
