"""Which processes are nginx masters indeed: a title is a text that every process may give itself.

We ask a master's executable for its version, test the tree that its command line names and send it signals,
as root.  So a master counts only when nobody but root (or the user that we are) could have made it what it
is: all its user ids, its executable, and the paths that its command line names.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import Iterator, Sequence

from .proc import Proc, user_name
from .trust import is_trusted, owner_fault, weakness


class NotGenuine(Exception):
    """The process is not the master that it was, or never was one."""


def stranger(pid: int, proc: Proc) -> str:
    """Why a process with the title of a master is none; "" when it may be one.

    Any local user can bring these about, so they must neither be believed nor get in the way.
    """
    uids = proc.uids(pid)
    if not uids or not is_trusted(uids):
        who = user_name(next((uid for uid in uids if not is_trusted([uid])), uids[0])) if uids else "unknown"
        return (
            f"process {pid} of user {who} has the title of an nginx master and is left out: only one that "
            f"{user_name(os.geteuid())} runs counts"
        )
    try:
        status = os.stat(proc.path(pid, "exe"))
    except OSError:
        return ""  # `distrust` has the words for it
    if status.st_mode & stat.S_ISUID:
        return (
            f"process {pid} has the title of an nginx master and is left out: everybody may start "
            f"{proc.exe(pid)[0]} as another user (setuid), and with any title"
        )
    return ""


def distrust(pid: int, exe: str, deleted: bool, paths: Sequence[str], proc: Proc) -> str:
    """Why nothing that a master names may be executed, with the command that mends it; "" when it may.

    Args:
        pid: of a process that runs as root or as ourselves.
        exe: path of its executable.
        deleted: whether that file was replaced since.
        paths: what its command line names: prefix, main file.
        proc: the /proc to read.
    """
    try:
        found = owner_fault(exe, os.stat(proc.path(pid, "exe")))
    except PermissionError:
        return (
            f"{user_name(os.geteuid())} may not look at its executable (/proc/{pid}/exe); run as root "
            "(become: true)"
        )
    except OSError:
        found = None  # it ended, or will be missed when it is executed
    ways = [os.path.dirname(exe) if deleted else exe] + [
        way for path in paths for way in (os.path.dirname(path), path) if path.startswith("/")
    ]
    for way in ways:
        found = found or (weakness(way) if way.startswith("/") else None)
    return found.sentence() if found else ""


@contextlib.contextmanager
def executable(pid: int, start_ticks: int, proc: Proc) -> Iterator[int]:
    """Hold a master's executable: what is judged is what is run, whatever happens to names and process ids.

    Args:
        pid: of the master.
        start_ticks: its start, which tells it from another process with that id.
        proc: the /proc to read.

    Yields:
        A descriptor; run it as ``/proc/self/fd/N``.

    Raises:
        NotGenuine: it is another process by now, or others may write the file.
        OSError: it cannot be opened.
    """
    descriptor = os.open(proc.path(pid, "exe"), os.O_RDONLY | os.O_CLOEXEC)
    try:
        now = proc.stat(pid)
        if now is None or now[1] != start_ticks:
            raise NotGenuine(f"the nginx master {pid} has ended meanwhile")
        why = stranger(pid, proc) or _weak(descriptor, proc.exe(pid)[0])
        if why:
            raise NotGenuine(why)
        yield descriptor
    finally:
        os.close(descriptor)


def _weak(descriptor: int, path: str) -> str:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is no file"
    found = owner_fault(path, status)
    return found.sentence() if found else ""
