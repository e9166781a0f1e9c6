"""A configuration with edits made, in memory, and the same as a unified diff."""

from __future__ import annotations

import difflib
import os
from typing import Dict, Iterable, List, Sequence

from ..conf import splice
from ..conf.load import load
from ..conf.splice import Edit
from ..conf.tree import Configuration


def edited_files(configuration: Configuration, edits: Iterable[Edit]) -> Dict[str, bytes]:
    """The new content of each file that the edits change.

    Raises:
        ValueError: an edit was made for other content, or two overlap.
    """
    by_file: Dict[str, List[Edit]] = {}
    for edit in edits:
        by_file.setdefault(edit.source.name, []).append(edit)
    return {name: splice.apply(configuration.files[name], found) for name, found in by_file.items()}


def edited(configuration: Configuration, edits: Iterable[Edit]) -> Configuration:
    """The configuration as it is with the edits; no file of the host is read again.

    Raises:
        ConfSyntaxError: nginx would not read it.
        ValueError: the edits do not fit.
    """
    files = {**configuration.files, **edited_files(configuration, edits)}
    known = {include.pattern: include.files for include in configuration.includes}

    def read(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(2, os.strerror(2), path)
        return files[path]

    after = load(
        configuration.main,
        prefix=configuration.prefix,
        read=read,
        glob=lambda pattern: known.get(pattern, []),
    )
    after.alone = configuration.alone
    return after


def diff(configuration: Configuration, edits: Sequence[Edit]) -> str:
    """The edits as unified diffs without context, one after the other, each naming the real file.

    A symlink is what ``patch`` refuses to change, so the file behind it is named.
    """
    return "".join(
        shown(name, configuration.files[name], new)
        for name, new in edited_files(configuration, edits).items()
    )


def shown(name: str, old: bytes, new: bytes) -> str:
    """Two contents of a file as a unified diff without context."""
    old_lines, new_lines = _lines(old), _lines(new)
    matcher = difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=False)
    path = os.path.realpath(name) if os.path.islink(name) else name
    hunks = [f"--- {path}", f"+++ {path}"]
    for tag, first, end, start, stop in matcher.get_opcodes():
        if tag == "equal":
            continue
        # In a unified diff an empty side names the line before it (POSIX diff, "-U").
        was = first + 1 if end > first else first
        now = start + 1 if stop > start else start
        hunks.append(f"@@ -{was},{end - first} +{now},{stop - start} @@")
        hunks += [f"-{line}" for line in old_lines[first:end]]
        hunks += [f"+{line}" for line in new_lines[start:stop]]
    return "\n".join(hunks) + "\n"


def _lines(data: bytes) -> List[str]:
    return [line.rstrip("\r") for line in data.decode("utf-8", "replace").split("\n")]
