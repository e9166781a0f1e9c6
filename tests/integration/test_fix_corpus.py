"""``fix`` on real nginx: configurations of real-life shape × faults, mended in one run and taken back.

``-s`` shows what was refused and why. FIX_ALL=1 runs every case on the nginx of all four Debians, which takes
about a quarter of an hour each; FIX_SAMPLE and FIX_SEED choose another sample.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lab.containers import images
from tests.fixing import run

ROOT = Path(__file__).resolve().parents[2]
ALL = bool(os.environ.get("FIX_ALL"))
SAMPLE = int(os.environ.get("FIX_SAMPLE", "16"))
SEED = int(os.environ.get("FIX_SEED", "1"))


def results(suite):
    command = ["docker", "run", "--rm", "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN"]
    command += ["--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"]
    command += ["--label", "nginx-websocket-lab", "--volume", f"{ROOT}:/src:ro", "--workdir", "/src"]
    command += ["--tmpfs", "/tmp", "--env", "PYTHONDONTWRITEBYTECODE=1", images.host_image(suite), "python3"]
    command += ["-m", "tests.fixing.run", "--json", "--seed", str(SEED)]
    command += [] if ALL else ["--sample", str(SAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


@pytest.mark.parametrize("suite", ["bookworm", "bullseye", "trixie", "forky"] if ALL else ["bookworm"])
def test_one_run_opens_what_an_edit_can_mend_and_changes_nothing_else(suite):
    found = results(suite)
    shown = run.table(found)
    print(f"\n{suite}: {shown}")
    assert len([one for one in found if one["fault"]]) >= (60 if ALL else SAMPLE // 2)
    assert run.good(found), shown
