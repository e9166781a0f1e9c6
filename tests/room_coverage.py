"""How much of each room of ``module_utils`` its unit tests run through, branches counted.

``python -m tests.room_coverage [PATH…]`` runs the unit tests (those at some paths) and prints a table.  It
ends with 1 where a test fails, or where a room has less than its floor; with paths no floor is judged.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Dict, List

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "module_utils/nginx_websocket/"
FLOORS = {
    "backend_service": 95,
    "behaviour": 93,
    "compare": 95,
    "conf": 96,
    "diagnosis": 91,
    "edit": 91,
    "exchange": 95,
    "fix": 88,
    "host": 91,
    "report": 98,
    "transaction": 91,
}
"""Percent; a room without a floor is shown and not judged.  Raise one when the tests have become better."""


def rooms(report: Dict[str, dict]) -> Dict[str, List[int]]:
    """Room → lines and branches that were run, and all of them, from coverage's JSON."""
    found: Dict[str, List[int]] = defaultdict(lambda: [0, 0])
    for path, file in report.items():
        room = path.replace("\\", "/").partition(PACKAGE)[2].split("/")[0]
        numbers = file["summary"]
        found[room][0] += numbers["covered_lines"] + numbers["covered_branches"]
        found[room][1] += numbers["num_statements"] + numbers["num_branches"]
    return found


def main(paths: List[str]) -> int:
    """Measure, print a table, and judge."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COVERAGE_FILE": str(Path(folder) / "data")}
        coverage = [sys.executable, "-m", "coverage"]

        def run(*words: str) -> int:
            return subprocess.run([*coverage, *words], cwd=ROOT, env=environment, check=False).returncode

        failed = run("run", "-m", "pytest", "-q", "-n", "2", *(paths or ["tests/unit"]))
        report = Path(folder) / "report.json"
        if run("combine", "--quiet") or run("json", "--quiet", "-o", str(report)):
            return 1
        files = json.loads(report.read_text(encoding="utf-8"))["files"]
        if os.environ.get("MISSING"):
            run("report", "--show-missing", "--skip-covered")
    low = 0
    for room, (done, all_of_it) in sorted(rooms(files).items()):
        percent, floor = 100 * done / max(1, all_of_it), FLOORS.get(room, 0)
        low += percent < floor
        judged = f"   floor {floor} %" + "   TOO LOW" * (percent < floor) if floor else ""
        print(f"{room:16} {percent:5.1f} %{judged}")
    return 1 if failed or (low and not paths) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
