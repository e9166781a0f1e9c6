"""A change for files that nginx refuses and nobody can read as a tree: only one that nginx takes."""

from __future__ import annotations

import itertools
import os
import re
from typing import Dict, Iterator, List, Sequence

from ...conf.load import load
from ...conf.regular import read_file
from ...conf.tree import ConfSyntaxError, place_of
from ...edit import memory
from ...edit.changes.change import Change
from ...edit.judge import Asked, opens
from ...edit.refused.unread import candidates
from ...edit.spelling import alike
from ..evidence import place
from ..evidence.facts import Facts
from ..words.findings import Finding
from . import tested

_ABSENT = re.compile(r'open\(\) "(/[^"]+)" failed \(2: ')
_INCLUDE = re.compile(rb"(\binclude\s+[\"']?)([^\s\"';]+)")
MOST = 6
"""Candidates that nginx is asked about."""


def offer(causes: Sequence[Finding], facts: Facts) -> None:
    """Give the first cause the first change with which nginx takes its files and lets this WebSocket pass.

    Args:
        causes: what keeps nginx from its files, first.
        facts: what was seen of the host, of whose files no tree came.
    """
    nginx, test = facts.nginx, facts.test
    if nginx is None or test is None or test.valid or facts.inside or facts.configuration is not None:
        return
    _, file, line = place_of(test.error)
    if not file.startswith("/"):
        return
    try:
        data = read_file(file)
    except OSError:
        return
    absent = _ABSENT.search(test.error)
    made = (
        _other_includes(os.path.dirname(nginx.conf_path), absent.group(1), data, line)
        if absent is not None
        else candidates(file, data, test.error, line)
    )
    for after in itertools.islice(made, MOST):
        if _opens(facts, {file: after}) and tested.taken(facts, {file: after}):
            causes[0].change = Change(text=memory.shown(file, data, after))
            return


def _opens(facts: Facts, files: Dict[str, bytes]) -> bool:
    """Whether the tree can be read with the new content, and the upgrade of this URL passes in it."""
    assert facts.nginx is not None

    def read(path: str) -> bytes:
        return files[path] if path in files else read_file(path)

    try:
        tree = load(facts.nginx.conf_path, prefix=facts.nginx.prefix, read=read)
        address = facts.main_hop.probe.address if facts.main_hop is not None else ""
        request = facts.request or facts.question.route_request(address)
        return not opens(tree, Asked(request, facts.version, place.file_kinds(facts)))
    except (ConfSyntaxError, OSError, ValueError):
        return False


def _other_includes(root: str, absent: str, data: bytes, line: int) -> Iterator[bytes]:
    """The include of that line with the name of a file that is there: nearly the same, or elsewhere."""
    folder, name = os.path.split(absent)
    right: List[str] = [os.path.join(folder, near) for near in alike(name, _names(folder), 2)]
    elsewhere = (os.path.join(root, other, name) for other in ["", *_names(root)])
    right += filter(os.path.isfile, elsewhere)
    rows = data.split(b"\n")
    row = rows[line - 1] if 0 < line <= len(rows) else b""
    written = _INCLUDE.search(row)
    if written is None:
        return
    for path in right:
        # A relative name is below the folder of the main file (ngx_conf_include).
        text = path if written.group(2).startswith(b"/") else os.path.relpath(path, root)
        rows[line - 1] = row[: written.start(2)] + os.fsencode(text) + row[written.end(2) :]
        yield b"\n".join(rows)


def _names(folder: str) -> List[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
