"""What a running service may not do although it is root, and a command that root types may.

``nginx -t`` is such a command: it sees every file and may bind every port.  A master that systemd, SELinux
or AppArmor confines may then refuse the same configuration when it reloads.
"""

from __future__ import annotations

import os
from typing import Dict, List, Optional

from .proc import Proc

_FILES, _PORTS, _OWNERS, _WORKERS = (
    "reading files of other users",
    "ports below 1024",
    "changing owners of files",
    "starting workers as another user",
)
#: capabilities(7) that nginx's master needs for some configurations: bit → name, and what it is for.
_CAPABILITIES = {
    0: ("CAP_CHOWN", _OWNERS),
    1: ("CAP_DAC_OVERRIDE", _FILES),
    2: ("CAP_DAC_READ_SEARCH", _FILES),
    6: ("CAP_SETGID", _WORKERS),
    7: ("CAP_SETUID", _WORKERS),
    10: ("CAP_NET_BIND_SERVICE", _PORTS),
}
_ENFORCING = "/sys/fs/selinux/enforce"


def confinement(pid: int, proc: Optional[Proc] = None, *, enforcing: str = _ENFORCING) -> List[str]:
    """Say what confines a process, compared with this one.

    Args:
        pid: the process, such as nginx's master.
        proc: the /proc to read.
        enforcing: file in which the kernel says whether SELinux refuses (``1``) or only complains.

    Returns:
        One phrase for each kind; empty when nothing is known to confine it.  Sources: capabilities(7),
        mount_namespaces(7), and proc(5) for ``attr/current``, the label of SELinux or AppArmor.
    """
    proc = proc or Proc()
    here = os.getpid()
    found = []
    mounts = proc.link(pid, "ns/mnt")
    if mounts and mounts != proc.link(here, "ns/mnt"):
        found.append("it has its own view of the file system (InaccessiblePaths=, ProtectHome= and the like)")
    ours, theirs = proc.capabilities(here), proc.capabilities(pid)
    missing = 0 if ours is None or theirs is None else ours & ~theirs
    purposes: Dict[str, List[str]] = {}
    for bit, (name, purpose) in _CAPABILITIES.items():
        if missing >> bit & 1:
            purposes.setdefault(purpose, []).append(name)
    found += [f"it lacks {' and '.join(names)} ({purpose})" for purpose, names in purposes.items()]
    label = _label(proc, pid)
    if label and label != _label(proc, here) and not _only_complains(label, enforcing):
        found.append(f"its security label is {label}")
    return found


def _label(proc: Proc, pid: int) -> str:
    return proc.read(pid, "attr/current").rstrip(b"\0\n").decode("utf-8", "replace")


def _only_complains(label: str, enforcing: str) -> bool:
    """Whether the label refuses nothing: AppArmor says so in it, SELinux for the whole machine."""
    if label == "unconfined" or label.endswith(("(complain)", "(unconfined)")):
        return True
    try:
        with open(enforcing, encoding="ascii") as stream:
            return stream.read().strip() == "0"
    except OSError:
        return False
