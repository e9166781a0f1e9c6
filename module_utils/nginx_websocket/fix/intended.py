"""Is what an edit changes for users what it is meant to change?  The comparison of both trees tells."""

from __future__ import annotations

import re
from typing import Dict, FrozenSet, List, Optional, Sequence, Tuple

from ..behaviour.location import Location
from ..behaviour.regex import CannotDecide
from ..behaviour.request import Request
from ..behaviour.route import route
from ..compare import differences as kinds
from ..compare.differences import GAIN, Comparison, Difference
from ..compare.parting.destination import BACKEND, REFUSED
from ..conf.tree import Configuration
from ..diagnosis.deciding.static_rules import BROKEN
from ..edit.places import scope
from ..exchange.endpoint import parse_url
from .mending import changed, hunks

_URL = re.compile(r"\w+://(?P<host>\[[^\]]*\]|[^/:\s]+)(?::\d+)?(?P<path>/[^?#\s]*)?")
_NEVER = frozenset((kinds.GUARD_LOST, kinds.SOURCE_SERVED, kinds.FILE_LOST, kinds.UPGRADE_LOST))
"""What no fix may do, wherever it is."""
_OF_NOBODY = _NEVER - {kinds.FILE_LOST}
"""What a site may not do that was not there: the default server's page goes, as it should."""
_BY_THE_LINE = frozenset((kinds.BACKEND_HEADERS, kinds.PATH_CHANGED, kinds.BACKEND_MOVED, kinds.LESS))
"""What an edited line may change for every request that it is in force for."""
_BY_THE_MAP = frozenset((kinds.BACKEND_HEADERS, kinds.MORE))
"""What a map that gives the right word now does for every location that uses it: that is what it is for."""
_EVERYBODY = frozenset((kinds.BACKEND_HEADERS,))
"""What a line of an include may change for the other sites that read it; they are listed."""


def unintended(
    result: Comparison,
    urls: Sequence[str],
    live: Configuration,
    staged: Configuration,
    version: Sequence[int],
    names: FrozenSet[str] = frozenset(),
) -> List[Difference]:
    """Differences that the edit was not made for.

    Args:
        result: of the live tree and the edited one.
        urls: the WebSockets that shall open.
        live: the tree on the disk.
        staged: the edited tree.
        version: of the nginx that runs both.
        names: of a site that nginx did not read before: nothing of it was there to lose but guards.
    """
    files = changed(live, staged)
    by_map = _only_maps(live, files)
    doors = [_Door(url, live, staged, version) for url in urls]
    found = []
    for one in result.differences:
        if one.weight == GAIN:
            continue
        if one.parting.kind not in _NEVER and all(
            any(door.has(text) for door in doors) for text in one.examples
        ):
            continue
        if (
            names
            and one.parting.kind not in _OF_NOBODY
            and all(_host(text) in names for text in one.examples)
        ):
            continue
        if one.parting.kind == kinds.UNKNOWN and _same_place(one, live, staged):
            continue  # what cannot be told of a place that the edit leaves alone, it does not change
        if by_map and (one.parting.kind in _BY_THE_MAP or one.parting.name.startswith("$")):
            continue
        if _from_nothing(one) and all(any(door.enters(text) for door in doors) for text in one.examples):
            continue
        if _by_the_line(one) and one.parting.now_at.rpartition(":")[0] in files:
            continue
        if _moved(one, live, staged):
            continue
        found.append(one)
    return found


def _only_maps(live: Configuration, files: Dict[str, bytes]) -> bool:
    """Whether nothing but values of maps is edited."""
    values = {
        (one.file, one.line) for one in live.walk() if one.parent is not None and one.parent.name == b"map"
    }
    return bool(files) and all(
        (path, hunk.line) in values
        for path, content in files.items()
        for hunk in hunks(live.files.get(path, b""), content)
    )


def _host(example: str) -> str:
    match = _URL.search(example)
    return match.group("host").strip("[]").lower() if match is not None else ""


