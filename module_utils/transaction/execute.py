"""Carry a plan out: snapshot, activate, reload, prove, and commit or undo.

``deploy`` and ``rollback`` decide what shall stand where; from there on both go through here, and so
does the recovery of a transaction that never ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shlex
import signal
import time
from typing import Dict, Iterator, List, Mapping, Sequence

from ..nginx_conf import Configuration
from . import workers
from .answers import prove, questions
from .backup import Backup
from .errorlog import LogWatch, log_paths
from .files import temporary_name
from .host import Host, by_whom, names, now, read_tree
from .journal import ACTIVATE, PROVEN, RELOAD, SNAPSHOT, UNDO, UNDONE, Record
from .model import APPLIED, ROLLBACK_FAILED, ROLLED_BACK, UNCHANGED, Change, NotProven, Refused, Site
from .reload import reload
from .routes import check_live
from .starting import start
from .validation import validate

REFUSE, LEAVE, START = "refuse", "leave", "start"


class Interrupted(BaseException):
    """Somebody asked this process to end (a closed connection, a stopped play)."""


@dataclasses.dataclass
class Plan:
    """What a transaction will do."""

    kind: str
    """``deploy`` or ``rollback``."""
    changes: Sequence[Change]
    staged: Configuration
    """The tree as it will be."""
    sites_before: Mapping[str, Mapping[str, str]]
    sites_after: Mapping[str, Mapping[str, str]]
    sites: Sequence[Site] = ()
    """Sites whose WebSocket URLs must open."""
    restores: int = 0


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
    with host.step("snapshot"):
        _unchanged_since(host, plan.changes)
        record = Record(host.backups.next_number(), SNAPSHOT, now())
        try:
            host.journal.write(record)
            backup = host.backups.save(
                record.backup,
                plan.changes,
                kind=plan.kind,
                time=record.started,
                by=by_whom(),
                sites_before=plan.sites_before,
                sites=plan.sites_after,
                restores=plan.restores,
            )
            host.journal.write(dataclasses.replace(record, step=ACTIVATE))
        except OSError as error:
            with contextlib.suppress(OSError):
                tidy(host)
            raise Refused(
                f"the snapshot could not be written to {host.state_dir}: {error}; nothing was changed"
            ) from error
    told = False
    try:
        with _interruptible():
            with host.step("activate"):
                for change in plan.changes:
                    host.files.put(change.path, change.after)
            host.journal.write(dataclasses.replace(record, step=RELOAD))
            told = True
            if host.nginx.master is None:
                _wake(host, plan.staged, stopped, plan.sites)
            else:
                bring_to_life(host, plan.staged, plan.sites)
            host.journal.write(dataclasses.replace(record, step=PROVEN))
    except (Exception, Interrupted) as error:
        undo(
            host,
            backup,
            dataclasses.replace(record, reason=str(error) or type(error).__name__),
            told=told and host.nginx.master is not None,
        )
        return
    host.outcome.outcome, host.outcome.changed, host.outcome.backup = APPLIED, True, backup.number
    with host.step("commit"):
        try:
            tidy(host)
        except OSError as error:
            host.find(
                "not-tidied",
                f"the release is live and proven, but journal or old backups could not be removed: {error}",
                "make room or make it writable; the next run tidies up",
            )
    host.count_draining()


def bring_to_life(host: Host, tree: Configuration, sites: Sequence[Site]) -> None:
    """Reload nginx and prove that it serves this tree.

    Raises:
        NotProven: it does not.
    """
    master = host.nginx.master
    if master is None:
        raise NotProven("nginx is not running")
    deadline = time.monotonic() + host.deadline
    log = LogWatch(log_paths(host.nginx, [tree]))
    try:
        with host.step("reload"):
            reload(master, log, deadline)
        with host.step("prove"):
            prove(questions(tree, host.nginx), deadline)
            prove_routes(host, tree, sites)
            if not workers.alive(master):
                raise NotProven(f"the nginx master (process {master}) ended after the reload")
    finally:
        log.close()


def prove_routes(host: Host, tree: Configuration, sites: Sequence[Site]) -> None:
    """Open every WebSocket URL; what a backend is to blame for becomes a finding.

    Raises:
        NotProven: a URL does not open, and nginx is to blame.
    """
    failures = []
    for check in check_live(sites, tree):
        if check.finding is not None:
            host.outcome.findings.append(check.finding)
        if check.failure:
            failures.append(check.failure)
    if failures:
        raise NotProven(names(failures))


def confirm_running(host: Host, tree: Configuration, sites: Sequence[Site], *, stopped: str = REFUSE) -> None:
    """The disk holds what it should: does the running nginx serve it too?  If not, it is reloaded.

    Raises:
        Refused: nginx is stopped, and that was not expected.
    """
    outcome = host.outcome
    if host.nginx.master is None:
        _wake(host, tree, stopped, sites)
        return
    nginx = host.nginx
    with host.step("prove"):
        try:
            prove(questions(tree, nginx), time.monotonic())
            served = True
        except NotProven:
            served = False
        if served:
            try:
                prove_routes(host, tree, sites)
            except NotProven as error:
                outcome.failed = True
                outcome.message = f"the release is live and unchanged, but {error}"
            return
    if host.check:
        outcome.changed = True
        host.find(
            "not-running",
            "the files are as they should be, but the running nginx does not serve them; a real "
            "run reloads it",
        )
        return
    try:
        bring_to_life(host, tree, sites)
    except NotProven as error:
        outcome.failed = True
        outcome.message = (
            f"the files are as they should be, but nginx does not serve them even after a reload: {error}"
        )
        return
    outcome.outcome, outcome.changed = APPLIED, True
    host.count_draining()


def _wake(host: Host, tree: Configuration, stopped: str, sites: Sequence[Site] = ()) -> None:
    """nginx is stopped and the disk holds what it should."""
    command = f"systemctl start {host.nginx.unit or 'nginx'}"
    if stopped == REFUSE:
        raise Refused(f"the files are as they should be, but nginx is not running. Start it: {command}")
    if stopped == LEAVE or host.check:
        host.find(
            "nginx-stopped",
            "nginx is not running: the files are in place and valid, and serve at its next start",
            command,
        )
        return
    deadline = time.monotonic() + host.deadline
    with host.step("start"):
        host.nginx = start(host.nginx, deadline)
        host.outcome.changed = True
    with host.step("prove"):
        prove(questions(tree, host.nginx), deadline)
        prove_routes(host, tree, sites)


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
        with _deaf(), host.step("undo"):
            with contextlib.suppress(OSError):  # a full disk must not stop an undo that needs no room
                host.journal.write(dataclasses.replace(record, step=UNDO))
            restored = restore(host, backup)
            if told:
                _prove_old(host, backup)
            host.journal.write(dataclasses.replace(record, step=UNDONE))
            tidy(host)
    except Exception as error:
        outcome.outcome, outcome.changed = ROLLBACK_FAILED, True
        outcome.message = (
            f"ROLLBACK FAILED: {error}. First failure: {record.reason}. Undo it by hand with the commands in "
            "'remedy', or run again: the next run tries it once more."
        )
        outcome.remedy = remedy(host, backup)
        return
    outcome.outcome, outcome.changed = ROLLED_BACK, False
    outcome.message = "{}. The host was put back as it was ({} restored{}).".format(
        record.reason.rstrip("."),
        names(restored) or "nothing had to be",
        ", nginx reloaded and proven" if told else "; nginx had not been told",
    )


def restore(host: Host, backup: Backup) -> List[str]:
    """Let every path hold what it held before; a path that somebody edited meanwhile is left to them.

    Returns:
        The paths restored.
    """
    restored = []
    for change in reversed(list(backup.changes)):
        temporary = temporary_name(change.path)
        if host.files.entry(temporary).kind != "absent":
            host.files.unlink(temporary)
            host.files.sync_directory(os.path.dirname(temporary))
        current = host.files.entry(change.path)
        if current.same(change.before):
            continue
        if not current.same(change.after):
            host.find(
                "edited-meanwhile",
                f"{change.path} was changed by somebody else during the transaction and was left as it is",
                f"compare it with {host.backups.path(backup.number)}",
            )
            continue
        host.files.put(change.path, change.before)
        restored.append(change.path)
    return restored


def _prove_old(host: Host, backup: Backup) -> None:
    """The tree on the disk is valid again, and nginx serves it."""
    valid = validate([], host.nginx)
    if not valid.valid:
        raise NotProven(
            f"after the snapshot was restored the tree is not valid: {valid.errors[0].sentence()}"
        )
    if host.nginx.master is None or not workers.alive(host.nginx.master):
        raise NotProven("nginx is not running any more")
    bring_to_life(host, read_tree(host.nginx).configuration, ())


def tidy(host: Host) -> None:
    """Close the journal's transaction; after a kill in here the next run comes here again."""
    record = host.journal.read()
    if record is not None and record.step in (SNAPSHOT, UNDONE):
        host.backups.remove(record.backup)
    elif record is not None:
        host.backups.prune(host.keep)
    host.journal.close()


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
            f"the journal {host.journal.path} cannot be read ({error}); nothing was changed. Look at the "
            f"newest backup in {host.backups.directory}, "
            "compare it with the live files, then remove the journal."
        ) from error
    if record is None:
        if not host.check:
            host.backups.sweep()
        return ""
    begun = f"the transaction of {record.started} ended unfinished at the step '{record.step}'"
    if host.check:
        raise Refused(f"{begun}; check mode leaves it, the next real run undoes it first")
    with host.step("recover"):
        if record.step in (SNAPSHOT, PROVEN, UNDONE):
            tidy(host)
            left = "before anything was changed" if record.step == SNAPSHOT else "when only tidying was left"
            return f"{begun}, {left}; what it left behind is removed"
        try:
            backup = host.backups.load(record.backup)
        except (OSError, ValueError, KeyError) as error:
            raise Refused(f"{begun}, and its backup cannot be read: {error}") from error
        touched = any(not host.files.entry(change.path).same(change.before) for change in backup.changes)
        told = host.nginx.master is not None and (touched or record.step != ACTIVATE)
        undo(host, backup, dataclasses.replace(record, reason=record.reason or begun), told=told)
    if host.outcome.outcome == ROLLBACK_FAILED:
        raise Refused(f"{begun}, and undoing it failed: {host.outcome.message}")
    healed = host.outcome.message
    host.outcome.outcome, host.outcome.failed, host.outcome.message = UNCHANGED, False, ""
    return healed


def _unchanged_since(host: Host, changes: Sequence[Change]) -> None:
    for change in changes:
        if not host.files.entry(change.path).same(change.before):
            raise Refused(
                f"{change.path} changed while the transaction was being prepared; nothing was changed by "
                "us. Run again."
            )


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Turn the signals that end a process into an exception, so that what was begun is undone."""

    def interrupt(number: int, _frame: object) -> None:
        raise Interrupted(f"the run was stopped by signal {signal.Signals(number).name}")

    with _handlers(interrupt):
        yield


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Nothing short of SIGKILL interrupts an undo."""
    with _handlers(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handlers(handler: object) -> Iterator[None]:
    kept: Dict[signal.Signals, object] = {}
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not the main thread
            kept[number] = signal.signal(number, handler)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, previous in kept.items():
            signal.signal(number, previous)  # type: ignore[arg-type]
