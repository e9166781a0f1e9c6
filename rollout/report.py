"""The summary for machines: JSON, JUnit, and a list of hosts for ``--limit @FILE``."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import datetime, timezone
from typing import Any, Dict, List, Sequence

from .medium import json_text, xml
from .outcomes import BAD, NOT_REACHED, TAKEN_BACK, UNREACHABLE
from .record import HostRecord, Rollout
from .table import change, sockets

#: Grows by one when a field changes its meaning or goes; new fields may come at any time.
FORMAT = 1


def moment(seconds: float) -> str:
    """Return a time as RFC 3339 has it, in UTC."""
    return (
        datetime.fromtimestamp(seconds, timezone.utc)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )


def as_data(rollouts: Sequence[Rollout]) -> Dict[str, Any]:
    """Return the summary as plain data; docs/rollouts.md documents every field."""
    return {
        "format": FORMAT,
        "succeeded": all(r.succeeded for r in rollouts),
        "plays": [_play(r) for r in rollouts],
    }


def _play(rollout: Rollout) -> Dict[str, Any]:
    return {
        "play": rollout.play,
        "check_mode": rollout.check,
        "succeeded": rollout.succeeded,
        "start": moment(rollout.start),
        "end": moment(rollout.end),
        "counts": rollout.counts(),
        "not_done": rollout.not_done(),
        "batches_planned": rollout.planned,
        "batches": [
            {"number": b.number, "hosts": b.hosts, "start": moment(b.start), "end": moment(b.end)}
            for b in rollout.batches
        ],
        "hosts": [_host(host) for host in rollout.hosts.values()],
    }


def _host(host: HostRecord) -> Dict[str, Any]:
    return {
        "name": host.name,
        "batch": host.batch or None,
        "outcome": host.outcome,
        "releases": {r.site: {"before": r.before, "after": r.after} for r in host.releases},
        "backup": host.backup,
        "sockets": host.sockets or None,
        "checks_passed": host.passed,
        "findings": host.findings,
        "comparison": host.comparison or None,
        "why": host.why,
        "seconds": round(host.seconds, 3),
        "phases": [
            {
                "name": p.name,
                "start": moment(p.start),
                "end": moment(p.end),
                "seconds": round(p.end - p.start, 3),
            }
            for p in host.phases
        ],
    }


def as_json(rollouts: Sequence[Rollout]) -> str:
    """Return the summary as a JSON document."""
    return json_text(as_data(rollouts))


def as_retry(rollouts: Sequence[Rollout]) -> str:
    """Return the hosts that are not done, one a line, for ``--limit @FILE``."""
    names: List[str] = []
    for rollout in rollouts:
        names += [name for name in rollout.not_done() if name not in names]
    return "".join(f"{name}\n" for name in names)


def as_junit(rollouts: Sequence[Rollout]) -> str:
    """Return the summary as JUnit's XML: a suite for each batch, a case for each host."""
    root = ET.Element("testsuites", name="nginx_websocket")
    for rollout in rollouts:
        numbers = [*(batch.number for batch in rollout.batches), 0]
        for number in numbers:
            hosts = [host for host in rollout.hosts.values() if host.batch == number]
            if hosts:
                _suite(root, rollout, number, hosts)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(root: ET.Element, rollout: Rollout, number: int, hosts: Sequence[HostRecord]) -> None:
    name = f"{rollout.play}: batch {number}" if number else f"{rollout.play}: not reached"
    suite = ET.SubElement(
        root,
        "testsuite",
        name=xml(name),
        tests=str(len(hosts)),
        failures=str(sum(host.outcome in BAD and host.outcome != UNREACHABLE for host in hosts)),
        errors=str(sum(host.outcome == UNREACHABLE for host in hosts)),
        skipped=str(sum(host.outcome in (NOT_REACHED, TAKEN_BACK) for host in hosts)),
        time=f"{max((host.seconds for host in hosts), default=0.0):.3f}",
        timestamp=moment(rollout.start),
    )
    for host in hosts:
        case = ET.SubElement(
            suite, "testcase", name=xml(host.name), classname="nginx_websocket", time=f"{host.seconds:.3f}"
        )
        if host.outcome in BAD:
            kind = "error" if host.outcome == UNREACHABLE else "failure"
            element = ET.SubElement(case, kind, message=host.outcome, type=host.outcome)
            element.text = xml("\n".join(host.why))
        elif host.outcome in (NOT_REACHED, TAKEN_BACK):
            ET.SubElement(case, "skipped", message=host.outcome)
        told = [f"{host.outcome}", *(f"{r.site}: {change(r)}" for r in host.releases)]
        if host.sockets:
            told.append(f"open sockets: {sockets(host)}")
        if host.comparison.get("summary"):
            told.append(f"compared before it went live: {host.comparison['summary']}")
        told += [f"{finding['code']}: {finding['message']}" for finding in host.findings]
        ET.SubElement(case, "system-out").text = xml("\n".join(told))
