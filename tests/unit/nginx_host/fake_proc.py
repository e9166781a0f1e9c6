"""A /proc in a directory: as many processes as a test needs, with exactly the files that are read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional, Sequence

from module_utils.nginx_websocket.host.processes.proc import Proc

TITLE = "nginx: master process /usr/sbin/nginx -g daemon on; master_process on;"


class FakeProc:
    """Builds the tree; ``proc`` reads it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "net").mkdir(parents=True)
        (directory / "stat").write_text("cpu 0 0\nbtime 1700000000\n")
        (directory / "self" / "ns").mkdir(parents=True)
        os.symlink("pid:[1]", directory / "self" / "ns" / "pid")
        self.add(1, "/sbin/init", cgroup="0::/init.scope\n")
        self.proc = Proc(str(directory))

    def add(
        self,
        pid: int,
        *argv: str,
        ppid: int = 1,
        ticks: int = 100,
        exe: str = "/usr/sbin/nginx",
        cgroup: str = "0::/system.slice/nginx.service\n",
        namespace: str = "pid:[1]",
        root: str = "/",
        uid: int = 0,
        uids: Sequence[int] = (),
        cwd: str = "/",
        sockets: Sequence[int] = (),
        maps: Optional[str] = None,
        mounts: str = "mnt:[1]",
        capabilities: int = 0x1FFFFFFFFFF,
        label: str = "",
    ) -> None:
        place = self.directory / str(pid)
        (place / "ns").mkdir(parents=True)
        (place / "fd").mkdir()
        (place / "cmdline").write_bytes("\0".join(argv).encode() + b"\0\0\0")
        name = "a (strange) name"
        middle = " ".join(["0"] * 17)
        (place / "stat").write_text(f"{pid} ({name}) S {ppid} {middle} {ticks} 0 0\n")
        four = "\t".join(map(str, uids or [uid] * 4))
        (place / "status").write_text(
            f"Name:\tx\nUid:\t{four}\nGid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{capabilities:016x}\n"
        )
        (place / "cgroup").write_text(cgroup)
        (place / "attr").mkdir()
        (place / "attr" / "current").write_text(f"{label}\n" if label else "")
        if maps is not None:
            (place / "maps").write_text(maps)
        for link, target in (
            ("exe", exe),
            ("ns/pid", namespace),
            ("ns/mnt", mounts),
            ("root", root),
            ("cwd", cwd),
        ):
            os.symlink(target, place / link)
        for number, inode in enumerate(sockets, start=3):
            os.symlink(f"socket:[{inode}]", place / "fd" / str(number))
        os.symlink("/dev/null", place / "fd" / "0")

    def table(self, name: str, *lines: str) -> None:
        (self.directory / "net" / name).write_text("\n".join(["head", *lines]) + "\n")

    def tcp(self, *entries: tuple) -> None:
        """Entries of (hexadecimal address:port, state, inode)."""
        rest = "00000000:00000000 00:00000000 00000000     0        0"
        lines = (
            f"   {number}: {address} 00000000:0000 {state} {rest} {inode} 1"
            for number, (address, state, inode) in enumerate(entries)
        )
        self.table("tcp", *lines)
