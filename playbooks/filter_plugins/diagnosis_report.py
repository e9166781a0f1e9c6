"""Renders what nginx_diagnose found: for the terminal, and as one HTML file for a ticket."""

from __future__ import annotations

import html
import textwrap
from typing import Any, Callable, Dict, List

WIDTH = 110
MARKS = {"ok": "✓", "bad": "✗"}
WORDS = {"works": "WORKS", "fails": "FAILS", "cannot tell": "CANNOT TELL"}
STATIONS = {
    "name": "name",
    "listen": "listen",
    "tls": "TLS",
    "server": "server",
    "rewrite": "rewrite",
    "location": "location",
    "directives": "passes to",
    "headers": "request",
    "backend": "backend",
    "answer": "answer",
}

Data = Dict[str, Any]


def diagnosis_text(data: Data, host: str = "") -> str:
    """The report for a terminal.

    Args:
        data: the ``diagnosis`` that the module returned.
        host: name of the host.
    """
    lines: List[str] = [f"{host}: {WORDS.get(data['verdict'], data['verdict'])}"]
    lines += _wrapped(data["sentence"], "  ")
    causes = [finding for finding in data["findings"] if finding["is_cause"]]
    others = [finding for finding in data["findings"] if not finding["is_cause"]]
    for number, finding in enumerate(causes):
        lines += ["", f"  {'Cause' if number == 0 else 'And, once that is cured'}: {finding['code']}"]
        lines += _finding(finding, "    ")
    if data.get("routes"):
        lines += ["", "  WebSocket routes", *_routes(data["routes"])]
    if data["way"]:
        lines += ["", "  The way of the request", *_way(data["way"])]
    if others:
        lines += ["", "  Also found, not the cause"]
        for finding in others:
            lines += _wrapped(f"{finding['code']}: {finding['title']}", "    - ", "      ")
            for item in finding["evidence"][:2]:
                lines += _wrapped(_evidence(item), "        ")
            lines += _wrapped(f"fix: {finding['fix']}", "        ")
    if data["notes"]:
        lines += ["", "  Not looked at"]
        for note in data["notes"]:
            lines += _wrapped(note, "    - ", "      ")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _wrapped(text: str, first: str, rest: str = "") -> List[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=rest or " " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first]


def _evidence(item: Data) -> str:
    place = f"  [{item['file']}{':' + str(item['line']) if item['line'] else ''}]" if item["file"] else ""
    return f"{item['text']}{place}"


def _finding(finding: Data, indent: str) -> List[str]:
    lines = _wrapped(finding["title"], indent)
    for item in finding["evidence"]:
        lines += _wrapped(f"{item['kind']}: {_evidence(item)}", indent + "· ", indent + "  ")
    lines += _wrapped(f"Fix: {finding['fix']}", indent)
    lines += [indent + "  " + line for line in finding["diff"].splitlines()]
    lines += [indent + "  $ " + command for command in finding["commands"]]
    return [*lines, indent + finding["link"]]


def _way(steps: List[Data]) -> List[str]:
    lines: List[str] = []
    for number, step in enumerate(steps, 1):
        place = f"  [{step['file']}:{step['line']}]" if step["file"] else ""
        station = STATIONS.get(step["station"], step["station"])
        head = f"    {number:2d} {MARKS.get(step['state'], ' ')} {station:<9} "
        lines += _wrapped(step["text"] + place, head, " " * len(head))
        for more in step["more"]:
            lines += _wrapped(more, " " * len(head) + "· ", " " * len(head) + "  ")
    return lines


def _routes(routes: List[Data]) -> List[str]:
    lines: List[str] = []
    for item in routes:
        mark = {"works": "✓", "fails": "✗"}.get(item["state"], "?")
        code = f" ({item['code']})" if item["code"] else ""
        lines += _wrapped(f"{mark} {item['url']}: {item['reason']}{code}", "    ", "      ")
        lines += _wrapped(f"{item['location']} → {item['proxy_pass']}  [{item['where']}]", "        ")
    return lines


