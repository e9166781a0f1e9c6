"""Who may write what root executes or believes: owner and mode of a path, and of every step of the way to it.

A path is trusted when nobody but root, or the user that we are, can change what it leads to.  So each
directory on the way, and each link, counts as much as the file: who may write a directory may put another
file there.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
import stat
from typing import List, Optional

from .proc import user_name

_MOST_LINKS = 40  # path_resolution(7)


@dataclasses.dataclass(frozen=True)
class Weakness:
    """One step of a path that somebody else may write."""

    path: str
    """The file, directory or link that is meant."""
    found: str
    """Owner and mode, as a person reads them."""
    command: str
    """What mends it."""

    def sentence(self) -> str:
        """What was found, what is expected, and the command."""
        return f"{self.path} {self.found}; only {_us()} may be able to write it: {self.command}"


def weakness(path: str) -> Optional[Weakness]:
    """The first step of the way to a path that others may write; None when there is none.

    Trusted are root and our own user.  A sticky directory such as /tmp may be on the way: what stands in it
    can be replaced by its owner only (and his is judged, too); it may not be the end of it.

    Args:
        path: absolute; what does not exist cannot be weak, but the directory that it would stand in can.
    """
    left = path.split("/")[::-1]
    at, links = "/", 0
    found = _judge(at, os.lstat(at), end=not any(left))
    while left and found is None:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = os.path.dirname(at)
            continue
        step = os.path.join(at, name)
        try:
            status = os.lstat(step)
            if not stat.S_ISLNK(status.st_mode):
                found = _judge(step, status, end=not any(left))
                at = step
                continue
            if os.lstat(at).st_mode & stat.S_ISVTX and not _is_ours(status.st_uid):
                return _owned(step, status)
            target = os.readlink(step)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return Weakness(step, f"cannot be looked at ({error.strerror})", "run as root (become: true)")
        links += 1
        if links > _MOST_LINKS:
            return None  # ELOOP: it leads nowhere
        left += target.split("/")[::-1]
        at = "/" if target.startswith("/") else at
    return found


def owner_fault(path: str, status: os.stat_result) -> Optional[Weakness]:
    """Judge one file or directory by itself, not the way to it.

    Args:
        path: its name, for the message.
        status: from stat, lstat or fstat.
    """
    return _judge(path, status, end=True)


def _judge(path: str, status: os.stat_result, *, end: bool) -> Optional[Weakness]:
    if not _is_ours(status.st_uid):
        return _owned(path, status)
    passage = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX and not end
    if passage or not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return None
    if not status.st_mode & stat.S_IWOTH and _group_is_ours(status.st_gid) and not _has_acl(path):
        return None
    command = f"chmod go-w {shlex.quote(path)}"
    if status.st_mode & stat.S_ISVTX:
        command = "take a directory of its own"  # never close /tmp
    return Weakness(
        path,
        f"has mode {stat.S_IMODE(status.st_mode):04o} (group {group_name(status.st_gid)})",
        command,
    )


def _owned(path: str, status: os.stat_result) -> Weakness:
    owner = "root" if os.geteuid() == 0 else _us()
    command = f"chown -h {owner} {shlex.quote(path)}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not stat.S_ISLNK(status.st_mode):
        command += f" && chmod go-w {shlex.quote(path)}"
    return Weakness(path, f"belongs to {user_name(status.st_uid)}", command)


def is_trusted(uids: List[int]) -> bool:
    """Whether a process is root's or our own by all of its user ids, as no setuid program is."""
    return len(set(uids)) == 1 and _is_ours(uids[0])


def _is_ours(uid: int) -> bool:
    return uid in (0, os.geteuid())


def _us() -> str:
    return user_name(os.geteuid())


def group_name(gid: int) -> str:
    """Name of a group id, or the number itself."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _group_is_ours(gid: int) -> bool:
    """Whether nobody but root and ourselves is in a group (``root``; Debian's empty ``staff``)."""
    import grp
    import pwd

    try:
        members = {pwd.getpwnam(name).pw_uid for name in grp.getgrgid(gid).gr_mem}
    except KeyError:
        return False  # who is in it cannot be told
    members.update(user.pw_uid for user in pwd.getpwall() if user.pw_gid == gid)
    return all(_is_ours(uid) for uid in members)


def _has_acl(path: str) -> bool:
    """Whether an access list may name others; the group bits are its mask then (acl(5))."""
    try:
        return "system.posix_acl_access" in os.listxattr(path, follow_symlinks=False)
    except OSError:
        return False
