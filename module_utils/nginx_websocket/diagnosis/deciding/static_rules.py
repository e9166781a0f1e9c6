"""What the configuration alone says about a URL: suspects, each with whether anything else could still
decide.

What keeps a WebSocket from opening is told by ``behaviour.upgrade``; here it becomes findings, with the
cure as a change of the file.
"""

from __future__ import annotations

import re
from typing import List, Optional, Sequence

from ... import codes
from ...behaviour.access.conditions import enclosing_if
from ...behaviour.regex import CannotDecide
from ...behaviour.route import Route
from ...behaviour.upgrade.obstacle import Client, Obstacle
from ...behaviour.upgrade.verdict import obstacles
from ...edit.changes.by_code import change_for
from ...edit.changes.change import Change
from ...edit.changes.headers import with_headers
from ...edit.changes.locations import change_for_location
from ...edit.style import own_map, upgrade_lines
from ..evidence.facts import Facts
from ..headers import other_modules
from ..reach import proxy_line
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, finding_of

# A configuration that nginx refuses may hold directives without their arguments; rules that read them say
# so here.
BROKEN = (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError)


def explained(facts: Facts) -> bool:
    """Whether the configuration alone keeps the URL from opening, so that no probe needs much patience."""
    try:
        return any(suspect.certain for suspect in suspects(facts))
    except (CannotDecide, *BROKEN):
        return False


def suspects(facts: Facts) -> List[Suspect]:
    """Everything in the configuration that may keep this URL from opening, the strongest first."""
    route = facts.route
    if route is None:
        return []
    client = Client(tuple(facts.question.alpn), facts.live)
    found = [_suspect(obstacle, route) for obstacle in obstacles(route, client)]
    found = other_modules.cleared(route) + found
    return _stray(facts, found) + found


def _suspect(obstacle: Obstacle, route: Route) -> Suspect:
    finding = finding_of(obstacle)
    finding.change = _change(obstacle, route)
    if _three_lines_do(obstacle, route):
        finding.fix = "let the location that answers pass the upgrade on: it leads to the same application"
    finding.meant = obstacle.meant.location if obstacle.meant is not None else None
    return Suspect(finding, obstacle.certain, obstacle.answers)


def _change(obstacle: Obstacle, route: Route) -> Optional[Change]:
    """The cure as a change of the file that the obstacle stands in."""
    change: Optional[Change] = None
    if route.answer.code == "proxy-line":
        return proxy_line.change(route)
    if obstacle.meant is not None:
        if not _three_lines_do(obstacle, route):
            change = change_for_location(route, obstacle.code, obstacle.meant.location)
        if change is None and obstacle.code == codes.WS_MISSING_IN_TLS_SERVER and route.upstream is not None:
            # The location here is the one that was meant; its own lines are wrong, or missing.
            change = change_for(codes.UPGRADE_HEADER_WRONG_VALUE, route)
    if obstacle.hop is not None and obstacle.hop.upstream is not None:
        change = with_headers(obstacle.hop, obstacle.hop.upstream, upgrade_lines(obstacle.hop))
    return change or change_for(obstacle.code, route)


def _three_lines_do(obstacle: Obstacle, route: Route) -> bool:
    """Whether what answers in the other server passes the path to where the meant location would, as it came.

    Then the lines of an upgrade are fewer than a location more.  They hold for ordinary requests as well,
    which only a map of the file's own leaves as they were.
    """
    if obstacle.code != codes.WS_MISSING_IN_TLS_SERVER or obstacle.meant is None:
        return False
    if route.upstream is None or not own_map(route):
        return False
    own = [line.args[:1] for line in obstacle.meant.location.own(b"proxy_pass")]
    target = route.upstream.directive.args[:1]
    return own == [target] and re.match(rb"https?://[^/$]+$", target[0]) is not None


UNEXPLAINED = (
    codes.NO_UPGRADE_HEADER,
    codes.LOCATION_WITHOUT_HANDLER,
    codes.TRY_FILES_SPA_FALLBACK,
    codes.RETURN_STATUS,
    codes.NOT_INCLUDED_FILE,
    codes.PORT_NOT_LISTENING,
)


def _stray(facts: Facts, found: Sequence[Suspect]) -> List[Suspect]:
    """The location exists in a file that no include takes, and nothing in force explains the failure
    better."""
    first = next((suspect for suspect in found if suspect.certain), None)
    if not facts.stray_files or first is None or first.code not in UNEXPLAINED or _said_in_full(facts.route):
        return []
    path, words, line = facts.stray_files[0]
    evidence = [
        Evidence("file", f"{words} stands in a file that no include takes", path, line),
        *first.finding.evidence,
    ]
    finding = Finding(codes.NOT_INCLUDED_FILE, evidence=evidence)
    if facts.route is not None:
        finding.change = change_for(finding.code, facts.route)
    return [Suspect(finding, True, first.answers)]


def _said_in_full(route: Optional[Route]) -> bool:
    """Whether a condition or a cycle explains the answer: no other file would have been needed."""
    return route is not None and (
        enclosing_if(route.answer.directive) is not None or route.answer.kind == "error"
    )
