"""The lines that an upgrade needs, written as the file at hand writes them."""

from __future__ import annotations

import re
from typing import List

from ..behaviour.route import Route, index_of
from ..conf.tree import Directive

VERSION = "proxy_http_version 1.1;"
UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
CONNECTION = 'proxy_set_header Connection "upgrade";'
HANDSHAKE = (b"upgrade", b"connection")
"""The headers of which a wrong value opens nothing."""


_TELLING = re.compile(
    r"(?i)(?:^|[/._-])(?:wss?|web-?sockets?|sockets?|socket\.io|sockjs(?:-node)?|signalr|hubs?|cable|mqtt|stomp|"
    r"live|realtime|subscriptions|notifications/hub|_stcore/stream|phoenix)(?:$|[/._-])"
)
"""Words that the names of locations for WebSockets have."""


def speaks_of_sockets(name: str) -> bool:
    """Whether the name of a location says that it is for WebSockets."""
    return _TELLING.search(name) is not None


def upgrade_lines(route: Route) -> List[str]:
    """Version, Upgrade and Connection; by the file's own map of $http_upgrade where it has one."""
    own = own_map(route)
    connection = f"proxy_set_header Connection {own};" if own else CONNECTION
    return [VERSION, UPGRADE, connection]


def own_map(route: Route) -> str:
    """The variable that a map of $http_upgrade gives the word "upgrade" for a handshake; "" for none.

    Of several maps of one variable nginx takes the last (ngx_http_map_module).
    """
    found = ""
    for directive in index_of(route.configuration).http.own(b"map"):
        if len(directive.args) == 2 and directive.args[0] == b"$http_upgrade" and _upgrades(directive):
            found = directive.args[1].decode("utf-8", "replace")
    return found


def _upgrades(block: Directive) -> bool:
    values = {entry.name.lower(): entry.args[0].lower() for entry in block.block or () if entry.args}
    return values.get(b"websocket", values.get(b"default", b"")) == b"upgrade"
