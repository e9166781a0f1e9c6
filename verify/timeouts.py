"""The timeout in force for a URL, read off the configuration that the host's own nginx printed."""

from __future__ import annotations

import base64
import contextlib
import zlib
from typing import Any, Dict, Optional

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.conf.tree import Configuration, ConfSyntaxError
from verify.outside import Door
from verify.sites import seconds


class Timeouts:
    """The timeouts of one host's configuration, which is parsed once."""

    def __init__(self, report: Dict[str, Any]) -> None:
        """Read the configuration of a host's report."""
        dump = zlib.decompress(base64.b64decode(report["dump"]))
        self._configuration: Optional[Configuration] = None
        # Where nginx printed nothing, nothing runs or the tree is broken: other checks say so.
        with contextlib.suppress(ConfSyntaxError):
            self._configuration = load_dump(dump)

    def read(self, door: Door, path: str) -> Optional[float]:
        """Return ``proxy_read_timeout`` in seconds for a WebSocket URL; None where that cannot be decided."""
        if self._configuration is None:
            return None
        # The listening address that the host sees is not ours to know: any address of that port.
        taken = route(self._configuration, Request(door.url(path, websocket=True)))
        effective = taken.effective.get("proxy_read_timeout")
        return None if effective is None or taken.answer.kind == "undecided" else seconds(effective.value)
