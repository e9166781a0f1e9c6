"""Put back what stood before a transaction, prove it, and close the transaction's journal."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import time
from typing import TYPE_CHECKING, List

from .history.journal import ACTIVATE, PROVEN, SNAPSHOT, UNCONFIRMED, UNDO, UNDONE, Record
from .history.retention import prune
from .history.states import Backup
from .running import bring_to_life
from .safety.signals import ignore_signals
from .site.model import ROLLBACK_FAILED, ROLLED_BACK, UNCHANGED, Change, NotProven, Refused
from .surroundings.host import Host, listed
from .tree.files import kept_name, temporary_name

if TYPE_CHECKING:
    from ..conf.tree import Configuration


def undo(host: Host, backup: Backup, record: Record, *, told: bool) -> None:
    """Put the snapshot back, and prove that the host is as it was.

    Args:
        host: its outcome becomes ``rolled back`` or ``rollback failed``.
        backup: the snapshot.
        record: the journal's record, with the reason.
        told: whether nginx may have been told of the new tree.
    """
    outcome = host.outcome
    outcome.failed = True
    outcome.backup = None
    try:
        with ignore_signals(), host.step("undo"):
            with contextlib.suppress(OSError):  # a full disk must not stop an undo that needs no room
                host.journal.write(dataclasses.replace(record, step=UNDO))
            if told and _nothing_to_go_back_to(host, backup):
                _stay(host, backup, record)
                return
            restored = restore(host, backup)
            how = _prove_old(host, backup) if told else "nginx had not been told"
            _close_undone(host, dataclasses.replace(record, step=UNDONE))
    except Exception as error:
        outcome.outcome, outcome.changed = ROLLBACK_FAILED, True
        outcome.message = (
            f"ROLLBACK FAILED: {error}. First failure: {record.reason}. Undo it by hand with the commands in "
            "'remedy', or run again: the next run tries it once more."
        )
        outcome.remedy = remedy(host, backup)
        return
    outcome.outcome, outcome.changed = ROLLED_BACK, False
    outcome.message = "{}. The host was put back as it was ({} restored; {}).".format(
        record.reason.rstrip("."), listed(restored) or "nothing had to be", how
    )


def _nothing_to_go_back_to(host: Host, backup: Backup) -> str:
    """nginx's complaint about the older tree, where that is broken and the one on the disk is not; else "".

    So it is when the candidate repaired a broken tree, or when somebody took a certificate of the older one
    away meanwhile.
    """
    back = [Change(change.path, change.after, change.before) for change in reversed(list(backup.changes))]
    older = host.world.validate(back, host.nginx)
    if older.valid or not host.world.validate([], host.nginx).valid:
        return ""
    host.outcome.errors = older.errors
    return older.errors[0].sentence()


def _stay(host: Host, backup: Backup, record: Record) -> None:
    """Leave the candidate on the disk: it passes ``nginx -t``, and what it replaced does not."""
    outcome = host.outcome
    tidy(host)
    outcome.outcome, outcome.changed, outcome.backup = ROLLBACK_FAILED, True, backup.number
    outcome.message = (
        f"ROLLBACK FAILED: what stood there before does not pass nginx -t ({outcome.errors[0].sentence()}), "
        "so the candidate, which does, stays on the disk. "
        f"First failure: {record.reason}. Cure that and run again, or go back by hand with the commands in "
        "'remedy'."
    )
    outcome.remedy = remedy(host, backup)[:-1]


def _close_undone(host: Host, record: Record) -> None:
    """Close the journal of a transaction that is undone; on a full disk too."""
    try:
        host.journal.write(record)
        tidy(host)
    except OSError:
        host.journal.close()  # taking a name away needs no room
        host.backups.remove(record.backup)
        _disarm(host)


def restore(host: Host, backup: Backup) -> List[str]:
    """Let every path hold what it held before; a path that somebody edited meanwhile is left to them.

    One that somebody removed is put back: nothing of theirs is lost, and its link would lead nowhere.

    Returns:
        The paths restored.
    """
    restored = []
    for change in reversed(list(backup.changes)):
        path = change.path
        temporary = temporary_name(path)
        if host.files.entry(temporary).kind != "absent":
            host.files.unlink(temporary)  # synced with what becomes of the path
        current = host.files.entry(path)
        if current.same(change.before):
            host.files.let_go(path)
            continue
        kept = host.files.entry(kept_name(path))
        if current.kind == "absent" and change.after.kind != "absent":
            host.find(
                "removed-meanwhile",
                f"{path} was removed by somebody else during the transaction, and is there again as before",
                "if it shall go: remove it, and every link to it, and reload nginx",
            )
        elif not current.same(change.after):
            host.find(
                "edited-meanwhile",
                f"{path} was changed by somebody else during the transaction and was left as it is",
                f"compare it with {host.backups.path(backup.number)}",
            )
            host.files.let_go(path)
            continue
        if kept.kind not in ("absent", "other") and not kept.same(change.before):
            host.find(
                "edited-meanwhile",
                f"{path} was edited by somebody else in the moment of its replacement; "
                "their edit stands again",
                f"compare it with {host.backups.path(backup.number)}",
            )
        if not host.files.bring_back(path):
            host.files.put(path, change.before)
        restored.append(path)
    return restored


def _prove_old(host: Host, backup: Backup) -> str:
    """The tree on the disk is valid again, and nginx serves it.

    Returns:
        How that was brought about, for the message.

    Raises:
        NotProven: nginx does not serve it.
    """
    valid = host.world.validate([], host.nginx)
    if not valid.valid:
        raise NotProven(
            f"after the snapshot was restored the tree is not valid: {valid.errors[0].sentence()}"
        )
    tree = host.tree().configuration
    try:
        bring_to_life(host, tree, (), alone=False)
        return "nginx reloaded and proven"
    except NotProven as error:
        found = host.world.masters(host.nginx)
        if found.older is not None:
            raise NotProven(f"{error}; {found.upgrade()}") from error
        if found.current is not None:
            return _untouched(host, backup, tree, error)
    # It ran when we came, and somebody or something ended it meanwhile.
    deadline = time.monotonic() + host.deadline
    with host.step("start"):
        host.nginx = host.world.start(host.nginx, deadline)
    with host.step("prove"):
        host.world.prove(tree, host.nginx, deadline)
    return "nginx had ended and was started again"


def _untouched(host: Host, backup: Backup, tree: Configuration, failure: NotProven) -> str:
    """nginx did not take the reload: see whether it serves the older tree nevertheless.

    So it is where it did not take the one before either: its master is stopped, or it cannot open what a
    second configuration needs.

    Raises:
        NotProven: it serves something else; the message has both reasons.
    """
    undone = host.tree([Change(change.path, change.before, change.after) for change in backup.changes])
    try:
        with host.step("prove"):
            deadline = time.monotonic() + host.deadline
            host.world.prove_untouched(tree, undone.configuration, host.nginx, deadline)
    except NotProven as error:
        raise NotProven(f"{failure}; and {error}") from error
    host.find(
        "reload-not-taken",
        f"nginx serves what it served before, but did not take the reload after the undo: {failure}",
        "until that is mended, no change of its configuration takes effect",
    )
    return "nginx did not take the reload and serves it as before, proven"


def tidy(host: Host) -> None:
    """Close the journal's transaction; after a kill in here the next run comes here again."""
    record = host.journal.read()
    if record is not None and record.step in (SNAPSHOT, UNDONE):
        host.backups.remove(record.backup)
    elif record is not None:
        if record.backup in host.backups.numbers():  # a recovery that was stopped may have pruned it already
            for change in host.backups.load(record.backup).changes:
                host.files.let_go(change.path)
        prune(host.backups, host.keep)
    host.journal.close()
    _disarm(host)


