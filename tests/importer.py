#!/usr/bin/env python3
"""Build the collection and import it as Ansible Galaxy does: `make importer`; needs the network at first.

galaxy-importer, with ansible-lint, gets an environment of its own in .cache/importer. What it calls an error
or a warning fails, unless `MEANT` has it with its reason. `ansible-test sanity`, which Galaxy may run as
well, is `make sanity`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import List

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".cache" / "importer"
#: What is found and meant: a pattern, and the reason.
MEANT = (
    (
        r"syntax-check\[specific\].* Error processing keyword 'hosts': The inventory has no host",
        "ansible-lint has no inventory; a play that comes to no host is an error on purpose",
    ),
)
SETTINGS = """\
[galaxy-importer]
LOG_LEVEL_MAIN = INFO
RUN_ANSIBLE_LINT = True
RUN_ANSIBLE_TEST = False
RUN_FLAKE8 = False
CHECK_REQUIRED_TAGS = True
ANSIBLE_LOCAL_TMP = {directory}/tmp
"""


def programs() -> Path:
    """Return the directory of programs of an environment with galaxy-importer, made when it is not there."""
    if not (ENVIRONMENT / "ready").exists():
        pip = [str(ENVIRONMENT / "bin/python"), "-m", "pip", "install", "--quiet"]
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
        subprocess.run([*pip, "--disable-pip-version-check", "galaxy-importer>=0.4.40"], check=True)
        (ENVIRONMENT / "ready").touch()
    return ENVIRONMENT / "bin"


def wrong(output: str) -> List[str]:
    """Return the errors and warnings of an import that are not meant."""
    told = [line for line in output.splitlines() if re.match(r"(ERROR|WARNING|CRITICAL)\b", line)]
    return [line for line in told if not any(re.search(pattern, line) for pattern, _ in MEANT)]


def main() -> int:
    """Build, import, judge; the exit code says whether all is well."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "tree"
        subprocess.run([sys.executable, str(ROOT / "collection/build.py"), str(tree)], check=True)
        found = programs()
        build = [str(found / "ansible-galaxy"), "collection", "build", str(tree), "--output-path", directory]
        subprocess.run(build, check=True, stdout=subprocess.DEVNULL)
        (artefact,) = Path(directory).glob("*.tar.gz")
        settings = Path(directory) / "settings.cfg"
        settings.write_text(SETTINGS.format(directory=directory), encoding="utf-8")
        done = subprocess.run(
            [str(found / "python"), "-m", "galaxy_importer.main", str(artefact)],
            cwd=directory,
            env={
                **os.environ,
                "PATH": f"{found}:{os.environ['PATH']}",
                "GALAXY_IMPORTER_CONFIG": str(settings),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    problems = wrong(done.stdout)
    imported = done.returncode == 0 and "Importer processing completed successfully" in done.stdout
    if problems or not imported:
        print(done.stdout)
        print("\n".join(problems) or "it was not imported")
        return 1
    print("imported, with nothing to say about it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
