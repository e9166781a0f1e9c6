"""Processes as /proc shows them; no tool is needed on the host.

Everything here may vanish between two reads: a process that ends is skipped, not an error.
"""

from __future__ import annotations

import os
import re
from typing import Dict, List, Optional, Tuple

_UNIT = re.compile(r"\.(service|scope|socket|mount)$")
_GATEWAY = re.compile(r"(sshd?|dropbear|cron|crond|atd)(@.*)?\.service\Z|(\w+-)?getty@.*\.service\Z")
_GATEWAY_PROGRAM = re.compile(r"sshd|dropbear|cron|atd|agetty|login")
_CONTAINER = re.compile(r"(docker|libpod|crio|cri-containerd|lxc|kubepods|machine\.slice|buildkit)")


class Proc:
    """A view on one /proc.

    Args:
        root: where it is mounted; tests point it elsewhere.
    """

    def __init__(self, root: str = "/proc") -> None:
        """Read nothing yet."""
        self.root = root
        self._boot: Optional[float] = None

    def pids(self) -> List[int]:
        """Every process of this pid namespace and those below it, ascending."""
        return sorted(int(name) for name in os.listdir(self.root) if name.isdigit())

    def path(self, pid: int, *names: str) -> str:
        """Path of a file of the process."""
        return os.path.join(self.root, str(pid), *names)

    def read(self, pid: int, name: str) -> bytes:
        """Content of one of the process's files; empty when it is gone or not ours to read."""
        try:
            with open(self.path(pid, name), "rb") as file:
                return file.read()
        except OSError:
            return b""

    def link(self, pid: int, name: str) -> str:
        """Target of one of the process's links; empty when it is gone or not ours to read."""
        try:
            return os.readlink(self.path(pid, name))
        except OSError:
            return ""

    def argv(self, pid: int) -> List[str]:
        """The command line; a process that rewrote its title (nginx) has it all in the first word."""
        data = self.read(pid, "cmdline").rstrip(b"\0")
        return data.decode("utf-8", "replace").split("\0") if data else []

    def stat(self, pid: int) -> Optional[Tuple[int, int]]:
        """Parent's pid and start time in clock ticks since boot (proc(5), fields 4 and 22)."""
        data = self.read(pid, "stat")
        # The command name stands in brackets and may itself hold brackets and spaces.
        fields = data[data.rfind(b")") + 1 :].split()
        if len(fields) < 20:
            return None
        return int(fields[1]), int(fields[19])

    def started(self, ticks: int) -> float:
        """Seconds since the epoch of a start time in ticks."""
        if self._boot is None:
            self._boot = 0.0
            try:
                with open(os.path.join(self.root, "stat"), "rb") as file:
                    for line in file:
                        if line.startswith(b"btime "):
                            self._boot = float(line.split()[1])
            except OSError:
                pass
        return self._boot + ticks / os.sysconf("SC_CLK_TCK")

    def credentials(self, pid: int) -> Optional[Tuple[int, int]]:
        """Effective user and group id."""
        found = {}
        for line in self.read(pid, "status").splitlines():
            if line.startswith((b"Uid:", b"Gid:")):
                found[line[:3]] = int(line.split()[2])
        return (found[b"Uid"], found[b"Gid"]) if len(found) == 2 else None

    def uids(self, pid: int) -> List[int]:
        """Real, effective, saved and file system user id; empty when the process is gone."""
        for line in self.read(pid, "status").splitlines():
            if line.startswith(b"Uid:"):
                return [int(word) for word in line.split()[1:5]]
        return []

    def open_files(self, pid: int) -> Optional[Tuple[str, str]]:
        """Soft and hard limit of open files, each a number or "unlimited"; None when the process is gone."""
        found = re.search(rb"^Max open files\s+(\S+)\s+(\S+)", self.read(pid, "limits"), re.MULTILINE)
        return (found.group(1).decode(), found.group(2).decode()) if found else None

    def capabilities(self, pid: int) -> Optional[int]:
        """The effective set of capabilities as bits; None when the process is gone."""
        for line in self.read(pid, "status").splitlines():
            if line.startswith(b"CapEff:"):
                return int(line.split()[1], 16)
        return None

    def user(self, pid: int) -> str:
        """Name of the effective user; its number when it has no name here, empty when it is gone."""
        credentials = self.credentials(pid)
        return user_name(credentials[0]) if credentials else ""

    def exe(self, pid: int) -> Tuple[str, bool]:
        """Path of the executable, and whether that file was deleted or replaced since."""
        target = self.link(pid, "exe")
        deleted = target.endswith(" (deleted)")
        return (target[: -len(" (deleted)")] if deleted else target), deleted

    def same_host(self, pid: int) -> bool:
        """Whether the process lives where we live: same pid namespace, same root directory.

        A mount namespace of its own does not tell a container: systemd gives one to every service
        with PrivateTmp or ProtectSystem.  What cannot be read counts as ours.
        """
        here, there = self.link(os.getpid(), "ns/pid") or self._own("ns/pid"), self.link(pid, "ns/pid")
        if here and there and here != there:
            return False
        try:
            root = os.stat(self.path(pid, "root") + "/")
            own = os.stat("/")
        except OSError:
            return True
        return (root.st_dev, root.st_ino) == (own.st_dev, own.st_ino)

    def _own(self, name: str) -> str:
        """One of our own links."""
        try:
            return os.readlink(os.path.join(self.root, "self", name))
        except OSError:
            return ""

    def cgroup(self, pid: int) -> str:
        """Path in the hierarchy that systemd manages, relative to where our own init stands in it."""
        ours, theirs = _paths(self.read(1, "cgroup")), _paths(self.read(pid, "cgroup"))
        # Version 1 has systemd's own hierarchy beside the unified one, and either may be the one in use:
        # that in which init has put itself into init.scope.
        order = sorted(ours or theirs, key=lambda name: not ours.get(name, "").endswith("/init.scope"))
        name = order[0] if order else ""
        top, path = ours.get(name, ""), theirs.get(name, "")
        if top.endswith("/init.scope"):
            top = top[: -len("/init.scope")]
        if top and (path == top or path.startswith(top + "/")):
            path = path[len(top) :]
        return path or "/"


