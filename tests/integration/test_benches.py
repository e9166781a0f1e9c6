"""Each benchmark runs through in its shortest form, so that none rots; its figures do not matter here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "nginx-websocket-lab:host-bookworm"


def printed(*command: str) -> str:
    """What a benchmark printed; it must have come to its end."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    ("script", "row"),
    [("bench/parse.py", "load() / nginx -t"), ("bench/diagnose.py", "a WebSocket route, CPU")],
)
def test_beside_nginx(script, row):
    inside = (
        "docker",
        "run",
        "--rm",
        "--volume",
        f"{ROOT}:/src:ro",
        "--workdir",
        "/src",
        "--tmpfs",
        "/tmp",
        IMAGE,
    )
    assert row in printed(*inside, "python3", script, "--rounds", "1", "--servers", "5")


def test_controller():
    assert "2" in printed(sys.executable, "bench/controller/measure.py", "--hosts", "2")


def test_transaction():
    assert "reload" in printed(sys.executable, "bench/transaction.py", "--rounds", "1")


def test_fleet():
    short = ("--hosts", "1", "--rounds", "1", "--only", "ping", "site.yml, unchanged")
    table = printed(sys.executable, "bench/fleet/measure.py", *short)
    assert "| site.yml, unchanged |" in table and "| ping |" in table
