"""Which WebSocket routes of a host may fail, where nobody names one."""

from __future__ import annotations

import re
from typing import List, Tuple

from ..behaviour.location import all_locations
from ..behaviour.route import index_of
from ..behaviour.sample import sample_path
from ..behaviour.server.listen import listens_of
from ..behaviour.upgrade.meant import carries_upgrade
from ..conf.tree import Configuration
from ..diagnosis.evidence.facts import DEFAULT_VERSION, Question
from ..diagnosis.websocket_routes import described

MOST = 20
_TELLING = re.compile(
    r"(?i)(?:^|[/._-])(?:wss?|web-?sockets?|sockets?|socket\.io|sockjs(?:-node)?|signalr|hubs?|cable|mqtt|stomp|"
    r"live|realtime|subscriptions|notifications/hub|_stcore/stream|phoenix)(?:$|[/._-])"
)
"""Words that the names of locations for WebSockets have."""


def failing(configuration: Configuration) -> List[Question]:
    """URLs of the locations that carry an upgrade, or whose path says that they should.

    Whether they really fail, the diagnosis says.
    """
    found: List[Tuple[bool, str]] = []
    for server in index_of(configuration).servers:
        addresses = [
            (address, listen.has("ssl"))
            for listen in listens_of(server)
            for address in listen.addresses
            if address.family != "unix"
        ]
        for location in all_locations(server):
            if location.named or not addresses or not location.own(b"proxy_pass"):
                continue
            path = sample_path(location, DEFAULT_VERSION)
            name = location.name.decode("utf-8", "replace")
            if path is None or not (carries_upgrade(location) or _TELLING.search(name)):
                continue
            address, tls = next((entry for entry in addresses if entry[1]), addresses[0])
            url = described(server, location, address, tls, path).url
            if url not in [known for _, known in found]:
                found.append((tls, url))
    return [Question(url) for _, url in found[:MOST]]
