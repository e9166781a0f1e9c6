"""What the guard's timer and boot unit run: undo the transaction that is still open."""

from __future__ import annotations

import sys
from typing import Optional, Sequence

from .safety.guard import Note, arguments
from .site.model import Failure
from .surroundings.host import Host
from .undo import recover

_WAIT = {"boot": 30.0, "window": 3600.0}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Go back, leave a note for the next run, and end with 0 unless that failed."""
    try:
        verb, backup, state_dir, nginx = arguments(argv)
        if not verb:
            print("this is no boot: the open transaction is left to whoever has it")
            return 0
        host = Host(nginx, state_dir)
        with host.locked(_WAIT[verb]):
            record = host.journal.read()
            if record is None or (verb == "window" and record.backup != backup):
                print("nothing is open: the release was confirmed or undone")
                return 0
            healed = recover(host)
            when = "at boot" if verb == "boot" else "because it was not confirmed in time"
            host.notes.write(Note(record.backup, host.now(), f"{healed} ({when})"))
    except (Failure, OSError, ValueError) as error:
        print(f"the release could not be undone: {error}", file=sys.stderr)
        return 1
    print(f"{healed} ({when})")
    return 0
