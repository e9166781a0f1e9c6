"""What each kind of answer means for a WebSocket: a redirect, a return, a file, another protocol."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Optional, Tuple

from ... import codes
from ..access.conditions import enclosing_if
from ..effective import Level
from ..location import Location, all_locations
from ..request import guessed_host
from ..route import Route, index_of, virtual_names
from .conditions import behind_condition
from .empty_backend import empty_backend, uses_capture
from .meant import STRONG, Fact, Meant, carries_upgrade, likeness, titled
from .obstacle import Client, Obstacle, at, from_meant, is_ip, settled_by_files_only, words_of
from .request import request_obstacles

REDIRECTING = ("rewrite", "internal-redirect", "named-location", "try_files", "index", "error_page")
CYCLE_FIX = (
    "end the cycle: rewrite ... break in the location, or a rewrite, try_files or error_page whose result "
    "does not lead back to it"
)

Rule = Callable[[Route, Optional[Meant], Client], List[Obstacle]]


def answer_obstacles(route: Route, meant: Optional[Meant], client: Client) -> List[Obstacle]:
    """What the answer that a route ends in means, the strongest first."""
    return _BY_KIND.get(route.answer.kind, _undecided)(route, meant, client)


def _redirect(route: Route, meant: Optional[Meant], _client: Client) -> List[Obstacle]:
    certain = settled_by_files_only(route)
    answer = route.answer
    status = (answer.status,)
    if meant is not None and meant.code in (codes.DUPLICATE_SERVER_NAME, codes.LISTEN_ADDRESS_CAPTURED):
        return [from_meant(meant, certain, route, status)]
    target = (answer.redirect_target or b"").decode("utf-8", "backslashreplace")
    text = f"{answer.status} to {target}"
    if answer.directive is not None:
        text = f"{words_of(answer.directive)} answers {answer.status}" + (f" to {target}" if target else "")
    tried = _try_files(route, certain, status) if answer.code == "directory" else None
    if tried is not None and tried.code == codes.TRY_FILES_BEFORE_PROXY:
        # try_files took the directory, and nginx sends browsers to its name with a slash.
        return [tried]
    if answer.code in ("auto-redirect", "directory"):
        automatic = answer.code == "auto-redirect"
        code = codes.TRAILING_SLASH_REDIRECT if automatic else codes.LOCATION_WITHOUT_HANDLER
    elif _same_host_over_tls(route, target):
        code = codes.HTTP_TO_HTTPS_301
    elif _adds_slash(route, target):
        code = codes.TRAILING_SLASH_REDIRECT
    else:
        code = codes.RETURN_OR_REWRITE_REDIRECT
        conditional = behind_condition(route, code, certain, status)
        if conditional is not None:
            return [conditional]
    return [Obstacle(code, certain, at(answer.directive, text), status)]


def _same_host_over_tls(route: Route, target: str) -> bool:
    """Whether a Location is of the host that was asked, or of its name with or without www, over TLS."""
    scheme, _, rest = target.lower().partition("://")
    if scheme != "https" or route.request.tls:
        return False
    asked, named = (
        name[4:] if name.startswith("www.") else name
        for name in (route.host.decode("latin-1"), re.split(r"[:/?#]", rest, maxsplit=1)[0])
    )
    return asked == named or "$" in named or not asked


def _adds_slash(route: Route, target: str) -> bool:
    """Whether a Location is the request's own path with a slash behind it."""
    path = target.split("://", 1)[-1]
    path = path[path.find("/") :] if "/" in path else ""
    return path.split("?")[0] == route.first_uri.decode("utf-8", "backslashreplace") + "/"


def _return(route: Route, meant: Optional[Meant], _client: Client) -> List[Obstacle]:
    answer = route.answer
    certain = settled_by_files_only(route)
    status = (answer.status,)
    condition = enclosing_if(answer.directive)
    if condition is not None and b"$invalid_referer" in b"".join(condition.args):
        text = "the handshake carries no Referer, and valid_referers has no none"
        return [Obstacle(codes.REFERER_CHECK, certain, at(condition, text), status)]
    if meant is not None:
        return [from_meant(meant, certain, route, status)]
    conditional = behind_condition(route, codes.RETURN_STATUS, certain, status)
    if conditional is not None:
        return [conditional]
    text = words_of(answer.directive) if answer.directive else answer.reason
    detail = f"a return directive answers {answer.status} before any backend is asked"
    return [Obstacle(codes.RETURN_STATUS, certain, at(answer.directive, text), status, detail)]


