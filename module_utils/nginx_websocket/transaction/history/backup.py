"""Numbered backups: what stood at each path before a transaction changed it, and what it put there.

``backups/0007/`` holds ``manifest.json``, ``before/`` and ``after/``.  The manifest is written last, so
a directory without one is unfinished and worth nothing.  ``backups/last`` holds the last number given: a
transaction that is undone takes its backup away, but its number never means another one.

Each backup says which state was live before its own one, so that going back step by step never depends on
what retention has removed: a state that is gone is refused by name.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import os
import shlex
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ..site.model import ABSENT, Change, Entry
from ..tree.files import Filesystem, temporary_name
from .manifest import backup_of, described, written
from .states import Backup, Earlier


class Backups:
    """The backups of a host."""

    def __init__(self, files: Filesystem, state_dir: str) -> None:
        """Name the directory; nothing is read or written yet."""
        self._files = files
        self.directory = os.path.join(state_dir, "backups")
        self._last = os.path.join(self.directory, "last")

    def path(self, number: int) -> str:
        """Directory of one backup."""
        return os.path.join(self.directory, f"{number:04d}")

    def numbers(self) -> List[int]:
        """Numbers of the finished backups, oldest first."""
        return [
            number for number in self._all() if self._files.entry(_manifest(self.path(number))).kind == "file"
        ]

    def _all(self) -> List[int]:
        """Numbers of the directories that we made: named as we name them, none above the last one given.

        What a person puts beside them (``0099``, ``20240101/``) is his.
        """
        last = self._last_given()
        names = [name for name in self._files.names(self.directory) if name.isascii() and name.isdigit()]
        return sorted(
            int(name)
            for name in names
            if name == f"{int(name):04d}"
            and (last is None or int(name) <= last)
            and self._files.is_directory(os.path.join(self.directory, name))
        )

    def _last_given(self) -> Optional[int]:
        """The last number given; None when nobody knows."""
        given = self._files.entry(self._last).content.strip()
        return int(given) if given.isdigit() else None

    def next_number(self) -> int:
        """The number that the next backup gets; whoever still has that of an undone one must not meet it."""
        number = max([*self._all(), self._last_given() or 0]) + 1
        while self._taken(number):
            number += 1
        return number

    def _taken(self, number: int) -> bool:
        path = self.path(number)
        return self._files.is_directory(path) or self._files.entry(path).kind != "absent"

    def save(self, new: Backup) -> Backup:
        """Write a new backup, whole and on the disk before this returns.

        Args:
            new: with a number from ``next_number``; which states were live before is found out here.
        """
        last = self.latest()
        earlier = self.load(new.restores).earlier_before if new.restores else new.held
        before = last.earlier if last is not None else Earlier()
        self._files.make_directory(self.directory, 0o700)
        self._files.put(self._last, Entry("file", content=b"%d\n" % new.number, mode=0o600))
        self._files.mkdir(self.path(new.number), 0o700)
        self.write(dataclasses.replace(new, earlier_before=before, earlier=earlier))
        self._files.sync_directory(self.directory)
        return self.load(new.number)

    def write(self, backup: Backup) -> None:
        """Write a backup's files and then its manifest; what the manifest of before names stays readable."""
        directory = self.path(backup.number)
        self._sweep_files(directory)
        entries = []
        for index, change in enumerate(backup.changes):
            record: Dict[str, Any] = {"path": change.path, "site": change.site}
            for side, entry in (("before", change.before), ("after", change.after)):
                file = _saved(side, index, change)
                if entry.kind == "file":
                    self._files.make_directory(os.path.join(directory, side), 0o700)
                    saved = Entry("file", content=entry.content, mode=0o600)
                    if not self._files.entry(os.path.join(directory, file)).same(saved):
                        if self._files.entry(os.path.join(directory, file)).kind != "absent":
                            file += "+"  # the manifest of before names it
                        self._files.put(os.path.join(directory, file), saved)
                record[side] = described(entry, file)
            entries.append(record)
        content = written(backup, entries)
        self._files.put(_manifest(directory), Entry("file", content=content, mode=0o600))

    def _sweep_files(self, directory: str) -> None:
        """Remove what a backup's manifest does not name, or not any more."""
        manifest = self._files.entry(_manifest(directory))
        if manifest.kind == "absent":
            return
        entries = json.loads(manifest.content.decode())["entries"]
        named = {record[side].get("file") for record in entries for side in ("before", "after")}
        for side in ("before", "after"):
            for name in self._files.names(os.path.join(directory, side)):
                if f"{side}/{name}" not in named:
                    self._files.unlink(os.path.join(directory, side, name))

    def load(self, number: int) -> Backup:
        """Read one backup with all its contents.

        Raises:
            FileNotFoundError: there is no such backup.
            ValueError: a file of it is not what the manifest says.
        """
        directory = self.path(number)
        path = _manifest(directory)
        try:
            manifest = json.loads(self._files.read(path).decode())
            return self._from(number, directory, manifest)
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no manifest: {error!r}; move {directory} away") from error

    def _from(self, number: int, directory: str, manifest: Mapping[str, Any]) -> Backup:
        changes, size = [], 0
        for record in manifest["entries"]:
            before, after = (self._entry(directory, record[side]) for side in ("before", "after"))
            size += len(before.content)
            changes.append(Change(record["path"], before, after, record.get("site", "")))
        return backup_of(number, manifest, tuple(changes), size)

    def _entry(self, directory: str, record: Mapping[str, Any]) -> Entry:
        if record["kind"] == "absent":
            return ABSENT
        if record["kind"] == "link":
            return Entry("link", target=record["target"], uid=record["uid"], gid=record["gid"])
        content = self._files.read(os.path.join(directory, record["file"]))
        if hashlib.sha256(content).hexdigest() != record["sha256"]:
            raise ValueError(
                "{}/{} is damaged: its SHA-256 is not the manifest's".format(directory, record["file"])
            )
        return Entry(
            "file",
            content=content,
            mode=record["mode"],
            uid=record["uid"],
            gid=record["gid"],
            xattrs=tuple((name, base64.b64decode(value)) for name, value in record["xattrs"]),
        )

    def all(self) -> List[Backup]:
        """The finished backups with all their contents, oldest first."""
        return [self.load(number) for number in self.numbers()]

    def latest(self) -> Optional[Backup]:
        """The newest backup."""
        numbers = self.numbers()
        return self.load(numbers[-1]) if numbers else None

    def last_written(self, path: str) -> Optional[Entry]:
        """What the newest transaction that touched a path left there; None when none did."""
        return next((change.after for _, change in self._touching(path)), None)

    def made(self, path: str) -> str:
        """When, and by whom, a path was written last, in words."""
        told = next((f"at {backup.time} by {backup.by}" for backup, _ in self._touching(path)), "")
        return told or "at a time that is not known any more"

    def _touching(self, path: str) -> Iterator[Tuple[Backup, Change]]:
        for number in reversed(self.numbers()):
            backup = self.load(number)
            for change in backup.changes:
                if change.path == path:
                    yield backup, change

    def remove(self, number: int) -> None:
        """Forget one backup; the manifest goes first, so that what is left never counts as one."""
        directory = self.path(number)
        manifest = _manifest(directory)
        if self._files.entry(manifest).kind != "absent":
            self._files.put(manifest, ABSENT)
        if number in self._all() and self._half(number):
            self._files.remove_tree(directory)
        self._sweep_last()

    def _sweep_last(self) -> None:
        half = temporary_name(self._last)
        if self._files.entry(half).kind != "absent":
            self._files.unlink(half)

    def unfinished(self) -> List[int]:
        """Numbers of what unfinished saves and removals left; a directory with anything else is not ours."""
        return [number for number in sorted(set(self._all()) - set(self.numbers())) if self._half(number)]

    def _half(self, number: int) -> bool:
        names = set(self._files.names(self.path(number)))
        return names <= {"before", "after", os.path.basename(temporary_name("manifest.json"))}

    def sweep(self) -> None:
        """Remove what unfinished saves and removals left."""
        for number in self.unfinished():
            self.remove(number)
        self._sweep_last()

    def commands(self, backup: Backup) -> List[str]:
        """Shell commands that put a backup back by hand."""
        lines = []
        for index, change in enumerate(backup.changes):
            path = shlex.quote(change.path)
            if change.before.kind == "file":
                saved = shlex.quote(os.path.join(self.path(backup.number), _saved("before", index, change)))
                owner = f"-m {change.before.mode:o} -o {change.before.uid} -g {change.before.gid}"
                lines.append(f"install {owner} {saved} {path}")
            elif change.before.kind == "link":
                lines.append(f"ln -sfn {shlex.quote(change.before.target)} {path}")
            else:
                lines.append(f"rm -f {path}")
        return lines


def _saved(side: str, index: int, change: Change) -> str:
    """Name of a saved file below its backup; a person can tell what it is."""
    return f"{side}/{index:03d}-{os.path.basename(change.path)}"


def _manifest(directory: str) -> str:
    return os.path.join(directory, "manifest.json")
