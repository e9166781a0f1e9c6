"""Cures of requests that nginx makes beside the client's own: the copy that a mirror sends."""

from __future__ import annotations

from typing import Iterator, Optional

from ..behaviour.effective import Level, header_list
from ..behaviour.location import find_location
from ..behaviour.regex import CannotDecide, RegexError
from ..behaviour.route import Route
from ..conf import splice
from ..conf.tree import Configuration, Directive
from .fault import Edits, Fault, text_of, together
from .style import HANDSHAKE


def no_upgrade_of_a_copy(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The mirror's location without Upgrade and Connection: what it sends is an ordinary request then."""
    if route.level is None or route.server is None:
        return
    for line in route.level.nearest(b"mirror")[1]:
        level = _place_of(route, line)
        passing = next(iter(level.own(b"proxy_pass")), None) if level is not None else None
        if level is None or passing is None or (route.location is not None and _same(level, route.location)):
            continue
        near, lines = header_list(level)
        blank = [f'proxy_set_header {name} "";' for name in ("Upgrade", "Connection")]
        kept = [item for item in lines if item.args and item.args[0].lower() not in HANDSHAKE]
        written = [text_of(item.source.data[item.start : item.end]) for item in kept]
        edits: Edits = []
        if near is not None and _same(near, level):
            edits = [splice.delete(item) for item in lines if item not in kept]
            written = []
        yield [*edits, splice.insert_after(passing, together([*written, *blank], passing))]


def _place_of(route: Route, line: Directive) -> Optional[Level]:
    """The location that takes the copy which a mirror directive sends."""
    target = line.args[0].split(b"?")[0] if line.args else b""
    if not target.startswith(b"/") or route.server is None:
        return None
    try:
        return find_location(route.server, target, route.version).location
    except (CannotDecide, RegexError):
        return None


def _same(one: Level, other: Level) -> bool:
    return one.directive is other.directive
