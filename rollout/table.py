"""The summary for a terminal."""

from __future__ import annotations

import textwrap
from typing import Container, Dict, List, Mapping, Optional, Tuple

from .medium import terminal
from .outcomes import APPLIED, BAD, DONE, FAILED, MEANINGS, NEXT, UNCHANGED
from .record import HostRecord, Release, Rollout

HEAD = ("host", "release", "outcome", "seconds", "sockets")
SHOWN_LINES = 12
"""So many lines of a failure stand in the table; the files have them all. The last one always does."""
SHOWN_HOSTS = 200
"""In a larger fleet, hosts with nothing to tell are counted and not listed."""

Line = Tuple[str, str]
"""A line, and the outcome that gives it its colour (empty: none)."""


def short(release: Optional[str]) -> str:
    """Return the beginning of a release id, as people compare them."""
    return "?" if release is None else release[:8] or "–"


def change(release: Release) -> str:
    """Return ``before → after``."""
    return f"{short(release.before)} → {short(release.after)}"


def sockets(host: HostRecord) -> str:
    """Return the open sockets before and after."""
    if not host.sockets:
        return ""
    lost = f" ({host.sockets['lost']} lost)" if host.sockets["lost"] else ""
    return f"{host.sockets['before']} → {host.sockets['after']}{lost}"


def lines(rollout: Rollout, width: int = 110) -> List[Line]:
    """Return the table, fit for a terminal.

    Args:
        rollout: The record.
        width: Columns of the terminal.
    """
    if rollout.idle:
        return [("No task that deploys, verifies or rolls back was to run.", "")]
    shown = list(rollout.hosts.values())
    if len(shown) > SHOWN_HOSTS:
        shown = [host for host in shown if host.outcome in BAD]
    rows = [
        (
            terminal(host.name),
            terminal(change(host.releases[0])) if host.releases else "",
            host.outcome,
            f"{host.seconds:.1f}" if host.phases else "",
            sockets(host),
        )
        for host in shown
    ]
    shared = _shared(rollout)
    widths = [max(len(row[i]) for row in [HEAD, *rows]) for i in range(len(HEAD))]
    told: List[Line] = [(_row(HEAD, widths), "")] if shown else []
    for host, row in zip(shown, rows):
        told.append((_row(row, widths), host.outcome))
        for release in host.releases[1:]:
            told.append((" " * (widths[0] + 2) + f"{change(release)}  {release.site}", ""))
        told += [(text, "") for text in _notes(host, shared, width)]
    for note, names in shared.items():
        who = ", ".join(names) if len(names) <= 5 else f"{len(names)} hosts"
        told += [(text, "") for text in _wrapped(f"{who}: {note}", width, "")]
    told.append((_conclusion(rollout), UNCHANGED if rollout.succeeded else FAILED))
    rest = rollout.not_done()
    if rest and not rollout.check and not rollout.succeeded:
        few = ",".join(rest) if len(rest) <= 10 else "@FILE, with NGINX_WEBSOCKET_SUMMARY_RETRY=FILE set"
        told.append((f"To go on with the hosts that are not done: --limit {few}", ""))
    return [(terminal(text), outcome) for text, outcome in told]


def _row(cells: Tuple[str, ...], widths: List[int]) -> str:
    right = HEAD.index("seconds")
    padded = [
        cell.rjust(size) if i == right else cell.ljust(size)
        for i, (cell, size) in enumerate(zip(cells, widths))
    ]
    return "  ".join(padded).rstrip()


def _said(finding: Mapping[str, str]) -> str:
    return f"{finding['code'] or 'worth knowing'}: {finding['message']}"


def _shared(rollout: Rollout) -> Dict[str, List[str]]:
    """Return findings of more than one host, each with its hosts, to be told once."""
    found: Dict[str, List[str]] = {}
    for host in rollout.hosts.values():
        for finding in host.findings:
            found.setdefault(_said(finding), []).append(host.name)
    return {note: names for note, names in found.items() if len(names) > 1}


def _notes(host: HostRecord, shared: Container[str], width: int) -> List[str]:
    notes = [*host.why]
    if len(notes) > SHOWN_LINES:
        left = len(notes) - SHOWN_LINES
        notes[SHOWN_LINES - 1 : -1] = [f"… and {left} lines more: the JSON file of the summary has them"]
    if host.outcome in NEXT:
        notes += [f"The host {MEANINGS[host.outcome][1]}.", f"Next: {NEXT[host.outcome]}."]
    notes += [said for said in map(_said, host.findings) if said not in shared]
    return [line for note in notes for line in _wrapped(note, width, "    ")]


def _wrapped(note: str, width: int, indent: str) -> List[str]:
    """Return the lines of a note; those after its first one, of a list for example, stay lines."""
    told: List[str] = []
    for line in note.splitlines():
        told += textwrap.wrap(
            line.strip(),
            max(width, 40),
            initial_indent=indent + ("  " if told else ""),
            subsequent_indent=indent + ("    " if told else "  "),
            break_long_words=False,
            break_on_hyphens=False,  # a path or an option stays one word, to be copied
        )
    return told


def _conclusion(rollout: Rollout) -> str:
    counted = ", ".join(f"{number} {outcome}" for outcome, number in rollout.counts().items())
    total = len(rollout.hosts)
    text = f"{total} host{'' if total == 1 else 's'}: {counted}"
    if len(rollout.planned) > 1:
        text += f"; {len(rollout.batches)} of {len(rollout.planned)} batches"
    if rollout.check:
        text += " (check mode: nothing was changed)"
    return f"{text}; {rollout.end - rollout.start:.1f} s"


def batch_line(rollout: Rollout) -> str:
    """Return what is said when a batch begins: which it is, its hosts, and what became of those before."""
    batch = rollout.batches[-1]
    names = ", ".join(batch.hosts[:8]) + (f" and {len(batch.hosts) - 8} more" if len(batch.hosts) > 8 else "")
    line = f"Batch {batch.number} of {len(rollout.planned)}: {names}"
    done = [host for host in rollout.hosts.values() if 0 < host.batch < batch.number]
    if done:
        good = sum(host.outcome in DONE for host in done)
        fresh = sum(host.outcome == APPLIED for host in done)
        line += f" (so far {good} of {len(rollout.hosts)} done, {fresh} with a new release)"
    return terminal(line)
