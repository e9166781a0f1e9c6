"""What a fix did, as text: the same words in the playbook's output and in those of the one-file command."""

from __future__ import annotations

import textwrap
from typing import Any, Dict, List

from .medium import terminal
from .text import WIDTH


def fixed_text(
    data: Dict[str, Any],
    host: str = "",
    width: int = WIDTH,
    undo: str = "ansible-playbook -i HOSTS playbooks/rollback.yml",
) -> str:
    """The report of a fix for a terminal.

    Args:
        data: what the module returned, with its message as ``msg``.
        host: name of the host.
        width: columns of the terminal; lines of files may go beyond.
        undo: the command that takes it back.
    """
    word = str(data.get("outcome", "failed"))
    planned = word == "unchanged" and data.get("changed")
    lines: List[str] = [f"{host}: {'CHECKED, NOTHING TOUCHED' if planned else word.upper()}"]
    for text in str(data.get("msg", "")).split("\n"):
        lines += _wrapped(text, "  ", width)
    for edit in data.get("edits") or []:
        lines += ["", f"  {edit['file']}" + (f":{edit['line']}" if edit["line"] else "")]
        lines += [f"    - {line}" for line in edit["before"]] + [f"    + {line}" for line in edit["after"]]
    told = [data["recovered"]] if data.get("recovered") else []
    told += [
        one["message"] + (f". {one['fix']}" if one.get("fix") else "") for one in data.get("findings") or []
    ]
    for text in told:
        lines.append("")
        for line in text.split("\n"):
            lines += _wrapped(line, "  ", width)
    lines += [f"  $ {command}" for command in data.get("commands") or []]
    lines += [f"  $ {command}" for command in data.get("remedy") or []]
    if data.get("outcome") == "applied" and data.get("edits"):
        lines += ["", f"  To take it back, byte for byte: {undo}"]
    return terminal("\n".join(lines), lines=True) + "\n"


def _wrapped(text: str, indent: str, width: int) -> List[str]:
    kept = indent + text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(
        text.strip(),
        width,
        initial_indent=kept,
        subsequent_indent=kept,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]
