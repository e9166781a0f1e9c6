"""A host with little memory: what is looked at there takes what the files hold, not what they might hold."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
LITTLE = 160 * 2**20
PROGRAM = """
import resource, sys
from verify.host_report import rights
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]), int(sys.argv[2])))
print(repr(rights.strangers_code(sys.argv[1], "/", "")))
"""


def test_a_configuration_is_read_with_little_memory(tmp_path):
    conf = tmp_path / "nginx.conf"
    conf.write_text("include mime.types;\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(conf), str(LITTLE)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
