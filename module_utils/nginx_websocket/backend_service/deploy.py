"""One transaction for one unit: compare, verify, write, restart, prove, or put back what was there.

It is a transaction of its own, before nginx's: nginx must find the application in order to be proven itself,
and an application that came up and answers is not taken down again because something else failed afterwards.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import pwd
import re
import time
from typing import Dict, List, Optional, Sequence

from ..host.listeners import Listener, listeners
from ..host.processes.children import booted
from ..transaction.site.model import ABSENT, Entry
from ..transaction.site.release import LITERAL, release_id, stamped
from ..transaction.tree.evidence import masked_line
from ..transaction.tree.files import Filesystem
from . import systemd

DIRECTORY = "/etc/systemd/system"
UNCHANGED, APPLIED, ROLLED_BACK, ROLLBACK_FAILED = "unchanged", "applied", "rolled back", "rollback failed"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,100}\Z")
_MARK = re.compile(rb"NGINX_WEBSOCKET_UNIT=([0-9a-f]{32})")
_POLL_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Unit:
    """The unit as it shall be."""

    name: str
    """Without ``.service``."""
    content: bytes
    """The whole file, with ``NGINX_WEBSOCKET_UNIT=@RELEASE@`` in its environment."""
    port: int
    user: str
    paths: Sequence[str] = ()
    """Files and directories without which it cannot start."""

    @property
    def service(self) -> str:
        """Name of the unit, as systemd knows it."""
        return self.name + ".service"

    @property
    def path(self) -> str:
        """File of the unit."""
        return os.path.join(DIRECTORY, self.service)


@dataclasses.dataclass
class Outcome:
    """How it ended."""

    outcome: str = UNCHANGED
    changed: bool = False
    failed: bool = False
    message: str = ""
    release: str = ""
    diff: Optional[Dict[str, str]] = None
    evidence: List[str] = dataclasses.field(default_factory=list)
    """The end of the application's own log, where it did not come up."""


class Refused(Exception):
    """Nothing was changed; the message says why, and what to do."""


class _NotProven(Exception):
    """The application does not run as the unit says."""


def deploy(
    unit: Unit, *, check: bool = False, overwrite: bool = False, timeout: float = 30.0, files: Filesystem
) -> Outcome:
    """Let a unit be installed, enabled, and run as its file says.

    Args:
        unit: as it shall be.
        check: say what would be done, and touch nothing.
        overwrite: replace a unit file that somebody edited by hand.
        timeout: seconds within which the application must listen.
        files: the file system.

    Returns:
        The outcome; ``failed`` says whether the caller should fail.
    """
    outcome = Outcome(release=release_id(unit.content))
    try:
        _deploy(unit, outcome, check, overwrite, timeout, files)
    except (Refused, systemd.SystemdError, OSError) as error:
        outcome.failed = True
        outcome.message = f"{unit.service}: {error}; nothing was changed"
    return outcome


def _deploy(
    unit: Unit, outcome: Outcome, check: bool, overwrite: bool, timeout: float, files: Filesystem
) -> None:
    if not booted():
        raise Refused("systemd is not this host's init")
    if not _NAME.match(unit.name):
        raise Refused(f"{unit.name!r} cannot be the name of a unit")
    if LITERAL not in unit.content:
        raise Refused(f"the unit does not hold the literal {LITERAL.decode()}")
    content = stamped(unit.content)
    before = files.entry(unit.path)
    state = systemd.show(unit.service, "FragmentPath", "ActiveState", "MainPID", "UnitFileState")
    _refuse_foreign(unit, before, state, overwrite)
    running = _release_of(int(state["MainPID"] or 0))
    if (
        before.content == content
        and state["ActiveState"] == "active"
        and state["UnitFileState"] == "enabled"
        and running == outcome.release
    ):
        outcome.message = f"{unit.service} runs as its unit says"
        return
    _refuse_impossible(unit, content)
    outcome.diff = {
        "before": before.text() if before.kind == "file" else "",
        "after": content.decode("utf-8", "replace"),
        "before_header": unit.path if before.kind == "file" else "/dev/null",
        "after_header": unit.path,
    }
    outcome.changed = True
    if check:
        return
    began = time.time()
    try:
        files.put(unit.path, Entry("file", content=content, mode=0o644))
        systemd.run("systemctl", "daemon-reload")
        systemd.run("systemctl", "enable", "--quiet", unit.service)
        systemd.run("systemctl", "restart", unit.service)
        _prove(unit, time.monotonic() + timeout)
    except (_NotProven, systemd.SystemdError, OSError) as error:
        outcome.evidence = [masked_line(line) for line in systemd.last_words(unit.service, began)]
        _undo(unit, outcome, before, state, str(error), timeout, files)
        return
    outcome.outcome = APPLIED
    outcome.message = f"{unit.service} runs and listens on port {unit.port}"


