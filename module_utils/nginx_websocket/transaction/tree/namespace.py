"""Run nginx where it sees the staged tree in place of the real one.

A child process leaves the host's mount namespace (unshare(2)), so that nothing it mounts is seen by
anybody else and everything ends with it.  There it copies each directory that would change into a
tmpfs, puts the candidate in, and binds the copy over the real directory.  nginx then reads the
staged tree under the real paths: absolute includes, certificates and all.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import errno
import json
import os
import stat
import subprocess
import sys
from typing import Dict, NoReturn, Sequence

from ...conf.regular import open_regular
from ...host.processes.children import run
from ..site.model import Entry

_CLONE_NEWNS = 0x00020000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
_MNT_DETACH = 2
_COPY_LIMIT = 4 * 1024 * 1024
"""Larger files of the directory (GeoIP databases …) are bound instead of copied."""
_WORKSHOPS = ("/mnt", "/media", "/srv", "/var/tmp", "/tmp", "/run", "/var/lib", "/opt")  # nosec B108
"""Mounted on in a namespace of our own; nothing is written into the directory that is there."""


class NamespaceRefused(Exception):
    """The kernel does not let us have a mount namespace of our own."""


@dataclasses.dataclass
class Finished:
    """A command that ran to its end."""

    code: int
    output: bytes
    errors: bytes


@dataclasses.dataclass
class Quiet:
    """What nginx would write while it only tests, and shall not."""

    existing_logs: Sequence[str] = ()
    """Error logs that nginx appends to; hidden behind /dev/null."""
    missing: Sequence[str] = ()
    """Files and directories that do not exist and that nginx would make; removed again when empty."""


def _libc_call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    _libc_call(
        "mount",
        os.fsencode(source),
        os.fsencode(target),
        kind.encode(),
        ctypes.c_ulong(flags),
        data.encode() or None,
    )


def _workshop(directories: Sequence[str]) -> str:
    """A directory to mount the tmpfs on: above and below none of those that are staged."""
    for candidate in _WORKSHOPS:
        inside = any(
            (path + "/").startswith(candidate + "/") or (candidate + "/").startswith(path + "/")
            for path in directories
        )
        if os.path.isdir(candidate) and not os.path.islink(candidate) and not inside:
            return candidate
    raise OSError(errno.ENOENT, "no directory to mount the staged tree on")


def _write_entry(path: str, entry: Entry) -> None:
    if entry.kind == "link":
        os.symlink(entry.target, path)
    elif entry.kind == "file":
        with open(path, "wb") as stream:
            stream.write(entry.content)
        os.chmod(path, entry.mode)


def _copy_directory(source: str, copy: str, changes: Dict[str, Entry]) -> None:
    os.mkdir(copy)
    shown = os.stat(source)
    os.chmod(copy, stat.S_IMODE(shown.st_mode))
    os.chown(copy, shown.st_uid, shown.st_gid)
    for item in os.scandir(source):
        if item.name in changes:
            continue
        target = os.path.join(copy, item.name)
        status = item.stat(follow_symlinks=False)
        if item.is_symlink():
            os.symlink(os.readlink(item.path), target)
        elif item.is_dir(follow_symlinks=False):
            os.mkdir(target)
            _mount(item.path, target, "", _MS_BIND | _MS_REC)
        elif stat.S_ISREG(status.st_mode) and status.st_size <= _COPY_LIMIT:
            with open_regular(item.path, follow=False) as stream:
                content = stream.read(_COPY_LIMIT)
            _write_entry(target, Entry("file", content=content, mode=stat.S_IMODE(status.st_mode)))
            os.chown(target, status.st_uid, status.st_gid)
        elif stat.S_ISREG(status.st_mode):
            _write_entry(target, Entry("file"))
            _mount(item.path, target, "", _MS_BIND)
    for name, entry in changes.items():
        _write_entry(os.path.join(copy, name), entry)


def _stage(directories: Dict[str, Dict[str, Entry]]) -> None:
    _libc_call("unshare", ctypes.c_int(_CLONE_NEWNS))
    # Without this, systemd's shared root would carry our mounts to the whole host.
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    if not directories:
        return
    workshop = _workshop(list(directories))
    _mount("tmpfs", workshop, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0700")
    copies = []
    for index, (directory, changes) in enumerate(directories.items()):
        copy = os.path.join(workshop, str(index))
        _copy_directory(directory, copy, changes)
        copies.append((copy, directory))
    for copy, directory in copies:  # outer directories first: an inner copy goes over the outer one
        _mount(copy, directory, "", _MS_BIND | _MS_REC)
    _libc_call("umount2", os.fsencode(workshop), ctypes.c_int(_MNT_DETACH))


def run_quietly(command: Sequence[str], quiet: Quiet, timeout: float) -> Finished:
    """Run a command and remove what it made empty, as ``nginx -t`` does with pid file and logs."""
    try:
        done = run(command, timeout)
        return Finished(done.returncode, done.stdout, done.stderr)
    except subprocess.TimeoutExpired:
        message = (
            f"nginx: [emerg] the test did not end within {timeout:g} s (a name in an upstream that DNS does "
            "not answer?)\n"
        )
        return Finished(124, b"", message.encode())
    finally:
        for path in sorted(quiet.missing, key=len, reverse=True):
            with contextlib.suppress(OSError):
                if os.path.isdir(path):
                    os.rmdir(path)
                elif os.path.getsize(path) == 0:
                    os.unlink(path)


def _child(
    pipe: int, command: Sequence[str], directories: Dict[str, Dict[str, Entry]], quiet: Quiet, timeout: float
) -> NoReturn:
    code = 1
    try:
        try:
            _stage(directories)
            for path in quiet.existing_logs:
                _mount("/dev/null", path, "", _MS_BIND)
        except OSError as error:
            head, body = {"refused": str(error)}, b""
        else:
            done = run_quietly(command, quiet, timeout)
            head, body = {"code": str(done.code), "split": str(len(done.output))}, done.output + done.errors
        with os.fdopen(pipe, "wb") as stream:
            stream.write(json.dumps(head).encode() + b"\n" + body)
        code = 0
    finally:
        # Never back into the caller's code: it would run the rest of the transaction twice.
        os._exit(code)


def run_staged(
    command: Sequence[str], directories: Dict[str, Dict[str, Entry]], quiet: Quiet, *, timeout: float = 120.0
) -> Finished:
    """Run a command in a mount namespace of its own, with changed directories.

    The child cleans up after nginx by itself, so that a caller that is killed meanwhile leaves nothing.

    Args:
        command: program and arguments.
        directories: directory → name → entry that shall stand there; outer directories first.
        quiet: what nginx shall not leave behind.
        timeout: seconds for the command.

    Raises:
        NamespaceRefused: no privilege (CAP_SYS_ADMIN), or a kernel or security module that refuses.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _child(writer, command, directories, quiet, timeout)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        answer: bytes = stream.read()
    os.waitpid(child, 0)
    line, _, body = answer.partition(b"\n")
    head = json.loads(line.decode() or '{"refused": "the child that stages the tree died"}')
    if "refused" in head:
        raise NamespaceRefused(head["refused"])
    split = int(head["split"])
    return Finished(int(head["code"]), body[:split], body[split:])