class _Door:
    """One WebSocket that shall open, and the requests beside it that are meant with it."""

    def __init__(self, url: str, live: Configuration, staged: Configuration, version: Sequence[int]) -> None:
        endpoint = parse_url(url)
        self._host, self._below = (
            endpoint.host.lower(),
            scope(endpoint.target.split("?")[0]).rstrip("/") + "/",
        )
        self._live, self._staged, self._version = live, staged, version
        self._server = self._server_of(url)
        location = self._location(url)
        old = live.files.get(location[0], b"") if location is not None else b""
        new = location is not None and any(
            hunk.new_line <= location[1] < hunk.new_line + len(hunk.added)
            for hunk in hunks(old, staged.files[location[0]])
        )
        self._new = location if new else None
        """The location that the edit brings for it."""
        name = _name(_answering(live, url, version))
        self._own = name if len(name) > 1 and name == _name(_answering(staged, url, version)) else ""
        """The name of the location that answers before and after: an edit in it is for all below it."""
        first, other = _entered(live, url, version), _entered(staged, url, version)
        same = first is not None and other is not None and _head(first) == _head(other) and first.name != b"/"
        self._entered = other if same and _edited(other, live, staged) else None
        """The location that it enters before and after, and in which the edit is."""

    def has(self, example: str) -> bool:
        """Whether a request is below the WebSocket's directory, or in the location that was made for it."""
        match = _URL.search(example)
        if match is None:
            return False
        if match.group("host").strip("[]").lower() != self._host and (
            self._server is None or self._server_of(match.group()) != self._server
        ):
            return False  # Another name of the same server leads to the same lines.
        path = match.group("path") or "/"
        if (path + "/").startswith(self._below) or (self._own and path.startswith(self._own)):
            return True
        return self._new is not None and self._location(match.group()) == self._new

    def enters(self, example: str) -> bool:
        """Whether a request enters the location in which the edit is, before and after."""
        match, own = _URL.search(example), self._entered
        if match is None or own is None:
            return False
        was, now = (_entered(tree, match.group(), self._version) for tree in (self._live, self._staged))
        return (
            was is not None
            and _head(was) == _head(own)
            and now is not None
            and now.directive is own.directive
        )

    def _server_of(self, url: str) -> Optional[Tuple[str, int]]:
        """File and line of the server that a request comes to."""
        try:
            found = route(self._staged, Request(url), version=self._version).server
        except (CannotDecide, *BROKEN):
            return None
        directive = found.directive if found is not None else None
        return (directive.file, directive.line) if directive is not None else None

    def _location(self, url: str) -> Optional[Tuple[str, int]]:
        found = _answering(self._staged, url, self._version)
        directive = found.directive if found is not None else None
        return (directive.file, directive.line) if directive is not None else None


def _answering(tree: Configuration, url: str, version: Sequence[int]) -> Optional[Location]:
    """The location that answers a URL."""
    try:
        return route(tree, Request(url), version=version).location
    except (CannotDecide, *BROKEN):
        return None


def _entered(tree: Configuration, url: str, version: Sequence[int]) -> Optional[Location]:
    """The location that a URL enters first, whatever a rewrite there makes of it."""
    try:
        found = route(tree, Request(url), version=version).selections
    except (CannotDecide, *BROKEN):
        return None
    location = found[0].location if found else None
    return location if isinstance(location, Location) else None


def _head(location: Location) -> Tuple[bytes, bytes]:
    return location.modifier, location.name


def _name(found: Optional[Location]) -> str:
    """The name of a prefix location; "" for any other."""
    plain = found is not None and not (found.regex or found.named or found.exact)
    return found.name.decode("utf-8", "replace") if found is not None and plain else ""


def _edited(location: Optional[Location], live: Configuration, staged: Configuration) -> bool:
    """Whether an edit stands in a location of the edited tree."""
    block = location.directive if location is not None else None
    if block is None:
        return False
    last = block.line + block.source.data.count(b"\n", block.start, block.end)
    old, new = live.files.get(block.file, b""), staged.files[block.file]
    return any(block.line <= hunk.new_line <= last for hunk in hunks(old, new))


def _from_nothing(one: Difference) -> bool:
    """Whether nginx itself refused a request, for want of a file or location, which a backend gets now."""
    return one.parting.kind == kinds.REROUTED and one.parting.group[:2] == (REFUSED, BACKEND)


def _by_the_line(one: Difference) -> bool:
    """Whether an edited line may do that to every request that it is in force for.

    Which locations that is, the judgement of the edit has seen to.
    """
    if one.parting.name in ("proxy_http_version", "upstream"):
        return True
    return one.parting.kind in (_EVERYBODY if one.whose else _BY_THE_LINE)


def _moved(one: Difference, live: Configuration, staged: Configuration) -> bool:
    """Whether an edited proxy_pass leads to a backend that other locations of the site use.

    Whether it may, `moving` has seen to.
    """
    (path, was), (other, now) = _line(one.parting.was_at, live), _line(one.parting.now_at, staged)
    edited = path == other and was != now and b"proxy_pass" in was and b"proxy_pass" in now
    return one.parting.kind == kinds.ELSEWHERE and not one.whose and edited


def _same_place(one: Difference, live: Configuration, staged: Configuration) -> bool:
    """Whether the lines that decide read the same before and after, and belong to no edit."""
    path, was = _line(one.parting.was_at, live)
    other, now = _line(one.parting.now_at, staged)
    return bool(path) and path == other and was == now


def _line(at: str, tree: Configuration) -> Tuple[str, bytes]:
    path, _, number = at.rpartition(":")
    lines = tree.files.get(path, b"").split(b"\n")
    return path, lines[int(number) - 1] if number.isdigit() and 0 < int(number) <= len(lines) else b""
