"""``stream {}`` in front: a PROXY line that is sent and not expected, or the reverse."""

from __future__ import annotations

from typing import Optional

from ...behaviour.route import Route
from ..cures.changes import insert_after, replace
from ..words.findings import Change


def change(route: Route) -> Optional[Change]:
    """The stream server's line as the http server behind it expects it."""
    directive, group = route.answer.directive, route.listen
    if directive is None or group is None or directive.parent is None:
        return None
    if group.proxy_protocol:
        return insert_after(route.configuration, directive, "proxy_protocol on;")
    sending = next((item for item in directive.parent.children(b"proxy_protocol")), None)
    return replace(route.configuration, sending) if sending is not None else None
