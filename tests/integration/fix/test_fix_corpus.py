"""``fix`` on real nginx: configurations of real-life shape × faults, mended in one run and taken back.

``-s`` shows what was refused and why. FIX_ALL=1 runs every case on the nginx of all four Debians: about 1.8 s
of a core each, so 51 minutes on two idle cores. FIX_SAMPLE and FIX_SEED choose another sample.
"""

from __future__ import annotations

import json
import os

import pytest

from tests.fixing import run
from tests.integration.contained import python_beside_nginx

ALL = bool(os.environ.get("FIX_ALL"))
SAMPLE = int(os.environ.get("FIX_SAMPLE", "16"))
SEED = int(os.environ.get("FIX_SEED", "1"))


def results(suite):
    wanted = [] if ALL else ["--sample", str(SAMPLE)]
    said = python_beside_nginx(suite, "-m", "tests.fixing.run", "--json", "--seed", str(SEED), *wanted)
    return [json.loads(line) for line in said.splitlines()]


@pytest.mark.parametrize("suite", ["bookworm", "bullseye", "trixie", "forky"] if ALL else ["bookworm"])
def test_one_run_opens_what_an_edit_can_mend_and_changes_nothing_else(suite):
    found = results(suite)
    shown = run.table(found)
    print(f"\n{suite}: {shown}")
    assert len([one for one in found if one["fault"]]) >= (60 if ALL else SAMPLE // 2)
    assert run.good(found), shown
