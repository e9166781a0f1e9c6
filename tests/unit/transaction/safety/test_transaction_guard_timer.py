"""The timer of the guard, by what systemd is told: a program of its name stands in its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from simulated import SimulatedFilesystem
from simulated_host import STATE

from module_utils.nginx_websocket.transaction import auto_rollback
from module_utils.nginx_websocket.transaction.safety import guard
from module_utils.nginx_websocket.transaction.safety.guard import UNIT_DIR, Guard, Note, Notes
from module_utils.nginx_websocket.transaction.site.instance import Instance

NGINX = Instance("/usr/sbin/nginx", "/etc/nginx/nginx.conf", unit="nginx.service")


@pytest.fixture
def disk():
    disk = SimulatedFilesystem()
    disk.directories |= {UNIT_DIR, STATE}
    return disk


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    """Install a systemd-run that writes its arguments down, and ends as it is told."""

    def install(status=0, says=""):
        script = tmp_path / "systemd-run"
        script.write_text(
            f"#!{sys.executable}\nimport json, sys\n"
            f"json.dump(sys.argv[1:], open({str(tmp_path / 'asked')!r}, 'w'))\n"
            f"sys.stderr.write({says!r})\nsys.exit({status})\n"
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return lambda: json.loads((tmp_path / "asked").read_text())

    return install


def test_the_timer_runs_the_armed_archive_after_the_window(disk, systemd):
    asked = systemd()
    Guard(NGINX, STATE, disk).arm(7, 90.0, auto_rollback.__name__)
    words = asked()
    assert "--on-active=90s" in words and f"--unit={guard.TIMER}" in words and "--collect" in words
    command = words[words.index("--") + 1 :]
    at = command.index("window")
    assert command[at - 1] == f"{STATE}/guard.zip"
    assert command[at + 1 :] == [
        *("--backup", "7", "--state-dir", STATE, "--armed-in", guard.this_boot()),
        *("--binary", "/usr/sbin/nginx", "--conf-path", "/etc/nginx/nginx.conf"),
    ]


def test_the_timers_command_runs_the_archive_that_was_armed_and_no_other(tmp_path, disk, systemd):
    asked = systemd()
    Guard(NGINX, STATE, disk).arm(7, 90.0, auto_rollback.__name__)
    words = asked()
    command = words[words.index("--") + 1 :]
    archive = tmp_path / "guard.zip"
    archive.write_bytes(disk.read(f"{STATE}/guard.zip"))
    command = [str(archive) if word == f"{STATE}/guard.zip" else word for word in command]
    shown = subprocess.run([*command[: command.index("window")], "--help"], capture_output=True, text=True)
    assert shown.returncode == 0 and "--armed-in" in shown.stdout, shown.stderr
    archive.write_bytes(archive.read_bytes() + b"\0")
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode and "is not the archive that was armed" in refused.stderr


@pytest.mark.parametrize(("says", "told"), [("no bus\n", "systemd-run: no bus"), ("", "exit status 3")])
def test_a_timer_that_systemd_refuses_is_an_error(disk, systemd, says, told):
    systemd(3, says)
    with pytest.raises(OSError, match=told):
        Guard(NGINX, STATE, disk).arm(7, 90.0, auto_rollback.__name__)


def test_a_host_without_systemd_run_is_one_too(disk, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OSError, match="systemd-run: "):
        Guard(NGINX, STATE, disk).arm(7, 90.0, auto_rollback.__name__)


def test_a_boot_in_which_it_was_armed_undoes_nothing():
    words = ["--backup", "3", "--state-dir", STATE, "--binary", "/x/nginx", "--conf-path", "/x/nginx.conf"]
    verb, backup, state, nginx = guard.arguments(["boot", *words, "--armed-in", guard.this_boot()])
    assert (verb, backup, state, nginx.binary, nginx.conf_path) == ("", 3, STATE, "/x/nginx", "/x/nginx.conf")
    with pytest.raises(SystemExit):
        guard.arguments(["later", *words, "--armed-in", "x"])


def test_a_note_is_kept_until_it_was_told(disk):
    notes = Notes(disk, STATE)
    assert notes.read() is None
    notes.write(Note(3, "then", "nobody confirmed"))
    assert notes.read() == Note(3, "then", "nobody confirmed")
    notes.remove()
    assert notes.read() is None


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"backup": "x", "time": "t", "message": "m"}'])
def test_a_note_that_cannot_be_read_is_none(disk, text):
    notes = Notes(disk, STATE)
    notes.write(Note(3, "then", "why"))
    disk.plant(f"{STATE}/gone-back.json", guard.Entry("file", content=text))
    assert notes.read() is None
