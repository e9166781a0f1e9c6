"""The time that ends a silent socket."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, List, Optional

from ...behaviour.upgrade.hops import own_hops
from ...conf.units import seconds_of
from ..evidence.facts import Facts
from ..words.findings import Evidence
from ..words.suspect import at

if TYPE_CHECKING:
    from ...behaviour.route import Route
    from ...conf.tree import Directive

STREAM = "proxy_timeout of stream"
STREAM_DEFAULT = "10m"
"""``proxy_timeout`` of ngx_stream_proxy_module where none is set."""


@dataclasses.dataclass
class Silence:
    """One directive that ends a connection on which nothing is sent."""

    name: str
    value: str
    seconds: float
    directive: Optional[Directive]
    source: str
    """Where the value comes from, when no line sets it."""
    hop: Optional[Route] = None
    """The route of the server that has it, where it is http's."""

    def evidence(self) -> List[Evidence]:
        """The value in force, and where it is set."""
        return at(
            self.directive, f"{self.name} is {self.value} ({'set here' if self.directive else self.source})"
        )


def read_timeout(found: Optional[Route]) -> Optional[float]:
    """``proxy_read_timeout`` in seconds; None when it cannot be told."""
    if found is None:
        return None
    effective = found.effective.get("proxy_read_timeout")
    return seconds_of(effective.value) if effective is not None else None


def silence(facts: Facts) -> Optional[Silence]:
    """What ends a silent socket first: proxy_read_timeout, or the proxy_timeout of a stream server in front.

    Returns:
        None when it cannot be told.
    """
    found: List[Silence] = []
    for hop in own_hops(facts.route) if facts.route is not None else ():
        seconds = read_timeout(hop)
        if seconds is not None:
            effective = hop.effective["proxy_read_timeout"]
            found.append(
                Silence(
                    "proxy_read_timeout", effective.value, seconds, effective.directive, effective.source, hop
                )
            )
    if facts.passage is not None:
        line = facts.passage.idle
        value = line.args[0].decode("utf-8", "replace") if line is not None and line.args else STREAM_DEFAULT
        limit = seconds_of(value)
        if limit is not None:
            found.append(Silence(STREAM, value, limit, line, "its default"))
    return min(found, key=lambda one: one.seconds) if found else None


def timeout_evidence(found: Optional[Route]) -> List[Evidence]:
    """The ``proxy_read_timeout`` in force, and where it is set."""
    effective = found.effective.get("proxy_read_timeout") if found is not None else None
    if effective is None:
        return []
    return Silence(
        "proxy_read_timeout", effective.value, 0.0, effective.directive, effective.source
    ).evidence()
