"""What was seen, as plain data for JSON: the route, the probes, the nginx, lines of its files."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence

from ...behaviour.effective import Level, version_text
from ...behaviour.secret_values import SecretValues
from ...behaviour.upgrade.meant import titled
from ...exchange.masking import masked_headers, masked_url
from ..words.discreet import discreet
from ..words.findings import Finding
from .facts import Facts
from .probes import probes_of

AROUND = 3
"""Lines before and after a decisive one."""


def route_data(facts: Facts) -> Optional[Dict[str, Any]]:
    """The static route as plain data; None when there is none."""
    route = facts.route
    if route is None:
        return None
    upstream = route.upstream
    return {
        "listen": str(route.listen.address) if route.listen is not None else "",
        "server": _place(route.server),
        "server_reason": next((item.reason for item in route.candidates if item.chosen), ""),
        "candidates": [
            {"names": item.names, "reason": item.reason, "chosen": item.chosen, "where": item.server.where()}
            for item in route.candidates[:50]
        ],
        "location": _place(route.location),
        "losers": [
            {"location": titled(loser.location), "where": loser.location.where(), "reason": loser.reason}
            for loser in route.losers[:50]
        ],
        "uri": masked_url(route.uri),
        "answer": {"kind": route.answer.kind, "status": route.answer.status, "reason": route.answer.reason},
        "upstream": None
        if upstream is None
        else {
            "proxy_pass": discreet(upstream.url),
            "where": upstream.directive.where(),
            "servers": upstream.servers,
            "http_version": upstream.version,
            "method": upstream.method,
            "uri": masked_url(upstream.uri),
            "headers": [
                {"name": name, "value": value, "source": header.source}
                for (name, value), header in zip(
                    masked_headers([(h.name, h.value or "") for h in upstream.headers]), upstream.headers
                )
            ],
        },
        "directives": {
            name: {"value": item.value, "source": item.source} for name, item in route.effective.items()
        },
        "undecided": [item.reason for item in route.undecided],
    }


def _place(level: Optional[Level]) -> Optional[Dict[str, Any]]:
    if level is None:
        return None
    return {"text": titled(level), "where": level.where(), "kind": level.kind}


def probe_data(facts: Facts) -> List[Dict[str, Any]]:
    """Every probe and experiment, in order."""
    found = [{"hop": hop.name, "words": hop.words, **hop.probe.to_dict()} for hop in facts.hops]
    found += [
        {"hop": "direct", "words": words, **probe.to_dict()} for words, probe in probes_of(facts.backends)
    ]
    found += [{"hop": "together", "words": facts.many_reason, **probe.to_dict()} for probe in facts.many]
    return found


def nginx_data(facts: Facts) -> Dict[str, Any]:
    """Which nginx it is."""
    data: Dict[str, Any] = {"version": version_text(facts.version), "live": facts.live}
    if facts.nginx is not None:
        data.update(
            binary=facts.nginx.binary.path,
            conf_path=facts.nginx.conf_path,
            choice=facts.nginx_choice,
            pid=facts.nginx.master.pid if facts.nginx.master else None,
        )
    if facts.inside is not None:
        data["container"] = facts.inside.found.name or facts.inside.words
    if facts.test is not None:
        data["test"] = {
            "valid": facts.test.valid,
            "messages": [discreet(text) for text in facts.test.messages[:10]],
        }
    return data


def excerpts(facts: Facts, findings: Sequence[Finding], secrets: SecretValues) -> List[Dict[str, Any]]:
    """Lines of the configuration around the evidence of each finding, the decisive ones marked.

    Args:
        facts: with the configuration.
        findings: whose evidence is shown.
        secrets: of that configuration.
    """
    if facts.configuration is None:
        return []
    wanted: Dict[str, Dict[int, str]] = {}
    for finding in findings:
        for item in finding.evidence:
            if item.file and item.line:
                wanted.setdefault(item.file, {}).setdefault(item.line, finding.code)
    route = facts.route
    if route is not None and route.location is not None and route.location.directive is not None:
        directive = route.location.directive
        wanted.setdefault(directive.file, {}).setdefault(directive.line, "")
    found = []
    for file, marks in wanted.items():
        data = facts.configuration.files.get(file)
        if data is None:
            continue
        lines = secrets.lines(file, data)
        around = {number for mark in marks for number in range(mark - AROUND, mark + AROUND + 1)}
        keep = sorted(number for number in around if 0 < number <= len(lines))
        found.append(
            {
                "file": file,
                "lines": [
                    {
                        "number": number,
                        "text": discreet(lines[number - 1].rstrip("\r")[:300]),
                        "code": marks.get(number, ""),
                        "marked": number in marks,
                    }
                    for number in keep[:120]
                ],
            }
        )
    return found
