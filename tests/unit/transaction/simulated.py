"""A file system in memory that can lose its power after any write, sync or rename.

It keeps what programs see apart from what the disk has.  After a power cut, names that were not brought to
the disk by a directory sync may be old or new, each by itself (a file system may have written them or
not), and content that was not synced may be there, be empty, or be cut short.
"""

from __future__ import annotations

import os
from typing import Dict, Iterator, List, Optional, Tuple

from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import ABSENT, Entry
from module_utils.nginx_websocket.transaction.surroundings.world import World
from module_utils.nginx_websocket.transaction.tree.files import Filesystem


class Without(World):
    """A world without a host: files in memory, and nothing that goes back by itself."""

    def guard(self, nginx: Instance, state_dir: str) -> None:
        return None


class PowerCut(BaseException):
    """The machine is gone; nothing may catch this and go on."""


class Node:
    """An inode: what programs read, and whether the disk has it."""

    def __init__(self, entry: Entry, synced: bool) -> None:
        self.entry = entry
        self.synced = synced


class SimulatedFilesystem(Filesystem):
    """Files, links and directories in memory."""

    def __init__(self) -> None:
        self.names_seen: Dict[str, Node] = {}
        self.names_on_disk: Dict[str, Node] = {}
        self.directories = {"/"}
        self.directories_on_disk = {"/"}
        self.operations = 0
        self.stop_after: Optional[int] = None

    # -- what the tests do -------------------------------------------------------------------

    def plant(self, path: str, entry: Entry) -> None:
        """Put something there that the disk has for long."""
        parts = path.split("/")[1:-1]
        for index in range(len(parts)):
            self.directories.add("/" + "/".join(parts[: index + 1]))
        self.directories_on_disk |= self.directories
        self.names_seen[path] = self.names_on_disk[path] = Node(entry, True)

    def tree(self, below: str) -> Dict[str, Entry]:
        """What programs see below a directory."""
        return {path: node.entry for path, node in self.names_seen.items() if path.startswith(below + "/")}

    def killed(self) -> SimulatedFilesystem:
        """The same machine after the process died: all that was written is there."""
        self.stop_after = None
        return self

    def after_power_cut(self, limit: int = 64) -> Iterator[SimulatedFilesystem]:
        """Every disk that the machine may find when it comes up again, at most ``limit`` of them."""
        unsure = sorted(
            path
            for path in {*self.names_seen, *self.names_on_disk}
            if self.names_seen.get(path) is not self.names_on_disk.get(path)
        )
        choices: List[Tuple[str, List[Optional[Node]]]] = []
        for path in unsure:
            possible: List[Optional[Node]] = [self.names_on_disk.get(path)]
            new = self.names_seen.get(path)
            possible.append(new)
            if new is not None and not new.synced:
                possible.append(Node(Entry("file", content=b""), True))
                possible.append(
                    Node(Entry("file", content=new.entry.content[: len(new.entry.content) // 2]), True)
                )
            choices.append((path, possible))
        total = 1
        for _, possible in choices:
            total *= len(possible)
        for number in range(min(total, limit)):
            disk = SimulatedFilesystem()
            disk.directories = set(self.directories)
            disk.directories_on_disk = set(self.directories)
            disk.names_on_disk = {
                path: self._settled(node) for path, node in self.names_on_disk.items() if path not in unsure
            }
            rest = number
            for path, possible in choices:
                rest, index = divmod(rest, len(possible))
                node = possible[index]
                if node is not None:
                    disk.names_on_disk[path] = Node(node.entry, True)
            disk.names_seen = dict(disk.names_on_disk)
            yield disk

    @staticmethod
    def _settled(node: Node) -> Node:
        return node if node.synced else Node(Entry("file", content=b""), True)

    def _count(self) -> None:
        if self.stop_after is not None and self.operations >= self.stop_after:
            raise PowerCut
        self.operations += 1

    # -- reading -----------------------------------------------------------------------------

    def read(self, path: str) -> bytes:
        if path not in self.names_seen:
            raise FileNotFoundError(2, "No such file or directory", path)
        return self.names_seen[path].entry.content

    def entry(self, path: str) -> Entry:
        if path in self.directories:
            return Entry("other")
        return self.names_seen[path].entry if path in self.names_seen else ABSENT

    def real(self, path: str) -> str:
        here = os.path.normpath(path)
        for _ in range(40):
            parts = here.split("/")[1:]
            for index in range(1, len(parts) + 1):
                entry = self.entry("/" + "/".join(parts[:index]))
                if entry.kind == "link":
                    parent = "/" + "/".join(parts[: index - 1])
                    here = os.path.normpath(os.path.join(parent, entry.target, *parts[index:]))
                    break
            else:
                return here
        return here

    def is_directory(self, path: str) -> bool:
        return path.rstrip("/") in self.directories

    def names(self, path: str) -> List[str]:
        here = path.rstrip("/")
        return sorted(
            {
                name.rpartition("/")[2]
                for name in {*self.names_seen, *self.directories}
                if os.path.dirname(name) == here
            }
            - {""}
        )

    # -- primitives --------------------------------------------------------------------------

    def create(self, path: str, entry: Entry) -> None:
        self._count()
        if path in self.names_seen:
            raise FileExistsError(17, "File exists", path)
        if os.path.dirname(path) not in self.directories:
            raise FileNotFoundError(2, "No such file or directory", path)
        self.names_seen[path] = Node(entry, False)

    def sync(self, path: str) -> None:
        self._count()
        self.names_seen[path].synced = True

    def rename(self, old: str, new: str) -> None:
        self._count()
        self.names_seen[new] = self.names_seen.pop(old)

    def symlink(self, target: str, path: str) -> None:
        self._count()
        if path in self.names_seen:
            raise FileExistsError(17, "File exists", path)
        self.names_seen[path] = Node(Entry("link", target=target), True)

    def hard_link(self, old: str, new: str) -> None:
        self._count()
        self.names_seen[new] = self.names_seen[old]

    def unlink(self, path: str) -> None:
        self._count()
        del self.names_seen[path]

    def mkdir(self, path: str, mode: int) -> None:
        self._count()
        self.directories.add(path)

    def rmdir(self, path: str) -> None:
        self._count()
        self.directories.discard(path)

    def sync_directory(self, path: str) -> None:
        self._count()
        here = path.rstrip("/")
        for name in {*self.names_seen, *self.names_on_disk}:
            if os.path.dirname(name) == here:
                if name in self.names_seen:
                    self.names_on_disk[name] = self.names_seen[name]
                else:
                    self.names_on_disk.pop(name, None)
