"""Whether the suite starts on this controller: found out once a run, however many hosts ask."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from verify import suite

NOTES = "import sys; print(file=open(sys.argv[1], 'a')); sys.exit(sys.argv[2] or None)"


@pytest.mark.parametrize("why", ["", "no module named pluggy"])
def test_many_hosts_start_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    starts = tmp_path / "starts"
    command = [sys.executable, "-c", NOTES, str(starts), why]
    monkeypatch.setenv("NGINX_WEBSOCKET_SUITE", json.dumps(command))
    with ThreadPoolExecutor(5) as hosts:
        told = list(hosts.map(suite.hindrance, [tmp_path] * 5))
    assert told == [f"The verification could not run: {why}" if why else ""] * 5
    assert starts.read_text() == "\n"


def test_the_suite_itself_starts(tmp_path: Path) -> None:
    assert suite.hindrance(tmp_path) == ""


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert suite.missing("") == ""
    nothing = tmp_path / "empty.pem"
    nothing.touch()
    assert suite.missing(str(nothing)).startswith(f"nginx_websocket_verify_ca_file is {nothing}, expected")
    monkeypatch.setattr(suite.importlib.util, "find_spec", lambda name: None)
    assert "needs pytest and testinfra for" in suite.missing("")
