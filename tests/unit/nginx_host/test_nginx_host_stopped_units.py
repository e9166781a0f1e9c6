"""The unit that should listen, told by its file and by systemd's own words."""

from __future__ import annotations

import os

import pytest

from module_utils.nginx_websocket.host import stopped_units

SHOWN = {
    "failed": "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\n",
    "dead": "LoadState=loaded\nActiveState=inactive\nSubState=dead\nResult=success\n",
    "masked": "LoadState=masked\nActiveState=inactive\nSubState=dead\nResult=success\n",
    "runs": "LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\n",
    "starts": "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\n",
}


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """A directory of units, and commands in PATH that answer as systemd's do."""
    units, states, commands = tmp_path / "units", tmp_path / "states", tmp_path / "bin"
    for directory in (units, states, commands):
        directory.mkdir()
    (commands / "systemctl").write_text(f'#!/bin/sh\ncat "{states}/$2"\n')
    (commands / "journalctl").write_text('#!/bin/sh\necho "$2 says: address in use"\necho "  "\necho end\n')
    for command in commands.iterdir():
        command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setattr(stopped_units.os.path, "isdir", lambda path: True)

    def unit(name, line, state):
        (units / name).write_text(f"[Unit]\nDescription=listens on 8000\n[Service]\n{line}\n")
        (states / name).write_text(SHOWN[state])

    return unit, lambda needle: stopped_units.stopped_unit(needle, [str(units)])


@pytest.mark.parametrize(
    ("state", "words"),
    [("failed", "failed (exit-code)"), ("dead", "inactive (dead)"), ("masked", "inactive (dead, masked)")],
)
def test_a_unit_that_does_not_run(systemd, state, words):
    unit, ask = systemd
    unit("app.service", "ExecStart=/usr/bin/uvicorn app:app --port 8000", state)
    found = ask("8000")
    assert (found.name, found.state) == ("app.service", words)
    assert found.lines == ["app.service says: address in use", "end"]


@pytest.mark.parametrize("state", ["runs", "starts"])
def test_a_unit_that_runs_is_none(systemd, state):
    unit, ask = systemd
    unit("app.service", "ExecStart=/usr/bin/app :8000", state)
    assert ask("8000") is None


@pytest.mark.parametrize(
    ("line", "needle", "known"),
    [
        ("Environment=PORT=8000", "8000", True),
        ("ExecStart=/usr/bin/app \\\n    -b 127.0.0.1:8000", "8000", True),
        ("ExecStart=/usr/bin/app --port 18000", "8000", False),
        ("ExecStart=/usr/bin/app --port 80001", "8000", False),
        ("WorkingDirectory=/srv/8000", "8000", False),
        ("ExecStart=/usr/bin/app -b unix:/run/app.sock", "/run/app.sock", True),
        ("ExecStart=/usr/bin/app -b unix:/run/other.sock", "/run/app.sock", False),
    ],
)
def test_what_a_unit_s_file_says_of_a_port_or_socket(systemd, line, needle, known):
    unit, ask = systemd
    unit("app.service", line, "dead")
    assert (ask(needle) is not None) == known


def test_of_two_units_none_is_named(systemd):
    unit, ask = systemd
    unit("blue.service", "ExecStart=/usr/bin/app :8000", "dead")
    unit("green.service", "ExecStart=/usr/bin/app :8000", "failed")
    assert ask("8000") is None
    unit("green.service", "ExecStart=/usr/bin/app :9000", "failed")
    assert ask("8000").name == "blue.service"


def test_templates_and_hosts_without_systemd(systemd, monkeypatch):
    unit, ask = systemd
    unit("app@.service", "ExecStart=/usr/bin/app :8000", "dead")
    assert ask("8000") is None
    unit("app.service", "ExecStart=/usr/bin/app :8000", "dead")
    monkeypatch.setattr(stopped_units.os.path, "isdir", lambda path: False)
    assert ask("8000") is None
