"""What is known of vulnerabilities in the packages that a controller needs, in the versions installed here.

The index must tell of vulnerabilities (PyPI does, most mirrors do not): where none does, that is said, and
nothing fails.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

try:
    import tomllib
except ImportError:  # Python 3.10
    from pip._vendor import tomli as tomllib  # type: ignore[no-redef]

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 300
"""For all questions to the index."""
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def needed(requirements: list[str]) -> dict[str, str]:
    """The versions of some packages and of all that they need, as installed here; extras are left out."""
    found: dict[str, str] = {}
    left = list(requirements)
    while left:
        requirement = left.pop()
        match = _NAME.match(requirement)
        if match is None or "extra ==" in requirement:
            continue
        name = match.group().lower().replace("_", "-").replace(".", "-")
        if name in found:
            continue
        try:
            distribution = metadata.distribution(match.group())
        except metadata.PackageNotFoundError:
            continue  # for another Python or another system
        found[name] = distribution.version
        left += distribution.requires or []
    return found


def main() -> int:
    """Ask; the exit code is 1 where a package has a known vulnerability."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    versions = needed(project["dependencies"])
    with tempfile.TemporaryDirectory() as directory:
        pinned = Path(directory) / "requirements.txt"
        pinned.write_text("".join(f"{name}=={version}\n" for name, version in sorted(versions.items())))
        command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "-r", str(pinned)]
        command += ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
            told = json.loads(done.stdout)["dependencies"]
        except (subprocess.TimeoutExpired, ValueError):
            told = []
    known = {one["name"]: one["vulns"] for one in told if "vulns" in one}
    for name, vulnerabilities in sorted(known.items()):
        for one in vulnerabilities:
            fixed = ", ".join(one["fix_versions"]) or "no version yet"
            print(f"   {name} {versions.get(name, '')}: {one['id']}, mended in {fixed}")
    unknown = sorted(set(versions) - set(known))
    if not known:
        print("   no package index answers here that tells of vulnerabilities: nothing was audited")
    elif unknown:
        print(f"   not audited, as the index does not tell: {', '.join(unknown)}")
    return int(any(known.values()))


if __name__ == "__main__":
    sys.exit(main())
