"""What the command prints: as wide as the terminal, in colours there alone."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

WIDTH = 80
_BAD, _GOOD, _UNSURE = "31", "32", "33"
_COLOURS = (
    (re.compile(r"^\S.*: (WORKS|APPLIED|UNCHANGED)$"), _GOOD),
    (re.compile(r"^\S.*: (FAILS|REFUSED|ROLLED BACK|ROLLBACK FAILED)$"), _BAD),
    (re.compile(r"^\S.*: CANNOT TELL$"), _UNSURE),
    (re.compile(r"^\s+(\d+ )?✗ "), _BAD),
    (re.compile(r"^\s+(\d+ )?✓ "), _GOOD),
    (re.compile(r"^\s+-(?!-| )|^\s+--- "), _BAD),
    (re.compile(r"^\s+\+"), _GOOD),
)


def width(stream: TextIO) -> int:
    """Columns to write: 80, fewer on a narrower terminal."""
    try:
        return max(40, min(WIDTH, os.get_terminal_size(stream.fileno()).columns))
    except (OSError, ValueError):
        return WIDTH


def show(text: str) -> None:
    """Print a text; its verdict, marks and diffs have colours where a person looks on.

    ``NO_COLOR`` (no-color.org) switches them off.
    """
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    lines = [_coloured(line) for line in text.split("\n")] if coloured else [text]
    # An ASCII locale must not end the command in a traceback (PEP 538 reaches most, not all).
    encoding = sys.stdout.encoding or "utf-8"
    data = "\n".join(lines).encode(encoding, "backslashreplace")
    sys.stdout.write(data.decode(encoding))
    sys.stdout.flush()


def _coloured(line: str) -> str:
    for pattern, colour in _COLOURS:
        if pattern.search(line):
            return f"\x1b[{colour}m{line}\x1b[0m"
    return line
