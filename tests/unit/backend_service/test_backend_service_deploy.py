"""What a unit's deployment does, refuses and leaves alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from unit_host import NEW, OLD, UnitHost, listener, room


@pytest.fixture
def host(tmp_path, monkeypatch):
    return UnitHost(tmp_path, monkeypatch)


@pytest.fixture
def process():
    """Starts a process of a release, and ends it after the test."""
    started = []

    def start(release: str) -> int:
        command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
        environment = {"NGINX_WEBSOCKET_UNIT": release}
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        started.append(child)
        assert child.stdout is not None and child.stdout.readline()
        return child.pid

    yield start
    for child in started:
        child.communicate()


def refused(host, outcome, before) -> str:
    """Nothing was changed; returns the message."""
    assert outcome.failed and not outcome.changed and outcome.outcome == room.UNCHANGED
    assert outcome.message.endswith("nothing was changed")
    assert (host.path.read_bytes() if host.path.exists() else None) == before
    assert host.said == []
    return outcome.message


def test_a_new_unit_is_written_enabled_started_and_proven(host):
    outcome = host.deploy()
    assert (outcome.outcome, outcome.changed, outcome.failed) == (room.APPLIED, True, False)
    assert host.path.read_bytes() == room.stamped(NEW) and outcome.release.encode() in room.stamped(NEW)
    assert host.said == ["daemon-reload", "enable", "restart"]
    assert outcome.diff is not None
    assert outcome.diff["before_header"] == "/dev/null" and outcome.diff["before"] == ""


def test_a_change_shows_both_sides(host):
    before = host.installed()
    outcome = host.deploy()
    assert outcome.outcome == room.APPLIED and outcome.diff is not None
    assert outcome.diff["before"] == before.decode() and outcome.diff["before_header"] == str(host.path)
    assert outcome.diff["after"] == room.stamped(NEW).decode()


def test_check_mode_says_the_same_and_touches_nothing(host):
    before = host.installed()
    outcome = host.deploy(check=True)
    assert outcome.changed and not outcome.failed and outcome.diff is not None
    assert host.path.read_bytes() == before and host.said == []


def test_a_unit_that_runs_as_its_file_says_is_left_alone(host, process):
    host.installed(NEW)
    host.pid = process(room.release_id(NEW))
    outcome = host.deploy()
    assert (outcome.outcome, outcome.changed, outcome.failed) == (room.UNCHANGED, False, False)
    assert "runs as its unit says" in outcome.message and host.said == []


@pytest.mark.parametrize(
    "fault", ["stopped", "disabled", "another release", "no process", "a process that ended"]
)
def test_a_unit_whose_file_is_right_but_does_not_run_is_started(host, process, fault):
    host.installed(NEW)
    host.pid = process("0" * 32 if fault == "another release" else room.release_id(NEW))
    if fault == "stopped":
        host.active = "inactive"
    elif fault == "disabled":
        host.enabled = "disabled"
    elif fault == "no process":
        host.pid = 0
    elif fault == "a process that ended":
        host.pid = 2**22 + 1  # beyond the largest pid that Linux gives
    outcome = host.deploy()
    assert outcome.outcome == room.APPLIED and "restart" in host.said


def test_without_systemd_nothing_is_done(host):
    host.booted = False
    assert "not this host's init" in refused(host, host.deploy(), None)


@pytest.mark.parametrize("name", ["", "a/b", "../etc", ".hidden", "-flag", "a b", "a\n", "x" * 102])
def test_a_name_that_is_none_is_refused(host, name):
    assert "cannot be the name of a unit" in refused(host, host.deploy(name=name), None)


def test_a_unit_without_the_literal_is_refused(host):
    assert "@RELEASE@" in refused(host, host.deploy(OLD.replace(b"@RELEASE@", b"1")), None)


def test_a_masked_unit_is_not_replaced(host):
    host.path.symlink_to("/dev/null")
    outcome = host.deploy()
    assert outcome.failed and "not a plain file" in outcome.message and host.path.is_symlink()


def test_somebody_elses_unit_of_that_name_is_not_hidden(host):
    host.fragment = "/lib/systemd/system/app.service"
    assert "/lib/systemd/system/app.service is somebody else's" in refused(host, host.deploy(), None)


def test_a_foreign_file_is_not_replaced(host):
    foreign = b"[Service]\nExecStart=/bin/theirs\n"
    host.path.write_bytes(foreign)
    assert "not written by us" in refused(host, host.deploy(overwrite=True), foreign)


def test_a_hand_edit_is_kept_unless_told(host):
    edited = host.installed() + b"Nice=5\n"
    host.path.write_bytes(edited)
    assert "edited by hand" in refused(host, host.deploy(), edited)
    assert host.deploy(overwrite=True).outcome == room.APPLIED


def test_a_user_that_is_not_there_is_named_with_the_command(host):
    assert "useradd" in refused(host, host.deploy(user="no-such-user"), None)


def test_a_path_that_is_not_there_is_named(host, tmp_path):
    missing = str(tmp_path / "missing")
    assert f"{missing} does not exist" in refused(host, host.deploy(paths=[str(tmp_path), missing]), None)


def test_what_systemd_finds_wrong_is_said(host):
    host.wrong = ["app.service:3: Unknown key", "two", "three", "four"]
    message = refused(host, host.deploy(), None)
    assert "Unknown key; two; three;" in message and "four" not in message


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"unit": "other.service"}, "systemctl disable --now other.service"),
        ({"unit": "", "origin": "session", "pid": 4, "pids": [4]}, "(kill 4)"),
        ({"unit": "", "origin": "", "pid": None, "pids": []}, "end it first, or"),
    ],
)
def test_a_port_that_somebody_holds_is_not_fought_for(host, other, words):
    host.held = [listener(**other)]
    message = refused(host, host.deploy(), None)
    assert "port 8000 is held by" in message and words in message


def test_the_units_own_process_may_hold_the_port(host):
    host.installed()
    host.held = [listener()]
    assert host.deploy().outcome == room.APPLIED
