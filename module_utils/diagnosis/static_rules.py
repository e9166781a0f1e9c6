"""What the configuration alone says about a URL: suspects, each with whether anything else could still decide.

A suspect is *certain* when nginx cannot do otherwise with this configuration, whatever the backend is.  What depends
on the backend, on files, on the client's address or on a service is a risk until a probe has shown it.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Callable, List, Optional, Sequence, Tuple

from ..nginx_conf.effective import Level
from ..nginx_conf.listen import groups_for
from ..nginx_conf.location import Location
from ..nginx_conf.regex import CannotDecide, RegexError
from ..nginx_conf.route import Route, index_of
from ..nginx_conf.server import validate_host
from ..nginx_conf.tree import Directive
from ..nginx_conf.uri import BadRequest
from . import access_rules, upstream_rules
from .changes import change_for
from .facts import Facts
from .findings import Evidence, Finding
from .intent import Meant, Place, all_locations, carries_upgrade, find_meant, titled


@dataclasses.dataclass
class Suspect:
    """A finding that may be the cause."""

    finding: Finding
    certain: bool
    answers: Tuple[int, ...] = ()
    """Statuses that the client sees when this is the cause; empty when it is not by status that it shows."""

    @property
    def code(self) -> str:
        """The finding's code."""
        return self.finding.code


def place_of(route: Route) -> Optional[Place]:
    """What the search for the meant location needs; None when no server was reached."""
    if route.server is None or route.listen is None:
        return None
    index = index_of(route.configuration)
    host, port = route.request.local_address()
    visited: List[Level] = [found.location for found in route.selections if found.location is not None]
    if route.location is not None and (not visited or visited[-1].directive is not route.location.directive):
        visited.append(route.location)
    return Place(
        servers=index.servers,
        groups=index.groups,
        server=route.server,
        how=route.server_match.how if route.server_match is not None else "default",
        location=route.location,
        visited=visited,
        uri=route.first_uri,
        host=host_name(route),
        address=host if _is_ip(host) else str(route.listen.address.host),
        port=port,
        tls=route.request.tls,
        version=route.version,
    )


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def host_name(route: Route) -> bytes:
    """The host that selects the server."""
    for key, value in route.request.header_list():
        if key.lower() == "host":
            try:
                return validate_host(value.encode("utf-8", "surrogateescape"), route.version)
            except BadRequest:
                return b""
    return b""


def at(directive: Optional[Directive], text: str) -> List[Evidence]:
    """One piece of evidence in the configuration; none without a directive."""
    if directive is None:
        return [Evidence("configuration", text)]
    return [Evidence("configuration", text, directive.file, directive.line)]


def suspects(facts: Facts) -> List[Suspect]:
    """Everything in the configuration that may keep this URL from opening, the strongest first."""
    route = facts.route
    if route is None:
        return []
    found = list(_connection(facts, route))
    if found and found[0].certain:
        return found
    meant = _meant(facts, route)
    rule = _BY_KIND.get(route.answer.kind, _undecided)
    ruled = rule(facts, route, meant)
    # nginx runs the rewrite phase, then access control, then the content (ngx_http_core_module phases).
    if route.answer.kind not in ("redirect", "return", "closed", "bad-request"):
        refusals = [Suspect(*entry) for entry in access_rules.access_suspects(facts, route)]
        if refusals and ruled and meant is not None and ruled[0].code == meant.code:
            # The refusal belongs to a location that was not meant: that it answers at all is the fault.
            ruled[0].answers += refusals[0].answers
            ruled[0].finding.evidence += refusals[0].finding.evidence
            ruled += refusals
        else:
            ruled = refusals + ruled
    found += ruled
    found.sort(key=lambda suspect: not suspect.certain)
    found = _stray(facts, found) + found
    for suspect in found:
        if suspect.finding.change is None:
            suspect.finding.change = change_for(suspect.code, route)
    return found


UNEXPLAINED = (
    "no-upgrade-header",
    "location-without-handler",
    "try_files-spa-fallback",
    "return-status",
    "not-included-file",
)


def _stray(facts: Facts, found: Sequence[Suspect]) -> List[Suspect]:
    """The location exists in a file that no include takes, and nothing in force explains the failure better."""
    first = next((suspect for suspect in found if suspect.certain), None)
    if not facts.stray_files or first is None or first.code not in UNEXPLAINED:
        return []
    path, words, line = facts.stray_files[0]
    return [
        Suspect(
            Finding(
                "not-included-file",
                evidence=[
                    Evidence("file", f"{words} stands in a file that no include takes", path, line),
                    *first.finding.evidence,
                ],
            ),
            True,
            first.answers,
        )
    ]


# ---------------------------------------------------------------------------------------- the connection