def _closed(route: Route, meant: Optional[Meant], _client: Client) -> List[Obstacle]:
    certain = settled_by_files_only(route)
    if meant is not None:
        return [from_meant(meant, certain, route)]
    conditional = behind_condition(route, codes.RETURN_STATUS, certain)
    if conditional is not None:
        return [conditional]
    done = f"return {route.answer.status} closes the connection"
    facts = at(route.answer.directive, done)
    return [Obstacle(codes.RETURN_STATUS, certain, facts, detail=f"{done} without an answer")]


def _bad_request(route: Route, _meant: Optional[Meant], _client: Client) -> List[Obstacle]:
    return [Obstacle(codes.BAD_REQUEST_URI, True, at(None, route.answer.reason), (400,))]


# -- no backend is asked ----------------------------------------------------------------------------


def _no_backend(route: Route, meant: Optional[Meant], client: Client) -> List[Obstacle]:
    """Static files, a listing, 403 or 404."""
    certain = settled_by_files_only(route) and not _error_page_may_proxy(route)
    missing: List[Obstacle] = []
    if not client.live and _site_missing(route):
        certain = False
        missing = [_left_out(route)]
    answers = (route.answer.status,) if route.answer.status else (200, 403, 404, 405)
    if route.answer.code == "internal":
        facts = at(route.answer.directive, "the location is internal")
        return [Obstacle(codes.INTERNAL_LOCATION, certain, facts, (404,))]
    if meant is not None and (meant.code != codes.WRONG_LOCATION or _strong(route, meant)):
        return [from_meant(meant, certain, route, answers)]
    if route.level is not None and route.level.kind == "if":
        text = "this if is entered, and inside it neither try_files nor the handler of the location holds"
        return [Obstacle(codes.IF_IS_EVIL, certain, at(route.level.directive, text), answers)]
    tried = _try_files(route, certain, answers)
    if tried is not None:
        return [tried] if tried.code == codes.TRY_FILES_BEFORE_PROXY else [*missing, tried]
    if meant is not None:
        return [from_meant(meant, certain, route, answers)]
    facts = _handler_facts(route)
    return [*missing, Obstacle(codes.LOCATION_WITHOUT_HANDLER, certain, facts, answers)]


def _try_files(route: Route, certain: bool, answers: Tuple[int, ...]) -> Optional[Obstacle]:
    """The ``try_files`` that ended the request; None without one."""
    tried = next((step for step in route.steps if step.kind == "try_files"), None)
    if tried is None or tried.directive is None:
        return None
    owner = tried.directive.parent
    if owner is not None and any(child.name == b"proxy_pass" for child in owner.block or ()):
        text = "try_files ends the request in the location that has proxy_pass"
        return Obstacle(codes.TRY_FILES_BEFORE_PROXY, certain, at(tried.directive, text), answers)
    if _found_before(route, tried.directive.args[-1]):
        text = "try_files finds a file or directory of this name before it comes to "
        facts = at(tried.directive, text + tried.directive.args[-1].decode("utf-8", "replace"))
        fix = "a location of its own for the path of the WebSocket, without try_files"
        return Obstacle(codes.TRY_FILES_BEFORE_PROXY, certain, facts, answers, fix=fix)
    if tried.directive.args[-1].startswith(b"="):
        facts = [*at(tried.directive, "try_files ends here without a backend"), *_handler_facts(route)]
        return Obstacle(codes.LOCATION_WITHOUT_HANDLER, certain, facts, answers)
    text = "try_files answers this path: " + tried.text
    return Obstacle(codes.TRY_FILES_SPA_FALLBACK, certain, at(tried.directive, text), answers)


def _found_before(route: Route, last: bytes) -> bool:
    """Whether the last argument is a named location that carries an upgrade, and was not reached."""
    if not last.startswith(b"@") or route.server is None:
        return False
    if any(step.kind == "named-location" for step in route.steps):
        return False
    return any(carries_upgrade(item) for item in all_locations(route.server) if item.name == last)


def _left_out(route: Route) -> Obstacle:
    text = (
        "no server has this name, and no location of this configuration carries an upgrade: "
        "the site's file may not be included"
    )
    server = route.server.directive if route.server is not None else None
    return Obstacle(codes.NOT_INCLUDED_FILE, False, at(server, text), weight=90)


