"""The state directory: root executes what is in it and writes what it says, so it must be root's alone.

Looked at before every use, by the guard's timer and boot unit as well: whose each directory on the way is,
that it is a directory for us and nobody else's, and owner, mode and type of all that we are going to believe.
Once the whole way is root's alone, nobody can exchange anything between this look and the use.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from typing import Iterator, List

from ...host.processes.trust import is_trusted, owner_fault, weakness
from ..site.model import Refused
from ..tree.files import TEMPORARY_SUFFIX

_FILES = ("lock", "journal.json", "guard.zip", "gone-back.json")
_NUMBER = re.compile(r"[0-9]{4,}\Z")
_MODE = 0o700
_EXPECTED = "Expected: a directory for this alone, such as /var/lib/nginx_websocket"


def secure(state_dir: str, conf_dir: str, *, mend: bool) -> None:
    """Refuse a state directory that others can, or could, write.

    Args:
        state_dir: absolute path; it need not exist yet.
        conf_dir: nginx's configuration directory; "" where nothing of nginx is touched.
        mend: whether a mode that only lets others read may be put right; not in check mode.

    Raises:
        Refused: with the path, what was found, what is expected, and the command.
    """
    real = os.path.realpath(state_dir)
    inside = conf_dir and (real + "/").startswith(os.path.realpath(conf_dir) + "/")
    if real == "/" or inside or (conf_dir and (os.path.realpath(conf_dir) + "/").startswith(real + "/")):
        raise Refused(
            f"{state_dir} cannot be the state directory: it is the root directory, or has to do with nginx's "
            f"configuration {conf_dir}. {_EXPECTED}"
        )
    try:
        status = os.stat(real)
    except FileNotFoundError:
        _on_the_way(state_dir, real)
        return
    if not stat.S_ISDIR(status.st_mode):
        raise Refused(
            f"{state_dir} is no directory; expected: the state directory of mode 0700. Move it away"
        )
    names = _list(state_dir)
    foreign = [name for name in names if not _is_ours(name)]
    ours = _made_by_us(state_dir)
    if foreign and not ours:
        raise Refused(
            f"{state_dir} cannot be the state directory: it holds things of others ({', '.join(foreign[:3])}"
            f"{'…' if len(foreign) > 3 else ''}). {_EXPECTED}"
        )
    _on_the_way(state_dir, real)
    for path in _believed(state_dir):
        _look_at(path)
    if stat.S_IMODE(status.st_mode) & 0o077:
        if not ours:
            raise Refused(_sentence(state_dir, status, f"chmod 0700 {shlex.quote(state_dir)}"))
        if mend:
            os.chmod(real, _MODE)


def _on_the_way(state_dir: str, real: str) -> None:
    """Refuse where others can put another directory, or could have."""
    parent = real
    while parent != "/":
        parent = os.path.dirname(parent)
        if os.path.isdir(parent) and os.stat(parent).st_mode & stat.S_IWOTH:
            raise Refused(
                f"{state_dir} cannot be the state directory: everybody can make files in {parent}. Expected: "
                "a directory below ones that root alone can write, such as /var/lib/nginx_websocket"
            )
    found = weakness(state_dir)
    if found is None:
        return
    said = found.sentence()
    if not is_trusted([os.stat(found.path).st_uid]) and os.path.realpath(found.path) != real:
        said = f"{found.path} {found.found}. {_EXPECTED}"  # a person's home stays his
    if os.path.realpath(found.path) == real:
        status = os.stat(real)
        if is_trusted([status.st_uid]):
            said = _sentence(state_dir, status, f"chmod 0700 {shlex.quote(state_dir)}")
        said += (
            f". Others could have put things there: look at them first (ls -laR {shlex.quote(state_dir)}); "
            "what is not root's must go"
        )
    raise Refused(f"the state directory is not root's alone: {said}")


def _list(directory: str) -> List[str]:
    try:
        return sorted(os.listdir(directory))
    except PermissionError:
        raise Refused(f"{directory} cannot be read; run as root (become: true)") from None


def _is_ours(name: str) -> bool:
    return name in (*_FILES, "backups") or (name.startswith(".") and name.endswith(TEMPORARY_SUFFIX))


def _made_by_us(state_dir: str) -> bool:
    """Whether we have worked there: the number of the last backup, or an open journal."""
    return any(os.path.isfile(os.path.join(state_dir, name)) for name in ("backups/last", "journal.json"))


def _believed(state_dir: str) -> Iterator[str]:
    """Every path of ours that is there; what a person has put beside them is his."""
    for name in _FILES:
        yield os.path.join(state_dir, name)
    backups = os.path.join(state_dir, "backups")
    yield backups
    if not os.path.isdir(backups):
        return
    yield os.path.join(backups, "last")
    for name in _list(backups):
        backup = os.path.join(backups, name)
        if not _NUMBER.match(name) or not os.path.isfile(os.path.join(backup, "manifest.json")):
            continue
        yield backup
        yield os.path.join(backup, "manifest.json")
        for side in ("before", "after"):
            if os.path.isdir(os.path.join(backup, side)):
                yield os.path.join(backup, side)
                yield from (os.path.join(backup, side, file) for file in _list(os.path.join(backup, side)))


def _look_at(path: str) -> None:
    """Refuse what is not of the type that we make, or not root's alone."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    name = os.path.basename(path)
    directory = name in ("backups", "before", "after") or bool(_NUMBER.match(name))
    if not (stat.S_ISDIR if directory else stat.S_ISREG)(status.st_mode):
        raise Refused(
            f"{path} is {_kind(status.st_mode)}; expected: a {'directory' if directory else 'file'} of ours. "
            f"Look at it, and move it away: mv {shlex.quote(path)} /root/"
        )
    found = owner_fault(path, status)
    if found is not None:
        raise Refused(
            f"{found.sentence()}. Others could have written it: look at it first, and remove it where you do "
            "not know it"
        )
    if not directory and status.st_nlink > 1:
        raise Refused(
            f"{path} has {status.st_nlink} names (hard links); expected: one. Look for the other: "
            f"find / -xdev -samefile {shlex.quote(path)}"
        )


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "a symbolic link"
    if stat.S_ISDIR(mode):
        return "a directory"
    return "a FIFO" if stat.S_ISFIFO(mode) else "a file" if stat.S_ISREG(mode) else "a device or socket"


def _sentence(path: str, status: os.stat_result, command: str) -> str:
    return f"{path} has mode {stat.S_IMODE(status.st_mode):04o}; expected: 0700, for root alone: {command}"
