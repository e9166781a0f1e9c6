"""Carry a plan out: snapshot, activate, reload, prove, and commit or undo.

``deploy`` and ``rollback`` decide what shall stand where; from there on both go through here, and so
does the recovery of a transaction that never ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
from typing import Mapping, Sequence

from ..conf.tree import Configuration
from . import auto_rollback
from .history.journal import ACTIVATE, PROVEN, RELOAD, SNAPSHOT, UNCONFIRMED, Record
from .history.states import Backup
from .running import REFUSE, bring_to_life, settle, start_nginx
from .safety.signals import Interrupted, interruptible
from .site.model import APPLIED, Change, NotProven, Refused, Site
from .surroundings.host import Host
from .tree.files import kept_name
from .undo import tidy, undo

FIX = "fix"
"""Kind of a transaction that mends files which stay the user's."""


@dataclasses.dataclass
class Plan:
    """What a transaction will do."""

    kind: str
    """``deploy``, ``rollback`` or ``fix``."""
    changes: Sequence[Change]
    staged: Configuration
    """The tree as it will be."""
    sites_before: Mapping[str, Mapping[str, str]]
    sites_after: Mapping[str, Mapping[str, str]]
    sites: Sequence[Site] = ()
    """Sites whose WebSocket URLs must open."""
    restores: int = 0
    reload: bool = True
    """False where nginx would not take the files, and a person wants them all the same."""


def execute(host: Host, plan: Plan, *, stopped: str = REFUSE) -> None:
    """Do it, and leave the host either as planned or as it was.

    The outcome is written to ``host.outcome``.

    Args:
        host: the host.
        plan: what to do.
        stopped: what to do when nginx is not running: ``refuse``; ``leave`` it, so that nothing can be
            proven and a finding says so; or ``start`` it.

    Raises:
        Refused: the disk could not even take the snapshot, or a file changed under our feet; nothing
            was changed.
    """
    settle(host)
    with host.step("snapshot"):
        _unchanged_since(host, plan.changes)
        record = Record(host.backups.next_number(), SNAPSHOT, host.now(), by=host.world.by_whom())
        try:
            host.journal.write(record)
            by = " – ".join(filter(None, [record.by, host.reason]))
            was, will = plan.sites_before, plan.sites_after
            new = Backup(record.backup, plan.kind, record.started, by, plan.changes, was, will, plan.restores)
            backup = host.backups.save(new)
            window = _guard(host, plan, record.backup)
            host.journal.write(dataclasses.replace(record, step=ACTIVATE))
        except OSError as error:
            with contextlib.suppress(OSError):
                tidy(host)
            raise Refused(
                f"the snapshot could not be written to {host.state_dir}: {error}; nothing was changed"
            ) from error
    told = False
    try:
        with interruptible():
            with host.step("activate"):
                for change in plan.changes:
                    _replace(host, change)
            host.journal.write(dataclasses.replace(record, step=RELOAD))
            told = plan.reload
            if not plan.reload:
                pass
            elif host.nginx.master is None:
                start_nginx(host, plan.staged, stopped, plan.sites)
            else:
                bring_to_life(host, plan.staged, plan.sites)
            _still_there(host, plan.changes)
            if window:
                record = dataclasses.replace(record, confirm_by=host.now(window))
            host.journal.write(dataclasses.replace(record, step=UNCONFIRMED if window else PROVEN))
    except (Exception, Interrupted) as error:
        undo(
            host,
            backup,
            dataclasses.replace(record, reason=str(error) or type(error).__name__),
            told=told and host.nginx.master is not None,
        )
        return
    host.outcome.outcome, host.outcome.changed, host.outcome.backup = APPLIED, True, backup.number
    host.outcome.confirm_by = record.confirm_by
    with host.step("commit"):
        try:
            if not window:
                tidy(host)
        except OSError as error:
            host.find(
                "not-tidied",
                f"the release is live and proven, but journal or old backups could not be removed: {error}",
                "make room or make it writable; the next run tidies up",
            )
    host.count_draining()


def _guard(host: Host, plan: Plan, number: int) -> float:
    """Have the host go back by itself where this transaction needs it.

    A single rename is old or new at any moment, so a boot in between needs nobody.  Several are not.

    Returns:
        The window in which the release must be confirmed; 0 where there is none.
    """
    if not host.window and len(plan.changes) < 2:
        return 0.0
    guard = host.guard
    if guard is None:
        if host.window:
            host.find(
                "not-guarded",
                "there is no systemd on this host to undo a release that the controller does not confirm",
                "set nginx_websocket_confirm_window to 0",
            )
        return 0.0
    # Reload and proof have time of their own; the window begins when they are over.
    window = host.window if host.nginx.master is not None else 0.0
    try:
        guard.arm(number, window + host.deadline if window else 0.0, auto_rollback.__name__)
    except OSError as error:
        host.find(
            "not-guarded",
            f"the host would not go back by itself if the controller did not confirm the release: {error}",
            f"make {guard.code} and /etc/systemd/system writable",
        )
        with contextlib.suppress(OSError):
            guard.disarm()
        return 0.0
    return window


def _replace(host: Host, change: Change) -> None:
    """Let the new entry stand at a path; what stood there stays beside it under a hidden name.

    Raises:
        NotProven: it was not what the transaction had looked at, but what somebody wrote since.
    """
    keep = change.before.kind != "absent"
    try:
        host.files.put(change.path, change.after, keep=keep)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise NotProven(
            f"{change.path} is a mount of its own (another file is bound over it), so no other can take its "
            f"place. Unmount it (umount {change.path}), or let the site stand in another file (file)"
        ) from error
    kept = host.files.entry(kept_name(change.path)) if keep else change.before
    if kept.kind != "absent" and not kept.same(change.before):
        raise NotProven(f"{change.path} was edited by somebody else while the transaction replaced it")


def _still_there(host: Host, changes: Sequence[Change]) -> None:
    """See that nothing of what was proven has gone from the disk: nginx would not start again without it.

    Raises:
        NotProven: somebody removed it meanwhile.
    """
    for change in changes:
        if change.after.kind != "absent" and host.files.entry(change.path).kind == "absent":
            raise NotProven(f"{change.path} was removed by somebody else during the transaction")


def _unchanged_since(host: Host, changes: Sequence[Change]) -> None:
    for change in changes:
        if not host.files.entry(change.path).same(change.before):
            raise Refused(
                f"{change.path} changed while the transaction was being prepared; nothing was changed by "
                "us. Run again."
            )
