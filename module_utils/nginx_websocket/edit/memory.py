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

    return load(
        configuration.main,
        prefix=configuration.prefix,
        read=read,
        glob=lambda pattern: known.get(pattern, []),
    )


def diff(configuration: Configuration, edits: Sequence[Edit]) -> str:
    """The edits as unified diffs without context, one after the other, each naming the real file.

    A symlink is what ``patch`` refuses to change, so the file behind it is named.
    """
    shown = []
    for name, new in edited_files(configuration, edits).items():
        old_lines, new_lines = _lines(configuration.files[name]), _lines(new)
        matcher = difflib.SequenceMatcher(None, old_lines, new_lines, autojunk=False)
        path = os.path.realpath(name) if os.path.islink(name) else name
        hunks = [f"--- {path}", f"+++ {path}"]
        for tag, old, old_end, start, end in matcher.get_opcodes():
            if tag == "equal":
                continue
            # In a unified diff an empty side names the line before it (POSIX diff, "-U").
            first = old + 1 if old_end > old else old
            second = start + 1 if end > start else start
            hunks.append(f"@@ -{first},{old_end - old} +{second},{end - start} @@")
            hunks += [f"-{line}" for line in old_lines[old:old_end]]
            hunks += [f"+{line}" for line in new_lines[start:end]]
        shown.append("\n".join(hunks) + "\n")
    return "".join(shown)


def _lines(data: bytes) -> List[str]:
    return [line.rstrip("\r") for line in data.decode("utf-8", "replace").split("\n")]
