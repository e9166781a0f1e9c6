"""Everything that one URL needs, chosen on a copy of the tree in memory: also the cause behind the cause."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import re
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from ..behaviour.regex import CannotDecide
from ..conf.splice import Edit
from ..conf.tree import Configuration, ConfSyntaxError, Source
from ..diagnosis.deciding import mending
from ..diagnosis.deciding.static_rules import BROKEN, suspects
from ..diagnosis.evidence.facts import Facts
from ..diagnosis.evidence.following import followed
from ..diagnosis.words.findings import Finding
from ..edit import memory

DEPTH = 4
"""So many causes may stand one behind the other."""
_SMALL = 4
_HOP_HEADER = re.compile(r"\s*proxy_set_header\s+(?:Upgrade|Connection)\s+(?!\$(?!http_))")
"""A line for the upgrade; one with a variable of a map may be the reason for a map that came with it."""
WIDTH = 6
"""Cures that are tried for each of them."""


@dataclasses.dataclass(frozen=True)
class Mended:
    """The tree in which a URL's socket opens, as far as the configuration decides."""

    after: Configuration
    codes: Tuple[str, ...]
    """The causes that were cured, in their order."""


@dataclasses.dataclass(frozen=True)
class Hunk:
    """Lines of a file that go, and lines that come in their place."""

    line: int
    """Of the first line that goes, or of the line before which others come."""
    new_line: int
    """Of the first line that comes, in the new file."""
    removed: Tuple[str, ...]
    added: Tuple[str, ...]


def ways(facts: Facts, causes: Sequence[Finding], tree: Configuration) -> Iterator[Mended]:
    """Choose the edits for one URL.

    Args:
        facts: what was seen of the URL.
        causes: why it fails.
        tree: the configuration to edit; other URLs may have edits in it already.

    Returns:
        The edited trees that are judged to be fit, the best first; none where no edit is known that is.
    """
    if facts.configuration is not None and facts.configuration.files == tree.files:
        tree = facts.configuration  # what the causes name stands in it
    copy = _on(facts, tree)
    if copy is None:
        return
    if tree is not facts.configuration:
        causes = _certain(copy) or list(causes)
        mending.offer(causes, copy)  # the diagnosis has done so for its own tree
    known: List[Dict[str, bytes]] = []
    for found in itertools.islice(_candidates(copy, causes, tree), WIDTH * DEPTH):
        mended = dataclasses.replace(found, after=_pruned(tree, found.after, causes, copy))
        if changed(tree, mended.after) not in known:
            known.append(changed(tree, mended.after))
            yield mended


def _candidates(copy: Facts, causes: Sequence[Finding], tree: Configuration) -> Iterator[Mended]:
    """What the diagnosis offers, which was judged; then what is found by curing one cause after the other."""
    edits = list(itertools.chain.from_iterable(c.change.edits for c in causes if c.change is not None))
    if edits:
        codes = tuple(cause.code for cause in causes if cause.change is not None)
        yield Mended(memory.edited(tree, edits), codes)
    # What was offered was judged alone; the rules give their lines anew, for a chain.
    anew = {finding.code: finding for finding in _certain(copy)}
    first = [anew.get(cause.code, cause) for cause in causes]
    for found in itertools.islice(_chains(copy, first, DEPTH), WIDTH * DEPTH):
        if mending.fit(whole_edits(tree, found.after), causes, copy):
            yield found


def _pruned(
    before: Configuration, after: Configuration, causes: Sequence[Finding], facts: Facts
) -> Configuration:
    """The edited tree without header lines that it does not need: a cure may bring all three of them."""
    for name in changed(before, after):
        for number in _spare(before.files[name], after.files[name]):
            lines = after.files[name].split(b"\n")
            less = _with(after, name, b"\n".join(lines[: number - 1] + lines[number:]))
            if less is not None and mending.fit(whole_edits(before, less), causes, facts):
                after = less
    return after


def _spare(before: bytes, after: bytes) -> List[int]:
    """Lines of small additions that may turn out not to be needed, the last first."""
    return [
        hunk.new_line + index
        for hunk in reversed(hunks(before, after))
        if len(hunk.added) <= _SMALL
        for index, line in reversed(list(enumerate(hunk.added)))
        if _HOP_HEADER.match(line)
    ]


def _with(tree: Configuration, name: str, content: bytes) -> Optional[Configuration]:
    data = tree.files[name]
    try:
        return memory.edited(tree, [Edit(Source(name, data), 0, len(data), content)])
    except (ConfSyntaxError, ValueError, KeyError, OSError):
        return None


def opens(facts: Facts, tree: Configuration) -> bool:
    """Whether nothing in a tree keeps a URL from opening, as far as the configuration decides."""
    copy = _on(facts, tree)
    return copy is not None and not _certain(copy)


def _chains(facts: Facts, causes: List[Finding], depth: int) -> Iterator[Mended]:
    """Cure the first cause on a copy, look what is behind it, and go on from there."""
    if not causes or not depth or facts.configuration is None:
        return
    first = causes[0]
    for edits in itertools.islice(mending.candidates(first, facts), WIDTH):
        try:
            after = memory.edited(facts.configuration, edits)
        except (ConfSyntaxError, ValueError, KeyError, OSError):
            continue
        copy = _on(facts, after)
        if copy is None:
            continue
        behind = _certain(copy)
        if not behind:
            yield Mended(after, (first.code,))
        elif behind[0].code != first.code:
            for further in _chains(copy, behind, depth - 1):
                yield Mended(further.after, (first.code, *further.codes))


def _on(facts: Facts, tree: Configuration) -> Optional[Facts]:
    """The same question about another tree; what was seen of backends holds for it as well."""
    if facts.route is None:
        return None
    copy = dataclasses.replace(facts, configuration=tree, test=None, stray_files=[])
    try:
        copy.route = followed(copy, facts.request or facts.route.request)
    except (CannotDecide, *BROKEN):
        return None
    return copy


def _certain(facts: Facts) -> List[Finding]:
    try:
        return [suspect.finding for suspect in suspects(facts) if suspect.certain]
    except (CannotDecide, *BROKEN):
        return []


def whole_edits(before: Configuration, after: Configuration) -> List[Edit]:
    """What differs between two trees, one edit a file, from the first byte that differs to the last."""
    edits = []
    for name, new in after.files.items():
        old = before.files.get(name, new)
        if old == new:
            continue
        start = next((i for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new)))
        most = min(len(old), len(new)) - start
        tail = next((i for i in range(most) if old[-1 - i] != new[-1 - i]), most)
        edits.append(Edit(Source(name, old), start, len(old) - tail, new[start : len(new) - tail]))
    return edits


def changed(before: Configuration, after: Configuration) -> Dict[str, bytes]:
    """The files that differ, with their new content."""
    return {name: new for name, new in after.files.items() if before.files.get(name) != new}


def hunks(before: bytes, after: bytes) -> List[Hunk]:
    """What differs, line by line."""
    old, new = _lines(before), _lines(after)
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    return [
        Hunk(first + 1, start + 1, tuple(old[first:last]), tuple(new[start:end]))
        for tag, first, last, start, end in matcher.get_opcodes()
        if tag != "equal"
    ]


def _lines(data: bytes) -> List[str]:
    return [line.rstrip("\r") for line in data.decode("utf-8", "replace").split("\n")]
