"""One transaction a host, and certbot kept out meanwhile."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import os
import re
import shlex
import stat
import time
from typing import Callable, Iterator, List, Optional

from ...exchange.masking import masked_argv
from ...host.processes.proc import Proc
from ..site.model import Refused

_POLL_SECONDS = 0.1


def _wait_for(try_lock: Callable[[], object], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while True:
        try:
            try_lock()
            return True
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                raise
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)


def _open(path: str, flags: int) -> int:
    """Open a lock file without waiting for anybody: only a file is one.

    Raises:
        Refused: something else stands there.
    """
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Refused(_no_lock(path, error.strerror or "")) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Refused(_no_lock(path, "it can be opened, but is no file"))
    return descriptor


def _no_lock(path: str, why: str) -> str:
    with contextlib.suppress(OSError):
        mode = os.lstat(path).st_mode
        kinds = ((stat.S_ISLNK, "a symbolic link"), (stat.S_ISDIR, "a directory"), (stat.S_ISFIFO, "a FIFO"))
        why = next((kind for is_kind, kind in kinds if is_kind(mode)), why)
    return (
        f"{path} is no lock file ({why}; expected: a file); nothing was changed. Look at it, and move it "
        f"away: mv {shlex.quote(path)} /root/"
    )


def _holders(descriptor: int, kind: bytes) -> List[int]:
    """Processes that hold a lock of a kind (``FLOCK``, ``POSIX``) on a file, as /proc/PID/fdinfo tells."""
    proc = Proc()
    own = os.fstat(descriptor)
    found = []
    for pid in proc.pids():
        for name in _descriptors(proc, pid):
            with contextlib.suppress(OSError):
                if os.path.samestat(own, os.stat(proc.path(pid, "fd", name))) and re.search(
                    rb"^lock:.* " + kind + rb" ", proc.read(pid, f"fdinfo/{name}"), re.MULTILINE
                ):
                    found.append(pid)
                    break
    return found


def _descriptors(proc: Proc, pid: int) -> List[str]:
    try:
        return os.listdir(proc.path(pid, "fd"))
    except OSError:
        return []


def _holder(path: str, descriptor: int) -> str:
    """Who holds our lock: the kernel knows, and what its file says may be of the run before."""
    holders = _holders(descriptor, b"FLOCK")
    try:
        text = json.loads(os.pread(descriptor, 4096, 0).decode("utf-8", "replace"))
        pid, since = int(text["pid"]), str(text["since"])
    except (ValueError, KeyError, TypeError):
        pid, since = 0, ""
    if pid and pid in holders:
        return f"another transaction runs on this host (process {pid}, since {since})"
    if holders:
        return f"{path} is held by {_told(holders[0])}"
    return "another transaction runs on this host (a process that /proc does not show)"


def _told(pid: int) -> str:
    return f"process {pid} ({' '.join(masked_argv(Proc().argv(pid)))[:200] or 'no command line'})"


@contextlib.contextmanager
def host_lock(state_dir: str, *, timeout: float, write: bool = True) -> Iterator[None]:
    """Hold the host's transaction lock.

    The lock is flock(2) on a file that stays: it ends with its holder, also when that is killed.

    Args:
        state_dir: directory of the lock file; it exists unless ``write`` is false.
        timeout: seconds to wait for another holder.
        write: false in check mode, where no file may be made or changed.

    Raises:
        Refused: somebody held the lock all the time, and the message names him; or it is no file.
    """
    path = os.path.join(state_dir, "lock")
    try:
        descriptor = _open(path, os.O_RDWR | os.O_CREAT if write else os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        if not _wait_for(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB), timeout):
            raise Refused(
                f"{_holder(path, descriptor)} and did not end within {timeout:g} s; nothing was changed. "
                f"Wait for it, or look at it with: ps -fp $(fuser {path})"
            )
        if write:
            since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "since": since}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def certbot_lock(conf_dir: str, *, timeout: float, write: bool = True) -> Iterator[None]:
    """Hold the lock that certbot's nginx plugin takes on the configuration directory.

    certbot takes a POSIX lock (``fcntl.lockf``) on ``.certbot.lock``, makes the file when it is
    missing, checks that the locked file is still the one at that path, and removes it before it lets
    go (certbot/_internal/lock.py).  The same is done here.

    Args:
        conf_dir: directory of the main configuration file.
        timeout: seconds to wait for certbot.
        write: false in check mode: an existing lock is respected, none is made.

    Raises:
        Refused: certbot held the lock all the time, or it is no file.
    """
    path = os.path.join(conf_dir, ".certbot.lock")
    deadline = time.monotonic() + timeout
    descriptor: Optional[int] = None
    while descriptor is None:
        try:
            opened = _open(path, os.O_WRONLY | (os.O_CREAT if write else 0))
        except FileNotFoundError:
            break
        try:
            left = max(0.0, deadline - time.monotonic())
            if not _wait_for(functools.partial(fcntl.lockf, opened, fcntl.LOCK_EX | fcntl.LOCK_NB), left):
                holders = _holders(opened, b"POSIX")
                by = f" ({_told(holders[0])})" if holders else ""
                raise Refused(
                    f"certbot holds {path}{by} and did not let go within {timeout:g} s; nothing was changed. "
                    "Run again when certbot has ended."
                )
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(opened), os.stat(path)):
                    descriptor = opened
        finally:
            if descriptor is None:
                os.close(opened)
    try:
        yield
    finally:
        if descriptor is not None:
            if write:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
            os.close(descriptor)
