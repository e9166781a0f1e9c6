"""Renders what nginx_diagnose found: for the terminal, and as one HTML file for a ticket."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable, Dict, List

# The package that does the work stands in the checkout; Ansible loads plugins by their path.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from module_utils.nginx_websocket.report.none import no_request
from module_utils.nginx_websocket.report.text import MARKS, STATIONS, WORDS, diagnosis_text, hints_of, place
from rollout import pages
from rollout.fault import station_at_fault

#: Facts of the nginx that was asked.
FACTS = {"binary": "binary", "conf_path": "configuration", "choice": "chosen because", "pid": "process"}

Data = Dict[str, Any]


def diagnosis_html(hosts: Dict[str, Data], now: float = 0.0) -> str:
    """One HTML file with the reports of all hosts; it loads nothing from anywhere.

    Args:
        hosts: for each host what the module returned as ``diagnosis``.
        now: when it was found, in seconds since the epoch; 0 is this moment.
    """
    moment = datetime.fromtimestamp(now or time.time(), timezone.utc)
    return pages.render(
        "diagnosis.html.j2",
        title=_title(hosts),
        when=f"Diagnosed {moment:%Y-%m-%d %H:%M} UTC",
        hosts=[_host(name, data) for name, data in hosts.items()],
    )


def _title(hosts: Dict[str, Data]) -> str:
    """The verdict, before the page is read."""
    if len(hosts) == 1:
        [(name, data)] = hosts.items()
        asked = data.get("url") or "the WebSocket routes"
        return f"{WORDS.get(data['verdict'], data['verdict'])}: {asked} on {name}"
    counted = [
        f"{sum(data['verdict'] == verdict for data in hosts.values())} {words}"
        for verdict, words in (("fails", "FAIL"), ("cannot tell", "CANNOT TELL"), ("works", "WORK"))
        if any(data["verdict"] == verdict for data in hosts.values())
    ]
    return f"WebSockets on {len(hosts)} hosts: {', '.join(counted)}"


def _host(name: str, data: Data) -> Data:
    findings = [_shown(finding) for finding in data["findings"]]
    causes = [finding for finding in findings if finding["is_cause"]]
    return {
        "name": name,
        "verdict": WORDS.get(data["verdict"], data["verdict"]),
        "kind": {"works": "good", "fails": "bad"}.get(data["verdict"], "warn"),
        "sentence": data["sentence"],
        "facts": _facts(data),
        "causes": causes,
        "others": [finding for finding in findings if not (finding["is_cause"] or finding.get("hint"))],
        "hints": hints_of(findings),
        "routes": [
            {**route, "kind": {"works": "good", "fails": "bad"}.get(route["state"], "warn")}
            for route in data.get("routes", [])
        ],
        "path": _path(data.get("way", []), causes),
        "excerpts": [_excerpt(excerpt) for excerpt in data.get("excerpts", [])],
        "notes": data.get("notes", []),
    }


def _facts(data: Data) -> List[str]:
    """What was asked of whom."""
    nginx = data.get("nginx") or {}
    facts = [f"URL {data['url']}"] if data.get("url") else []
    if nginx.get("version"):
        facts.append(
            f"nginx {nginx['version']}" + ("" if nginx.get("live") else " (from a dump, no host was asked)")
        )
    facts += [f"{words} {nginx[key]}" for key, words in FACTS.items() if nginx.get(key)]
    return facts


def _shown(finding: Data) -> Data:
    evidence = [{**item, "place": place(item)} for item in finding["evidence"]]
    return {**finding, "evidence": evidence, "diff": finding["diff"].split("\n")[:-1]}


def _path(steps: List[Data], causes: List[Data]) -> List[Data]:
    """The stations; the one at fault says what is missing."""
    at_fault = station_at_fault(steps, causes)
    shown = []
    for number, step in enumerate(steps):
        bad = number == at_fault
        state = "bad" if bad else step["state"] if step["state"] == "ok" else ""
        shown.append(
            {
                "kind": state,
                "mark": MARKS.get(state, ""),
                "station": STATIONS.get(step["station"], step["station"]),
                "text": step["text"],
                "place": place(step),
                "missing": [causes[0]["title"], f"Fix: {causes[0]['fix']}"] if bad else [],
                "more": step["more"],
            }
        )
    return shown


def _excerpt(excerpt: Data) -> Data:
    lines = []
    previous = 0
    for line in excerpt["lines"]:
        note = f"   ← {line['code']}" if line["code"] else ""
        lines.append(
            {
                "gap": bool(previous) and line["number"] > previous + 1,
                "marked": line["marked"],
                "text": f"{line['number']:5d} {line['text']}{note}",
            }
        )
        previous = line["number"]
    return {"file": excerpt["file"], "lines": lines}


def no_diagnosis(reason: str) -> Data:
    """The entry of a host that could not be asked."""
    return no_request("cannot tell", f"The host could not be diagnosed: {reason}", [reason])


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> Dict[str, Callable[..., object]]:
        """The filters by name."""
        return {
            "diagnosis_text": diagnosis_text,
            "diagnosis_html": diagnosis_html,
            "no_diagnosis": no_diagnosis,
        }
