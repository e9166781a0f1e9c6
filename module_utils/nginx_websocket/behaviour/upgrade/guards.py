"""Guards that keep a handshake out, at every location that it enters.

What each asks and whether it lets this request pass is told by ``access.guards``; here is what that means
for a WebSocket.
"""

from __future__ import annotations

from typing import List

from ... import codes
from ..access.guards import ADDRESS, AUTH_REQUEST, METHOD, PASSWORD, Guard
from ..route import Route
from ..route import route as follow_route
from .obstacle import Obstacle, at, words_of

_CODES = {
    ADDRESS: (codes.ACCESS_DENIED, (403,)),
    METHOD: (codes.METHOD_NOT_ALLOWED, (403,)),
    PASSWORD: (codes.AUTH_BASIC, (401,)),
    AUTH_REQUEST: (codes.AUTH_REQUEST, (401, 403, 500)),
}


def guard_obstacles(route: Route) -> List[Obstacle]:
    """Refusals that nginx itself makes before it asks anybody, in its order."""
    found: List[Obstacle] = []
    for entered in route.entered:
        guards = [guard for guard in entered.guards if guard.kind in _CODES and not guard.abstains]
        if guards and guards[0].satisfy == "any":
            # One that lets the client pass is enough.
            if not any(guard.passes for guard in guards):
                certain = all(guard.passes is False for guard in guards)
                found += [_obstacle(guard, certain, route) for guard in guards]
            continue
        found += [_obstacle(guard, guard.passes is False, route) for guard in guards if not guard.passes]
    if any(obstacle.certain for obstacle in found) and _refusal_is_passed_on(route):
        for obstacle in found:
            obstacle.certain = False
    return found


def _refusal_is_passed_on(route: Route) -> bool:
    """Whether an ``error_page`` hands the refused request on to a backend."""
    if not any(entered.level.nearest(b"error_page")[1] for entered in route.entered):
        return False
    refused = follow_route(route.configuration, route.request, version=route.version, admitted=False)
    return refused.answer.kind == "proxy"


def _obstacle(guard: Guard, certain: bool, route: Route) -> Obstacle:
    code, answers = _CODES[guard.kind]
    directive = guard.directive
    if guard.kind == METHOD and directive is not None:
        directive = directive.parent
    return Obstacle(code, certain, at(directive, _words(guard, route)), answers)


def _words(guard: Guard, route: Route) -> str:
    decisive = guard.rule[0] if guard.directive is None else words_of(guard.directive)
    if guard.kind == METHOD:
        return (
            f"{guard.rule[0]} lets no other method pass ({decisive.rstrip(';')}), "
            f"and the handshake is a {route.request.method}"
        )
    if guard.kind == ADDRESS:
        remote = route.request.remote
        who = f" (the client is {remote})" if remote else ""
        return f"{decisive.rstrip(';')} refuses the client{who}"
    if guard.kind == PASSWORD:
        return "auth_basic asks for a password, and the handshake brings none"
    return f"a subrequest to {guard.rule[0].partition(' ')[2]} decides about every handshake"
