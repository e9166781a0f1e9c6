"""What may keep a WebSocket from opening, and what every rule needs to speak of it."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import List, Optional, Tuple

from ...conf.tree import Directive
from ..regex import CannotDecide, RegexError
from ..request import Request
from ..route import Route
from ..secret_values import head
from .meant import Fact, Meant, find_meant, place_of, titled


@dataclasses.dataclass(frozen=True)
class Client:
    """What is known of who asks, beyond the request itself."""

    alpn: Tuple[str, ...] = ()
    """What the client offers in ALPN."""
    live: bool = False
    """Whether the host can be looked at: then no includes, sites or lines need to be guessed at."""


@dataclasses.dataclass
class Obstacle:
    """One thing in the configuration that keeps, or may keep, a WebSocket from opening."""

    code: str
    """One of ``codes``."""
    certain: bool
    """nginx cannot do otherwise with this configuration, whatever the backend, files and services are."""
    facts: List[Fact] = dataclasses.field(default_factory=list)
    """What stands where, the decisive place first."""
    answers: Tuple[int, ...] = ()
    """Statuses that the client sees because of it; empty when it is not by status that it shows."""
    detail: str = ""
    """What it means here, in one sentence."""
    fix: str = ""
    weight: int = 0
    """Order among those that are not certain: higher comes first."""
    meant: Optional[Meant] = None
    """The location that was meant instead of the one that answers."""
    hop: Optional[Route] = None
    """The further hop that it is about."""

    @property
    def directive(self) -> Optional[Directive]:
        """The decisive directive."""
        return next((fact.directive for fact in self.facts if fact.directive is not None), None)

    @property
    def sentence(self) -> str:
        """What keeps the socket from opening, in words."""
        return self.detail or "; ".join(fact.text for fact in self.facts)


def at(directive: Optional[Directive], text: str) -> List[Fact]:
    """One fact, as a list for the others to be added to."""
    return [Fact(text, directive)]


def is_ip(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def header_of(request: Request, name: str) -> str:
    """The first header of a name that the client sends; "" for none."""
    return next((value for key, value in request.header_list() if key.lower() == name.lower()), "")


def own_origin(request: Request) -> str:
    """The Origin of a page of the site itself."""
    host = header_of(request, "host") or request.host_header()
    return ("https://" if request.tls else "http://") + host


def settled_by_files_only(route: Route) -> bool:
    """Whether what is undecided concerns files alone: a file never opens a WebSocket."""
    reasons = [item.reason for item in route.undecided]
    return all("exist" in reason or "relative to nginx's prefix" in reason for reason in reasons)


def meant_of(route: Route) -> Optional[Meant]:
    """The location that was meant for the request, where another one answers."""
    place = place_of(route)
    if place is None:
        return None
    try:
        return find_meant(place)
    except (CannotDecide, RegexError):
        return None


def from_meant(meant: Meant, certain: bool, route: Route, answers: Tuple[int, ...] = ()) -> Obstacle:
    """The obstacle that the location that was meant lost to another."""
    facts = [meant.fact()]
    if route.location is not None and route.location.directive is not None:
        facts += at(route.location.directive, f"{titled(route.location)} is the one that answers")
    elif route.answer.directive is not None:
        facts += at(route.answer.directive, f"{words_of(route.answer.directive)} is what answers")
    return Obstacle(meant.code, certain, facts, answers, meant=meant)


def words_of(directive: Directive) -> str:
    """A directive as it stands in the file, shortened, without its secrets."""
    text = head(directive)
    return text if len(text) < 120 else text[:117] + "..."
