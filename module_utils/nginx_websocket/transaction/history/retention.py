"""Which backups stay, and how those that go are remembered."""

from __future__ import annotations

import dataclasses
from typing import List, Sequence, Set

from .backup import Backups
from .states import Backup

_REMEMBERED = 100
"""Removed backups that are remembered by number, time and releases."""


def prune(backups: Backups, keep: int) -> List[int]:
    """Remove backups until ``keep`` are left.

    Two always stay: that from before our first deployment, and the newest, which an undo of the last
    transaction needs.  States that ``previous`` does not come by go first, and of the others the oldest.
    What a removed backup alone knew of a path moves to the one before it, so that going back behind it
    still brings every path back.

    Args:
        backups: of one host.
        keep: how many.

    Returns:
        The numbers removed.
    """
    removed: List[int] = []
    while True:
        history = backups.all()
        if len(history) <= max(keep, 2):
            return removed
        ahead = steps_back(history)
        spare = [one for one in history[1:-1] if one.number not in ahead] or history[1:-1]
        gone = spare[0]
        backups.write(_merged(history[history.index(gone) - 1], gone))
        backups.remove(gone.number)
        removed.append(gone.number)


def steps_back(history: Sequence[Backup]) -> Set[int]:
    """The backups to which ``previous`` leads from the newest state on, one after the other."""
    by_number = {backup.number: backup for backup in history}
    found: Set[int] = set()
    step = history[-1].earlier
    while step is not None and step.number in by_number and step.number not in found:
        found.add(step.number)
        step = by_number[step.number].earlier_before
    return found


def _merged(kept: Backup, gone: Backup) -> Backup:
    """One backup for two in a row: each path as it was before both, and as it was after both."""
    later = {change.path: change for change in gone.changes}
    known = {change.path for change in kept.changes}
    changes = [
        dataclasses.replace(change, after=later[change.path].after, site=later[change.path].site)
        if change.path in later
        else change
        for change in kept.changes
    ]
    changes += [change for change in gone.changes if change.path not in known]
    remembered = [*kept.gone, gone.held, *gone.gone][-_REMEMBERED:]
    return dataclasses.replace(kept, changes=changes, sites=gone.sites, earlier=gone.earlier, gone=remembered)
