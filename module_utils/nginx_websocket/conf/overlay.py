"""A file system as it would be with some files written or deleted: a candidate, before it is on disk."""

from __future__ import annotations

import errno
import os
from typing import Callable, Dict, List, Mapping, Optional, Set

from . import globbing

_LINKS = 40
"""Links followed in a row before ELOOP, as Linux does."""


class Overlay(globbing.Names):
    """Files put over the disk.

    A name that is a link on disk leads to what the overlay has for its target, so that a candidate for
    ``sites-available/x`` is also seen through an existing ``sites-enabled/x``.
    """

    def __init__(self, files: Mapping[str, Optional[bytes]], read: Callable[[str], bytes]) -> None:
        """Lay ``files`` (path → content, None for a deleted one) over what ``read`` gives."""
        self._read = read
        self._files: Dict[str, Optional[bytes]] = {_entry(path): data for path, data in files.items()}
        self._directories: Dict[str, Set[str]] = {}
        for path, data in self._files.items():
            while data is not None and path != "/":
                path, _, name = path.rpartition("/")
                path = path or "/"
                self._directories.setdefault(path, set()).add(name)

    def read(self, path: str) -> bytes:
        """The content that a reader of the path would get.

        Raises:
            OSError: there is no such file, or it cannot be read.
        """
        for _ in range(_LINKS):
            entry = _entry(path)
            if entry in self._files:
                data = self._files[entry]
                if data is None:
                    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
                return data
            if not os.path.islink(entry):
                return self._read(path)
            path = os.path.join(os.path.dirname(entry), os.readlink(entry))
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    def glob(self, pattern: str) -> List[str]:
        """glob(3) over the disk and the overlay."""
        return globbing.glob(pattern, self)

    def names(self, directory: str) -> List[str]:
        """Names in a directory: those on disk and in the overlay, without the deleted ones."""
        real = os.path.realpath(directory or ".")
        found = set(super().names(directory)) | self._directories.get(real, set())
        return [name for name in found if self._files.get(os.path.join(real, name), b"") is not None]

    def exists(self, path: str) -> bool:
        """Whether the name is there."""
        entry = _entry(path)
        if entry in self._files:
            return self._files[entry] is not None
        return entry in self._directories or super().exists(path)

    def is_dir(self, path: str) -> bool:
        """Whether it is a directory or a link to one."""
        return os.path.realpath(path) in self._directories or super().is_dir(path)


def _entry(path: str) -> str:
    """The one name of a directory entry: links in the directory's path are resolved, the last is not."""
    directory, name = os.path.split(path)
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(directory or "."), name)
