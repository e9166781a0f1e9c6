"""The processes below one nginx master, read from /proc.

``host`` describes them for people; here they are polled, many times a second, while a reload
takes hold.
"""

from __future__ import annotations

import contextlib
import os
from typing import Dict, FrozenSet, List, Optional, Set

from ...host.processes.proc import Proc

_PROC = Proc()
_SHUTTING_DOWN = b"is shutting down"
_WORKER = b"worker process"
_ESTABLISHED, _LISTEN = "01", "0A"
"""Socket states in /proc/net/tcp."""


def children(master: int) -> List[int]:
    """Process ids of everything that one process has started and that still is: whatever its title says."""
    try:
        with open(f"/proc/{master}/task/{master}/children", "rb") as stream:
            return [int(pid) for pid in stream.read().split()]
    except OSError:  # a kernel without CONFIG_PROC_CHILDREN
        stats = ((pid, _PROC.stat(pid)) for pid in _PROC.pids())
        return [pid for pid, stat in stats if stat is not None and stat[0] == master]


def _title(pid: int) -> bytes:
    return _PROC.read(pid, "cmdline")


def alive(master: int) -> bool:
    """Whether the process still runs and is an nginx master."""
    return b"master process" in _title(master)


def state(pid: int) -> str:
    """What the scheduler says of a process: ``R``, ``S``, ``D``, ``T`` …; "" when it is gone (proc(5))."""
    # The name in parentheses may hold anything, so count from its end.
    fields = _PROC.read(pid, "stat").rpartition(b")")[2].split()
    return fields[0].decode("ascii") if fields else ""


def successors(master: int) -> FrozenSet[int]:
    """Masters that this one has started in its place: a binary upgrade (signal USR2) is not finished.

    A worker bears its master's title for the moment between its fork and its first own act, but it has no
    workers.
    """
    return frozenset(pid for pid in children(master) if alive(pid) and serving(pid))


def quits(master: int) -> bool:
    """Whether a master was told to quit: it lives until its last connection ends, and takes no new one.

    Its workers all shut down then, and it has closed its listening sockets (`ngx_master_process_cycle`).
    One whose workers alone were told to (signal WINCH) still holds those, and can be reloaded.
    """
    titles = [_title(pid) for pid in children(master)]
    workers = [title for title in titles if _WORKER in title]
    if not workers or not all(_SHUTTING_DOWN in title for title in workers):
        return False
    sockets = _sockets(master)
    return sockets is None or not sockets & _inodes(_LISTEN)


def serving(master: int) -> FrozenSet[int]:
    """Worker processes that take new connections."""
    titles = {pid: _title(pid) for pid in children(master)}
    return frozenset(pid for pid, title in titles.items() if _WORKER in title and _SHUTTING_DOWN not in title)


def all_of(master: int) -> FrozenSet[int]:
    """Worker processes, those that shut down included."""
    return frozenset(pid for pid in children(master) if _WORKER in _title(pid))


def draining(master: int) -> Dict[int, Optional[int]]:
    """Old workers that still hold connections: process id → established TCP connections.

    The number is None where the kernel does not show a worker's sockets (a container without
    CAP_SYS_PTRACE).
    """
    old = [pid for pid in children(master) if _SHUTTING_DOWN in _title(pid)]
    if not old:
        return {}
    established = _inodes(_ESTABLISHED)
    counted: Dict[int, Optional[int]] = {}
    for pid in old:
        sockets = _sockets(pid)
        counted[pid] = None if sockets is None else len(sockets & established)
    return counted


def _inodes(wanted: str) -> Set[str]:
    """TCP sockets in one state."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as stream:
            for line in list(stream)[1:]:
                fields = line.split()
                if fields[3] == wanted:
                    inodes.add(fields[9])
    return inodes


def _sockets(pid: int) -> Optional[Set[str]]:
    inodes = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                target = os.readlink(f"/proc/{pid}/fd/{name}")
                if target.startswith("socket:["):
                    inodes.add(target[8:-1])
    except OSError:
        return None
    return inodes
