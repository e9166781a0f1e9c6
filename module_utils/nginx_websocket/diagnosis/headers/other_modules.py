"""Modules that are not nginx's own and change a request where no proxy_* directive shows it."""

from __future__ import annotations

from typing import List

from ... import codes
from ...behaviour.route import Route
from ..words.findings import Finding
from ..words.suspect import Suspect, at, words_of

HANDSHAKE = (b"upgrade", b"connection", b"sec-websocket-key", b"sec-websocket-version")


def cleared(route: Route) -> List[Suspect]:
    """headers-more takes a header of the handshake away before it is passed on; its lists add up by level."""
    if route.answer.kind != "proxy" or route.level is None:
        return []
    for level in route.level.chain():
        for line in level.own(b"more_clear_input_headers", b"more_set_input_headers"):
            names = [word.partition(b":")[0].strip().lower() for arg in line.args for word in arg.split()]
            setting = line.name == b"more_set_input_headers"
            emptied = any(arg.rstrip().endswith(b":") for arg in line.args)
            gone = [name for name in names if name in HANDSHAKE and (emptied or not setting)]
            if gone:
                words = f"{words_of(line)}: the client's {gone[0].decode().title()} is gone"
                return [Suspect(Finding(codes.INPUT_HEADER_CLEARED, evidence=at(line, words)), True)]
    return []
