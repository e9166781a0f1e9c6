"""Where a file of a container lies on this host: bind mounts and volumes, by mountinfo (proc(5))."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import List, Optional

from ..processes.proc import Proc

_OCTAL = re.compile(r"\\([0-7]{3})")
DELETED = "//deleted"


@dataclasses.dataclass
class Mount:
    """One line of a mountinfo file."""

    device: str
    """Major and minor number, ``8:1``."""
    root: str
    """The directory (or file) of the file system that is mounted."""
    point: str
    """Where."""
    kind: str
    """File system: ``ext4``, ``overlay`` …"""


@dataclasses.dataclass
class Home:
    """Where a file of a container comes from."""

    path: str
    """On this host; "" where it lies in the container's own layer, or nothing tells it."""
    own_layer: bool = False
    """Whether it is the image's, or was written into the container's own layer."""
    replaced: bool = False
    """Whether the host has another file in its place by now: the container still sees the old one."""


def mounts_of(proc: Proc, pid: int) -> List[Mount]:
    """The mounts of a process, in the order in which they were made."""
    found = []
    for line in proc.read(pid, "mountinfo").decode("utf-8", "surrogateescape").splitlines():
        words, _, rest = line.partition(" - ")
        fields = words.split(" ")
        if len(fields) >= 6 and rest:
            found.append(Mount(fields[2], _plain(fields[3]), _plain(fields[4]), rest.split(" ")[0]))
    return found


def home_of(path: str, inside: List[Mount], here: List[Mount]) -> Home:
    """Where a file of a container lies on this host.

    Args:
        path: inside the container, absolute and without links.
        inside: the container's mounts.
        here: this host's.
    """
    mount = _holding(path, inside)
    if mount is None:
        return Home("")
    if mount.kind in ("overlay", "aufs", "fuse.fuse-overlayfs"):
        return Home("", own_layer=True)
    root, replaced = mount.root, mount.root.endswith(DELETED)
    if replaced:
        root = root[: -len(DELETED)]
    source = _joined(root, path[len(mount.point.rstrip("/")) :])
    ways = [
        _joined(each.point, source[len(each.root.rstrip("/")) :])
        for each in here
        if each.device == mount.device and _below(source, each.root)
    ]
    return Home(min(ways, key=len) if ways else "", replaced=replaced)


def _holding(path: str, mounts: List[Mount]) -> Optional[Mount]:
    """The mount with the deepest point above a path; of several at one point the last is on top."""
    found: Optional[Mount] = None
    for mount in mounts:
        if _below(path, mount.point) and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _joined(directory: str, rest: str) -> str:
    return os.path.normpath(directory.rstrip("/") + "/" + rest.lstrip("/")) if rest else directory


def _plain(field: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match.group(1), 8)), field)