# ---------------------------------------------------------------------------------------- HTML

STYLE = """
:root{--ink:#1b1f24;--soft:#57606a;--line:#d0d7de;--page:#fff;--box:#f6f8fa;--good:#1a7f37;--bad:#cf222e;--warn:#9a6700}
@media
(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9aa5b1;--line:#3d444d;--page:#0d1117;--box:#161b22;
--good:#3fb950;--bad:#ff7b72;--warn:#d29922}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:64rem;margin:2rem
auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.25rem;border-bottom:1px solid
var(--line);padding-bottom:.3rem;margin-top:2.5rem}
h3{font-size:1rem;margin:1.6rem 0 .4rem}
.verdict{display:inline-block;font-weight:700;padding:.1rem .6rem;border-radius:.4rem;color:#fff}
.works{background:var(--good)}.fails{background:var(--bad)}.tell{background:var(--warn)}
pre,code{font:13px/1.45 ui-monospace,monospace}
pre{background:var(--box);border:1px solid var(--line);border-radius:.4rem;padding:.6rem
.8rem;overflow-x:auto;margin:.4rem 0}
.way{list-style:none;margin:0;padding:0}
.way>li{position:relative;border:1px solid var(--line);border-left:.35rem solid
var(--line);border-radius:.4rem;
background:var(--box);padding:.4rem .8rem;margin:0 0 1.3rem}
.way>li.ok{border-left-color:var(--good)}.way>li.bad{border-left-color:var(--bad)}
.way>li:not(:last-child)::after{content:"";position:absolute;left:1.4rem;bottom:-1.3rem;height:1.3rem;
border-left:2px solid var(--soft)}
.way>li:not(:last-child)::before{content:"▼";position:absolute;left:1.03rem;bottom:-1.45rem;color:var(--soft);
font-size:.75rem}
.station{color:var(--soft);font-size:.8rem;text-transform:uppercase;letter-spacing:.05em}
.place{color:var(--soft);font-size:.85rem}
.more{color:var(--soft);font-size:.85rem;margin:.2rem 0 0;padding-left:1.2rem}
mark{background:none;color:var(--bad);font-weight:700}
.add{color:var(--good)}.del{color:var(--bad)}
details{margin:.6rem 0}summary{cursor:pointer}
table{border-collapse:collapse;width:100%}td,th{border:1px solid var(--line);padding:.3rem
.6rem;text-align:left;
vertical-align:top}
"""


def diagnosis_html(hosts: Dict[str, Data], title: str = "Why the WebSocket does not open") -> str:
    """One HTML file with the reports of all hosts; it loads nothing from anywhere.

    Args:
        hosts: for each host what the module returned as ``diagnosis``.
        title: of the page.
    """
    body = "".join(_host_html(name, data) for name, data in hosts.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width, initial-scale=1"><meta http-equiv="Content-Security-Policy" '
        f"content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>{_text(title)}</title>"
        f"<style>{STYLE}</style></head><body><h1>{_text(title)}</h1>{body}</body></html>\n"
    )


def _text(value: object) -> str:
    return html.escape(str(value), quote=True)


def _host_html(name: str, data: Data) -> str:
    kind = {"works": "works", "fails": "fails"}.get(data["verdict"], "tell")
    parts = [
        f'<h2>{_text(name)} <span class="verdict {kind}">{_text(data["verdict"])}</span></h2>',
        f"<p>{_text(data['sentence'])}</p>",
    ]
    for finding in data["findings"]:
        if finding["is_cause"]:
            parts.append(f"<h3>Cause: <code>{_text(finding['code'])}</code></h3>" + _finding_html(finding))
    if data.get("routes"):
        parts.append(_routes_html(data["routes"]))
    if data.get("way"):
        parts.append(
            '<h3>The way of the request</h3><ol class="way">'
            + "".join(_step_html(step) for step in data["way"])
            + "</ol>"
        )
    for excerpt in data.get("excerpts", []):
        parts.append(_excerpt_html(excerpt))
    others = [finding for finding in data["findings"] if not finding["is_cause"]]
    if others:
        parts.append("<h3>Also found, not the cause</h3>")
        parts += [
            f"<details><summary><code>{_text(finding['code'])}</code> {_text(finding['title'])}</summary>"
            f"{_finding_html(finding)}</details>"
            for finding in others
        ]
    if data.get("notes"):
        parts.append(
            "<h3>Not looked at</h3><ul>"
            + "".join(f"<li>{_text(note)}</li>" for note in data["notes"])
            + "</ul>"
        )
    return "".join(parts)


