"""The summary for people: one HTML file with a table and a timeline."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Sequence

from . import pages
from .outcomes import CHANGE, FAULT, GOOD, IDLE, MEANINGS, NEXT, WARNING, kind
from .record import HostRecord, Rollout
from .report import moment
from .table import change, sockets

#: Classes of the style sheet.
CLASSES = {GOOD: "good", CHANGE: "good", WARNING: "warn", IDLE: "idle", FAULT: "bad"}
PHASES = ("prepare", "deploy", "verify", "soak", "undo", "take back", "roll back")
LEFT, WIDTH, ROW = 170, 1000, 18
"""Of the timeline: room for names, whole width, height of a host's row; SVG units."""


def as_html(rollouts: Sequence[Rollout]) -> str:
    """Return the page; its title says how the rollout ended."""
    hosts = [host for rollout in rollouts for host in rollout.hosts.values()]
    bad = [host.name for host in hosts if kind(host.outcome) == FAULT]
    done = all(rollout.succeeded for rollout in rollouts)
    if done:
        title = f"Rollout done: {_hosts(len(hosts))}"
    elif bad:
        title = f"Rollout failed: {bad[0]}" + (f" and {len(bad) - 1} more" if len(bad) > 1 else "")
        title += f" of {_hosts(len(hosts))}"
    else:
        title = f"Rollout not done: {_hosts(len(hosts))}"
    end = max((rollout.end for rollout in rollouts), default=0.0)
    return pages.render(
        "rollout.html.j2", title=title, when=f"Ended {moment(end)}", plays=[_play(r) for r in rollouts]
    )


def _hosts(number: int) -> str:
    return f"{number} host{'' if number == 1 else 's'}"


def _play(rollout: Rollout) -> Dict[str, Any]:
    return {
        "name": rollout.play,
        "check": rollout.check,
        "verdict": "Done" if rollout.succeeded else "Not done",
        "kind": "good" if rollout.succeeded else "bad",
        "counted": ", ".join(f"{number} {outcome}" for outcome, number in rollout.counts().items()),
        "start": moment(rollout.start),
        "end": moment(rollout.end),
        "seconds": f"{rollout.end - rollout.start:.1f}",
        "batches": f"{len(rollout.batches)} of {len(rollout.planned) or 1} batches",
        "rows": [_row(host) for host in rollout.hosts.values()],
        "timeline": _timeline(rollout),
    }


def _row(host: HostRecord) -> Dict[str, Any]:
    notes = []
    for finding in host.findings:
        text = ": ".join(part for part in (finding["code"], finding["message"]) if part)
        notes.append(text + (f"\nFix: {finding['fix']}" if finding["fix"] else ""))
    told = kind(host.outcome)
    return {
        "name": host.name,
        "outcome": host.outcome,
        "kind": CLASSES[told],
        "meaning": MEANINGS[host.outcome][1] if told in (FAULT, WARNING) else "",
        "next": NEXT.get(host.outcome, ""),
        "releases": [
            {"title": f"{r.site}: {_whole(r.before)} → {_whole(r.after)}", "change": change(r)}
            for r in host.releases
        ],
        "batch": host.batch or "",
        "seconds": f"{host.seconds:.1f}" if host.phases else "",
        "sockets": sockets(host),
        "why": host.why,
        "notes": notes,
        "passed": host.passed,
    }


def _whole(release: Optional[str]) -> str:
    return "not known" if release is None else release or "none"


def _timeline(rollout: Rollout) -> Optional[Dict[str, Any]]:
    hosts = [host for host in rollout.hosts.values() if host.phases]
    if not hosts:
        return None
    span = max(rollout.end - rollout.start, 0.001)

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT) * (at - rollout.start) / span

    names = {phase.name for host in hosts for phase in host.phases}
    return {
        "width": WIDTH,
        "height": 24 + ROW * len(hosts),
        "bar": ROW - 4,
        "key": [(name, _class(name)) for name in [*PHASES, "other"] if name in names],
        "ticks": [
            {"x": f"{x(at):.1f}", "text": f"{at - rollout.start:.0f} s"}
            for at in (rollout.start + span * step / 5 for step in range(1, 5))
        ],
        "batches": [
            {
                "x": f"{x(batch.start):.1f}",
                "label": f"{x(batch.start) + 3:.1f}",
                "width": f"{max(x(batch.end) - x(batch.start) - 1, 1):.1f}",
                "number": batch.number,
                "title": f"batch {batch.number}: {_hosts(len(batch.hosts))}, {batch.end - batch.start:.1f} s",
            }
            for batch in rollout.batches
        ],
        "rows": [
            {"name": host.name[:26], "y": 20 + ROW * row, "bars": _bars(host, x)}
            for row, host in enumerate(hosts)
        ],
    }


def _bars(host: HostRecord, x: Callable[[float], float]) -> List[Dict[str, str]]:
    return [
        {
            "kind": _class(phase.name),
            "x": f"{x(phase.start):.1f}",
            "width": f"{max(x(phase.end) - x(phase.start), 1):.1f}",
            "title": f"{host.name}: {phase.name}, {phase.end - phase.start:.2f} s",
        }
        for phase in host.phases
    ]


def _class(phase: str) -> str:
    return phase.replace(" ", "-") if phase in PHASES else "other"
