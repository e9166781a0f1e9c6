"""Files to put into a container: a tree of entries, packed as one tar archive for `docker cp`."""

from __future__ import annotations

import io
import tarfile
from typing import Dict, Tuple, Union

DEPLOY = 1000  # uid and gid of the host image's user `deploy`


class Tree:
    """Paths with content, mode and owner; parents are made as they are missing."""

    def __init__(self) -> None:
        """Start empty."""
        self._entries: Dict[str, Tuple[tarfile.TarInfo, bytes]] = {}

    def file(self, path: str, content: Union[str, bytes], mode: int = 0o644, owner: int = 0) -> None:
        """Add a regular file; a later one of the same path takes its place."""
        data = content.encode() if isinstance(content, str) else content
        entry = self._add(path, tarfile.REGTYPE, mode, owner, data)
        entry.size = len(data)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(path, tarfile.SYMTYPE, 0o777, 0, b"").linkname = target

    def directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        """Add a directory with its mode."""
        self._add(path, tarfile.DIRTYPE, mode, owner, b"")

    def _add(self, path: str, kind: bytes, mode: int, owner: int, data: bytes) -> tarfile.TarInfo:
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.type, entry.mode, entry.uid, entry.gid = kind, mode, owner, owner
        self._entries[entry.name] = (entry, data)
        return entry

    def paths(self) -> Tuple[str, ...]:
        """Return all absolute paths of the tree."""
        return tuple("/" + name for name in self._entries)

    def tar(self) -> bytes:
        """Return the tree as a tar archive whose root is `/`; parents without an entry get mode 0755."""
        out = io.BytesIO()
        made = set()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for name in sorted(self._entries):
                parts = name.split("/")[:-1]
                for depth in range(1, len(parts) + 1):
                    parent = "/".join(parts[:depth])
                    if parent not in made and parent not in self._entries:
                        made.add(parent)
                        entry = tarfile.TarInfo(parent)
                        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                        archive.addfile(entry)
                entry, data = self._entries[name]
                archive.addfile(entry, io.BytesIO(data))
        return out.getvalue()
