"""Rules for an answer behind an ``if``: what the condition asks for, and what a client must send to pass it.

Such a condition is often a check of the Origin or of a session.  To take it away would let everybody in.
"""

from __future__ import annotations

from typing import List, Optional, Set, Tuple

from ..behaviour.route import Route
from ..behaviour.variables import variable_names
from ..conf.tree import Directive
from .facts import Facts
from .findings import Evidence, Finding
from .suspect import Suspect, at, words_of

MOST_VARIABLES = 50
NOT_A_CHECK = (b"http_upgrade", b"http_connection", b"http_host")
"""Headers that every handshake has: a condition on them tells sockets from pages, it keeps nobody out."""

IF_FIX = (
    "let this client pass the condition; exempt the WebSocket path only if the condition is not a check of "
    "who may come in"
)


def enclosing_if(directive: Optional[Directive]) -> Optional[Directive]:
    """The innermost ``if`` that a directive stands in; None without one."""
    parent = directive.parent if directive is not None else None
    while parent is not None and parent.name != b"if":
        parent = parent.parent
    return parent


def behind_condition(
    facts: Facts, route: Route, code: str, certain: bool, answers: Tuple[int, ...] = ()
) -> Optional[Suspect]:
    """The suspect for an answer that stands in an ``if``; None when it stands in none.

    Args:
        facts: with the question.
        route: that ends in the answer.
        code: of the answer, where the condition is not on the Origin.
        certain: whether nothing else could still decide.
        answers: statuses that the client sees.
    """
    directive = route.answer.directive
    condition = enclosing_if(directive)
    if directive is None or condition is None:
        return None
    evidence = [
        *at(condition, f"{words_of(condition)} is true for this handshake"),
        *at(directive, f"so {words_of(directive)} answers"),
    ]
    done = (
        f"answers {route.answer.status}" if route.answer.status not in (0, 444) else "closes the connection"
    )
    asked = _asked_for(route, condition)
    if b"http_origin" in asked:
        return Suspect(_origin(facts, route, done, evidence), certain, answers)
    checked = [name for name in asked if name.startswith((b"cookie_", b"http_", b"arg_"))]
    name = next((name for name in checked if name not in NOT_A_CHECK), None)
    if name is None:
        detail = f"a condition {done} before any backend is asked"
        return Suspect(Finding(code, evidence=evidence, detail=detail, fix=IF_FIX), certain, answers)
    what, option, sent = _wanted(route, name)
    if sent:
        detail = f"a condition on {what} {done}: what this handshake sends there is not what it lets through"
        fix = f"send a value of {what} that the condition lets through; the check is no fault"
    else:
        detail = f"a condition on {what} {done}, and this handshake was sent without"
        fix = f"ask again with {what}, as the client sends it: {option}"
    return Suspect(Finding(code, evidence=evidence, detail=detail, fix=fix), certain, answers)


def _origin(facts: Facts, route: Route, done: str, evidence: List[Evidence]) -> Finding:
    own = facts.question.endpoint.origin
    origin = _header(route, "origin")
    if not origin:
        detail = f"a condition on the Origin {done}, and this handshake carries none; every browser sends one"
        fix = f"ask again with the Origin of the page that opens the socket: -e origin={own}"
    else:
        detail = f"a condition on the Origin {done}: {origin} is not among those it lets through"
        fix = f"allow {origin} in the condition if that page may open the socket, or use an Origin it allows"
    return Finding("origin-rejected", evidence=evidence, detail=detail, fix=fix)


def _wanted(route: Route, name: bytes) -> Tuple[str, str, bool]:
    """What a variable asks the client for: in words, as an option of the playbook, and if it was sent."""
    text = name.decode("utf-8", "replace")
    kind, _, rest = text.partition("_")
    if kind == "cookie":
        cookies = _header(route, "cookie")
        sent = any(part.strip().partition("=")[0] == rest for part in cookies.split(";"))
        return f"the cookie {rest}", f'-e \'{{"headers": {{"Cookie": "{rest}=..."}}}}\'', sent
    if kind == "arg":
        query = route.request.url.partition("?")[2]
        sent = any(part.partition("=")[0] == rest for part in query.split("&"))
        return f"the argument {rest} of the URL", f"-e 'url=...?{rest}=...'", sent
    header = "-".join(word.capitalize() for word in rest.split("_"))
    return (
        f"the header {header}",
        f'-e \'{{"headers": {{"{header}": "..."}}}}\'',
        bool(_header(route, header)),
    )


def _header(route: Route, name: str) -> str:
    found = [value for key, value in route.request.header_list() if key.lower() == name.lower()]
    return found[0] if found else ""


def _asked_for(route: Route, condition: Directive) -> List[bytes]:
    """The variables that a condition comes from, also through ``map`` and ``set``."""
    found: List[bytes] = []
    seen: Set[bytes] = set()
    waiting = _names(condition)
    maps = {
        item.args[-1][1:]: item
        for item in route.configuration.walk()
        if item.name == b"map" and item.block is not None and len(item.args) == 2
    }
    while waiting and len(seen) < MOST_VARIABLES:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        found.append(name)
        if name in maps:
            waiting += variable_names(maps[name].args[0])
        for step in route.steps:
            setter = step.directive
            if step.kind != "set" or setter is None or setter.args[0][1:] != name:
                continue
            waiting += variable_names(setter.args[1])
            outer = enclosing_if(setter)
            waiting += _names(outer) if outer is not None else []
    return found


def _names(condition: Directive) -> List[bytes]:
    """The variables of a condition; a regex may end in a dollar sign, which names none."""
    words = [word.lstrip(b"(") for word in condition.args]
    return [name for word in words if word.startswith(b"$") for name in variable_names(word.rstrip(b")"))]
