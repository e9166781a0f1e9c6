"""What the configuration alone says about a URL: suspects, each with whether anything else could still
decide.

A suspect is *certain* when nginx cannot do otherwise with this configuration, whatever the backend is.
What depends
on the backend, on files, on the client's address or on a service is a risk until a probe has shown it.
"""

from __future__ import annotations

import ipaddress
from typing import List, Optional, Sequence

from ..behaviour.regex import CannotDecide, RegexError
from ..behaviour.route import Route, index_of
from . import access_rules
from .answer_rules import BY_KIND, undecided
from .changes import change_for
from .condition_rules import enclosing_if
from .facts import Facts
from .findings import Evidence, Finding
from .intent import Meant, find_meant
from .suspect import Suspect, at, is_ip, place_of

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
    found = list(_connection(facts, route))
    if found and found[0].certain:
        return found
    meant = _meant(facts, route)
    rule = BY_KIND.get(route.answer.kind, undecided)
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
    """The location exists in a file that no include takes, and nothing in force explains the failure
    better."""
    first = next((suspect for suspect in found if suspect.certain), None)
    if not facts.stray_files or first is None or first.code not in UNEXPLAINED or _said_in_full(facts.route):
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


def _said_in_full(route: Optional[Route]) -> bool:
    """Whether a condition or a cycle explains the answer: no other file would have been needed."""
    return route is not None and (
        enclosing_if(route.answer.directive) is not None or route.answer.kind == "error"
    )


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
        direct = is_ip(host) and ipaddress.ip_address(host).is_loopback
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
                        "listen has http2 without ssl, and before nginx 1.25.1 such a port speaks "
                        "HTTP/2 only",
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