def _finding_html(finding: Data) -> str:
    evidence = "".join(
        f"<li>{_text(item['kind'])}: {_text(_evidence(item))}</li>" for item in finding["evidence"]
    )
    diff = "".join(_diff_line(line) for line in finding["diff"].splitlines())
    commands = "".join(f"$ {_text(command)}\n" for command in finding["commands"])
    return (
        f"<p>{_text(finding['title'])}</p><ul>{evidence}</ul><p><b>Fix:</b> {_text(finding['fix'])} "
        f'(<a href="{_text(finding["link"])}">documentation</a>)</p>'
        + (f"<pre>{diff}</pre>" if diff else "")
        + (f"<pre>{commands}</pre>" if commands else "")
    )


def _diff_line(line: str) -> str:
    kind = "add" if line.startswith("+") else "del" if line.startswith("-") else ""
    return f'<span class="{kind}">{_text(line)}</span>\n'


def _step_html(step: Data) -> str:
    place = f' <span class="place">{_text(step["file"])}:{step["line"]}</span>' if step["file"] else ""
    more = "".join(f"<li>{_text(item)}</li>" for item in step["more"])
    return (
        f'<li class="{_text(step["state"])}"><div class="station">'
        f"{_text(STATIONS.get(step['station'], step['station']))}</div>{_text(step['text'])}{place}"
        + (f'<ul class="more">{more}</ul>' if more else "")
        + "</li>"
    )


def _excerpt_html(excerpt: Data) -> str:
    rows: List[str] = []
    previous = 0
    for line in excerpt["lines"]:
        if previous and line["number"] > previous + 1:
            rows.append("     …")
        previous = line["number"]
        text = f"{line['number']:5d} {_text(line['text'])}"
        note = f"   ← {_text(line['code'])}" if line["code"] else ""
        rows.append(f"<mark>{text}{note}</mark>" if line["marked"] else text)
    return f"<h3><code>{_text(excerpt['file'])}</code></h3><pre>" + "\n".join(rows) + "</pre>"


def _routes_html(routes: List[Data]) -> str:
    rows = "".join(
        f"<tr><td>{_text(item['state'])}</td><td><code>{_text(item['url'])}</code></td>"
        f'<td>{_text(item["location"])}<br><span class="place">{_text(item["where"])}</span></td>'
        f"<td>{_text(item['proxy_pass'])}</td><td>{_text(item['reason'])}</td></tr>"
        for item in routes
    )
    return (
        "<h3>WebSocket routes</h3><table><tr><th>state</th><th>URL</th><th>location</th><th>proxy_pass</th>"
        f"<th>why</th></tr>{rows}</table>"
    )


def no_diagnosis(reason: str) -> Data:
    """The entry of a host that could not be asked."""
    return {
        "url": "",
        "verdict": "cannot tell",
        "sentence": f"The host could not be diagnosed: {reason}",
        "findings": [],
        "route": None,
        "way": [],
        "excerpts": [],
        "probes": [],
        "nginx": {},
        "notes": [reason],
    }


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> Dict[str, Callable[..., object]]:
        """The filters by name."""
        return {
            "diagnosis_text": diagnosis_text,
            "diagnosis_html": diagnosis_html,
            "no_diagnosis": no_diagnosis,
        }
