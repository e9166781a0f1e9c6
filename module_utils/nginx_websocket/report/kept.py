"""What is kept on a host, as a table."""

from __future__ import annotations

import textwrap
from typing import Any, Dict, List, Sequence

from .medium import terminal
from .text import WIDTH

HEAD = ("number", "when (UTC)", "what", "rollback_to=NUMBER gives", "who, and why")
#: The last columns may wrap; these are the widths of what is before them.
NOT_OURS = "what was there before us"


def kept_table(
    backups: Sequence[Dict[str, Any]],
    host: str = "",
    *,
    width: int = WIDTH,
    how: str = "-e nginx_websocket_rollback_to=NUMBER",
) -> str:
    """A table of backups, newest first.

    Args:
        backups: What ``nginx_rollback`` returned for ``list: true``.
        host: Name of the host.
        width: Columns of the terminal.
        how: How a number is given.
    """
    if not backups:
        return terminal(f"{host}: nothing is kept; nothing was deployed here yet")
    rows = [_row(backup) for backup in backups]
    widths = [max(len(row[column]) for row in [HEAD, *rows]) for column in range(4)]
    lines = [
        f"{host}: to go back, give the number: {how}",
        _line(HEAD, widths),
    ]
    for row in rows:
        lines += _wrapped(_line(row, widths), width)
    lines.append("  'previous' goes one step back, 'original' to what was there before the first deployment")
    return terminal("\n".join(lines), lines=True)


def _row(backup: Dict[str, Any]) -> Sequence[str]:
    when = str(backup["time"]).replace("T", " ").rstrip("Z")
    what = str(backup["kind"])
    if backup.get("restores"):
        what += f" to {backup['restores']}"
    given = backup.get("gives") or {}
    gives = ", ".join(
        f"{site} {release[:8]}" if release else f"{site}: {NOT_OURS}" for site, release in given.items()
    )
    cells: List[str] = [str(backup["number"]), when, what, gives, str(backup["by"])]
    return [terminal(cell) for cell in cells]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  " + "  ".join([*(cell.ljust(size) for cell, size in zip(row, widths)), row[4]]).rstrip()


def _wrapped(line: str, width: int) -> List[str]:
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=False,
    )
