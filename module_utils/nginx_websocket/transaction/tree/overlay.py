"""The tree as it would be: the disk with changes laid over it, without writing them.

``conf`` reads through an overlay's ``read`` and ``glob``; staging takes the same changes to
show them to nginx itself.
"""

from __future__ import annotations

import errno
import os
from typing import Dict, List, Sequence

from ...conf import globbing
from ..site.model import Change, Entry
from .files import Filesystem


def canonical(path: str) -> str:
    """A path with the links of its *directory* resolved; its last name stays as it is."""
    directory, name = os.path.split(os.path.abspath(path))
    return os.path.join(os.path.realpath(directory), name)


class Overlay:
    """The disk with changes laid over it."""

    def __init__(self, changes: Sequence[Change] = (), files: Filesystem = Filesystem()) -> None:  # noqa: B008
        """Keep the changes by canonical path.

        Args:
            changes: what differs from the disk.
            files: where everything else is read.
        """
        self.files = files
        self.entries: Dict[str, Entry] = {canonical(change.path): change.after for change in changes}

    def entry(self, path: str) -> Entry:
        """What would stand at a path."""
        key = canonical(path)
        return self.entries[key] if key in self.entries else self.files.entry(key)

    def resolve(self, path: str) -> str:
        """The path at the end of the symbolic links that start at ``path``.

        Raises:
            OSError: the links go in a circle.
        """
        for _ in range(40):
            entry = self.entry(path)
            if entry.kind != "link":
                return canonical(path)
            path = os.path.join(os.path.dirname(canonical(path)), entry.target)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)

    def read(self, path: str) -> bytes:
        """The content that nginx would read at a path.

        Raises:
            FileNotFoundError: nothing would stand there.
        """
        resolved = self.resolve(path)
        if resolved in self.entries:
            entry = self.entries[resolved]
            if entry.kind == "absent":
                raise FileNotFoundError(2, "No such file or directory", path)
            return entry.content
        return self.files.read(resolved)  # the links may be of the overlay alone

    def glob(self, pattern: str) -> List[str]:
        """The paths an include pattern would find, in nginx's order."""
        return globbing.glob(pattern, _Names(self))

    def names(self, directory: str) -> List[str]:
        """The names in a directory of the disk; none when it cannot be listed."""
        try:
            return self.files.names(directory or ".")
        except OSError:
            return []

    def is_dir(self, path: str) -> bool:
        """Whether a directory, or a link to one, stands at a path of the disk."""
        return self.files.is_directory(self.files.real(path))

    def by_directory(self) -> Dict[str, Dict[str, Entry]]:
        """The changes grouped by directory, outer directories first."""
        grouped: Dict[str, Dict[str, Entry]] = {}
        for key in sorted(self.entries):
            directory, name = os.path.split(key)
            grouped.setdefault(directory, {})[name] = self.entries[key]
        return {
            directory: grouped[directory] for directory in sorted(grouped, key=lambda d: (d.count("/"), d))
        }


class _Names(globbing.Names):
    """The names of the overlaid tree, for include patterns."""

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay

    def names(self, directory: str) -> List[str]:
        """Names on the disk, less those that would be gone, and those that would be new."""
        shown = set(self._overlay.names(directory))
        real = os.path.realpath(directory or ".")
        for path, entry in self._overlay.entries.items():
            parent, name = os.path.split(path)
            if parent == real:
                (shown.discard if entry.kind == "absent" else shown.add)(name)
        return list(shown)

    def exists(self, path: str) -> bool:
        """Whether something would stand there."""
        return self._overlay.entry(path).kind != "absent"

    def is_dir(self, path: str) -> bool:
        """Whether it is a directory or a link to one."""
        return self._overlay.is_dir(path)
