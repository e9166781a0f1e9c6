"""Mends every case on the nginx that is installed, and prints a table.

    python3 -m tests.fixing.run [--sample N [--seed N]] [--json] [--jobs N] [--unchecked] [WORD...]

``--json`` prints what came of each case on a line of its own, as soon as it is known.  ``--unchecked`` leaves
the run with ``--check`` out, a fifth of the time: what it says does not depend on nginx's version.

Runs as root in a container of its own, where it may make namespaces: each case gets its own network,
processes and /etc/nginx.  ``--sample N`` takes so many at random.  Ends with 1 where something is wrong.
"""

from __future__ import annotations

import argparse
import functools
import gc
import json
import multiprocessing
import os
import random
import subprocess
import sys
from typing import Any, Dict, List

from .. import namespaces
from . import trial

_SETUP = (
    "for d in /run /var/log/nginx /var/lib/nginx_websocket /www /data; do mkdir -p $d; "
    "mount -t tmpfs -o mode=755 none $d; done && chmod 700 /var/lib/nginx_websocket && "
    "cp -a /etc/nginx /run/etc && mount --bind /run/etc /etc/nginx && "
    "mkdir -p /run/lock /www/wwwroot /etc/nginx/tls && cp /tmp/cert.pem /tmp/key.pem /etc/nginx/tls/ && "
    "cp /etc/hosts /run/hosts && echo '127.0.0.1 chat.example.test' >> /run/hosts && "
    "mount --bind /run/hosts /etc/hosts"
)
_CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=chat.example.test "
    "-addext subjectAltName=DNS:chat.example.test -keyout /tmp/key.pem -out /tmp/cert.pem 2>/dev/null"
)
"""Makes the certificate of all cases, once."""
GOAL = 0.97
"""So many of the faults that an edit can mend must be open after one run."""
JOBS = 4
"""Cases at a time for each core: two thirds of a case are spent on watching sockets that say nothing."""


def one_case(name: str, checked: bool = True) -> Dict[str, Any]:
    """What came of a case, in namespaces of its own."""
    result = namespaces.run(lambda: trial.run(*trial.find(name), checked), _SETUP)
    if isinstance(result, str):
        result = {"fault": True, "opened": False, "reason": "", "wrong": [result[-1500:]]}
    return {"name": name, **result, "shut": trial.shut(*trial.find(name))}


def unusual(one: Dict[str, Any]) -> List[str]:
    """What a case has to show; nothing where it was mended as it should."""
    if not one["fault"] or (one["opened"] and not one["wrong"]):
        return []
    lines = [f"WRONG   {one['name']}: " + "; ".join(one["wrong"])] if one["wrong"] else []
    if not one["opened"]:
        lines.append(f"REFUSED {one['name']}: {one['reason']}")
    return lines + [f"        {line}" for edit in one.get("edits", []) for line in edit.split("\n")]


def table(results: List[Dict[str, Any]]) -> str:
    """What came of all, the unusual first."""
    results = sorted(results, key=lambda one: str(one["name"]))
    counted = [one for one in results if one["fault"]]
    mendable = [one for one in counted if not one["shut"]]
    lines = [line for one in results for line in unusual(one)]
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
    parser.add_argument("--jobs", type=int, default=JOBS * (os.cpu_count() or 1))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--unchecked", action="store_true")
    given = parser.parse_args()
    subprocess.run(["sh", "-c", _CERTIFICATE], check=True)
    names = trial.names(given.words)
    if 0 < given.sample < len(names):
        names = random.Random(given.seed).sample(names, given.sample)
    gc.freeze()  # so that no collection in a fork touches, and so copies, what all of them share
    # Each worker has everything imported, and forks for each case.
    with multiprocessing.get_context("fork").Pool(given.jobs) as pool:
        results = []
        for one in pool.imap_unordered(functools.partial(one_case, checked=not given.unchecked), names):
            results.append(one)
            if given.json:
                print(json.dumps(one), flush=True)
            elif unusual(one):
                print("\n".join(unusual(one)), file=sys.stderr, flush=True)
    if not given.json:
        print(table(results))
    return 0 if good(results) else 1


if __name__ == "__main__":
    sys.exit(main())
