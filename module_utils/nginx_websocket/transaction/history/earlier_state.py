"""Which earlier state is meant by ``previous``, ``original``, a number or a release, and what belongs to it.

A state that is not kept any more is refused by name; none is ever taken for another.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from ..site.model import ABSENT, Entry, Refused
from ..site.release import claimed, pristine
from .states import Backup, Earlier

PREVIOUS, ORIGINAL = "previous", "original"
_SHORTEST_RELEASE = 8  # as the summary shows it
_NUMBER = re.compile(r"[0-9]{1,9}\Z")  # a release id may be all digits, but has 32 of them
_OFFERED = 12


@dataclasses.dataclass(frozen=True)
class State:
    """The state that is asked for."""

    targets: Mapping[str, Tuple[Entry, str]]
    """Path → what shall stand there, and whose it is."""
    sites: Mapping[str, Mapping[str, str]]
    """The sites that are deployed then."""
    named: str
    """For messages."""
    restores: int = 0
    """The backup whose whole state it is; 0 for a state that never was."""


def find_state(history: Sequence[Backup], to: str, live: Callable[[str], Entry]) -> State:
    """What shall stand at each path, and which sites are deployed then.

    Args:
        history: the backups, oldest first; there is one.
        to: ``previous``, ``original``, a number, or a release id or how it begins.
        live: what stands at a path.

    Raises:
        Refused: that state is not kept.
    """
    if to not in (PREVIOUS, ORIGINAL) and not _NUMBER.match(to):
        return _release(history, to, live)
    if to == ORIGINAL:
        start = _original(history)
    elif to == PREVIOUS:
        start = _previous(history)
    else:
        start = next(backup for backup in history if backup.number == int(to))
    named = f"backup {start.number}"
    if start is history[0] and start.earlier_before == Earlier():
        named = f"the state before the first deployment (backup {start.number})"
    return State(_before(history, start), start.sites_before, named, start.number)


def _before(history: Sequence[Backup], start: Backup) -> Dict[str, Tuple[Entry, str]]:
    """What stood at each path before a transaction, of the paths that have been touched since."""
    targets: Dict[str, Tuple[Entry, str]] = {}
    for backup in history:
        if backup.number >= start.number:
            for change in backup.changes:
                targets.setdefault(change.path, (change.before, change.site))
    return targets


def _original(history: Sequence[Backup]) -> Backup:
    first = history[0]
    if first.earlier_before not in (None, Earlier()):
        raise Refused(
            "the backup from before the first deployment is gone: somebody removed it; nothing was changed; "
            + offer(history)
        )
    return first


def _previous(history: Sequence[Backup]) -> Backup:
    """The backup that holds what was live before the present state.

    Raises:
        Refused: there was nothing before, or it is not kept.
    """
    earlier = history[-1].earlier
    if earlier is None:
        raise Refused(
            f"which state was live before the present one is not known: backup {history[-1].number} was made "
            f"by an older version of this role; name a backup by its number; {offer(history)}"
        )
    if not earlier.number:
        raise Refused(
            "everything that was deployed is undone already; name a backup by its number to go elsewhere; "
            + offer(history)
        )
    for backup in history:
        if backup.number == earlier.number:
            return backup
    raise Refused(
        f"what was live before the present state is not kept any more: {earlier.describe()}; nothing was "
        f"changed. Deploy that release again, raise nginx_websocket_keep_backups for the next time, or name "
        f"one of those that can be had; {offer(history)}"
    )


def _release(history: Sequence[Backup], release: str, live: Callable[[str], Entry]) -> State:
    """The newest state in which that release was live, for its site alone; the start of its id is enough.

    Args:
        history: all that is kept.
        release: the id, or how it begins.
        live: what stands at a path.

    Raises:
        Refused: there is no such state.
    """
    states: List[Tuple[Mapping[str, Mapping[str, str]], Dict[str, Tuple[Entry, str]]]] = [
        (history[-1].sites, {})
    ]
    states += [(backup.sites_before, _before(history, backup)) for backup in reversed(history)]
    written = {change.path: change.after for backup in history for change in backup.changes}
    pristine_files = _pristine_files(history)
    known = sorted({site["release"] for sites, _ in states for site in sites.values() if site.get("release")})
    meant = [one for one in known if one.startswith(release)] if len(release) >= _SHORTEST_RELEASE else []
    if len(meant) == 1:
        release = meant[0]
    for sites, targets in states:
        for name, site in sites.items():
            if site.get("release") != release:
                continue
            path = site.get("path", "")
            stood = targets.get(path, (live(path), name))[0] if path else ABSENT
            held = (stood, written.get(path, ABSENT), pristine_files.get(release, ABSENT))
            entry = next((one for one in held if _is(one, release)), None)
            if entry is not None:
                wanted = {one: what for one, what in targets.items() if what[1] == name}
                wanted[path] = (entry, name)
                return State(wanted, {**history[-1].sites, name: site}, f"release {release} of {name}")
    raise _not_kept(history, release, known)


def _pristine_files(history: Sequence[Backup]) -> Dict[Optional[str], Entry]:
    """Release → its file as it was written, the newest one, wherever it stands in the backups."""
    return {
        claimed(entry.content): entry
        for backup in history
        for change in backup.changes
        for entry in (change.before, change.after)
        if entry.kind == "file" and pristine(entry.content)
    }


def _not_kept(history: Sequence[Backup], release: str, known: Sequence[str]) -> Refused:
    """That a release cannot be had, why, and which can."""
    gone = [one for backup in history for one in backup.gone if release in one.releases.values()]
    why = f"release {release} is not kept any more ({gone[-1].describe()})" if gone else ""
    return Refused(
        (why or f"no backup holds release {release!r}")
        + "; nothing was changed; give 'previous', 'original', a backup's number, or one of: "
        + (", ".join(known) or "(no release is kept)")
    )


def _is(entry: Entry, release: str) -> bool:
    """Whether that is the release as it was written, edited by nobody."""
    return entry.kind == "file" and claimed(entry.content) == release and pristine(entry.content)


def see_number(history: Sequence[Backup], to: str) -> None:
    """See that a number that is asked for means a backup; one that is gone never means another.

    Raises:
        Refused: there is none.
    """
    if not _NUMBER.match(to) or any(backup.number == int(to) for backup in history):
        return
    gone = [one for backup in history for one in backup.gone if one.number == int(to)]
    if gone:
        raise Refused(f"{gone[0].describe()} is not kept any more; nothing was changed; {offer(history)}")
    raise Refused(
        f"there is no backup {to}: what it held stands again already, or it is too old to be kept; nothing "
        f"was changed{since(int(to), history)}; {offer(history)}"
    )


def since(number: int, history: Sequence[Backup]) -> str:
    """Who changed the host after a backup that is gone was made; the end of a sentence, or ""."""
    for backup in history:
        if backup.number > number:
            return (
                f". After it came the {backup.kind} of {backup.time} by {backup.by} (backup {backup.number})"
            )
    return ""


def offer(history: Sequence[Backup]) -> str:
    """What can be had: the numbers, and which releases each of the newest brings back."""
    numbers = ", ".join(str(backup.number) for backup in history)
    held = [f"{backup.number}: {backup.held.sites()}" for backup in history[-_OFFERED:]]
    return f"kept are {numbers} ({'; '.join(held)})" if history else "kept are none"