def _paths(data: bytes) -> Dict[str, str]:
    """The paths in the hierarchies that systemd may manage: its own of version 1, and the unified one."""
    paths = {}
    for line in data.decode("utf-8", "replace").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "name=systemd" or number == "0":
            paths[controllers] = path
    return dict(sorted(paths.items(), reverse=True))


def origin_of(cgroup: str, program: str = "") -> Tuple[str, str]:
    """Say how a process was started, from its control group.

    Args:
        cgroup: from `Proc.cgroup`.
        program: name of its executable; what is found in the unit of a login or job service, and is not
            that service itself, was started by hand: without pam_systemd a login leaves its processes there.

    Returns:
        Kind and name: ``("unit", "nginx.service")``, ``("user unit", "app.service")``,
        ``("session", "session-3.scope")`` for what was started by hand from a login,
        ``("container", …)``, or ``("unknown", "")``.
    """
    parts = [part for part in cgroup.split("/") if part]
    if any(_CONTAINER.search(part) for part in parts):
        return "container", parts[-1]
    units = [part for part in parts if _UNIT.search(part)]
    if not units or units[-1] == "init.scope":
        return "unknown", ""
    if units[-1].startswith("session-") and units[-1].endswith(".scope"):
        return "session", units[-1]
    if _GATEWAY.match(units[-1]) and not _GATEWAY_PROGRAM.match(program):
        return "session", units[-1]
    if len(units) > 1 and units[0].startswith("user@"):
        return "user unit", units[-1]
    return "unit", units[-1]


def user_name(uid: int) -> str:
    """Name of a user id, or the number itself."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
