"""Bring back what stood before: the last transaction, any kept one, or before we first came."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from ..conf.tree import Configuration
from .backup import Backup
from .execute import Plan, execute
from .files import Filesystem
from .host import STATE_DIR, Host, names, read_tree
from .instance import Instance
from .journal import UNCONFIRMED
from .model import APPLIED, Change, Entry, Failure, Outcome, Refused, Validation
from .overlay import Overlay, canonical
from .release import claimed
from .running import LEAVE, START, confirm_running
from .sockets import SocketWatch, silent_backends
from .undo import recover
from .validation import validate

PREVIOUS, ORIGINAL = "previous", "original"
_SHORTEST_RELEASE = 8  # as the summary shows it
_NUMBER = re.compile(r"[0-9]{1,9}\Z")  # a release id may be all digits, but has 32 of them


def rollback(
    to: str = PREVIOUS,
    *,
    nginx: Instance,
    state_dir: str = STATE_DIR,
    check: bool = False,
    start: bool = False,
    keep: int = 10,
    deadline: float = 15.0,
    lock_timeout: float = 60.0,
    files: Optional[Filesystem] = None,
) -> Outcome:
    """Go back, as one transaction of its own: with a snapshot, a reload, a proof and an undo.

    Args:
        to: ``previous`` undoes the last transaction that is not undone yet; ``original`` brings back
            what was there before our first deployment; a number brings back what that backup holds;
            a release id brings back that release of its site, other sites stay.
        nginx: from ``find_instance``.  When it is stopped, the files are restored and validated, and
            nothing is started unless ``start`` says so.
        state_dir: where lock, journal and backups live.
        start: start nginx when it is stopped.
        check: say what would be done, and touch nothing.
        keep: how many backups to keep.
        deadline: seconds that reload and proof may take.
        lock_timeout: seconds to wait for another transaction, or for certbot.
        files: the file system; tests pass another.

    Returns:
        The outcome: ``applied`` when the older state is live and proven.
    """
    host = Host(nginx, state_dir, check, keep, deadline, files or Filesystem(), guarded=files is None)
    try:
        with host.locked(lock_timeout):
            if not _went_back(host, to):
                _see_number(host, to)  # before anything that somebody else has open is undone
                if not _undo_unconfirmed(host, to):
                    host.outcome.recovered = recover(host)
                    _rollback(host, to, start)
    except Failure as failure:
        host.outcome.failed = True
        host.outcome.message = host.outcome.message or str(failure)
        host.outcome.errors = host.outcome.errors or failure.errors
    except (OSError, ValueError) as error:
        host.outcome.failed = True
        host.outcome.message = f"the host's files or backups could not be read: {error}; nothing was changed"
    if host.outcome.recovered:
        host.outcome.changed = host.outcome.changed or not check
    return host.outcome


def kept(*, state_dir: str = STATE_DIR, files: Optional[Filesystem] = None) -> List[Dict[str, Any]]:
    """What is kept, newest first: number, when, by whom, releases, size, and what it changed."""
    backups = Host(Instance("", ""), state_dir, files=files or Filesystem()).backups
    return [backups.load(number).summary() for number in reversed(backups.numbers())]


def _rollback(host: Host, to: str, start: bool) -> None:
    outcome, nginx = host.outcome, host.nginx
    with host.step("compare"):
        history = [host.backups.load(number) for number in host.backups.numbers()]
        if not history:
            raise Refused(
                f"there is no backup in {host.backups.directory}: nothing was deployed here, or somebody "
                "removed them"
            )
        targets, after, restores = _targets(history, to)
        targets.update(_lost_links(host, targets, after, history))
        changes = _changes(host, targets, history)
        before = host.deployed()
        for name in sorted({*before, *after}):
            outcome.releases[name] = after.get(name, {}).get("release", "")
            outcome.previous[name] = before.get(name, {}).get("release", "")
        outcome.files = [{"site": change.site, "path": change.path} for change in changes]
        outcome.diff = [change.difference() for change in changes]
    if not changes:
        outcome.message = f"the files are as {_named(to, restores)} has them already"
        confirm_running(host, read_tree(nginx).configuration, (), stopped=START if start else LEAVE)
        return
    with host.step("validate"):
        verdict = validate(changes, nginx)
        outcome.method, outcome.warnings = verdict.method, verdict.warnings
        if not verdict.valid:
            raise Refused(_invalid(verdict, changes, _named(to, restores)), verdict.errors)
        overlay = Overlay(changes, host.files)
        staged = read_tree(nginx, overlay).configuration
        _see_read(overlay, staged, changes, after)
    if host.check:
        outcome.changed = True
        outcome.message = f"would go back to {_named(to, restores)}: {names([one.path for one in changes])}"
        return
    plan = Plan("rollback", _ordered(changes), staged, before, after, restores=restores)
    # The live tree may be the broken one that is left behind, so the backends are those of the older state.
    with SocketWatch(host, staged):
        execute(host, plan, stopped=START if start else LEAVE)
    if outcome.outcome == APPLIED:
        outcome.message = f"back to {_named(to, restores)}: {names([change.path for change in changes])}"
        for address in silent_backends(staged, frozenset(one.path for one in changes)):
            host.find(
                "backend-down",
                f"nothing listens at {address}, to which the restored configuration passes requests; the "
                "application and its unit are not rolled back",
                "start the application there, or deploy the site again",
            )


def _lost_links(
    host: Host,
    targets: Mapping[str, Tuple[Entry, str]],
    after: Mapping[str, Mapping[str, str]],
    history: Sequence[Backup],
) -> Dict[str, Tuple[Entry, str]]:
    """Links to the sites' files that a transaction made and somebody has taken away since.

    No transaction need have touched them since the state that is asked for, and without them nginx does not
    read what is restored.
    """
    sites = {site for _, site in targets.values() if after.get(site, {}).get("release")}
    found: Dict[str, Tuple[Entry, str]] = {}
    for backup in history:
        for change in backup.changes:
            if change.site not in sites or change.after.kind != "link" or change.path in targets:
                continue
            leads = canonical(os.path.join(os.path.dirname(change.path), change.after.target))
            if leads == after[change.site].get("path") and host.files.entry(change.path).kind == "absent":
                found[change.path] = (change.after, change.site)
    return found


def _see_read(
    overlay: Overlay, staged: Configuration, changes: Sequence[Change], after: Mapping[str, Mapping[str, str]]
) -> None:
    """See that nginx would read the files of the sites that are restored; nothing else could be proven.

    Raises:
        Refused: it would not.
    """
    read = {overlay.resolve(path) for path in staged.files}
    for site in sorted({change.site for change in changes}):
        path = after.get(site, {}).get("path", "")
        if after.get(site, {}).get("release") and path not in read:
            raise Refused(
                f"{path} would hold the release of {site}, but nginx would not read it: no include leads "
                "there any more; nothing was changed. Make a link to it, or deploy the site again."
            )


def _invalid(verdict: Validation, changes: Sequence[Change], what: str) -> str:
    """Why a tree with the older state in it does not pass, and whose fault that is."""
    first = verdict.errors[0]
    if first.file and first.file not in {change.path for change in changes}:
        return (
            f"nginx's configuration would not be valid with {what} either, and nothing was changed: "
            f"{first.sentence()}. Repair that file first; it is not part of what is restored."
        )
    return (
        f"what {what} holds does not pass nginx -t on this host any more, and nothing was changed: "
        f"{first.sentence()}"
    )


def _went_back(host: Host, to: str) -> bool:
    """Whether the host did by itself what is asked for, because nobody confirmed the release in time."""
    note = host.notes.read()
    if host.journal.read() is not None or note is None or to not in (PREVIOUS, str(note.backup)):
        return False
    recover(host)
    host.outcome.message = f"the host went back by itself at {note.time}: {note.message}"
    return True


def _see_number(host: Host, to: str) -> None:
    """See that a number that is asked for means a backup; one that is gone never means another.

    Raises:
        Refused: there is none.
    """
    numbers = host.backups.numbers()
    if not _NUMBER.match(to) or int(to) in numbers:
        return
    raise Refused(
        f"there is no backup {to}: what it held stands again already, or it is too old to be kept; nothing "
        f"was changed; kept are {', '.join(map(str, numbers)) or 'none'}"
    )


def _undo_unconfirmed(host: Host, to: str) -> bool:
    """Go back from a release that waits to be confirmed, as its own transaction would; it leaves no trace.

    Returns:
        Whether that is all that was asked for.
    """
    record = host.journal.read()
    if record is None or record.step != UNCONFIRMED or to not in (PREVIOUS, str(record.backup)) or host.check:
        return False
    backup = host.backups.load(record.backup)
    recover(host)
    outcome = host.outcome
    outcome.outcome, outcome.changed = APPLIED, True
    outcome.releases = {
        name: backup.sites_before.get(name, {}).get("release", "")
        for name in sorted({*backup.sites_before, *backup.sites})
    }
    outcome.previous = {name: one.get("release", "") for name, one in backup.sites.items()}
    outcome.files = [{"site": change.site, "path": change.path} for change in backup.changes]
    outcome.message = f"back to {_named(PREVIOUS, record.backup)}, before it was confirmed: " + names(
        [change.path for change in backup.changes]
    )
    return True


def _named(to: str, number: int) -> str:
    if to == ORIGINAL:
        return f"the state before the first deployment (backup {number})"
    return f"backup {number}" if to in (PREVIOUS, str(number)) else f"release {to} (backup {number})"


def _targets(
    history: Sequence[Backup], to: str
) -> Tuple[Dict[str, Tuple[Entry, str]], Mapping[str, Mapping[str, str]], int]:
    """What shall stand at each path, which sites are deployed then, and the backup that says so."""
    if to not in (PREVIOUS, ORIGINAL) and not _NUMBER.match(to):
        return _release(history, to)
    if to == ORIGINAL:
        start = history[0]
    elif to == PREVIOUS:
        start = _previous(history)
    else:
        start = next(backup for backup in history if backup.number == int(to))
    targets: Dict[str, Tuple[Entry, str]] = {}
    for backup in history:
        if backup.number >= start.number:
            for change in backup.changes:
                targets.setdefault(change.path, (change.before, change.site))
    return targets, start.sites_before, start.number


def _previous(history: Sequence[Backup]) -> Backup:
    """The backup of the last transaction that is not undone: a rollback undoes all from its target on."""
    index = len(history) - 1
    while index >= 0:
        backup = history[index]
        if backup.kind != "rollback":
            return backup
        index = next((i for i, other in enumerate(history) if other.number >= backup.restores), 0) - 1
    raise Refused(
        "everything that was deployed is undone already; name a backup by its number to go elsewhere"
    )


def _release(
    history: Sequence[Backup], release: str
) -> Tuple[Dict[str, Tuple[Entry, str]], Mapping[str, Mapping[str, str]], int]:
    """The newest state in which that release was live, for its site alone; the start of its id is enough."""
    known = sorted(
        {claimed(e.content) or "" for b in history for c in b.changes for e in (c.before, c.after)} - {""}
    )
    meant = [one for one in known if one.startswith(release)] if len(release) >= _SHORTEST_RELEASE else []
    whole = meant[0] if len(meant) == 1 else release
    for backup in reversed(history):
        for change in backup.changes:
            for entry in (change.before, change.after):
                if entry.kind == "file" and claimed(entry.content) == whole:
                    sites = {name: dict(site) for name, site in history[-1].sites.items()}
                    sites[change.site] = {"path": change.path, "release": whole}
                    return {change.path: (entry, change.site)}, sites, backup.number
    raise Refused(
        f"no backup holds release {release!r}; give 'previous', 'original', a backup's number, or one of: "
        + (", ".join(known) or "(no release is kept)")
    )


def _changes(host: Host, targets: Mapping[str, Tuple[Entry, str]], history: Sequence[Backup]) -> List[Change]:
    changes = []
    written = {change.path: change.after for backup in history for change in backup.changes}
    for path, (entry, site) in targets.items():
        current = host.files.entry(path)
        if current.kind == "other":
            raise Refused(f"{path} is neither a file nor a link any more; nothing was changed")
        if current.same(entry):
            continue
        if path in written and not site and not current.same(written[path]):
            host.find(
                "edited-since",
                f"{path} is not a site's file and was edited since the last transaction: it is left as it is",
            )
            continue
        if path in written and not current.same(written[path]):
            host.find(
                "drift",
                f"{path} was edited since the last transaction; the edit is kept in this rollback's backup",
            )
        changes.append(Change(path, current, entry, site))
    return changes


def _ordered(changes: Sequence[Change]) -> List[Change]:
    """Files before the links to them; links before the files they leave."""
    return sorted(
        changes,
        key=lambda change: (
            change.after.kind == "absent",
            (change.before.kind == "link") != (change.after.kind == "absent"),
        ),
    )
