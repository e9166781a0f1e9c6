"""Which WebSocket routes of a host may fail, where nobody names one."""

from __future__ import annotations

from typing import Dict, List, Sequence, Tuple

from ..behaviour.effective import Level
from ..behaviour.location import all_locations
from ..behaviour.route import index_of
from ..behaviour.sample import sample_path
from ..behaviour.server.listen import Address, listens_of
from ..behaviour.server.names import real_names
from ..behaviour.upgrade.meant import carries_upgrade
from ..conf.tree import Configuration
from ..diagnosis.evidence.facts import DEFAULT_VERSION, Question
from ..diagnosis.websocket_routes import described
from ..edit.style import speaks_of_sockets

MOST = 20


def failing(configuration: Configuration) -> List[Question]:
    """URLs of the locations that carry an upgrade, or whose path says that they should.

    A location that only the plain server of a name has is asked for over TLS as well: that is how its pages
    come.  Whether they really fail, the diagnosis says.
    """
    found: Dict[str, None] = {}
    servers = index_of(configuration).servers
    for server in servers:
        for location in all_locations(server):
            if location.named or not location.own(b"proxy_pass"):
                continue
            path = sample_path(location, DEFAULT_VERSION)
            name = location.name.decode("utf-8", "replace")
            if path is None or not (carries_upgrade(location) or speaks_of_sockets(name)):
                continue
            for one in (server, *_over_tls(server, servers)):
                addresses = _addresses(one)
                if addresses:
                    address, tls = next((entry for entry in addresses if entry[1]), addresses[0])
                    found.setdefault(described(one, location, address, tls, path).url)
    return [Question(url) for url in list(found)[:MOST]]


def _addresses(server: Level) -> List[Tuple[Address, bool]]:
    """Where a server listens for clients, each with whether TLS is spoken there."""
    return [
        (address, listen.has("ssl"))
        for listen in listens_of(server)
        for address in listen.addresses
        if address.family != "unix"
    ]


def _over_tls(server: Level, servers: Sequence[Level]) -> List[Level]:
    """The servers that have a name of this one and speak TLS, where this one speaks none."""
    if any(tls for _, tls in _addresses(server)):
        return []
    names = real_names(server)
    return [
        other for other in servers if names & real_names(other) and any(tls for _, tls in _addresses(other))
    ]
