"""A finding that may be the cause, and what every rule on the configuration needs to speak of one."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import List, Optional, Sequence, Tuple

from ..behaviour.effective import Level
from ..behaviour.route import Route, index_of
from ..behaviour.server.names import validate_host
from ..behaviour.uri import BadRequest
from ..conf.tree import Directive
from .findings import Evidence, Finding
from .intent import Meant, Place, titled
from .location_changes import change_for_location
from .secret_values import head


@dataclasses.dataclass
class Suspect:
    """A finding that may be the cause."""

    finding: Finding
    certain: bool
    answers: Tuple[int, ...] = ()
    """Statuses that the client sees when this is the cause; empty when it is not by status that it shows."""

    @property
    def code(self) -> str:
        """The finding's code."""
        return self.finding.code


HEADER_FAULTS = (
    "no-upgrade-header",
    "hop-header-inheritance",
    "add-header-not-proxy-set-header",
    "upgrade-header-wrong-value",
    "connection-header-wrong",
)
"""The location is the right one, and only Upgrade and Connection are missing in it."""

_BESIDES = (
    "method-changed",
    "request-headers-not-passed",
    "response-header-hidden",
    "resolver-missing",
)
"""Each is a fault of its own, whatever else is wrong in the location."""


def with_those_behind(certain: Sequence[Finding]) -> List[Finding]:
    """The first of the certain findings, and those that keep the socket shut once it is cured."""
    known = (*HEADER_FAULTS, *_BESIDES)
    if not certain or certain[0].code not in known:
        return list(certain[:1])
    return [certain[0], *(finding for finding in certain[1:] if finding.code in _BESIDES)]


def place_of(route: Route) -> Optional[Place]:
    """What the search for the meant location needs; None when no server was reached."""
    if route.server is None or route.listen is None:
        return None
    index = index_of(route.configuration)
    host, port = route.request.local_address()
    visited: List[Level] = [found.location for found in route.selections if found.location is not None]
    if route.location is not None and (not visited or visited[-1].directive is not route.location.directive):
        visited.append(route.location)
    return Place(
        servers=index.servers,
        groups=index.groups,
        server=route.server,
        how=route.server_match.how if route.server_match is not None else "default",
        location=route.location,
        visited=visited,
        uri=route.first_uri,
        host=host_name(route),
        address=host if is_ip(host) else str(route.listen.address.host),
        port=port,
        tls=route.request.tls,
        version=route.version,
    )


def is_ip(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def host_name(route: Route) -> bytes:
    """The host that selects the server."""
    for key, value in route.request.header_list():
        if key.lower() == "host":
            try:
                return validate_host(value.encode("utf-8", "surrogateescape"), route.version)
            except BadRequest:
                return b""
    return b""


def at(directive: Optional[Directive], text: str) -> List[Evidence]:
    """One piece of evidence in the configuration; none without a directive."""
    if directive is None:
        return [Evidence("configuration", text)]
    return [Evidence("configuration", text, directive.file, directive.line)]


def settled_by_files_only(route: Route) -> bool:
    """Whether what is undecided concerns files alone: a file never opens a WebSocket."""
    return all(
        "exist" in item.reason or "relative to nginx's prefix" in item.reason for item in route.undecided
    )


def from_meant(meant: Meant, certain: bool, route: Route, answers: Tuple[int, ...] = ()) -> Suspect:
    """A suspect for the location that was meant and lost."""
    evidence = [meant.evidence()]
    if route.location is not None and route.location.directive is not None:
        evidence += at(route.location.directive, f"{titled(route.location)} is the one that answers")
    elif route.answer.directive is not None:
        evidence += at(route.answer.directive, f"{words_of(route.answer.directive)} is what answers")
    change = change_for_location(route, meant.code, meant.location)
    return Suspect(Finding(meant.code, evidence=evidence, change=change), certain, answers)


def words_of(directive: Directive) -> str:
    """A directive as it stands in the file, shortened, without its secrets."""
    text = head(directive)
    return text if len(text) < 120 else text[:117] + "..."
