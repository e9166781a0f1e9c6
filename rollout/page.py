"""The summary for people: one HTML file with a timeline, which needs nothing from the network."""

from __future__ import annotations

import html
from typing import Callable, List, Sequence

from .record import HostRecord, Rollout
from .report import moment
from .table import change, sockets

STYLE = """
:root { color-scheme: light dark; --line: #8884; --ok: #2a8a4a; --bad: #c0392b; --idle: #888; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } td, th { border-bottom: 1px solid var(--line);
  padding: .3rem .6rem; text-align: left; vertical-align: top; } th { font-weight: 600; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } code { font-size: .9em; }
.outcome { font-weight: 600; }
.good { color: var(--ok); } .bad { color: var(--bad); } .idle { color: var(--idle); }
.note { font-size: .9em; margin: .15rem 0; white-space: pre-wrap; overflow-wrap: anywhere; }
svg { width: 100%; height: auto; } svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
.batch { fill: #8881; } .tick { stroke: var(--line); }
.prepare { fill: #8e9aaf; } .deploy { fill: #3a7ca5; } .verify { fill: #2a8a4a; } .soak { fill: #e0a526; }
.undo, .take-back { fill: #c0392b; } .roll-back { fill: #8e5ea2; } .other { fill: #aaa; }
.key span { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; }
"""

KINDS = {
    "unchanged": "good", "applied": "good", "verified": "good", "would change": "good",
    "not reached": "idle", "taken back": "idle",
}  # fmt: skip
COLOURS = {
    "prepare": "#8e9aaf", "deploy": "#3a7ca5", "verify": "#2a8a4a", "soak": "#e0a526", "undo": "#c0392b",
    "take back": "#c0392b", "roll back": "#8e5ea2",
}  # fmt: skip

LEFT, WIDTH, ROW = 170, 1000, 18
"""Of the timeline: room for names, whole width, height of a host's row; SVG units."""


def as_html(rollouts: Sequence[Rollout]) -> str:
    """Return the page."""
    body = "".join(_section(rollout) for rollout in rollouts)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>nginx_websocket: rollout</title><style>{STYLE}</style></head>\n<body>{body}</body></html>\n"
    )


def _section(rollout: Rollout) -> str:
    counted = ", ".join(f"{number} {outcome}" for outcome, number in rollout.counts().items())
    mode = " Check mode: nothing was changed." if rollout.check else ""
    verdict = "good" if rollout.succeeded else "bad"
    word = "Done" if rollout.succeeded else "Not done"
    return (
        f"<h1>{html.escape(rollout.play)}</h1>"
        f'<p><span class="outcome {verdict}">{word}</span>: {len(rollout.hosts)} hosts, {counted}.{mode} '
        f"{moment(rollout.start)}, {rollout.end - rollout.start:.1f} s, "
        f"{len(rollout.batches)} of {len(rollout.planned) or 1} batches.</p>"
        f"{_timeline(rollout)}{_table(rollout)}"
    )


def _timeline(rollout: Rollout) -> str:
    hosts = [host for host in rollout.hosts.values() if host.phases]
    if not hosts:
        return ""
    span = max(rollout.end - rollout.start, 0.001)

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT) * (at - rollout.start) / span

    height = 24 + ROW * len(hosts)
    drawn: List[str] = []
    for batch in rollout.batches:
        width = max(x(batch.end) - x(batch.start) - 1, 1)
        drawn.append(
            f'<rect class="batch" x="{x(batch.start):.1f}" y="0" width="{width:.1f}" height="{height}">'
            f"<title>batch {batch.number}: {len(batch.hosts)} hosts, {batch.end - batch.start:.1f} s</title>"
            "</rect>"
            f'<text x="{x(batch.start) + 3:.1f}" y="12">{batch.number}</text>'
        )
    for row, host in enumerate(hosts):
        drawn.append(_bars(host, 20 + ROW * row, x))
    ticks = "".join(
        f'<line class="tick" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="16" y2="{height}"/>'
        f'<text x="{x(at):.1f}" y="{height + 13}" text-anchor="middle">{at - rollout.start:.0f} s</text>'
        for at in (rollout.start + span * step / 5 for step in range(1, 5))
    )
    names = {phase.name for host in hosts for phase in host.phases}
    key = "".join(
        f'<span style="background:{COLOURS.get(name, "#aaa")}"></span>{html.escape(name)}'
        for name in [*COLOURS, *sorted(names - set(COLOURS))]
        if name in names
    )
    return (
        '<h2>Timeline</h2><p class="key">Shaded: the batches.'
        f'{key}</p><svg viewBox="0 0 {WIDTH} {height + 20}" role="img" '
        f'aria-label="Timeline of the rollout">{ticks}{"".join(drawn)}</svg>'
    )


def _bars(host: HostRecord, y: int, x: Callable[[float], float]) -> str:
    bars = [f'<text x="0" y="{y + 12}">{html.escape(host.name[:26])}</text>']
    for phase in host.phases:
        name = phase.name if phase.name in COLOURS else "other"
        title = f"{host.name}: {phase.name}, {phase.end - phase.start:.2f} s"
        bars.append(
            f'<rect class="{name.replace(" ", "-")}" x="{x(phase.start):.1f}" y="{y}" rx="2" '
            f'width="{max(x(phase.end) - x(phase.start), 1):.1f}" height="{ROW - 4}">'
            f"<title>{html.escape(title)}</title></rect>"
        )
    return "".join(bars)


def _table(rollout: Rollout) -> str:
    head = "".join(
        f"<th>{name}</th>"
        for name in ("host", "batch", "release", "outcome", "seconds", "open sockets", "what to know")
    )
    rows = "".join(_row(host) for host in rollout.hosts.values())
    return f"<h2>Hosts</h2><table><tr>{head}</tr>{rows}</table>"


def _row(host: HostRecord) -> str:
    releases = "<br>".join(
        f'<code title="{html.escape(r.site)}: {r.before or "none"} → {r.after or "none"}">{change(r)}</code>'
        for r in host.releases
    )
    notes = [f'<div class="note bad">{html.escape(line)}</div>' for line in host.why]
    for finding in host.findings:
        text = ": ".join(part for part in (finding["code"], finding["message"]) if part)
        fix = f"\nFix: {finding['fix']}" if finding["fix"] else ""
        notes.append(f'<div class="note">{html.escape(text + fix)}</div>')
    if host.passed is not None:
        notes.append(f'<div class="note good">{host.passed} checks passed</div>')
    return (
        f"<tr><td>{html.escape(host.name)}</td><td>{host.batch or ''}</td><td>{releases}</td>"
        f'<td class="outcome {KINDS.get(host.outcome, "bad")}">{host.outcome}</td>'
        f'<td class="number">{f"{host.seconds:.1f}" if host.phases else ""}</td>'
        f'<td class="number">{sockets(host)}</td><td>{"".join(notes)}</td></tr>'
    )
