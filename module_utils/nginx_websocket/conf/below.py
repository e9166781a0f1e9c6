"""Files below a root directory that somebody else rules, such as a container's.

A path is walked one name at a time, from a descriptor of the root: a link of the tree, absolute or full of
``..``, leads on inside the tree and never out of it, whoever changes names meanwhile. Only regular files are
opened; devices, FIFOs and sockets are looked at and left alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import Iterator, List

from . import globbing

LINKS = 40
"""Links that one path may lead through, as the kernel allows (ELOOP)."""
PARTS = 2000
"""Names that one path may have, those of its links included."""
SIZE_LIMIT = 16 << 20
"""Bytes of one file."""


class Below(globbing.Names):
    """A tree of files.

    Args:
        root: descriptor of its root directory; it stays the caller's.
    """

    def __init__(self, root: int) -> None:
        """Look at nothing yet."""
        self.root = root

    @contextlib.contextmanager
    def held(self, path: str, *, follow: bool = True) -> Iterator[int]:
        """What is at a path, as a descriptor that cannot read (O_PATH).

        Args:
            path: from the tree's root, whether it begins with a slash or not.
            follow: whether a link at its end is followed.

        Raises:
            OSError: nothing is there, or it has too many links or parts.
        """
        ways = [os.dup(self.root)]
        try:
            self._walk(ways, [], path, follow)
            yield ways[-1]
        finally:
            for way in ways:
                os.close(way)

    def real(self, path: str) -> str:
        """The path without links, ``.`` and ``..``, from the tree's root.

        Raises:
            OSError: nothing is there.
        """
        ways, names = [os.dup(self.root)], [""]
        try:
            self._walk(ways, names, path, True)
        finally:
            for way in ways:
                os.close(way)
        return "/".join(names) or "/"

    def _walk(self, ways: List[int], names: List[str], path: str, follow: bool) -> None:
        """Append the descriptors (and names) of every directory on the way, and of what is at the end."""
        left = path.split("/")[::-1]
        links = parts = 0
        while left:
            name = left.pop()
            parts += 1
            if parts > PARTS:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), path)
            if name == ".." and len(ways) > 1:
                os.close(ways.pop())
                del names[-1:]
            if name in ("", ".", ".."):
                if not stat.S_ISDIR(os.fstat(ways[-1]).st_mode):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
                continue
            found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=ways[-1])
            if not stat.S_ISLNK(os.fstat(found).st_mode) or (not follow and not any(left)):
                ways.append(found)
                names.append(name)
                continue
            try:
                target = os.readlink("", dir_fd=found)
            finally:
                os.close(found)
            links += 1
            if links > LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            if target.startswith("/"):
                while len(ways) > 1:
                    os.close(ways.pop())
                    del names[-1:]
            left += target.split("/")[::-1]

    def status(self, path: str, *, follow: bool = True) -> os.stat_result:
        """What stat(2) or lstat(2) says of a path.

        Raises:
            OSError: nothing is there.
        """
        with self.held(path, follow=follow) as descriptor:
            return os.fstat(descriptor)

    def read(self, path: str, *, start: int = 0, limit: int = SIZE_LIMIT) -> bytes:
        """The bytes of a regular file, as many as it has when it is opened: none of a file of the kernel's.

        Args:
            path: of the file.
            start: offset to begin at.
            limit: bytes that it may have behind that.

        Raises:
            OSError: it cannot be opened, is no regular file (EINVAL), or has more bytes (EFBIG).
        """
        with self.held(path) as descriptor:
            status = os.fstat(descriptor)
            if stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is no regular file", path)
            if status.st_size - start > limit:
                raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
            # The very file that was looked at, whatever has its name by now.
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
            with open(os.open(f"/proc/self/fd/{descriptor}", flags), "rb") as file:
                file.seek(start)
                return file.read(max(0, status.st_size - start))

    def kind(self, path: str) -> str:
        """ "file", "directory" or "" where nothing is at a path."""
        try:
            mode = self.status(path).st_mode
        except (OSError, ValueError):
            return ""
        return "directory" if stat.S_ISDIR(mode) else "file"

    def names(self, directory: str) -> List[str]:
        """Names in a directory; none when it cannot be listed."""
        try:
            with self.held(directory) as descriptor:
                listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=descriptor)
        except OSError:
            return []
        try:
            return os.listdir(listed)
        except OSError:
            return []
        finally:
            os.close(listed)

    def exists(self, path: str) -> bool:
        """Whether the name is there, be it a dangling link."""
        try:
            self.status(path, follow=False)
        except (OSError, ValueError):
            return False
        return True

    def is_dir(self, path: str) -> bool:
        """Whether it is a directory or a link to one."""
        return self.kind(path) == "directory"
