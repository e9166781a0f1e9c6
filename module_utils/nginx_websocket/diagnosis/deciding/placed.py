"""Where in the files a cause has its place, when what was seen names none: logs and probes have no line."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..evidence.facts import Facts
from ..words.findings import Finding
from ..words.suspect import at, words_of

_OF_DIRECTIVE: Dict[str, bytes] = {
    codes.LIMIT_REQ: b"limit_req",
    codes.LIMIT_CONN: b"limit_conn",
    codes.AUTH_REQUEST: b"auth_request",
}
"""The directive that a cause is about, by the code of the cause."""
_BEHIND = ("backend-", "upstream-")
"""Begins of codes that speak of what proxy_pass leads to."""
_BEHIND_TOO = (codes.WRONG_BACKEND, codes.WRONG_BACKEND_PROTOCOL)


def place(cause: Finding, facts: Facts) -> None:
    """Add the line that a cause is about, where no evidence of it has one."""
    route = facts.route
    level = (route.level or route.server) if route is not None else None
    if route is None or level is None or any(item.file and item.line for item in cause.evidence):
        return
    found = level.nearest(_OF_DIRECTIVE[cause.code])[1] if cause.code in _OF_DIRECTIVE else []
    if found:
        cause.evidence += at(found[-1], words_of(found[-1]))
    elif (cause.code.startswith(_BEHIND) or cause.code in _BEHIND_TOO) and route.upstream is not None:
        passed = route.upstream.directive
        cause.evidence += at(passed, f"{words_of(passed)} leads there")
