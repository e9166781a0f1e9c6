#!/usr/bin/env python3
"""Build the collection and run `ansible-test sanity` on it, as Ansible Galaxy's importer does.

Needs the network the first time: ansible-test makes environments of its own. What is left out stands in
`LEFT_OUT` and `IGNORED`, each with its reason.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from ansible.release import __version__

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent

#: Whole tests.
LEFT_OUT = {
    "pylint": "ruff and mypy --strict judge the same code, with rules of this project",
    "no-assert": "asserts say to mypy what a value is; nothing depends on their being run",
}
#: Tests of single files: the test, the files, the reason. The Python is the one that runs this.
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
IGNORED = (
    (
        "action-plugin-docs",
        ("plugins/action/nginx_websocket_*.py", "plugins/action/*_report.py"),
        "parts of the role and of playbooks, which nobody calls by themselves; their files document them",
    ),
    (
        f"import-{PYTHON}",
        ("plugins/module_utils/nginx_websocket/importing/once.py", "plugins/modules/*.py"),
        "importing/once.py puts itself before Python's own reader of zip files, to read each piece once",
    ),
)


def ignored(tree: Path) -> str:
    """Return the lines of an ignore file."""
    lines = []
    for test, patterns, reason in IGNORED:
        for pattern in patterns:
            paths = sorted(tree.glob(pattern))
            lines += [f"{path.relative_to(tree)} {test}  # {reason}\n" for path in paths]
    return "".join(lines)


def main() -> int:
    """Run it; the exit code is ansible-test's."""
    with tempfile.TemporaryDirectory() as directory:
        tree = Path(directory) / "ansible_collections" / "proven" / "nginx_websocket"
        subprocess.run([sys.executable, str(ROOT / "collection/build.py"), str(tree)], check=True)
        # ansible-test takes the files that git knows.
        subprocess.run(["git", "init", "--quiet", str(tree)], check=True)
        listed = tree / "tests/sanity" / f"ignore-{'.'.join(__version__.split('.')[:2])}.txt"
        listed.parent.mkdir(parents=True)
        listed.write_text(ignored(tree), encoding="utf-8")
        subprocess.run(["git", "-C", str(tree), "add", "--all"], check=True)
        command = [str(BIN / "ansible-test"), "sanity", "--python", PYTHON]
        for name in LEFT_OUT:
            command += ["--skip-test", name]
        return subprocess.run(command, cwd=tree, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
