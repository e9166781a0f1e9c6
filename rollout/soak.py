"""Look at a batch again and again for a while: ``python -m rollout.soak SECONDS INTERVAL < TARGETS``.

Reads and writes what ``python -m verify -`` does. It ends with the first look that finds a failure, else with
the last look once the time is over.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional

Looked = Dict[str, Any]


def soak(
    look: Callable[[], Looked],
    seconds: float,
    interval: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], None] = time.sleep,
) -> Looked:
    """Look until the time is over, something fails, or an application goes that was there at the first look.

    Args:
        look: Runs the suite and returns its document.
        seconds: How long; the first look is at once and the last one at the end.
        interval: Seconds from the beginning of one look to that of the next.
        clock: Seconds of a clock that never goes back.
        wait: Waits for some seconds.

    Returns:
        The document of the last look; each failure says when it was seen.
    """
    start = clock()
    known: Optional[int] = None
    while True:
        began = clock()
        document = look()
        document["soaked"] = round(clock() - start, 1)
        for host in document["hosts"].values():
            host["failures"] = [
                f"{began - start:.0f} s into the soak time: {text}" for text in host["failures"]
            ]
        down = sum(len(host.get("down") or []) for host in document["hosts"].values())
        known = down if known is None else known
        failed = any(host["failures"] for host in document["hosts"].values())
        if failed or down > known or began - start >= seconds:
            return document
        wait(max(0.0, min(began + interval, start + seconds) - clock()))


def main(arguments: List[str]) -> int:
    """Run the suite as often as it takes and print the last document."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    targets = sys.stdin.buffer.read()

    def look() -> Looked:
        done = subprocess.run(
            [sys.executable, "-m", "verify", "-"],
            input=targets,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            sys.stderr.buffer.write(done.stderr)
            raise SystemExit(2)
        document: Looked = json.loads(done.stdout)
        return document

    json.dump(soak(look, float(arguments[0]), float(arguments[1])), sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
