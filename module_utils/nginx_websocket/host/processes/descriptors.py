"""Which processes hold which sockets, by their descriptors in /proc.

Reading another user's descriptors takes CAP_SYS_PTRACE, which root has on a machine of its own but not in
a container.  There a child process becomes the owner for a moment: everybody may read his own.
"""

from __future__ import annotations

import json
import os
import re
from typing import Dict, List, Mapping, Optional, Tuple

from .proc import Proc

_SOCKET = re.compile(r"socket:\[(\d+)\]\Z")

Credentials = Tuple[int, int]


def socket_inodes(pid: int, proc: Proc) -> Optional[List[int]]:
    """The inodes of a process's sockets; None when they may not be read."""
    directory = proc.path(pid, "fd")
    try:
        names = os.listdir(directory)
    except PermissionError:
        return None
    except OSError:
        return []
    inodes = []
    for name in names:
        try:
            match = _SOCKET.match(os.readlink(os.path.join(directory, name)))
        except PermissionError:
            return None
        except OSError:
            continue
        if match:
            inodes.append(int(match.group(1)))
    return inodes


def socket_holders(
    wanted: Mapping[int, Optional[int]], proc: Proc
) -> Tuple[Dict[int, List[int]], Dict[int, str]]:
    """Find the processes that hold sockets.

    Args:
        wanted: for each socket's inode the user id that the kernel's table gives, None where it gives none.
        proc: the /proc to read.

    Returns:
        For each inode its processes, ascending; and the executables of those processes that only their
        owner may ask.
    """
    held: Dict[int, List[int]] = {}
    hidden: Dict[Credentials, List[int]] = {}
    for pid in proc.pids():
        inodes = socket_inodes(pid, proc)
        if inodes is None:
            credentials = proc.credentials(pid)
            if credentials:
                hidden.setdefault(credentials, []).append(pid)
            continue
        for inode in set(inodes):
            if inode in wanted:
                held.setdefault(inode, []).append(pid)
    executables: Dict[int, str] = {}
    missing = {uid for inode, uid in wanted.items() if inode not in held}
    for credentials, pids in hidden.items():
        if not missing or os.geteuid() != 0 or not ({credentials[0], None} & missing):
            continue
        for pid, (inodes, exe) in _as_owner(credentials, pids, proc).items():
            executables[pid] = exe
            for inode in set(inodes):
                if inode in wanted:
                    held.setdefault(inode, []).append(pid)
    return {inode: sorted(pids) for inode, pids in held.items()}, executables


def _as_owner(credentials: Credentials, pids: List[int], proc: Proc) -> Dict[int, Tuple[List[int], str]]:
    """Read sockets and executables of a user's processes in a child that has become this user."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing may escape from here: the parent's cleanup must not run twice.
        try:
            os.close(read_end)
            uid, gid = credentials
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            seen = {pid: (socket_inodes(pid, proc) or [], proc.exe(pid)[0]) for pid in pids}
            with os.fdopen(write_end, "w") as pipe:
                json.dump(seen, pipe)
        finally:
            os._exit(0)
    os.close(write_end)
    try:
        with os.fdopen(read_end) as pipe:
            text = pipe.read()
    finally:
        os.waitpid(child, 0)
    try:
        return {int(pid): (inodes, exe) for pid, (inodes, exe) in json.loads(text).items()}
    except ValueError:
        return {}  # the child was not allowed to become this user
