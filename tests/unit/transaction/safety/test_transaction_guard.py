"""What goes back by itself: when it runs, and which transaction it undoes."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import zipfile

import pytest
from machine import PATH, Machine, content, file, nothing
from simulated import SimulatedFilesystem
from simulated_host import STATE

from module_utils.nginx_websocket.transaction import auto_rollback
from module_utils.nginx_websocket.transaction.history.journal import UNCONFIRMED, Record
from module_utils.nginx_websocket.transaction.history.states import Backup
from module_utils.nginx_websocket.transaction.safety import guard
from module_utils.nginx_websocket.transaction.safety.guard import BOOT_UNIT, UNIT_DIR, Guard
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import Change


def boot_unit(unit: str) -> dict:
    """The unit's settings."""
    disk = SimulatedFilesystem()
    disk.directories |= {UNIT_DIR, STATE}
    armed = Guard(Instance("/usr/sbin/nginx", "/etc/nginx/nginx.conf", unit=unit), STATE, disk)
    armed.arm(7, 0.0, auto_rollback.__name__)
    text = disk.read(f"{UNIT_DIR}/{BOOT_UNIT}").decode()
    assert disk.entry(f"{UNIT_DIR}/multi-user.target.wants/{BOOT_UNIT}").target == f"{UNIT_DIR}/{BOOT_UNIT}"
    assert armed.armed()
    armed.disarm()
    assert not armed.armed()
    return dict(line.partition("=")[::2] for line in text.splitlines() if "=" in line)


@pytest.mark.parametrize("unit", ["", "nginx.service", "openresty.service"])
def test_the_boot_unit_runs_before_whatever_nginx_is_there(unit):
    settings = boot_unit(unit)
    assert set(settings["Before"].split()) == {"nginx.service", unit or "nginx.service"}
    assert settings["Type"] == "oneshot", "a unit of another type is done before its work is"
    assert settings["ConditionPathExists"] == f"{STATE}/journal.json"
    assert '"boot" "--backup" "7"' in settings["ExecStart"]


@pytest.fixture
def waiting(monkeypatch):
    """A release that waits for its confirmation, on a host in memory; its backup has the number 2."""
    machine = Machine("old")
    host = machine.host()
    for word in ("first", "second"):
        change = Change(PATH, machine.files.entry(PATH), file(word), "site")
        number = host.backups.next_number()
        host.backups.save(Backup(number, "deploy", "then", "me", [change], {}, {}))
        machine.files.put(PATH, change.after)
    machine.running[100] = machine.live()
    host.journal.write(Record(number, UNCONFIRMED, "then", confirm_by="soon"))

    def fire(verb: str, backup: int) -> int:
        monkeypatch.setattr(
            auto_rollback, "arguments", lambda _argv: (verb, backup, STATE, machine.instance())
        )
        monkeypatch.setattr(auto_rollback, "Host", lambda *_arguments, **_more: machine.host())
        monkeypatch.setattr(Machine, "locked", lambda *_arguments, **_more: _Free())
        return auto_rollback.main([])

    return machine, fire


class _Free:
    def __enter__(self):
        return None

    def __exit__(self, *_):
        return None


def test_the_timer_undoes_the_release_that_it_was_set_for(waiting):
    machine, fire = waiting
    assert fire("window", 2) == 0
    assert machine.files.read(PATH) == content("first") == machine.serves()[PATH]
    note = machine.host().notes.read()
    assert note is not None and note.backup == 2 and "not confirmed in time" in note.message


def test_an_old_timer_leaves_a_newer_transaction_alone(waiting, capsys):
    machine, fire = waiting
    assert fire("window", 1) == 0
    assert machine.files.read(PATH) == content("second") and machine.told == []
    assert machine.host().journal.read() is not None, "it still waits"
    assert "nothing is open" in capsys.readouterr().out


def test_a_boot_undoes_whatever_is_open(waiting):
    machine, fire = waiting
    machine.happens("reload", nothing)
    assert fire("boot", 1) == 0
    assert machine.files.read(PATH) == content("first")


@pytest.fixture(scope="module")
def carried(tmp_path_factory):
    """The guard's zip file."""
    path = tmp_path_factory.mktemp("guard") / "guard.zip"
    path.write_bytes(guard.payload(auto_rollback.__name__))
    return path


def test_the_guards_code_runs_by_itself(carried):
    """Away from the module that wrote it, as systemd starts it."""
    command = [sys.executable, "-I", "-B", str(carried), "--help"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--state-dir" in done.stdout, done.stderr


def test_what_the_guard_imports_later_is_there_too(carried):
    """An import in a function fails only when the host goes back."""
    with zipfile.ZipFile(carried) as archive:
        sources = {name: archive.read(name).decode() for name in archive.namelist()}
    modules = {name[:-3].replace("/", ".").replace(".__init__", ""): name for name in sources}
    waiting, seen, missing = ["module_utils.nginx_websocket.transaction.auto_rollback"], set(), []
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        name = modules[module]
        package = name.rpartition("/")[0].replace("/", ".").split(".")
        for node in ast.walk(ast.parse(sources[name])):
            if isinstance(node, ast.ImportFrom) and node.level:
                base = ".".join(package[: len(package) - node.level + 1])
                wanted = f"{base}.{node.module}" if node.module else base
                below = [f"{wanted}.{one.name}" for one in node.names if f"{wanted}.{one.name}" in modules]
                if wanted in modules:
                    waiting += [wanted, *below]
                else:
                    missing.append(f"{name}:{node.lineno}: {wanted}")
    assert not missing
    assert len(seen) > 40


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")
def test_a_python_that_others_can_write_is_not_run_later(tmp_path, monkeypatch):
    ours, systems = tmp_path / "python", tmp_path / "python3"
    for path in (ours, systems):
        path.write_text("")
    monkeypatch.setattr(sys, "executable", str(ours))
    monkeypatch.setattr(guard, "SYSTEM_PYTHON", str(systems))
    assert guard._python() == str(ours)
    os.chown(ours, 65534, 0)
    assert guard._python() == str(systems)
    systems.chmod(0o777)
    with pytest.raises(OSError, match="only root may be able to write it"):
        guard._python()
