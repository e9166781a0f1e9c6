"""Does a WebSocket upgrade survive what nginx does with a request?

nginx opens the tunnel when the backend answers 101 and the client asked for an upgrade
(``ngx_http_upstream_process_header``, ``ngx_http_upstream_upgrade``); so what counts is that the handshake
reaches a backend whole, and that its 101 comes back whole.
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional

from ... import codes
from ...conf.tree import Directive
from ..regex import CannotDecide
from ..route import Route
from .answers import answer_obstacles
from .connection import connection_obstacles
from .guards import guard_obstacles
from .obstacle import Client, Obstacle, meant_of

RISKS = frozenset(
    (
        codes.CACHE,
        codes.ERROR_PAGE_INTERCEPT,
        codes.SSI_HOLDS_UPGRADE,
        codes.NO_STICKY_SESSION,
        codes.REWRITE_CHANGES_PATH,
        codes.PROXY_PASS_DOUBLE_SLASH,
        codes.PROXY_PASS_VARIABLE_URI,
        codes.PROXY_PASS_NORMALIZES_PATH,
        codes.PROXY_PASS_STRIPS_PREFIX,
        codes.HEADER_UNDERSCORE_DROPPED,
    )
)
"""What most sites have and mean: where it is not certain, it puts the opening in no question."""
DECIDED = ("proxy", "return", "redirect", "closed", "pass")
"""Answers that somebody wrote for this very path: a location with a word in common explains none of them."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether an upgrade survives: True, False, or None where the configuration alone cannot tell."""

    survives: Optional[bool]
    code: str
    """One of ``codes``; "" where it survives."""
    reason: str = dataclasses.field(default="", compare=False)
    """What happens, in words."""
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)
    """The decisive one."""


def obstacles(route: Route, client: Optional[Client] = None) -> List[Obstacle]:
    """Everything in the configuration that keeps, or may keep, a handshake from opening, certain ones first.

    Args:
        route: of the handshake, followed as if every guard let it pass.
        client: what else is known of who asks.
    """
    client = client or Client()
    found = connection_obstacles(route, client)
    if found and found[0].certain:
        return found
    meant = meant_of(route)
    if meant is not None and meant.weak and route.answer.kind in DECIDED:
        meant = None
    ruled = answer_obstacles(route, meant, client)
    refusals = guard_obstacles(route)
    if refusals and ruled and meant is not None and ruled[0].code == meant.code:
        # The refusal belongs to a location that was not meant: that it answers at all is the fault.
        ruled[0].answers += refusals[0].answers
        ruled[0].facts += refusals[0].facts
        ruled += refusals
    else:
        ruled = refusals + ruled
    found += ruled
    found.sort(key=lambda obstacle: not obstacle.certain)
    return found


def judge(route: Route, client: Optional[Client] = None) -> Verdict:
    """The verdict: it dies of what is certain, and nobody can tell where something open could end it.

    Args:
        route: of the handshake, followed as if every guard let it pass.
        client: what else is known of who asks.
    """
    try:
        found = obstacles(route, client)
    except CannotDecide as error:
        return Verdict(None, codes.UNDECIDED, str(error))
    except RecursionError:
        return Verdict(None, codes.UNDECIDED, "blocks are nested too deeply to be followed")
    certain = next((item for item in found if item.certain), None)
    if certain is not None:
        return Verdict(False, certain.code, certain.sentence, certain.directive)
    doubt = next((item for item in found if item.code not in RISKS), None)
    if doubt is not None:
        return Verdict(None, doubt.code, doubt.sentence, doubt.directive)
    return Verdict(True, "")
