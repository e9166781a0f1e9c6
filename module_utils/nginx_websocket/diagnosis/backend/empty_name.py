"""proxy_pass names the backend by a variable, and for this handshake the variable is empty."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from ... import codes
from ...behaviour.regex import CannotDecide
from ...behaviour.route import Route, index_of
from ...behaviour.variables import maps_of, variable_names
from ...conf.tree import Directive, printable
from ..evidence.errorlog import LogLine
from ..evidence.facts import Facts
from ..words.findings import Finding
from ..words.suspect import at, words_of


def empty_backend(facts: Facts, line: LogLine) -> Optional[Finding]:
    """The finding for an address without host or port that no capture made; None where one may have.

    Args:
        facts: with their route.
        line: of nginx's log, which calls the upstream's host or port invalid.
    """
    route = facts.route
    passing = _passing(route)
    if route is None or passing is None or re.search(rb"\$\{?\d", passing.args[0]):
        return None
    name, made_by = _empty_variable(route, passing)
    if not name:
        return None
    evidence = at(passing, f"{words_of(passing)}: ${name} is empty for this handshake")
    fix = f"give ${name} a value for this handshake, or name the backend in proxy_pass"
    if made_by is not None:
        evidence = [*at(made_by, f"{words_of(made_by)} has no entry for this handshake"), *evidence]
        fix = "an entry for this handshake in the map, or a default"
    return Finding(
        codes.WRONG_BACKEND,
        evidence=[*evidence, line.evidence()],
        detail=f"proxy_pass names the backend by ${name}, which is empty for this handshake",
        fix=fix,
    )


def _passing(route: Optional[Route]) -> Optional[Directive]:
    """The proxy_pass in force."""
    if route is None:
        return None
    if route.upstream is not None and route.upstream.directive.args:
        return route.upstream.directive
    found = route.level.own(b"proxy_pass") if route.level is not None else []
    return next((item for item in found if item.args), None)


def _empty_variable(route: Route, passing: Directive) -> Tuple[str, Optional[Directive]]:
    """The variable of the address that is empty, and the map that gives it; "" where none is known to be."""
    maps = maps_of(index_of(route.configuration).http)[0]
    address = passing.args[0].split(b"://", 1)[-1].split(b"/")[0]
    unknown: List[bytes] = []
    for name in variable_names(address):
        try:
            value = route.exchange.evaluate(b"$" + name) if route.exchange is not None else b""
        except CannotDecide:
            unknown.append(name)
            continue
        if not value:
            found = maps.get(name)
            return printable(name), found.directive if found is not None else None
    # What only the running nginx knows, and nothing else can have been empty.
    return (printable(unknown[0]), None) if len(unknown) == 1 else ("", None)
