"""Say that a release is good, so that the host keeps it."""

from __future__ import annotations

import dataclasses
from typing import Optional

from .history.earlier_state import since
from .history.journal import PROVEN, UNCONFIRMED
from .site.instance import Instance
from .site.model import APPLIED, STATE_DIR, Failure, Outcome, Refused
from .surroundings.host import Host
from .surroundings.world import World
from .undo import tidy


def confirm(
    backup: int,
    *,
    state_dir: str = STATE_DIR,
    check: bool = False,
    keep: int = 10,
    lock_timeout: float = 60.0,
    world: Optional[World] = None,
) -> Outcome:
    """Confirm the release that a deployment with ``confirm_window`` made live.

    Args:
        backup: its number, from the deployment's outcome.
        state_dir: where lock, journal and backups live.
        check: confirm nothing.
        keep: how many backups to keep.
        lock_timeout: seconds to wait for another transaction.
        world: everything outside the transaction; unit tests hand in another.

    Returns:
        The outcome: ``applied`` when the release stays; failed when the host went back already.
    """
    # Nothing of nginx is asked or told; the guard to be taken away is found by its names alone.
    host = Host(Instance("", ""), state_dir, check, keep, world=world or World())
    outcome = host.outcome
    try:
        with host.world.locked(state_dir, "", lock_timeout, write=not check):
            _confirm(host, backup)
    except Failure as failure:
        outcome.failed, outcome.message = True, str(failure)
    except (OSError, ValueError) as error:
        outcome.failed = True
        outcome.message = (
            f"the release could not be confirmed: {error}; unless it is, the host goes back by itself"
        )
    return outcome


def _confirm(host: Host, backup: int) -> None:
    record, note = host.journal.read(), host.notes.read()
    if record is None:
        if note is not None and note.backup == backup:
            raise Refused(f"too late: the host went back by itself at {note.time}: {note.message}")
        if backup not in host.backups.numbers():
            raise Refused(
                f"there is no backup {backup}: its release was undone, or is too old to be kept"
                + since(backup, host.backups.all())
            )
        host.outcome.message = "the release is confirmed already"
        return
    if record.step != UNCONFIRMED or record.backup != backup:
        raise Refused(
            f"the release of backup {backup} does not wait to be confirmed: another transaction (backup "
            f"{record.backup}) is open at the step '{record.step}', begun at {record.started} by "
            f"{record.by or 'somebody'}"
        )
    if not host.check:
        host.journal.write(dataclasses.replace(record, step=PROVEN))
        host.backups.load(backup)
        tidy(host)
    host.outcome.outcome, host.outcome.backup = APPLIED, backup
    host.outcome.message = "the release is confirmed and stays"
