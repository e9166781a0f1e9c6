"""A diagnosis as text: the same words in the playbook's output and in those of the one-file command."""

from __future__ import annotations

import textwrap
from typing import Any, Dict, List

from .medium import bounded, link, terminal

WIDTH = 110
"""Columns of the playbooks' output."""
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


def diagnosis_text(data: Data, host: str = "", width: int = WIDTH) -> str:
    """The report for a terminal.

    Args:
        data: the ``diagnosis`` that the module returned.
        host: name of the host.
        width: columns of the terminal; what must not be broken, such as a diff, may go beyond.
    """
    return _Writer(width).report(data, host)


class _Writer:
    """Writes for so many columns."""

    def __init__(self, width: int) -> None:
        self._width = width

    def report(self, data: Data, host: str) -> str:
        """The whole of it."""
        lines: List[str] = [f"{host}: {WORDS.get(data['verdict'], data['verdict'])}"]
        lines += self._wrapped(data["sentence"], "  ")
        causes = [finding for finding in data["findings"] if finding["is_cause"]]
        others = [finding for finding in data["findings"] if not (finding["is_cause"] or finding.get("hint"))]
        for number, finding in enumerate(causes):
            lines += ["", f"  {'Cause' if number == 0 else 'And, once that is cured'}: {finding['code']}"]
            lines += self._finding(finding, "    ")
        if data.get("routes"):
            lines += ["", "  WebSocket routes", *self._routes(data["routes"])]
        if data["way"]:
            lines += ["", "  The way of the request", *self._way(data["way"])]
        if others:
            lines += ["", "  Also found, not the cause"]
            for finding in others:
                lines += self._wrapped(f"{finding['code']}: {finding['title']}", "    - ", "      ")
                for item in finding["evidence"][:2]:
                    lines += self._wrapped(_evidence(item), "        ")
                lines += self._wrapped(f"fix: {finding['fix']}", "        ")
        hints = hints_of(data["findings"])
        if hints:
            lines += ["", *self._wrapped(f"Hints: {hints}", "  ", "    ")]
        if data["notes"]:
            lines += ["", "  Not looked at"]
            for note in data["notes"]:
                lines += self._wrapped(note, "    - ", "      ")
        return terminal("\n".join(line.rstrip() for line in lines), lines=True) + "\n"

    def _wrapped(self, text: str, first: str, rest: str = "") -> List[str]:
        return textwrap.wrap(
            bounded(text),
            self._width,
            initial_indent=first,
            subsequent_indent=rest or " " * len(first),
            break_long_words=False,
            break_on_hyphens=False,
        ) or [first]

    def _finding(self, finding: Data, indent: str) -> List[str]:
        lines = self._wrapped(finding["title"], indent)
        for item in finding["evidence"]:
            lines += self._wrapped(f"{item['kind']}: {_evidence(item)}", indent + "· ", indent + "  ")
        lines += self._wrapped(f"Fix: {finding['fix']}", indent)
        lines += [indent + "  " + line for line in finding["diff"].split("\n")[:-1]]
        lines += [indent + "  $ " + command for command in finding["commands"]]
        return [*lines, indent + link(finding["link"])]

    def _way(self, steps: List[Data]) -> List[str]:
        lines: List[str] = []
        for number, step in enumerate(steps, 1):
            place = f"  [{step['file']}:{step['line']}]" if step["file"] else ""
            station = STATIONS.get(step["station"], step["station"])
            head = f"    {number:2d} {MARKS.get(step['state'], ' ')} {station:<9} "
            lines += self._wrapped(step["text"] + place, head, " " * len(head))
            for more in step["more"]:
                lines += self._wrapped(more, " " * len(head) + "· ", " " * len(head) + "  ")
        return lines

    def _routes(self, routes: List[Data]) -> List[str]:
        lines: List[str] = []
        for item in routes:
            mark = {"works": "✓", "fails": "✗"}.get(item["state"], "?")
            code = f" ({item['code']})" if item["code"] else ""
            lines += self._wrapped(f"{mark} {item['url']}: {item['reason']}{code}", "    ", "      ")
            lines += self._wrapped(
                f"{item['location']} → {item['proxy_pass']}  [{item['where']}]", "        "
            )
        return lines


def hints_of(findings: List[Data]) -> str:
    """What is true of most sites that work, in one line; "" for nothing."""
    return "; ".join(f"{item['hint']} ({item['code']})" for item in findings if item.get("hint"))


def _evidence(item: Data) -> str:
    return str(item["text"]) + (f"  [{place(item)}]" if item["file"] else "")


def place(item: Data) -> str:
    """File and line, as far as they are known."""
    if not item["file"]:
        return ""
    return f"{item['file']}:{item['line']}" if item["line"] else str(item["file"])
