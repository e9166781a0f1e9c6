"""A directive that no semicolon ends, so that nginx refuses its files: where the place is certain, one byte.

Certain is the end of a line behind which a line begins with a directive's name, or with a closing brace,
while nginx still reads arguments, and nginx's own message is about that statement.  Whether nginx takes the
file then, ``nginx -t`` says.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, List

from .. import codes
from ..edit.refused.unended import ended
from ..transaction.site.model import Change
from ..transaction.surroundings.host import Host
from ..transaction.tree.overlay import Overlay

CODE = codes.SEMICOLON_MISSING
MOST = 3
"""So many of them are mended in one run."""


def missing(host: Host) -> List[Change]:
    """The files that nginx refuses, each with the semicolons whose places are certain.

    Args:
        host: whose files they are.

    Returns:
        None where nginx takes its files, or where it refuses them for another reason first.
    """
    overlay = Overlay((), host.files)
    found: Dict[str, Change] = {}
    for _ in range(MOST):
        verdict = host.world.validate(list(found.values()), host.nginx)
        if verdict.valid or not verdict.errors:
            break
        error = verdict.errors[0]
        path = overlay.resolve(error.file)
        entry = host.files.entry(path)
        change = found.get(path) or Change(path, entry, entry)
        content = ended(path, change.after.content, error.line) if entry.kind == "file" else None
        if content is None:
            break
        found[path] = dataclasses.replace(change, after=dataclasses.replace(entry, content=content))
    return list(found.values())