def _disarm(host: Host) -> None:
    guard = host.guard
    if guard is None:
        return
    try:
        guard.disarm()
    except OSError as error:
        host.find(
            "not-tidied",
            f"the units that guarded the transaction could not be removed: {error}; without an open "
            "transaction they do nothing",
            "make the directory writable; the next run removes them",
        )


def remedy(host: Host, backup: Backup) -> List[str]:
    """Commands for a person."""
    binary = shlex.quote(host.nginx.binary)
    conf = shlex.quote(host.nginx.conf_path)
    unit = host.nginx.unit or "nginx"
    return [
        *host.backups.commands(backup),
        f"{binary} -t -c {conf}",
        f"systemctl reload-or-restart {shlex.quote(unit)}",
        f"rm {shlex.quote(host.journal.path)}",
    ]


def recover(host: Host) -> str:
    """Undo, or finish, a transaction that an earlier run left open.

    Returns:
        What was healed, for the outcome; "" when there was nothing to heal.

    Raises:
        Refused: an open transaction could not be undone, or (in check mode) may not be.
    """
    try:
        record = host.journal.read()
    except ValueError as error:
        raise Refused(
            f"the journal {host.journal.path} cannot be read ({error}); nothing was changed. If a newer "
            "version wrote it, run that one. Otherwise look at the newest backup in "
            f"{host.backups.directory}, compare it with the live files, and end the transaction: "
            f"rm {shlex.quote(host.journal.path)}"
        ) from error
    if record is None:
        note = host.notes.read()
        if not host.check:
            host.journal.close()  # takes away the temporary of one that was never begun
            host.backups.sweep()
            _disarm(host)
            host.notes.remove()
        return note.message if note is not None else ""
    begun = f"the transaction of {record.started} ended unfinished at the step '{record.step}'"
    if record.step == UNCONFIRMED:
        begun = (
            f"the release of {record.started} is live, but waits to be confirmed until {record.confirm_by}"
        )
    if host.check:
        raise Refused(f"{begun}; check mode leaves it, the next real run undoes it first")
    with host.step("recover"):
        if record.step in (SNAPSHOT, PROVEN, UNDONE):
            tidy(host)
            left = "before anything was changed" if record.step == SNAPSHOT else "when only tidying was left"
            return f"{begun}, {left}; what it left behind is removed"
        try:
            backup = host.backups.load(record.backup)
            if record.step == UNCONFIRMED:
                made = f", made by {record.by}," if record.by else ""
                begun = f"the release of {record.started}{made} was proven on the host, but never confirmed"
        except (OSError, ValueError, KeyError) as error:
            raise Refused(
                f"{begun}, and its backup {record.backup} cannot be read ({error}); nothing was changed. "
                f"Compare the live files with what is left in {host.backups.directory}, bring them in order, "
                f"see that nginx -t passes, and end the transaction: rm {shlex.quote(host.journal.path)}"
            ) from error
        touched = any(not host.files.entry(change.path).same(change.before) for change in backup.changes)
        told = host.nginx.master is not None and (touched or record.step != ACTIVATE)
        undo(host, backup, dataclasses.replace(record, reason=record.reason or begun), told=told)
    if host.outcome.outcome == ROLLBACK_FAILED:
        raise Refused(f"{begun}, and undoing it failed: {host.outcome.message}")
    healed = host.outcome.message
    host.outcome.outcome, host.outcome.failed, host.outcome.message = UNCHANGED, False, ""
    return healed
