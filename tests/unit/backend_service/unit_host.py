"""A host whose systemd is in memory: one unit, what it does when it is started, and who listens."""

from __future__ import annotations

import importlib
import os
import pwd
from typing import Callable, Dict, List, Optional

from module_utils.nginx_websocket.backend_service import systemd
from module_utils.nginx_websocket.host.listeners import Listener
from module_utils.nginx_websocket.transaction.tree.files import Filesystem

# The package has a function of the module's name.
room = importlib.import_module("module_utils.nginx_websocket.backend_service.deploy")

OLD = b"# release @RELEASE@\n[Service]\nEnvironment=NGINX_WEBSOCKET_UNIT=@RELEASE@\nExecStart=/bin/old\n"
NEW = OLD.replace(b"old", b"new")
PORT = 8000


def listener(address: str = "127.0.0.1", unit: str = "app.service", **more) -> Listener:
    """Somebody who listens on the application's port."""
    given = {"pid": 77, "pids": [77], "origin": "unit", "user": "app", "argv": ["app"], **more}
    return Listener("tcp", address, PORT, 1, unit=unit, **given)


class UnitHost:
    """systemctl, as far as a deployment uses it, on a directory of its own."""

    def __init__(self, directory, monkeypatch) -> None:
        self.path = directory / "app.service"
        self.enabled, self.active, self.pid, self.fragment = "", "inactive", 0, ""
        self.restarts = self.sub = ""
        self.said: List[str] = []
        self.fails: Dict[str, List[Optional[str]]] = {}
        """Verb → what it says the next times instead of working; None: it works."""
        self.wrong: List[str] = []
        """What systemd-analyze finds."""
        self.held: List[Listener] = []
        """Who listens now."""
        self.after_restart: Callable[[bytes], List[Listener]] = lambda content: [listener()]
        """Who listens after a restart of the unit with this content."""
        self.booted = True
        for name in ("run", "show"):
            monkeypatch.setattr(systemd, name, getattr(self, name))
        monkeypatch.setattr(room, "booted", lambda: self.booted)
        monkeypatch.setattr(systemd, "verify", lambda *_: self.wrong)
        monkeypatch.setattr(systemd, "last_words", lambda *_: ["it said this"])
        monkeypatch.setattr(room, "listeners", lambda *_: self.held)
        monkeypatch.setattr(room.Unit, "path", property(lambda _self: str(self.path)))

    def installed(self, content: bytes = OLD) -> bytes:
        """A unit of ours that was deployed before; returns its file."""
        self.path.write_bytes(room.stamped(content))
        self.fragment, self.enabled, self.active = str(self.path), "enabled", "active"
        return self.path.read_bytes()

    def show(self, unit: str, *properties: str) -> Dict[str, str]:
        answers = {
            "UnitFileState": self.enabled,
            "ActiveState": self.active,
            "MainPID": str(self.pid),
            "FragmentPath": self.fragment,
            "NRestarts": self.restarts,
            "SubState": self.sub,
            "Result": "exit-code",
        }
        return {name: answers[name] for name in properties}

    def run(self, *command: str, check: bool = True) -> str:
        verb = command[1]
        self.said.append(verb)
        waiting = self.fails.get(verb)
        failure = waiting.pop(0) if waiting else None
        if failure is not None and check:
            raise systemd.SystemdError(failure)
        if verb in ("enable", "disable"):
            self.enabled = verb + "d"
        if verb in ("restart", "stop"):
            self.active = "active" if verb == "restart" else "inactive"
            self.held = self.after_restart(self.path.read_bytes()) if verb == "restart" else []
        return ""

    def deploy(self, content: bytes = NEW, *, name: str = "app", paths=(), user: str = "", **more):
        """Deploy a unit; nothing waits longer than it has to."""
        user = user or pwd.getpwuid(os.getuid()).pw_name
        unit = room.Unit(name=name, content=content, user=user, port=PORT, paths=paths)
        return room.deploy(unit, files=Filesystem(), **{"timeout": 0.0, **more})