def _connection(facts: Facts, route: Route) -> List[Suspect]:
    """What stands in the way before any request is read."""
    host, port = route.request.local_address()
    kind = route.answer.kind
    if kind == "not-listening":
        groups = index_of(route.configuration).groups
        other = [group for group in groups if group.address.port == port]
        if ":" in host and any(group.address.family == "inet" for group in other):
            directive = next((listen.directive for group in other for listen in group.listens), None)
            return [
                Suspect(
                    Finding(
                        "listen-ipv6-missing",
                        evidence=at(
                            directive,
                            f"port {port} has IPv4 listen directives only, and the request goes to {host}",
                        ),
                    ),
                    True,
                )
            ]
        return [
            Suspect(
                Finding(
                    "port-not-listening",
                    evidence=[Evidence("configuration", f"no server listens on port {port} of {host}")],
                ),
                True,
            )
        ]
    group = route.listen
    if group is None:
        return []
    directive = next((listen.directive for listen in group.listens if listen.directive is not None), None)
    if kind == "tls-not-enabled":
        return [
            Suspect(Finding("tls-not-enabled", evidence=at(directive, f"{group.address} has no ssl")), True)
        ]
    if group.proxy_protocol and not facts.live:
        direct = _is_ip(host) and ipaddress.ip_address(host).is_loopback
        return [
            Suspect(
                Finding(
                    "proxy-protocol-mismatch", evidence=at(directive, "listen asks for the PROXY protocol")
                ),
                direct,
            )
        ]
    if group.proxy_protocol:
        return [
            Suspect(
                Finding(
                    "proxy-protocol-mismatch", evidence=at(directive, "listen asks for the PROXY protocol")
                ),
                False,
            )
        ]
    if kind == "plain-http-to-tls-port":
        return [
            Suspect(
                Finding(
                    "plain-http-to-tls-port",
                    evidence=at(directive, f"{group.address} expects TLS, and the URL is ws://"),
                ),
                True,
                (400,),
            )
        ]
    if group.http2 and not group.ssl and not route.request.tls and route.version < (1, 25, 1):
        http2 = next((listen.directive for listen in group.listens if listen.has("http2")), directive)
        return [
            Suspect(
                Finding(
                    "h2c-on-plain-port",
                    evidence=at(
                        http2,
                        "listen has http2 without ssl, and before nginx 1.25.1 such a port speaks HTTP/2 only",
                    ),
                ),
                True,
            )
        ]
    offers = route.server is not None and (group.http2 or route.server.on(b"http2", False))
    if offers and route.request.tls and "h2" in facts.question.alpn:
        return [
            Suspect(
                Finding(
                    "http2-only",
                    evidence=at(
                        directive,
                        "the client offers h2 in ALPN, this listen takes it, and then reads HTTP/2 only",
                    ),
                ),
                True,
            )
        ]
    return []


# ---------------------------------------------------------------------------------------- by answer


def _meant(facts: Facts, route: Route) -> Optional[Meant]:
    place = place_of(route)
    if place is None:
        return None
    try:
        return find_meant(place)
    except (CannotDecide, RegexError):
        return None


def settled_by_files_only(route: Route) -> bool:
    """Whether what is undecided concerns files alone: a file never opens a WebSocket."""
    return all(
        "exist" in item.reason or "relative to nginx's prefix" in item.reason for item in route.undecided
    )


def from_meant(meant: Meant, certain: bool, route: Route, answers: Tuple[int, ...] = ()) -> Suspect:
    """A suspect for the location that was meant and lost."""
    evidence = [meant.evidence()]
    if route.location is not None and route.location.directive is not None:
        evidence += at(route.location.directive, f"{titled(route.location)} is the one that answers")
    elif route.answer.directive is not None:
        evidence += at(route.answer.directive, f"{_words(route.answer.directive)} is what answers")
    return Suspect(Finding(meant.code, evidence=evidence), certain, answers)


def _words(directive: Directive) -> str:
    text = b" ".join((directive.name, *directive.args)).decode("utf-8", "backslashreplace")
    return text if len(text) < 120 else text[:117] + "..."


def _redirect(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    certain = settled_by_files_only(route)
    answer = route.answer
    status = (answer.status,)
    if meant is not None and meant.code in ("duplicate-server-name", "listen-address-captured"):
        return [from_meant(meant, certain, route, status)]
    target = (answer.redirect_target or b"").decode("utf-8", "backslashreplace")
    evidence = at(
        answer.directive,
        f"{_words(answer.directive)} answers {answer.status}" + (f" to {target}" if target else "")
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
    if answer.directive is not None:
        condition = _enclosing_if(answer.directive)
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
    evidence = at(answer.directive, _words(answer.directive) if answer.directive else answer.reason)
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


def _enclosing_if(directive: Directive) -> Optional[Directive]:
    parent = directive.parent
    while parent is not None:
        if parent.name == b"if":
            return parent
        parent = parent.parent
    return None


def _closed(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    certain = settled_by_files_only(route)
    if meant is not None:
        return [from_meant(meant, certain, route)]
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
                        "no server has this name, and no location of this configuration carries an upgrade: the site's file may "
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
    if not host or _is_ip(host.strip("[]")):
        return False
    return not any(
        carries_upgrade(location)
        for server in index_of(route.configuration).servers
        for location in all_locations(server)
    )


def _strong(route: Route, meant: Meant) -> bool:
    from .intent import STRONG, likeness

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
    return [
        Suspect(
            Finding(
                "return-status",
                evidence=at(route.answer.directive, route.answer.reason),
                detail=f"nginx itself answers 500: {route.answer.reason}",
            ),
            certain,
            (500,),
        )
    ]


def _undecided(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    reasons = [item.reason for item in route.undecided] or [route.answer.reason]
    evidence = at(route.answer.directive, "; ".join(reason for reason in reasons if reason) or "undecided")
    return [Suspect(Finding("undecided", evidence=evidence), False)]


def _proxy(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Suspect]:
    certain = settled_by_files_only(route)
    found = []
    for finding, sure in upstream_rules.upstream_suspects(facts, route, meant):
        found.append(Suspect(finding, sure and certain))
    if not certain:
        found += _undecided(facts, route, meant)
    return found


Rule = Callable[[Facts, Route, Optional[Meant]], List[Suspect]]
_BY_KIND = {
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


def other_addresses(route: Route) -> Sequence[str]:
    """Listen addresses of the request's port, for evidence."""
    _, port = route.request.local_address()
    return [str(group.address) for group in groups_for(index_of(route.configuration).groups, "", port)]
