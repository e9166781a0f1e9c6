"""Configurations in the manner of those that guides and panels bring, each with faults of its own.

A ``.conf`` here is one configuration: lines that begin with ``#!`` say what comes, all others are nginx's.

    #! url URL              the WebSocket; and ``own``, ``knows``, ``backend``, ``paths``, ``managed``
    #! file PATH            what follows stands in this file, below /etc/nginx
    #! link NAME            sites-enabled/NAME leads to sites-available/NAME
    #! faults NAME...       of ``faults.FAULTS``, which are tried as well
    #! break NAME [lines=N] [moves] [heals] [names] [told]   a fault of its own, with the flags of ``Fault``:
    -line                   these lines, one below the other (blanks around them do not count),
    +line                   are replaced by these; there may be several such pairs
"""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Tuple

from ..faults import FAULTS, Fault, Files
from ..site import Site

_HERE = os.path.dirname(os.path.abspath(__file__))
Pair = Tuple[List[str], List[str]]


def load() -> List[Site]:
    """Every configuration of this folder."""
    names = sorted(name for name in os.listdir(_HERE) if name.endswith(".conf"))
    return [_site(name[: -len(".conf")], os.path.join(_HERE, name)) for name in names]


def _site(name: str, path: str) -> Site:
    said: Dict[str, List[str]] = {}
    files: Dict[str, List[str]] = {}
    breaks: Dict[str, List[str]] = {}
    into: List[str] = []
    with open(path, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            word, _, rest = line[3:].partition(" ") if line.startswith("#! ") else ("", "", "")
            if word == "file":
                into = files.setdefault(rest, [])
            elif word == "break":
                into = breaks.setdefault(rest, [])
            elif word:
                said.setdefault(word, []).append(rest)
            else:
                into.append(line)
    feed = "\r\n" if "crlf" in said else "\n"
    ended = {place: lines if not lines[-1] else [*lines, ""] for place, lines in files.items()}
    return Site(
        name,
        {place: feed.join(lines) for place, lines in ended.items()},
        said["url"][0],
        head="",
        own=said["own"][0],
        knows=said["knows"][0],
        backend=said.get("backend", ["127.0.0.1:9001"])[0],
        links=tuple(said.get("link", ())),
        managed="managed" in said,
        paths=tuple(said.get("paths", [""])[0].split()),
        faults={
            **{one: FAULTS[one] for one in said.get("faults", [""])[0].split()},
            **dict(_fault(name, head, lines, feed) for head, lines in breaks.items()),
        },
    )


def _fault(site: str, head: str, lines: List[str], feed: str) -> Tuple[str, Fault]:
    name, *flags = head.split()
    most = next((int(flag[6:]) for flag in flags if flag.startswith("lines=")), 3)
    pairs = _pairs(lines)

    def make(broken: Site) -> Optional[Files]:
        files = dict(broken.files)
        for pair in pairs:
            places = [place for place, text in files.items() if _found(text.split(feed), pair[0]) is not None]
            assert places, f"{site} {name}: no such lines: {pair[0]}"
            files[places[-1]] = feed.join(_replaced(files[places[-1]].split(feed), pair))
        return files

    return name, Fault(
        make, most, "moves" in flags, "names" in flags, told="told" in flags, heals="heals" in flags
    )


def _pairs(lines: List[str]) -> List[Pair]:
    pairs: List[Pair] = []
    for line in lines:
        if line.startswith("-"):
            if not pairs or pairs[-1][1]:
                pairs.append(([], []))
            pairs[-1][0].append(line[1:].strip())
        elif line.startswith("+"):
            pairs[-1][1].append(line[1:])
    return pairs


def _found(lines: List[str], wanted: List[str]) -> Optional[int]:
    """Where the lines stand, the last time."""
    stripped = [line.strip() for line in lines]
    size = len(wanted)
    return next((at for at in range(len(lines) - size, -1, -1) if stripped[at : at + size] == wanted), None)


def _replaced(lines: List[str], pair: Pair) -> List[str]:
    at = _found(lines, pair[0])
    assert at is not None
    margin = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    return [*lines[:at], *(margin + line if line else line for line in pair[1]), *lines[at + len(pair[0]) :]]
