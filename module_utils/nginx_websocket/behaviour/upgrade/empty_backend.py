"""proxy_pass names the backend by a variable, and for this handshake the variable is empty."""

from __future__ import annotations

import re
from typing import List, Optional, Tuple

from ... import codes
from ...conf.tree import Directive, printable
from ..regex import CannotDecide
from ..route import Route, index_of
from ..variables import maps_of, variable_names
from .obstacle import Obstacle, at, words_of


def uses_capture(directive: Directive) -> bool:
    """Whether a directive uses $1 ... $9, which the next regex overwrites."""
    return any(re.search(rb"\$\{?[1-9]", argument) for argument in directive.args)


def empty_backend(route: Route, passing: Optional[Directive] = None) -> Optional[Obstacle]:
    """The obstacle for an address without host or port that no capture made; None where one may have.

    Args:
        route: of a request that nginx answers with 500, because it calls the upstream's address invalid.
        passing: the proxy_pass; None for the one in force.
    """
    passing = passing or _passing(route)
    if passing is None or not passing.args or uses_capture(passing):
        return None
    name, made_by = _empty_variable(route, passing)
    if not name:
        return None
    facts = at(passing, f"{words_of(passing)}: ${name} is empty for this handshake")
    fix = f"give ${name} a value for this handshake, or name the backend in proxy_pass"
    if made_by is not None:
        facts = [*at(made_by, f"{words_of(made_by)} has no entry for this handshake"), *facts]
        fix = "an entry for this handshake in the map, or a default"
    detail = f"proxy_pass names the backend by ${name}, which is empty for this handshake"
    return Obstacle(codes.WRONG_BACKEND, not route.undecided, facts, (500,), detail, fix)


def _passing(route: Route) -> Optional[Directive]:
    if route.upstream is not None:
        return route.upstream.directive
    found = route.level.own(b"proxy_pass") if route.level is not None else []
    return next(iter(found), None)


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
