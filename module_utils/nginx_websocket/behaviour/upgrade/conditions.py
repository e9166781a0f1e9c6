"""An answer behind an ``if``: what the condition asks for, and what a client must send to pass it.

Such a condition is often a check of the Origin or of a session.  To take it away would let everybody in.
"""

from __future__ import annotations

import dataclasses
import re
from typing import List, Optional, Tuple

from ... import codes
from ...conf.tree import Directive
from ..access.conditions import asked_variables, enclosing_if
from ..access.guards import CONDITION, Guard
from ..request import Request
from ..route import Route, index_of
from ..variables import signed_in_names, variable_names
from .meant import Fact
from .obstacle import Obstacle, at, header_of, own_origin, words_of

_OF_SOCKETS = (b"http_upgrade", b"http_connection")
NOT_A_CHECK = (*_OF_SOCKETS, b"http_host")
"""Headers that every handshake has: a condition on them tells sockets from pages, it keeps nobody out."""

_COMPARES = re.compile(rb'\(\s*\$\{?(http_upgrade|http_connection)\}?\s*(!?[=~])\s*"?(.+?)"?\s*\)')
"""A condition on one of the two that looks at upper and lower case (ngx_http_rewrite_if_condition)."""

IF_FIX = (
    "let this client pass the condition; exempt the WebSocket path only if the condition is not a check of "
    "who may come in"
)


def keeps_out(guard: Guard) -> bool:
    """Whether a guard is one for people, and no condition that only tells sockets from pages."""
    asked = [name for rule in guard.rule for name in variable_names(rule.encode("utf-8", "surrogateescape"))]
    return guard.kind != CONDITION or any(name and name not in _OF_SOCKETS for name in asked)


@dataclasses.dataclass(frozen=True)
class WrongCase:
    """A condition that compares a header of the handshake in another case than this client writes it."""

    condition: Directive
    header: str
    word: bytes
    """As the condition has it."""
    sent: str
    """As the client sends it."""

    @property
    def text(self) -> str:
        """What differs, in words."""
        word = self.word.decode("utf-8", "replace")
        return f'it compares {self.header} with "{word}", and clients write "{self.sent}"'

    @property
    def fix(self) -> str:
        """What to write."""
        return f'write "{self.sent}" in the condition, or compare by ~*, which does not look at the case'


def wrong_case(route: Route) -> List[WrongCase]:
    """The conditions on the way that would be decided otherwise if they did not look at the case."""
    conditions = [step.directive for step in route.steps if step.kind == "if" and step.directive is not None]
    found = (_of_other_case(condition, route.request) for condition in conditions)
    return [one for one in found if one is not None]


def _of_other_case(condition: Directive, request: Request) -> Optional[WrongCase]:
    match = _COMPARES.fullmatch(b" ".join(condition.args))
    if match is None:
        return None
    name = match.group(1)[5:].decode().capitalize()
    word, sent = match.group(3), header_of(request, name).encode()
    if match.group(2).endswith(b"="):
        differs = word != sent and word.lower() == sent.lower()
    else:
        try:
            differs = not re.search(word, sent) and bool(re.search(word, sent, re.IGNORECASE))
        except re.error:
            return None
    return WrongCase(condition, name, word, sent.decode("latin-1")) if differs else None


def _by_case(route: Route, condition: Directive) -> Optional[WrongCase]:
    """The condition that answers, or one that would have set what it asks, where its case is at fault."""
    asked = set(variable_names(b" ".join(condition.args)))
    for found in wrong_case(route):
        sets = {line.args[0][1:] for line in found.condition.block or () if line.name == b"set" and line.args}
        if found.condition is condition or sets & asked:
            return found
    return None


def behind_condition(
    route: Route, code: str, certain: bool, answers: Tuple[int, ...] = ()
) -> Optional[Obstacle]:
    """The obstacle of an answer that stands in an ``if``; None when it stands in none.

    Args:
        route: that ends in the answer.
        code: of the answer, where the condition is not on the Origin.
        certain: whether nothing else could still decide.
        answers: statuses that the client sees.
    """
    directive = route.answer.directive
    condition = enclosing_if(directive)
    if directive is None or condition is None or route.server is None:
        return None
    facts = [
        *at(condition, f"{words_of(condition)} is true for this handshake"),
        *at(directive, f"so {words_of(directive)} answers"),
    ]
    status = route.answer.status
    done = f"answers {status}" if status not in (0, 444) else "closes the connection"
    case = _by_case(route, condition)
    if case is not None:
        facts = [*at(case.condition, "= and ~ look at upper and lower case"), *facts]
        return Obstacle(code, certain, facts, answers, f"a condition {done}: {case.text}", case.fix)
    asked = asked_variables(condition, route.steps, route.level or route.server)
    if b"http_origin" in asked:
        return _origin(route, done, facts, certain, answers)
    late = next((name for name in asked if name in signed_in_names(index_of(route.configuration).http)), None)
    if late is not None:
        word = late.decode("utf-8", "replace")
        detail = f"a condition {done}: ${word} is empty there, for auth_request_set fills it afterwards"
        fix = "let auth_request refuse by itself; a condition comes before it and cannot know what it says"
        return Obstacle(code, certain, facts, answers, detail, fix)
    checked = [name for name in asked if name.startswith((b"cookie_", b"http_", b"arg_"))]
    name = next((name for name in checked if name not in NOT_A_CHECK), None)
    if name is None:
        detail = f"a condition {done} before any backend is asked"
        return Obstacle(code, certain, facts, answers, detail, IF_FIX)
    what, option, sent = _wanted(route, name)
    if sent:
        detail = f"a condition on {what} {done}: what this handshake sends there is not what it lets through"
        fix = f"send a value of {what} that the condition lets through; the check is no fault"
    else:
        detail = f"a condition on {what} {done}, and this handshake was sent without"
        fix = f"ask again with {what}, as the client sends it: {option}"
    return Obstacle(code, certain, facts, answers, detail, fix)


def _origin(route: Route, done: str, facts: List[Fact], certain: bool, answers: Tuple[int, ...]) -> Obstacle:
    origin = header_of(route.request, "origin")
    if not origin:
        detail = f"a condition on the Origin {done}, and this handshake carries none; every browser sends one"
        own = own_origin(route.request)
        fix = f"ask again with the Origin of the page that opens the socket: -e origin={own}"
    else:
        detail = f"a condition on the Origin {done}: {origin} is not among those it lets through"
        fix = f"allow {origin} in the condition if that page may open the socket, or use an Origin it allows"
    return Obstacle(codes.ORIGIN_REJECTED, certain, facts, answers, detail, fix)


def _wanted(route: Route, name: bytes) -> Tuple[str, str, bool]:
    """What a variable asks the client for: in words, as an option of the playbook, and if it was sent."""
    text = name.decode("utf-8", "replace")
    kind, _, rest = text.partition("_")
    if kind == "cookie":
        cookies = header_of(route.request, "cookie")
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
        bool(header_of(route.request, header)),
    )
