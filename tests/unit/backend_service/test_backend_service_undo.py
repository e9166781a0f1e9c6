"""A unit that does not run is put back as it was: file, enabled or not, running or not."""

from __future__ import annotations

import importlib
import os
import pwd
from typing import Dict, List

import pytest

from module_utils.nginx_websocket.backend_service import systemd
from module_utils.nginx_websocket.transaction.tree.files import Filesystem

# The package has a function of the module's name.
room = importlib.import_module("module_utils.nginx_websocket.backend_service.deploy")

OLD = b"# release @RELEASE@\n[Service]\nEnvironment=NGINX_WEBSOCKET_UNIT=@RELEASE@\nExecStart=/bin/old\n"
NEW = OLD.replace(b"old", b"new")


class Systemd:
    """systemctl, as far as a deployment uses it; a restart of the new unit fails."""

    def __init__(self, enabled: str, active: str) -> None:
        self.enabled, self.active = enabled, active
        self.said: List[str] = []

    def show(self, unit: str, *properties: str) -> Dict[str, str]:
        answers = {"UnitFileState": self.enabled, "ActiveState": self.active, "MainPID": "0"}
        return {name: answers.get(name, "") for name in properties}

    def run(self, *command: str, check: bool = True) -> str:
        verb = command[1]
        self.said.append(verb)
        if verb in ("enable", "disable"):
            self.enabled = verb + "d"
        if verb == "restart" and self.said.count("daemon-reload") == 1:
            raise systemd.SystemdError("it does not start")
        if verb in ("restart", "stop"):
            self.active = "active" if verb == "restart" else "inactive"
        return ""


@pytest.mark.parametrize("enabled", ["enabled", "disabled"])
@pytest.mark.parametrize("active", ["active", "inactive"])
def test_the_unit_is_put_back_as_it_was(tmp_path, monkeypatch, enabled, active):
    host = Systemd(enabled, active)
    path = tmp_path / "app.service"
    before = room.stamped(OLD)
    path.write_bytes(before)
    for name in ("run", "show"):
        monkeypatch.setattr(systemd, name, getattr(host, name))
    monkeypatch.setattr(systemd, "runs", lambda: True)
    monkeypatch.setattr(systemd, "verify", lambda *_: [])
    monkeypatch.setattr(systemd, "last_words", lambda *_: ["it said this"])
    monkeypatch.setattr(room, "listeners", lambda *_: [])
    monkeypatch.setattr(room, "_wait_active", lambda *_: None)
    monkeypatch.setattr(room.Unit, "path", property(lambda _self: str(path)))
    unit = room.Unit(name="app", content=NEW, user=pwd.getpwuid(os.getuid()).pw_name, port=8000, paths=())
    outcome = room.deploy(unit, files=Filesystem())
    assert (outcome.outcome, outcome.failed, outcome.changed) == (room.ROLLED_BACK, True, False)
    assert "it does not start" in outcome.message and list(outcome.evidence) == ["it said this"]
    assert path.read_bytes() == before
    assert (host.enabled, host.active) == (enabled, active)
