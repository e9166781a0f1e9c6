"""The servers of a configuration: which names and sockets each file claims."""

from __future__ import annotations

import dataclasses
import re
from typing import Dict, FrozenSet, List, Sequence, Tuple

from ...behaviour.effective import Level
from ...behaviour.server.listen import Address, Listen, listens_of
from ...conf import globbing
from ...conf.load import load
from ...conf.regular import read_file
from ...conf.tree import Configuration, Directive
from .release import LOCATION

_CANDIDATE_MAIN = "/nginx-websocket-candidate/nginx.conf"
_CANDIDATE = "/nginx-websocket-candidate/site.conf"


@dataclasses.dataclass(frozen=True)
class Server:
    """One ``server`` block of http."""

    directive: Directive
    names: Tuple[str, ...]
    """Lower case; ``.x`` counts as ``x`` and ``*.x``; none for a server without a name."""
    listens: Tuple[Listen, ...]
    release: str
    """The id in the path of its release location; "" when it has none."""

    @property
    def file(self) -> str:
        """The file that holds the block."""
        return self.directive.file

    def where(self) -> str:
        """``file:line`` of the block."""
        return self.directive.where()

    def addresses(self) -> FrozenSet[Address]:
        """Every address it listens on."""
        return frozenset(address for listen in self.listens for address in listen.addresses)


def servers(configuration: Configuration) -> List[Server]:
    """Every server of http, in nginx's order."""
    found = []
    for http in configuration.root:
        if http.name == b"http" and http.block is not None:
            outer = Level("http", http, None)
            for directive in http.children(b"server"):
                if directive.block is not None:
                    found.append(_server(directive, outer))
    return found


def servers_by_file(configuration: Configuration) -> Dict[str, List[Server]]:
    """The servers grouped by the file that holds their block."""
    grouped: Dict[str, List[Server]] = {}
    for server in servers(configuration):
        grouped.setdefault(server.file, []).append(server)
    return grouped


def candidate_servers(content: bytes) -> List[Server]:
    """The servers of a site file that is not on the disk yet.

    Raises:
        ConfSyntaxError: the content cannot be read; nginx will say the same.
    """
    main = b'events {} http { include "%s"; }' % _CANDIDATE.encode()
    made = {_CANDIDATE_MAIN: main, _CANDIDATE: content}

    def read(path: str) -> bytes:
        return made[path] if path in made else read_file(path)

    return servers(load(_CANDIDATE_MAIN, read=read, glob=globbing.glob))


_SCAN = re.compile(rb"(?:^|[\s{;])server_name\s+([^;{}#]+)")


def scanned_names(content: bytes) -> List[str]:
    """The server names in a file that cannot be read whole, as far as the eye sees them."""
    return [
        word.decode("utf-8", "replace").lower().strip("\"'")
        for line in _SCAN.findall(content)
        for word in line.split()
    ]


def _server(directive: Directive, outer: Level) -> Server:
    names: List[str] = []
    for line in directive.children(b"server_name"):
        for argument in line.args:
            name = argument.decode("utf-8", "surrogateescape")
            if name.startswith("~"):
                names.append(name)
            elif name.startswith("."):
                names += [name[1:].lower(), "*" + name.lower()]
            elif name:
                names.append(name.lower())
    return Server(
        directive, tuple(names), tuple(listens_of(Level("server", directive, outer))), _release(directive)
    )


def _release(server: Directive) -> str:
    prefix = LOCATION.encode()
    for location in server.children(b"location"):
        if len(location.args) == 2 and location.args[0] == b"=" and location.args[1].startswith(prefix):
            return location.args[1][len(prefix) :].decode("ascii", "replace")
    return ""


def claims(found: Sequence[Server]) -> List[str]:
    """All names of some servers; a server without a name claims ``""``."""
    return [name for server in found for name in (server.names or ("",))]
