"""A site whose hand edit was kept: what differs from its variables is told and fails nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.verify.reports import reported

ROOT = Path(__file__).resolve().parents[3]
#: No port of 127.0.0.99 is open, so nothing is as the variables say.
HOST = {
    "name": "web1",
    "address": "127.0.0.99",
    "sites": [{"name": "a.test"}],
}


@pytest.mark.parametrize("kept", [[], ["a.test"], ["b.test"]])
def test_what_differs_from_the_variables_fails_unless_it_was_kept(kept):
    done = subprocess.run(
        [sys.executable, "-m", "verify", "-", "-k", "test_nginx_runs or test_pages_are_served"],
        input=json.dumps({"timeout": 3, "hosts": [reported({**HOST, "kept": kept})]}),
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)["hosts"]["web1"]
    whole, *site = sorted(result["failures"])[::-1] if kept != ["a.test"] else result["failures"]
    assert "no nginx master process runs" in whole
    told = [text for text in result["findings"] if "https://a.test is not served" in text]
    if kept == ["a.test"]:
        assert site == [] and len(told) == 1 and "\n" not in told[0]
        assert "nginx_websocket_on_drift kept a hand edit" in told[0]
    else:
        assert len(site) == 1 and told == []
