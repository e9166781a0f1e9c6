"""Files that others may have made: opened without waiting for them, and read within bounds."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import BinaryIO, Set

SIZE_LIMIT = 64 << 20
"""Bytes that one configuration may have, every inclusion of a file counted: a bound on time and memory."""
_KERNEL = ("/proc", "/sys", "/sys/kernel/debug", "/sys/kernel/tracing", "/sys/kernel/debug/tracing")


def open_regular(path: str, *, follow: bool = True) -> BinaryIO:
    """Open a file for reading, in bytes; a link is followed.

    Opening a FIFO waits for its writer, and a device may have no end: whoever can put one in the place of a
    log, or a link to one, would hold up every run. Files of the kernel count as devices: /proc/kmsg waits and
    takes away what it tells, /proc/kcore is the memory.

    Args:
        path: the file.
        follow: whether a link at the end of the path is followed; ELOOP where it is not.

    Raises:
        OSError: it cannot be opened, or is no regular file (EINVAL).
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and status.st_dev not in _kernels():
        return open(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    raise OSError(errno.EINVAL, "it is no regular file", path)


def _kernels() -> Set[int]:
    """The devices of file systems whose files the kernel makes up."""
    found = set()
    for path in _KERNEL:
        with contextlib.suppress(OSError):
            found.add(os.stat(path).st_dev)
    return found - {os.stat("/").st_dev}


class NeverEnds(OSError):
    """A FIFO stands where nginx reads a file: opening it waits for a writer, ``nginx -t`` too."""


def read_file(path: str) -> bytes:
    """Read a file as nginx reads one: as many bytes as it has when it is opened, none from a device.

    Raises:
        NeverEnds: it is a FIFO.
        OSError: it cannot be opened or read, or is larger than ``SIZE_LIMIT``.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if stat.S_ISFIFO(status.st_mode):
            raise NeverEnds(errno.EINVAL, "it is a FIFO, at which nginx waits for a writer", path)
        if status.st_size > SIZE_LIMIT:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return file.read(status.st_size)
