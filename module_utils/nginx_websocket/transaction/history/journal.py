"""The journal: which transaction is open, and at which step.

It is written, and on the disk, before the step that it names begins.  No journal means that no
transaction is open.
"""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Optional

from ..site.model import ABSENT, Entry
from ..tree.files import Filesystem

SNAPSHOT = "snapshot"
"""The backup is being written; nothing else was touched."""
ACTIVATE = "activate"
"""Files may have begun to change; nginx was not told."""
RELOAD = "reload"
"""nginx may have been told."""
PROVEN = "proven"
"""The running nginx serves the release; only tidying is left."""
UNCONFIRMED = "unconfirmed"
"""As proven, but the host goes back by itself unless the controller confirms in time."""
UNDO = "undo"
"""The snapshot is being put back."""
UNDONE = "undone"
"""The snapshot stands again and nginx serves it; only tidying is left."""
STEPS = (SNAPSHOT, ACTIVATE, RELOAD, PROVEN, UNCONFIRMED, UNDO, UNDONE)


@dataclasses.dataclass(frozen=True)
class Record:
    """One open transaction."""

    backup: int
    step: str
    started: str
    reason: str = ""
    """Why it is being undone."""
    confirm_by: str = ""
    """Of an unconfirmed release: until when."""
    by: str = ""
    """Who runs the transaction."""


class Journal:
    """The journal file of a host."""

    def __init__(self, files: Filesystem, state_dir: str) -> None:
        """Name the file; nothing is read or written yet."""
        self._files = files
        self.path = os.path.join(state_dir, "journal.json")

    def read(self) -> Optional[Record]:
        """The open transaction, None when there is none.

        Raises:
            ValueError: the file is not one of ours; rename makes half-written ones impossible.
        """
        entry = self._files.entry(self.path)
        if entry.kind == "absent":
            return None
        try:
            data = json.loads(entry.content.decode())
            if data["step"] not in STEPS:
                raise ValueError(f"its step {str(data['step'])[:40]!r} is none that this version knows")
            return Record(
                backup=int(data["backup"]),
                step=str(data["step"]),
                started=str(data["started"]),
                reason=str(data.get("reason", "")),
                confirm_by=str(data.get("confirm_by", "")),
                by=str(data.get("by", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{self.path} is no journal: {error!r}") from error

    def write(self, record: Record) -> None:
        """Let the disk know of a step before it begins."""
        content = json.dumps(dataclasses.asdict(record)).encode() + b"\n"
        self._files.put(self.path, Entry("file", content=content, mode=0o600))

    def close(self) -> None:
        """No transaction is open any more."""
        self._files.put(self.path, ABSENT)
