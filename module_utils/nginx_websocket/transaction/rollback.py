"""Bring back what stood before: the last transaction, any kept one, or before we first came."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .. import codes
from ..conf.tree import Configuration
from .execute import FIX, Plan, execute
from .history.earlier_state import PREVIOUS, find_state, see_number
from .history.journal import UNCONFIRMED
from .history.states import Backup
from .running import LEAVE, START, confirm_running
from .site.instance import Instance
from .site.model import APPLIED, STATE_DIR, Change, Entry, Outcome, Refused, Validation, ordered
from .site.release import claimed
from .socket_watch import SocketWatch
from .surroundings.host import Host, listed, one_line
from .surroundings.world import World
from .tree.evidence import hand_edit
from .tree.overlay import Overlay, canonical
from .undo import recover

FAIL, OVERWRITE, KEEP = ON_DRIFT = ("fail", "overwrite", "keep")


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
    reason: str = "",
    on_drift: str = FAIL,
    allow_invalid: bool = False,
    world: Optional[World] = None,
) -> Outcome:
    """Go back, as one transaction of its own: with a snapshot, a reload, a proof and an undo.

    Args:
        to: ``previous`` brings back what was live before the present state, one step further each time;
            ``original`` what was there before our first deployment; a number what that backup holds; a
            release id that release of its site, other sites stay.  After a number, ``previous`` goes on from
            the state that it brought back.
        nginx: from ``find_instance``.  When it is stopped, the files are restored and validated, and
            nothing is started unless ``start`` says so.
        state_dir: where lock, journal and backups live.
        start: start nginx when it is stopped.
        check: say what would be done, and touch nothing.
        keep: how many backups to keep.
        deadline: seconds that reload and proof may take.
        lock_timeout: seconds to wait for another transaction, or for certbot.
        reason: why this is done, for the list of backups.
        on_drift: what to do with a file of the user's that a fix mended and somebody edited since: ``fail``,
            ``overwrite`` (the edit is kept in this rollback's backup), or ``keep`` it as it is.
        allow_invalid: restore files, too, that nginx does not take: they are written and nothing is reloaded.
            Until somebody mends them, nginx runs on with what it has, and does not start again.
        world: everything outside the transaction; unit tests hand in another.

    Returns:
        The outcome: ``applied`` when the older state is live and proven.
    """
    host = Host(nginx, state_dir, check, keep, deadline, world or World())
    host.reason = one_line(reason)
    with host.concluded("the host's files or backups could not be read"):
        if on_drift not in ON_DRIFT:
            raise Refused(f"on_drift is {on_drift!r}; it must be one of {', '.join(ON_DRIFT)}")
        with host.locked(lock_timeout):
            if not _went_back(host, to):
                see_number(host.backups.all(), to)  # before anything that somebody else has open is undone
                if not _undo_unconfirmed(host, to):
                    host.outcome.recovered = recover(host)
                    _rollback(host, to, start, on_drift, allow_invalid)
    return host.outcome


def kept(*, state_dir: str = STATE_DIR, world: Optional[World] = None) -> List[Dict[str, Any]]:
    """What is kept, newest first: number, when, by whom, releases, size, and what it changed."""
    host = Host(Instance("", ""), state_dir, world=world or World())
    host.world.secure(state_dir)
    return [backup.summary() for backup in reversed(host.backups.all())]


def _rollback(host: Host, to: str, start: bool, on_drift: str, allow_invalid: bool) -> None:
    outcome, nginx = host.outcome, host.nginx
    with host.step("compare"):
        history = host.backups.all()
        if not history:
            raise Refused(
                f"there is no backup in {host.backups.directory}: nothing was deployed here, or somebody "
                "removed them"
            )
        goal = find_state(history, to, host.files.entry)
        after = goal.sites
        targets = {**goal.targets, **_lost_links(host, goal.targets, after, history)}
        changes = _changes(host, targets, history, on_drift)
        before = host.deployed()
        for name in sorted({*before, *after}):
            outcome.releases[name] = after.get(name, {}).get("release", "")
            outcome.previous[name] = before.get(name, {}).get("release", "")
        outcome.files = [{"site": change.site, "path": change.path} for change in changes]
        outcome.diff = [change.difference() for change in changes]
    if not changes:
        outcome.message = f"the files are as they were in {goal.named} already"
        confirm_running(host, host.tree().configuration, (), stopped=START if start else LEAVE)
        return
    with host.step("validate"):
        verdict = host.world.validate(changes, nginx)
        outcome.method, outcome.warnings = verdict.method, verdict.warnings
        overlay = Overlay(changes, host.files)
        invalid = not verdict.valid
        if invalid and not allow_invalid:
            raise Refused(_invalid(verdict, overlay, changes, goal.named), verdict.errors)
        live, staged = _readable(host), _readable(host, changes)
        if staged.root:
            after = _read_sites(overlay, staged, changes, after)
    if live.root and staged.root:
        from .plan.comparison import tell_change

        tell_change(host, live, staged)
    if host.check:
        outcome.changed = True
        outcome.message = f"would go back to {goal.named}: {listed([one.path for one in changes])}"
        return
    plan = Plan(
        "rollback", ordered(changes), staged, before, after, restores=goal.restores, reload=not invalid
    )
    with SocketWatch(host, staged, live):
        execute(host, plan, stopped=START if start else LEAVE)
    if outcome.outcome == APPLIED:
        outcome.message = f"back to {goal.named}: {listed([change.path for change in changes])}"
        if invalid:
            host.find(
                "nginx-refuses",
                f"nginx does not take these files: {verdict.errors[0].sentence()}; it was not reloaded, and "
                "runs on with what it has",
                "mend them before nginx is restarted or the host boots: until then it does not start",
            )
        written = {change.path for change in changes}
        shown = frozenset(path for path in staged.files if overlay.resolve(path) in written)
        for address in host.world.silent_backends(staged, shown):
            host.find(
                codes.BACKEND_DOWN,
                f"nothing listens at {address}, to which the restored configuration passes requests; the "
                "application and its unit are not rolled back",
                "start the application there, or deploy the site again",
            )


def _readable(host: Host, changes: Sequence[Change] = ()) -> Configuration:
    """The tree with some changes; an empty one where not even nginx's main file can be read."""
    try:
        return host.tree(changes).configuration
    except Refused:
        return Configuration(host.nginx.conf_path, [], {})


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
    paths = {site: after[site].get("path") for _, site in targets.values() if site in after}
    found: Dict[str, Tuple[Entry, str]] = {}
    for backup in history:
        for change in backup.changes:
            leads = canonical(os.path.join(os.path.dirname(change.path), change.after.target))
            needed = leads == paths.get(change.site) and change.path not in targets
            if needed and host.files.entry(change.path).kind == "absent":
                found[change.path] = (change.after, change.site)
    return found


def _read_sites(
    overlay: Overlay, staged: Configuration, changes: Sequence[Change], after: Mapping[str, Mapping[str, str]]
) -> Dict[str, Mapping[str, str]]:
    """The sites with the files from which nginx would read them; without one, nothing could be proven.

    A person may have moved a site's file, or put a copy where its link was: what counts is the release that
    nginx would read.

    Raises:
        Refused: nginx would not read a site that is restored.
    """
    sites = dict(after)
    read = {overlay.resolve(path): claimed(content) for path, content in staged.files.items()}
    for name in sorted({change.site for change in changes} & set(sites)):
        path, release = sites[name].get("path", ""), sites[name].get("release", "")
        found = [overlay.resolve(path)] + [one for one, held in read.items() if held == release]
        found = [one for one in found if one in read]
        if not found:
            raise Refused(
                f"{path} would hold the release of {name}, but nginx would not read it: no include leads "
                "there any more; nothing was changed. Make a link to it, or deploy the site again."
            )
        sites[name] = {"path": found[0], "release": release}
    return sites


def _invalid(verdict: Validation, overlay: Overlay, changes: Sequence[Change], what: str) -> str:
    """Why a tree with the older state in it does not pass, and whose fault that is."""
    first = verdict.errors[0]
    # nginx names a file by the path that it reads it under, which may be a link.
    if first.file and overlay.resolve(first.file) not in {change.path for change in changes}:
        return (
            f"nginx's configuration would not be valid with {what} either, and nothing was changed: "
            f"{first.sentence()}. Repair that file first; it is not part of what is restored."
        )
    return (
        f"what {what} holds does not pass nginx -t on this host, and nothing was changed: "
        f"{first.sentence()}. With these files nginx would not start again. To have them all the same, byte "
        "for byte and without a reload: nginx_websocket_rollback_invalid: true (--allow-invalid)"
    )


def _went_back(host: Host, to: str) -> bool:
    """Whether the host did by itself what is asked for, because nobody confirmed the release in time."""
    note = host.notes.read()
    if host.journal.read() is not None or note is None or to not in (PREVIOUS, str(note.backup)):
        return False
    recover(host)
    host.outcome.message = f"the host went back by itself at {note.time}: {note.message}"
    return True


def _undo_unconfirmed(host: Host, to: str) -> bool:
    """Go back from a release that waits to be confirmed, as its own transaction would; it leaves no trace.

    Returns:
        Whether that is all that was asked for.
    """
    record = host.journal.read()
    if record is None or record.step != UNCONFIRMED or to not in (PREVIOUS, str(record.backup)):
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
    outcome.message = f"back to backup {record.backup}, before it was confirmed: " + listed(
        [change.path for change in backup.changes]
    )
    return True


def _changes(
    host: Host, targets: Mapping[str, Tuple[Entry, str]], history: Sequence[Backup], on_drift: str
) -> List[Change]:
    """What has to change for the older state.

    Raises:
        Refused: a file that a fix mended was edited since, and nobody said what shall become of the edit.
    """
    changes = []
    by = {change.path: backup.kind for backup in history for change in backup.changes}
    written = {change.path: change.after for backup in history for change in backup.changes}
    for path, (entry, site) in targets.items():
        current = host.files.entry(path)
        if current.kind == "other":
            raise Refused(f"{path} is neither a file nor a link any more; nothing was changed")
        if current.same(entry):
            continue
        edited = not current.same(written.get(path, current))
        if by.get(path) == FIX and edited and on_drift != KEEP:
            edit = hand_edit(written[path].content, current.content, path)
            host.outcome.drift.append({"path": path, "diff": edit})
            if on_drift == FAIL:
                raise Refused(
                    f"drift: {path} was edited since it was mended; nothing was changed. Going back would "
                    "lose the edit (see 'drift'): set on_drift (nginx_websocket_on_drift) to overwrite, and "
                    "the edit is kept in this rollback's backup, or to keep, and the file stays as it is.\n"
                    + edit
                )
            host.find(
                "drift", f"{path} was edited since it was mended; the edit is kept in this rollback's backup"
            )
        elif edited and not site:
            host.find(
                "edited-since",
                f"{path} is not a site's file and was edited since the last transaction: it is left as it is",
            )
            continue
        elif edited:
            host.find(
                "drift",
                f"{path} was edited since the last transaction; the edit is kept in this rollback's backup",
            )
        changes.append(Change(path, current, entry, site))
    return changes
