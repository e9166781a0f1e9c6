"""Rules for each kind of answer that a route can end in: a redirect, a return, a file, a backend."""

from __future__ import annotations

from typing import Callable, List, Optional

from ..behaviour.location import Location, all_locations
from ..behaviour.route import Route, index_of
from ..conf.tree import Directive
from . import upstream_rules
from .condition_rules import behind_condition, enclosing_if
from .facts import Facts
from .findings import Evidence, Finding
from .intent import STRONG, Meant, carries_upgrade, likeness, titled
from .suspect import Suspect, at, from_meant, host_name, is_ip, settled_by_files_only, words_of

REDIRECTING = ("rewrite", "internal-redirect", "named-location", "try_files", "index", "error_page")
CYCLE_FIX = (
    "end the cycle: rewrite ... break in the location, or a rewrite, try_files or error_page whose result "
    "does not lead back to it"
)


def _redirect(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    certain = settled_by_files_only(route)
    answer = route.answer
    status = (answer.status,)
    if meant is not None and meant.code in ("duplicate-server-name", "listen-address-captured"):
        return [from_meant(meant, certain, route, status)]
    target = (answer.redirect_target or b"").decode("utf-8", "backslashreplace")
    evidence = at(
        answer.directive,
        f"{words_of(answer.directive)} answers {answer.status}" + (f" to {target}" if target else "")
        if answer.directive is not None
        else f"{answer.status} to {target}",
    )
    if answer.code in ("auto-redirect", "directory"):
        code = "trailing-slash-redirect" if answer.code == "auto-redirect" else "location-without-handler"
    elif target.lower().startswith("https://") and not route.request.tls:
        code = "http-to-https-301"
    elif _adds_slash(route, target):
        code = "trailing-slash-redirect"
    else:
        code = "return-or-rewrite-redirect"
        conditional = behind_condition(facts, route, code, certain, status)
        if conditional is not None:
            return [conditional]
    return [Suspect(Finding(code, evidence=evidence), certain, status)]


def _adds_slash(route: Route, target: str) -> bool:
    """Whether a Location is the request's own path with a slash behind it."""
    path = target.split("://", 1)[-1]
    path = path[path.find("/") :] if "/" in path else ""
    return path.split("?")[0] == route.first_uri.decode("utf-8", "backslashreplace") + "/"


def _return(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    answer = route.answer
    certain = settled_by_files_only(route)
    status = (answer.status,)
    condition = enclosing_if(answer.directive)
    if condition is not None and b"$invalid_referer" in b"".join(condition.args):
        return [
            Suspect(
                Finding(
                    "referer-check",
                    evidence=at(
                        condition, "the handshake carries no Referer, and valid_referers has no none"
                    ),
                ),
                certain,
                status,
            )
        ]
    if meant is not None:
        return [from_meant(meant, certain, route, status)]
    conditional = behind_condition(facts, route, "return-status", certain, status)
    if conditional is not None:
        return [conditional]
    evidence = at(answer.directive, words_of(answer.directive) if answer.directive else answer.reason)
    return [
        Suspect(
            Finding(
                "return-status",
                evidence=evidence,
                detail=f"a return directive answers {answer.status} before any backend is asked",
            ),
            certain,
            status,
        )
    ]


def _closed(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    certain = settled_by_files_only(route)
    if meant is not None:
        return [from_meant(meant, certain, route)]
    conditional = behind_condition(facts, route, "return-status", certain)
    if conditional is not None:
        return [conditional]
    return [
        Suspect(
            Finding(
                "return-status",
                evidence=at(route.answer.directive, "return 444 closes the connection"),
                detail="return 444 closes the connection without an answer",
            ),
            certain,
        )
    ]


def _bad_request(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    return [
        Suspect(
            Finding("bad-request-uri", evidence=[Evidence("configuration", route.answer.reason)]),
            True,
            (400,),
        )
    ]


def _no_backend(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    """Static files, a listing, 403 or 404: no backend is asked."""
    certain = settled_by_files_only(route) and not _error_page_may_proxy(route)
    missing: List[Suspect] = []
    if not facts.live and _site_missing(route):
        certain = False
        missing = [
            Suspect(
                Finding(
                    "not-included-file",
                    weight=90,
                    evidence=at(
                        route.server.directive if route.server is not None else None,
                        "no server has this name, and no location of this configuration carries an "
                        "upgrade: the site's file may "
                        "not be included",
                    ),
                ),
                False,
            )
        ]
    answers = (route.answer.status,) if route.answer.status else (200, 403, 404, 405)
    if route.answer.code == "internal":
        return [
            Suspect(
                Finding("internal-location", evidence=at(route.answer.directive, "the location is internal")),
                certain,
                (404,),
            )
        ]
    strong = meant is not None and (meant.code != "wrong-location" or _strong(route, meant))
    if meant is not None and strong:
        return [from_meant(meant, certain, route, answers)]
    tried = next((step for step in route.steps if step.kind == "try_files"), None)
    entered_if = route.level is not None and route.level.kind == "if"
    if entered_if and route.level is not None:
        return [
            Suspect(
                Finding(
                    "if-is-evil",
                    evidence=at(
                        route.level.directive,
                        "this if is entered, and inside it neither try_files nor the handler of the "
                        "location holds",
                    ),
                ),
                certain,
                answers,
            )
        ]
    if tried is not None:
        owner = _owner(tried.directive)
        if owner is not None and owner.block and any(child.name == b"proxy_pass" for child in owner.block):
            return [
                Suspect(
                    Finding(
                        "try-files-before-proxy",
                        evidence=at(
                            tried.directive, "try_files ends the request in the location that has proxy_pass"
                        ),
                    ),
                    certain,
                    answers,
                )
            ]
        if tried.directive is not None and tried.directive.args[-1].startswith(b"="):
            return [
                *missing,
                Suspect(
                    Finding(
                        "location-without-handler",
                        evidence=[
                            *at(tried.directive, "try_files ends here without a backend"),
                            *_handler_evidence(route),
                        ],
                    ),
                    certain,
                    answers,
                ),
            ]
        return [
            *missing,
            Suspect(
                Finding(
                    "try_files-spa-fallback",
                    evidence=at(tried.directive, "try_files answers this path: " + tried.text),
                ),
                certain,
                answers,
            ),
        ]
    if meant is not None:
        return [from_meant(meant, certain, route, answers)]
    return [
        *missing,
        Suspect(Finding("location-without-handler", evidence=_handler_evidence(route)), certain, answers),
    ]


def _error_page_may_proxy(route: Route) -> bool:
    """A 404 that an error_page hands on to somebody else: whether it comes to that depends on a file."""
    if route.answer.status or route.level is None:
        return False
    return any(b"404" in directive.args for directive in route.level.nearest(b"error_page")[1])


def _site_missing(route: Route) -> bool:
    """No server has the name, and nowhere is a WebSocket location: the site itself may be left out."""
    if route.server_match is None or route.server_match.how != "default":
        return False
    host = host_name(route).decode("utf-8", "replace")
    if not host or is_ip(host.strip("[]")):
        return False
    return not any(
        carries_upgrade(location)
        for server in index_of(route.configuration).servers
        for location in all_locations(server)
    )


def _strong(route: Route, meant: Meant) -> bool:
    return isinstance(meant.location, Location) and (
        likeness(meant.location, route.first_uri, route.version)[0] >= STRONG
    )


def _owner(directive: Optional[Directive]) -> Optional[Directive]:
    return directive.parent if directive is not None else None


def _handler_evidence(route: Route) -> List[Evidence]:
    if route.location is None:
        server = route.server.directive if route.server is not None else None
        return at(server, "no location of this server matches the path, and the server serves files")
    evidence = at(route.location.directive, f"{titled(route.location)} has no proxy_pass of its own")
    for outer in route.location.chain()[1:]:
        for directive in outer.own(b"proxy_pass"):
            evidence += at(directive, "this proxy_pass is not inherited by the nested location")
    return evidence


def _pass(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    if meant is not None:
        return [from_meant(meant, True, route)]
    name = route.answer.directive.name.decode() if route.answer.directive is not None else "pass"
    return [
        Suspect(
            Finding(
                "wrong-pass-directive",
                evidence=at(
                    route.answer.directive,
                    f"{name} speaks another protocol than HTTP, in which nothing can be upgraded",
                ),
            ),
            True,
        )
    ]


def _error(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    if route.undecided and any(step.kind == "try_files" for step in route.steps):
        # The last file of try_files is missing as far as anybody knows, which alone makes this a cycle.
        return _no_backend(facts, route, meant)
    certain = not route.undecided
    steps = [step.directive for step in route.steps if step.kind in REDIRECTING and step.directive]
    evidence = at(route.answer.directive, route.answer.reason)
    if route.answer.directive is None and steps:
        evidence = at(steps[-1], f"{route.answer.reason}, here: {words_of(steps[-1])}")
    return [
        Suspect(
            Finding(
                "return-status",
                evidence=evidence,
                detail=f"nginx itself answers 500: {route.answer.reason}",
                fix=CYCLE_FIX
                if "cycle" in route.answer.reason
                else "correct the directive that the evidence names",
            ),
            certain,
            (500,),
        )
    ]


def undecided(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    """What only the running nginx knows decides."""
    reasons = [item.reason for item in route.undecided] or [route.answer.reason]
    evidence = at(route.answer.directive, "; ".join(reason for reason in reasons if reason) or "undecided")
    return [Suspect(Finding("undecided", evidence=evidence), False)]


def _proxy(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    certain = settled_by_files_only(route)
    found = []
    for finding, sure in upstream_rules.upstream_suspects(facts, route, meant):
        found.append(Suspect(finding, sure and certain))
    if not certain:
        found += undecided(facts, route, meant)
    return found


Rule = Callable[[Facts, Route, Optional[Meant]], List[Suspect]]
BY_KIND = {
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
