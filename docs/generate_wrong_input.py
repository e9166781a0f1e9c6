#!/usr/bin/env python3
"""Write docs/wrong-input.md from the rows that the tests run: ``python -m docs.generate_wrong_input``.

A test fails while the page and the rows disagree.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

from tests.integration.role.wrong_input import SECTIONS, Row

PAGE = Path(__file__).resolve().parent / "wrong-input.md"

TOP = """\
# Wrong input

Written by `docs/generate_wrong_input.py` from `tests/integration/role/wrong_input.py`: change that file, not
this one. `pytest tests/integration/role/test_wrong_input.py` runs every row on a real host. After each, all
below `/etc/nginx`, `/etc/letsencrypt` and `/var/www` is byte for byte as before, with owner and mode, and the
same nginx workers serve (after an undo, new ones with the old files). The message holds the last column word
for word.

Wrong values are all listed at once, before the first look at the host. A message names the variable, shows
the value, says what was expected, and what to write instead.

SELinux and AppArmor confine the running nginx and not the `nginx -t` that root types, so such a refusal
shows at the reload: it is undone, and the message gives nginx's words, says that `nginx -t` had accepted it,
and names what confines the master (its label, missing capabilities, its own view of the file system). The
lab's kernel has neither of the two, so the rows below have nginx confined by systemd, which does the same.
"""


def wrong(row: Row) -> str:
    """Return what a row sets, short enough for a table."""
    parts = [json.dumps(given, ensure_ascii=False)[1:-1] for given in (row.site, row.variables) if given]
    text = ", ".join(parts)
    return f"`{text}`" if text and len(text) <= 90 else ""


def cell(text: str) -> str:
    """Return text as a cell may hold it."""
    return text.replace("|", "\\|")


def document() -> str:
    """Return the page."""
    return "\n".join([TOP, *sections()])


def sections() -> Iterator[str]:
    """Yield a table for each section."""
    for title, rows in SECTIONS:
        yield f"## {title}\n"
        yield "| what is wrong | such as | exit | the host | the message holds |"
        yield "|---|---|---|---|---|"
        for row in rows:
            said = cell(f"`{row.said}`")
            yield f"| {cell(row.what)} | {cell(wrong(row))} | {row.code} | {row.outcome} | {said} |"
        yield ""


if __name__ == "__main__":
    PAGE.write_text(document(), encoding="utf-8")