def _error_page_may_proxy(route: Route) -> bool:
    """A 404 that an error_page hands on to somebody else: whether it comes to that depends on a file."""
    if route.answer.status or route.level is None:
        return False
    return any(b"404" in directive.args for directive in route.level.nearest(b"error_page")[1])


def _site_missing(route: Route) -> bool:
    """No server has the name, and nowhere is a WebSocket location: the site itself may be left out."""
    if route.listen is None or route.server_match is None or route.server_match.how != "default":
        return False
    index = index_of(route.configuration)
    host = guessed_host(route.request, route.version)
    if not host or is_ip(host.decode("utf-8", "replace").strip("[]")):
        return False
    # nginx does not look at the names of an address's only server, which may have it
    if virtual_names(index, route.listen, route.version).lookup(host) is not None:
        return False
    return not any(
        carries_upgrade(location) for server in index.servers for location in all_locations(server)
    )


def _strong(route: Route, meant: Meant) -> bool:
    return isinstance(meant.location, Location) and (
        likeness(meant.location, route.first_uri, route.version)[0] >= STRONG
    )


def _handler_facts(route: Route) -> List[Fact]:
    if route.location is None:
        server = route.server.directive if route.server is not None else None
        return at(server, "no location of this server matches the path, and the server serves files")
    facts = at(route.location.directive, f"{titled(route.location)} has no proxy_pass of its own")
    outer: List[Level] = route.location.chain()[1:]
    for level in outer:
        for directive in level.own(b"proxy_pass"):
            facts += at(directive, "this proxy_pass is not inherited by the nested location")
    return facts


# -- others -----------------------------------------------------------------------------------------


def _pass(route: Route, meant: Optional[Meant], _client: Client) -> List[Obstacle]:
    if meant is not None:
        return [from_meant(meant, True, route)]
    directive = route.answer.directive
    name = directive.name.decode() if directive is not None else "pass"
    text = f"{name} speaks another protocol than HTTP, in which nothing can be upgraded"
    return [Obstacle(codes.WRONG_PASS_DIRECTIVE, True, at(directive, text))]


def _error(route: Route, meant: Optional[Meant], client: Client) -> List[Obstacle]:
    if route.undecided and any(step.kind == "try_files" for step in route.steps):
        # The last file of try_files is missing as far as anybody knows, which alone makes this a cycle.
        return _no_backend(route, meant, client)
    answer = route.answer
    steps = [step.directive for step in route.steps if step.kind in REDIRECTING and step.directive]
    facts = at(answer.directive, answer.reason)
    if answer.directive is None and steps:
        facts = at(steps[-1], f"{answer.reason}, here: {words_of(steps[-1])}")
    if "in upstream" in answer.reason and answer.directive is not None and uses_capture(answer.directive):
        facts = at(answer.directive, f"{words_of(answer.directive)}: {answer.reason}")
        return [Obstacle(codes.CAPTURE_LOST, not route.undecided, facts, (500,))]
    if re.search(r'invalid URL prefix in "wss?:', answer.reason, re.I):
        return [Obstacle(codes.PROXY_PASS_WS_SCHEME, not route.undecided, facts, (500,))]
    if re.search(r'in upstream|prefix in ""', answer.reason):
        empty = empty_backend(route, answer.directive)
        if empty is not None:
            return [empty]
    detail = f"nginx itself answers 500: {answer.reason}"
    fix = CYCLE_FIX if "cycle" in answer.reason else "correct the directive that the evidence names"
    return [Obstacle(codes.RETURN_STATUS, not route.undecided, facts, (500,), detail, fix)]


def _undecided(route: Route, _meant: Optional[Meant], _client: Client) -> List[Obstacle]:
    """What only the running nginx knows decides."""
    reasons = [item.reason for item in route.undecided] or [route.answer.reason]
    text = "; ".join(reason for reason in reasons if reason) or "undecided"
    return [Obstacle(codes.UNDECIDED, False, at(route.answer.directive, text))]


def _proxy(route: Route, meant: Optional[Meant], client: Client) -> List[Obstacle]:
    found = request_obstacles(route, meant)
    if not settled_by_files_only(route):
        for obstacle in found:
            obstacle.certain = False
        found += _undecided(route, meant, client)
    return found


_BY_KIND: Dict[str, Rule] = {
    "redirect": _redirect,
    "return": _return,
    "closed": _closed,
    "bad-request": _bad_request,
    "static": _no_backend,
    "autoindex": _no_backend,
    "not-found": _no_backend,
    "forbidden": _no_backend,
    "pass": _pass,
    "error": _error,
    "proxy": _proxy,
}
