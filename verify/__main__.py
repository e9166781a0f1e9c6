"""Run the suite: ``python -m verify TARGETS [pytest's options]``.

TARGETS is a JSON file, ``-`` for standard input. pytest's report goes to standard error; standard output is
one JSON document with the result of each host. The exit code is 0 whenever that document was written: which
host failed is for its reader to see. A suite that could not run exits with 2.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import List

import pytest


def main(arguments: List[str]) -> int:
    """Run pytest in this process and print the result.

    Args:
        arguments: The command line without the program's name.

    Returns:
        The exit code.
    """
    if not arguments or arguments[0].startswith("--"):
        print(__doc__, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="nginx-websocket-verify-") as directory:
        targets = Path(arguments[0])
        if arguments[0] == "-":
            targets = Path(directory, "targets.json")
            targets.write_text(sys.stdin.read(), encoding="utf-8")
        results = Path(directory, "results.json")
        here = Path(__file__).parent
        # Other projects' pytest plugins cost more time than the whole suite and have no part in it.
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        output = os.dup(1)
        os.dup2(2, 1)
        status = pytest.main(
            [
                str(here),
                f"--rootdir={here}",
                f"--config-file={here / 'pytest.ini'}",
                f"--targets={targets}",
                f"--results={results}",
                *arguments[1:],
            ]
        )
        sys.stdout.flush()
        os.dup2(output, 1)
        if status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or not results.exists():
            print(f"verify: the suite could not run (pytest says {status!r})", file=sys.stderr)
            return 2
        document = json.loads(results.read_text(encoding="utf-8"))
    json.dump(document, sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
