"""The timeout in force for a URL, read off the configuration that the host's own nginx printed."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any, Dict, Iterable, Optional, Tuple

from host_answers.shapes import Misshapen
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.conf.tree import Configuration, ConfSyntaxError
from verify.as_user.endpoints import Endpoint
from verify.sites import seconds

#: Bytes of a configuration: zlib makes a thousand of one.
MOST_BYTES = 32 * 2**20
#: Directives and blocks of a configuration; each takes some 600 bytes here. A thousand sites have 50,000.
MOST_DIRECTIVES = 200_000
#: Blocks in each other. nginx's own modules nest five deep.
MOST_DEPTH = 100

Place = Tuple[Endpoint, str]


class Timeouts:
    """The timeouts of one host, read off its configuration, which is let go afterwards."""

    def __init__(self, report: Dict[str, Any], places: Iterable[Place]) -> None:
        """Read what the suite will ask for: the timeouts of WebSocket URLs, each an endpoint and a path.

        Raises:
            Misshapen: the host's dump of its configuration is none.
        """
        self._read: Dict[Place, Optional[float]] = {}
        dump = unpacked(report["dump"])
        try:
            configuration = load_dump(dump)
        except ConfSyntaxError:
            # Where nginx printed nothing, nothing runs or the tree is broken: other checks say so.
            return
        for endpoint, path in places:
            self._read[endpoint, path] = _timeout(configuration, endpoint, path)

    def read(self, endpoint: Endpoint, path: str) -> Optional[float]:
        """Return ``proxy_read_timeout`` in seconds for a WebSocket URL; None where that cannot be decided."""
        return self._read.get((endpoint, path))


def _timeout(configuration: Configuration, endpoint: Endpoint, path: str) -> Optional[float]:
    # The listening address that the host sees is not ours to know: any address of that port.
    taken = route(configuration, Request(endpoint.url(path, websocket=True)))
    effective = taken.effective.get("proxy_read_timeout")
    return None if effective is None or taken.answer.kind == "undecided" else seconds(effective.value)


def unpacked(text: str) -> bytes:
    """Return the configuration that a host sent, within bounds.

    Args:
        text: Compressed by zlib, as base64.

    Raises:
        Misshapen: it is not compressed, or no configuration of a real host is so large.
    """
    unpacker = zlib.decompressobj()
    try:
        dump = unpacker.decompress(base64.b64decode(text), MOST_BYTES + 1)
    except (ValueError, zlib.error):
        raise Misshapen("dump: expected compressed data, got something else") from None
    if len(dump) > MOST_BYTES or dump.count(b";") + dump.count(b"{") > MOST_DIRECTIVES:
        raise Misshapen(
            f"dump: expected at most {MOST_BYTES} bytes and {MOST_DIRECTIVES} directives, got more"
        )
    depth = deepest = 0
    for sign in re.findall(rb"[{}]", dump):
        depth += 1 if sign == b"{" else -1
        deepest = max(deepest, depth)
    if deepest > MOST_DEPTH:
        raise Misshapen(f"dump: expected blocks of at most {MOST_DEPTH} levels, got deeper ones")
    return dump
