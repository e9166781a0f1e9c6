"""One transaction a host, and certbot kept out meanwhile."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import json
import os
import time
from typing import Callable, Iterator, Optional

from .model import Refused

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


def _holder(descriptor: int) -> str:
    try:
        text = json.loads(os.pread(descriptor, 4096, 0).decode("utf-8", "replace"))
        return "process {}, since {}".format(text["pid"], text["since"])
    except (ValueError, KeyError, TypeError):
        return "a process that has not written its name yet"


@contextlib.contextmanager
def host_lock(state_dir: str, *, timeout: float, write: bool = True) -> Iterator[None]:
    """Hold the host's transaction lock.

    The lock is flock(2) on a file that stays: it ends with its holder, also when that is killed.

    Args:
        state_dir: directory of the lock file; it exists unless ``write`` is false.
        timeout: seconds to wait for another holder.
        write: false in check mode, where no file may be made or changed.

    Raises:
        Refused: another transaction held the lock all the time; the message names it.
    """
    path = os.path.join(state_dir, "lock")
    try:
        flags = os.O_RDWR | os.O_CREAT if write else os.O_RDONLY
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        yield
        return
    try:
        if not _wait_for(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB), timeout):
            raise Refused(
                f"another transaction runs on this host ({_holder(descriptor)}) and did not end within "
                f"{timeout:g} s; nothing was changed. "
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
        Refused: certbot held the lock all the time.
    """
    path = os.path.join(conf_dir, ".certbot.lock")
    deadline = time.monotonic() + timeout
    descriptor: Optional[int] = None
    while descriptor is None:
        try:
            opened = os.open(path, os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT if write else 0), 0o600)
        except FileNotFoundError:
            break
        try:
            left = max(0.0, deadline - time.monotonic())
            if not _wait_for(functools.partial(fcntl.lockf, opened, fcntl.LOCK_EX | fcntl.LOCK_NB), left):
                raise Refused(
                    f"certbot holds {path} and did not let go within {timeout:g} s; nothing was changed. "
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