def _refuse_foreign(unit: Unit, before: Entry, state: Dict[str, str], overwrite: bool) -> None:
    """Refuse a name that somebody else's unit has, and a file that a person edited."""
    if before.kind not in ("file", "absent"):
        raise Refused(f"{unit.path} is not a plain file (a unit that is masked?)")
    if before.kind == "absent" and state["FragmentPath"]:
        raise Refused(f"{state['FragmentPath']} is somebody else's unit of that name; choose another name")
    if before.kind == "absent":
        return
    mark = _MARK.search(before.content)
    if mark is None:
        raise Refused(f"{unit.path} was not written by us; choose another name, or remove it")
    pristine = stamped(before.content.replace(mark.group(1), LITERAL)) == before.content
    if not pristine and not overwrite:
        raise Refused(
            f"{unit.path} was edited by hand; move the edit into a drop-in (systemctl edit {unit.name}), or "
            "set nginx_websocket_on_drift to overwrite"
        )


def _refuse_impossible(unit: Unit, content: bytes) -> None:
    """Refuse what could not start."""
    try:
        pwd.getpwnam(unit.user)
    except KeyError:
        raise Refused(
            f"there is no user {unit.user} on this host; make one: useradd --system --no-create-home "
            f"{unit.user}"
        ) from None
    for path in unit.paths:
        if not os.path.exists(path):
            raise Refused(f"{path} does not exist on this host")
    wrong = systemd.verify(unit.service, content)
    if wrong:
        raise Refused(f"systemd-analyze verify refuses it: {'; '.join(wrong[:3])}")
    others = [one for one in listeners([unit.port]) if one.unit != unit.service]
    if others:
        pids = " ".join(sorted({str(one.pid) for one in others if one.pid}))
        end = f"end it first (kill {pids})" if pids else "end it first"
        if others[0].origin == "unit":
            end = f"stop it first (systemctl disable --now {others[0].unit})"
        raise Refused(
            f"port {unit.port} is held by {masked_line(others[0].describe())}; {end}, or give the unit "
            "another port"
        )


def _release_of(pid: int) -> str:
    """Which unit file a process was started from, as its own environment tells."""
    if not pid:
        return ""
    try:
        with open(f"/proc/{pid}/environ", "rb") as stream:
            found = _MARK.search(stream.read())
    except OSError:
        return ""
    return found.group(1).decode() if found else ""


def _prove(unit: Unit, deadline: float) -> None:
    """Wait until a process of the unit listens on its port, on the loopback address alone."""
    while True:
        state = systemd.show(unit.service, "ActiveState", "SubState", "NRestarts", "Result")
        if (
            state["ActiveState"] == "failed"
            or state["SubState"] == "auto-restart"
            or state["NRestarts"] not in ("0", "")
        ):
            raise _NotProven(f"the application ended at once ({state['Result']})")
        held = [one for one in listeners([unit.port]) if one.unit == unit.service]
        if held:
            _refuse_open_door(unit, held)
            return
        if time.monotonic() >= deadline:
            raise _NotProven(f"the application does not listen on port {unit.port}")
        time.sleep(_POLL_SECONDS)


def _refuse_open_door(unit: Unit, held: Sequence[Listener]) -> None:
    for one in held:
        if not ipaddress.ip_address(one.address).is_loopback:
            raise _NotProven(
                f"the application listens on {one.address}:{unit.port}, where anybody can go round nginx; "
                "let it listen on 127.0.0.1"
            )


def _undo(
    unit: Unit,
    outcome: Outcome,
    before: Entry,
    state: Dict[str, str],
    reason: str,
    timeout: float,
    files: Filesystem,
) -> None:
    """Put the unit back as it was, and the application with it."""
    outcome.failed = True
    try:
        if before.kind == "absent":
            systemd.run("systemctl", "disable", "--now", "--quiet", unit.service, check=False)
        files.put(unit.path, before if before.kind == "file" else ABSENT)
        systemd.run("systemctl", "daemon-reload")
        systemd.run("systemctl", "reset-failed", unit.service, check=False)
        if before.kind == "file":
            verb = "enable" if state["UnitFileState"] == "enabled" else "disable"
            systemd.run("systemctl", verb, "--quiet", unit.service)
            active = state["ActiveState"] == "active"
            systemd.run("systemctl", "restart" if active else "stop", unit.service)
            if active:
                _wait_active(unit, time.monotonic() + timeout)
    except (_NotProven, systemd.SystemdError, OSError) as error:
        outcome.outcome = ROLLBACK_FAILED
        outcome.message = (
            f"ROLLBACK FAILED: {error}. First failure: {unit.service}: {reason}. Look at "
            f"systemctl status {unit.name}."
        )
        return
    outcome.outcome, outcome.changed = ROLLED_BACK, False
    outcome.message = f"{unit.service}: {reason.rstrip('.')}. The host was put back as it was."


def _wait_active(unit: Unit, deadline: float) -> None:
    while not [one for one in listeners() if one.unit == unit.service]:
        if time.monotonic() >= deadline:
            raise _NotProven("the former unit does not listen again")
        time.sleep(_POLL_SECONDS)
