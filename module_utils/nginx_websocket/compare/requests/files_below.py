"""Files below the roots of a server, as paths that users may ask for: bounded, each kind once.

A directory with an index, a directory without, a hidden file, and a file of each kind (by its ending) behave
differently; a thousand pictures do not.
"""

from __future__ import annotations

import dataclasses
import os
import time
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

ENTRIES, DEPTH, DIRECTORIES = 3000, 4, 250
"""How much is looked at below one root."""
_EACH = 2
"""Files of one kind in one part of the tree."""
_HIDDEN = 6
_INDEX = ("index.html", "index.htm", "index.php")


@dataclasses.dataclass(frozen=True)
class Root:
    """One directory and the part of the URL space that it serves."""

    path: str
    """Of the directory, without a slash at the end."""
    url: str
    """What stands before a file's name in its URL; "" for a root."""


@dataclasses.dataclass
class Below:
    """What was found below some roots."""

    paths: List[str] = dataclasses.field(default_factory=list)
    """URL paths, not escaped, most telling first."""
    cut: List[str] = dataclasses.field(default_factory=list)
    """Roots that have more than was looked at."""


def files_below(roots: Iterable[Root], *, seconds: float = 0.3) -> Below:
    """Look below some roots.

    Args:
        roots: where; one that is not there has nothing.
        seconds: of CPU that this may take.
    """
    found = Below()
    until = time.process_time() + seconds
    for root in dict.fromkeys(roots):
        walk = _Walk(root, until)
        walk.run()
        found.paths += [path for path in walk.paths if path not in found.paths]
        if walk.cut:
            found.cut.append(root.path)
    return found


class _Walk:
    """One root, breadth first."""

    def __init__(self, root: Root, until: float) -> None:
        self.root, self.until = root, until
        self.paths: List[str] = []
        self.cut = False
        self._left = ENTRIES
        self._kinds: Dict[Tuple[str, str], int] = {}
        self._hidden = 0

    def run(self) -> None:
        level: List[Tuple[str, Sequence[str]]] = [(self.root.path or "/", ())]
        seen = set()
        for _depth in range(DEPTH):
            further: List[Tuple[str, Sequence[str]]] = []
            for path, parts in level:
                try:
                    state = os.stat(path)
                    same = (state.st_dev, state.st_ino)
                    if same in seen:
                        continue
                    seen.add(same)
                    names = self._names(path)
                except OSError:
                    continue
                further += self._look(path, parts, names)
            self.cut = self.cut or len(further) > DIRECTORIES
            level = further[:DIRECTORIES]
        self.cut = self.cut or bool(level)

    def _names(self, path: str) -> List[os.DirEntry[str]]:
        names = []
        with os.scandir(path) as entries:
            for entry in entries:
                if self._left <= 0 or time.process_time() > self.until:
                    self.cut = True
                    break
                self._left -= 1
                names.append(entry)
        return sorted(names, key=lambda entry: entry.name)

    def _look(
        self, path: str, parts: Sequence[str], names: Sequence[os.DirEntry[str]]
    ) -> List[Tuple[str, Sequence[str]]]:
        """Take down what is telling in one directory; returns the directories in it."""
        top = parts[0] if parts else ""
        if parts:
            index = any(entry.name in _INDEX for entry in names)
            limit = 40 if index else 6
            if self._count(top, "index/" if index else "plain/") <= limit:
                self._add(parts, "/")
                self._add(parts, "")
        directories: List[Tuple[str, Sequence[str]]] = []
        for entry in names:
            inside = (*parts, entry.name)
            if _is_directory(entry):
                if not entry.name.startswith("."):
                    directories.append((os.path.join(path, entry.name), inside))
                elif self._hide():
                    self._add(inside, "/config" if entry.name == ".git" else "/")
            elif entry.name.startswith("."):
                if self._hide():
                    self._add(inside, "")
            elif self._count(top, os.path.splitext(entry.name)[1].lower()) <= _EACH:
                self._add(inside, "")
        return directories

    def _hide(self) -> bool:
        self._hidden += 1
        return self._hidden <= _HIDDEN

    def _count(self, top: str, kind: str) -> int:
        self._kinds[(top, kind)] = self._kinds.get((top, kind), 0) + 1
        return self._kinds[(top, kind)]

    def _add(self, parts: Sequence[str], end: str) -> None:
        self.paths.append(f"{self.root.url}/{'/'.join(parts)}{end}")


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def root_of_url(path: str, prefix: str, *, alias: bool) -> Optional[Root]:
    """A ``root`` or ``alias`` as a directory and what its URLs begin with.

    Args:
        path: as it stands in the directive; absolute.
        prefix: of the location; "" for a server.
        alias: whether it is ``alias``.

    Returns:
        None for what only a request can tell.
    """
    if not path.startswith("/") or "$" in path:
        return None
    clean = path.rstrip("/")
    if not alias:
        if not prefix.strip("/"):
            return Root(clean, "")
        # Below the root of a location only what its own prefix leads to is its.
        return Root(clean + "/" + prefix.strip("/"), "/" + prefix.strip("/"))
    return Root(clean, "/" + prefix.strip("/") if prefix.strip("/") else "")
