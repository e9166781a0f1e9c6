"""Another server answers than the one that was meant."""

from __future__ import annotations

from typing import List, Sequence

from ... import codes
from ...behaviour.request import guessed_host
from ...behaviour.route import index_of
from ...behaviour.server.names import server_names
from ...behaviour.upgrade.obstacle import is_ip
from ..evidence.facts import Facts
from ..words.findings import Finding
from ..words.suspect import Suspect, at, certain_cause


def other_site(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The certificate is another site's because another site answers: that comes first."""
    elsewhere = (
        codes.NOT_INCLUDED_FILE,
        codes.DEFAULT_SERVER_CAPTURED,
        codes.DUPLICATE_SERVER_NAME,
        codes.LISTEN_ADDRESS_CAPTURED,
    )
    found = certain_cause(suspects, elsewhere)
    return found or ([not_served(facts)] if stranger(facts) else [])


def unserved(facts: Facts) -> bool:
    """Whether another site answers in the place of the one that is asked for, and not by passing it on."""
    route = facts.route
    passed = ("proxy", "pass", "redirect", "undecided")
    return route is not None and route.answer.kind not in passed and stranger(facts)


def stranger(facts: Facts) -> bool:
    """Whether no server has the name, and the one that answers in its place is no catch-all by intent.

    A server without a real name beside no other is meant for every name.
    """
    route = facts.route
    if route is None or route.server is None or not unknown_name(facts):
        return False
    name = guessed_host(route.request, route.version).decode("utf-8", "replace")
    # A server that is alone on its address is not looked for by name: it may well have this one.
    own = [item.lower() for item in server_names(route.server)]
    if name.lower().encode() in own or any(set(item) & set(b"*~") or item.startswith(b".") for item in own):
        return False
    servers = index_of(route.configuration).servers
    return any(b"." in item for server in servers for item in server_names(server))


def unknown_name(facts: Facts) -> bool:
    """Whether the URL has a name, and the default server answers because none has that name."""
    route = facts.route
    if route is None or route.server_match is None or route.server_match.how != "default":
        return False
    name = guessed_host(route.request, route.version).decode("utf-8", "replace")
    return bool(name) and not is_ip(name.strip("[]")) and name != "localhost"


def not_served(facts: Facts) -> Finding:
    """No server of this nginx has the name."""
    route = facts.route
    server = route.server.directive if route is not None and route.server is not None else None
    name = facts.question.host_header
    words = f"no server_name of this nginx is {name}: this server answers in its place"
    return Finding(
        codes.DEFAULT_SERVER_CAPTURED,
        evidence=at(server, words),
        detail=f"this nginx does not serve {name}: the default server of the port answers",
    )
