"""The page of a report, ``--html FILE``: the one that the playbook writes, without Jinja2.

What is shown comes from the host, so every text goes through ``report.medium`` and is escaped; the page
loads nothing.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import hashlib
import html
import os
import pkgutil
import stat
import tempfile
import time
from typing import Any, Dict, List

from ..report.medium import link, terminal
from ..report.text import MARKS, STATIONS, hints_of, place

STYLE = "page.css"
"""Beside this module in ``nginx-websocket.pyz`` (release/pyz.py); in a checkout it is the playbooks' own."""
KINDS = {"works": "good", "fails": "bad", "ok": "good"}

Data = Dict[str, Any]


def page_of(data: Data, host: str) -> str:
    """The whole document.

    Args:
        data: a report as ``as_data`` gives it.
        host: name of the host, or of the dump.
    """
    style = _style()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    title = _text(f"{data['verdict']}: {data['url']}" if data.get("url") else f"{host}: {data['verdict']}")
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    version = data.get("nginx", {}).get("version", "")
    facts = [time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), host]
    facts += [f"nginx {version}"] if version else []
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{title}</title>",
            f"<style>{style}</style></head><body>",
            f"<h1>{title}</h1>",
            f'<p class="facts">{_text(" · ".join(facts))}</p>',
            f'<section><p><span class="badge {_kind(data["verdict"])}">{_text(data["verdict"])}</span> '
            f"{_text(data['sentence'])}</p>",
            *_findings(data["findings"]),
            *_way(data["way"]),
            *_notes(data["notes"]),
            "</section></body></html>",
            "",
        ]
    )


def write_page(path: str, data: Data, host: str) -> None:
    """Write the page in place of the file that is there.

    Root may write it into a directory of somebody else, who could have put a link to any file under its name:
    so it is written beside, and takes the name.

    Raises:
        OSError: it cannot be written, or no regular file has that name.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise OSError(errno.EINVAL, "what is there is no regular file", path)
    directory, name = os.path.split(os.path.abspath(path))
    descriptor, beside = tempfile.mkstemp(prefix=f".{name}.", dir=directory)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(page_of(data, host))
            os.fchmod(descriptor, 0o644)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def _findings(findings: List[Data]) -> List[str]:
    parts: List[str] = []
    causes = [finding for finding in findings if finding["is_cause"]]
    for number, finding in enumerate(causes):
        words = "And, once that is cured" if number else "Cause"
        parts += [f"<h3>{words}: <code>{_text(finding['code'])}</code></h3>", *_finding(finding)]
    others = [finding for finding in findings if not (finding["is_cause"] or finding.get("hint"))]
    parts += ["<h3>Also found, not the cause</h3>"] if others else []
    for finding in others:
        head = f"<code>{_text(finding['code'])}</code> {_text(finding['title'])}"
        parts += [f"<details><summary>{head}</summary>", *_finding(finding), "</details>"]
    hints = hints_of(findings)
    parts += [f"<p>Hints: {_text(hints)}</p>"] if hints else []
    return parts


def _finding(finding: Data) -> List[str]:
    parts = [f'<div class="finding"><p>{_text(finding["title"])}</p><ul>']
    for item in finding["evidence"]:
        parts.append(f"<li>{_text(item['kind'])}: {_text(item['text'])}{_place(item)}</li>")
    known = link(finding["link"])
    source = f' (<a href="{html.escape(known)}" rel="noreferrer">documentation</a>)' if known else ""
    parts.append(f"</ul><p><strong>Fix:</strong> {_text(finding['fix'])}{source}</p>")
    if finding["diff"]:
        parts.append(f"<pre>{''.join(map(_diff_line, finding['diff'].splitlines()))}</pre>")
    if finding["commands"]:
        parts.append("<pre>" + "\n".join(f"$ {_text(command)}" for command in finding["commands"]) + "</pre>")
    return [*parts, "</div>"]


def _diff_line(line: str) -> str:
    kind = {"+": "add", "-": "del"}.get(line[:1], "")
    return f'<span class="{kind}">{_text(line)}</span>\n'


def _way(steps: List[Data]) -> List[str]:
    if not steps:
        return []
    parts = ["<h3>The path of the request</h3>", '<ol class="path">']
    for step in steps:
        station = STATIONS.get(step["station"], step["station"])
        mark = MARKS.get(step["state"], "")
        parts.append(f'<li class="{_kind(step["state"])}"><div class="station">{mark} {_text(station)}</div>')
        parts.append(_text(step["text"]) + _place(step))
        if step["more"]:
            more = "".join(f"<li>{_text(item)}</li>" for item in step["more"])
            parts.append(f'<ul class="more">{more}</ul>')
        parts.append("</li>")
    return [*parts, "</ol>"]


def _notes(notes: List[str]) -> List[str]:
    if not notes:
        return []
    return ["<h3>Not looked at</h3>", "<ul>", *(f"<li>{_text(note)}</li>" for note in notes), "</ul>"]


def _place(item: Data) -> str:
    where = place(item)
    return f' <code class="soft">{_text(where)}</code>' if where else ""


def _kind(word: str) -> str:
    return "bad" if word == "bad" else KINDS.get(word, "")


def _text(value: object) -> str:
    return html.escape(terminal(value, lines=True))


def _style() -> str:
    try:
        found = pkgutil.get_data(__package__, STYLE)
    except OSError:
        found = None
    if found is None:
        root = os.path.dirname(os.path.abspath(__file__)).rsplit(os.sep, 3)[0]
        with open(os.path.join(root, "rollout", "templates", STYLE), "rb") as file:
            found = file.read()
    return found.decode("utf-8")
