"""What a fix says of its edits: the lines, who else reads an include, what changes for users."""

from __future__ import annotations

from typing import Dict, Sequence, Tuple

from ..compare.differences import Difference
from ..conf.tree import Configuration
from ..transaction.surroundings.host import listed
from ..transaction.tree.evidence import masked_line

_LONG, _AROUND, _MASKED = 200, 40, 4000
"""Characters of a line that are shown, those before what changes, and those that are looked at."""


def difference(one: Difference) -> str:
    """What a request got and gets, on one line; where it stands, the edits show."""
    more = f" and {one.requests - 1} more like it" if one.requests > 1 else ""
    whose = f" ({one.whose})" if one.whose else ""
    often = f", {one.hits:,} of the last day's requests" if one.hits else ""
    return f"- {one.examples[0]}{more}{whose}{often}: before, {one.parting.was}; after, {one.parting.now}"


def lines(removed: Sequence[str], added: Sequence[str]) -> Tuple[Tuple[str, ...], Tuple[str, ...]]:
    """Lines as they are shown: secrets masked, and of a long line the part that changes."""
    old, new = ([masked_line(line, _MASKED) for line in some] for some in (removed, added))
    first = 0
    if old and new and max(len(old[0]), len(new[0])) > _LONG:
        same = (number for number, (one, other) in enumerate(zip(old[0], new[0])) if one != other)
        first = max(0, next(same, min(len(old[0]), len(new[0]))) - _AROUND)
    lead = "…" if first else ""
    cut = [
        tuple(lead + _cut(line[first:]) if index == 0 else _cut(line) for index, line in enumerate(some))
        for some in (old, new)
    ]
    return cut[0], cut[1]


def _cut(line: str) -> str:
    return line if len(line) <= _LONG else line[:_LONG] + "…"


def shared(live: Configuration, name: str, path: str) -> str:
    """The servers that read an include which is edited; "" where there are not several.

    Args:
        live: the configuration.
        name: of the file, as an include leads to it.
        path: its real path.
    """
    readers: Dict[int, str] = {}
    for directive in live.walk():
        if directive.file != name:
            continue
        server = directive.parent
        while server is not None and server.name != b"server":
            server = server.parent
        if server is not None and server.file != name:
            words = [
                arg.decode("utf-8", "replace") for one in server.children(b"server_name") for arg in one.args
            ]
            readers[id(server)] = f"{' '.join(words[:3]) or 'a server without a name'} ({server.where()})"
    if len(readers) < 2:
        return ""
    return f"{path} is read by {len(readers)} servers, and the edit holds for all of them: " + listed(
        list(readers.values())
    )
