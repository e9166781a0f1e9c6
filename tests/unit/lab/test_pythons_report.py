"""What tests/pythons.py says of a pytest that failed: a crash names its signal and its last test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest

from tests.pythons import PYTEST, TESTS, failure, shares

SOURCE = """\
import os, signal, sys

def test_fine():
    assert True

def test_one(capsys):
    {end}
"""


def said(folder: Path, end: str) -> str:
    """Run two tests, the second of which ends so; return what is said of them."""
    test = folder / "tests" / "test_it.py"
    test.parent.mkdir()
    test.write_text(SOURCE.format(end=end))
    options = [option for option in PYTEST if option not in TESTS and "hypothesis" not in option]
    done = subprocess.run(
        [sys.executable, *options, "tests"], cwd=folder, capture_output=True, text=True, check=False
    )
    return failure(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGKILL"])
def test_a_signal_has_its_name_and_the_test_it_came_in(tmp_path: Path, name: str) -> None:
    told = said(tmp_path, f"os.kill(os.getpid(), signal.{name})")
    assert told.splitlines()[0] == f"ended by {name}; its last test: tests/test_it.py::test_one"
    assert ("Fatal Python error: Segmentation fault" in told) == (name == "SIGSEGV")
    assert "test_fine" not in told


def test_a_container_that_died_of_a_signal_says_128_more() -> None:
    told = failure(139, "tests/a.py::test_a PASSED [ 50%]\ntests/a.py::test_b[x y] ", "")
    assert told.splitlines()[0] == "ended by SIGSEGV; its last test: tests/a.py::test_b[x y]"


def test_a_failed_test_is_shown_whole(tmp_path: Path) -> None:
    told = said(tmp_path, "assert 1 == 2")
    assert told.startswith("ended with 1\n") and "assert 1 == 2" in told and "test_fine" not in told


def test_no_test_is_no_success() -> None:
    assert failure(5, "", "").splitlines()[0] == "pytest found no test"


def collected(share: str) -> List[str]:
    """The tests of a file that run where a share is asked for."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        "test_units.py",
    ]
    done = subprocess.run(
        command,
        cwd=Path(__file__).parents[1] / "conf",
        env={**os.environ, "TESTS_SHARE": share},
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_all_but_the_oldest_share_all_tests_out() -> None:
    part = shares([(3, 8), (3, 12), (3, 14), (3, 9)])
    assert part == {(3, 8): "", (3, 9): "1/3", (3, 12): "2/3", (3, 14): "3/3"}
    halves = [collected("1/2"), collected("2/2")]
    assert all(halves)
    assert sorted(halves[0] + halves[1]) == sorted(collected(""))
