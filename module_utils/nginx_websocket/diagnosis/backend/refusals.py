"""The backend got the request and refused: because of what nginx made of it, or by itself."""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence

from ... import codes
from ...behaviour.route import index_of
from ...behaviour.upgrade.conditions import WrongCase, wrong_case
from ...behaviour.upgrade.meant import carries_upgrade
from ...behaviour.variables import maps_of, variable_names
from ...conf.tree import Directive
from ...exchange.result import Probe
from ..asking import elsewhere
from ..evidence.facts import BackendFacts, Facts
from ..words.findings import Finding
from ..words.suspect import (
    HEADER_FAULTS,
    Suspect,
    all_certain,
    at,
    evidence_of,
    suspected,
    with_those_behind,
    words_of,
)
from .answers import is_this_nginx, right_handshake, said
from .own_refusal import own_refusal
from .properties import for_property


def refused_by_backend(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """The backend got the request and refused: because of what nginx made of it, or by itself.

    Args:
        facts: all that was seen.
        suspects: what the configuration says.
        probe: the answer that is to be explained.

    Returns:
        The cause, and what keeps the socket shut behind it; empty where nothing explains the refusal.
    """
    for rule in RULES:
        found = rule(facts, suspects, probe)
        if found:
            return found
    return own_refusal(facts, probe)


def _from_cache(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """nginx answers from its cache what the backend would open."""
    cached = suspected(suspects, codes.CACHE)
    opens = next((b.as_sent for b in facts.backends if b.as_sent is not None and b.as_sent.opened), None)
    if cached is None or opens is None or not opens.lasting or probe.status == 101:
        return []
    cached.evidence.append(said("nginx's own request, sent to the backend directly", opens))
    return [cached]


def _by_experiment(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """A session or a property of the request that was lost on its way to the first backend that tells."""
    # A session that was opened by polling and was unknown when it was upgraded.
    lost = bool(facts.session) and not facts.session[-1].opened
    for backend in facts.backends:
        if lost and backend.session is not None and backend.session.opened:
            return [_not_sticky(facts, suspects, backend)]
        found = _by_properties(facts, suspects, backend)
        if found:
            return found
    return []


def _by_properties(facts: Facts, suspects: Sequence[Suspect], backend: BackendFacts) -> List[Finding]:
    """What breaks nginx's request at this backend, and what is certain to keep it shut behind that."""
    if backend.search is None or backend.search.opening is None:
        return []
    found: List[Finding] = []
    for name in backend.search.fatal:
        # The lines for Upgrade and Connection bring HTTP/1.1 with them, and behind another fault than
        # theirs (another location, another server) everything else differs as well.
        if found and (name == "version" or found[0].code not in HEADER_FAULTS):
            continue
        finding = for_property(facts, suspects, backend, name)
        if finding is not None and all(finding.code != other.code for other in found):
            found.append(finding)
    certain = all_certain(suspects)
    behind = with_those_behind([found[0], *certain])[1:] if found and found[0] in certain else []
    return found + [item for item in behind if all(item.code != other.code for other in found)]


def _elsewhere(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """It opens at another backend to which this configuration leads."""
    better = _other_location(facts, suspects)
    if better is None:
        return []
    missing = (one.evidence for one in all_certain(suspects) if one.code in HEADER_FAULTS)
    better.evidence += next(missing, [])
    return [better]


def _by_configuration(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """What the configuration says for certain, and the backend's own refusal where it was really asked."""
    certain = all_certain(suspects)
    if not certain:
        return []
    own = [finding for finding in own_refusal(facts, probe) if finding.code != codes.BACKEND_ERROR]
    confirmed = any(
        backend.search is not None and not is_this_nginx(facts, backend) for backend in facts.backends
    )
    return with_those_behind(certain) + (own if confirmed else [])


def _other_protocol(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """Not proxy_pass: what answers speaks no HTTP to nginx."""
    return [suspect.finding for suspect in suspects if suspect.code == codes.WRONG_PASS_DIRECTIVE]


def _other_location(facts: Facts, suspects: Sequence[Suspect]) -> Optional[Finding]:
    """No request opens at this backend, and it opens at another one to which this configuration leads."""
    for backend in facts.backends:
        if backend.other_port is None or is_this_nginx(facts, backend):
            continue
        listener, answer = backend.other_port
        place = elsewhere.leading_to(facts.configuration, listener.port)
        if place is None:
            continue
        evidence = [
            said(f"a right handshake, sent to {backend.server}", right_handshake(backend)),
            said(f"and to port {listener.port}, to which this configuration leads as well", answer),
        ]
        for suspect in suspects:
            # A location for this very path leads there: why it does not answer is the cause.
            meant = suspect.finding.meant.directive if suspect.finding.meant is not None else None
            if meant is not None and place.parent is meant:
                suspect.finding.evidence += evidence
                return suspect.finding
        chooser = _chooser(facts, place)
        if chooser is not None:
            return Finding(
                codes.WRONG_BACKEND,
                evidence=[*at(chooser, f"{words_of(chooser)} chooses the backend"), *evidence],
                detail=f"the map chooses {backend.server} for this handshake, which opens no WebSocket; port "
                f"{listener.port} does, to which another entry of the same map leads",
                fix=f"an entry of this map that leads this handshake to port {listener.port}",
            )
        where = at(place, f"{words_of(place)} leads there")
        later = _overruled_by(facts, place)
        if later is not None:
            return Finding(
                codes.IF_IS_EVIL,
                evidence=[*at(later, f"{words_of(later)} holds, too, and comes later"), *where, *evidence],
                detail=f"two conditions hold, and the last counts: the proxy_pass to port {listener.port} "
                "in the first is not in force",
                fix="take the later if out of the location, or write the proxy_pass into it as well",
            )
        case = _by_case(facts, place)
        if case is not None:
            return Finding(
                codes.WRONG_BACKEND,
                evidence=[*at(case.condition, f"{words_of(case.condition)} is false"), *where, *evidence],
                detail=f"a condition does not lead this handshake to port {listener.port}: {case.text}",
                fix=case.fix,
            )
        passing = _own_line(facts)
        if passing is not None:
            return Finding(
                codes.WRONG_BACKEND,
                evidence=[*at(passing, f"{words_of(passing)} leads to {backend.server}"), *where, *evidence],
                detail=f"the location of this path passes the upgrade to {backend.server}, which opens no "
                f"WebSocket; port {listener.port} does, to which this configuration leads as well",
                fix=f"proxy_pass to port {listener.port} in this location",
            )
        return Finding(
            codes.WRONG_LOCATION,
            evidence=[*where, *evidence],
            detail=f"the location that answers passes this path to {backend.server}, which opens no "
            f"WebSocket; port {listener.port} does, to which another one leads",
            fix=f"a location for this path with proxy_pass to port {listener.port} and the upgrade headers",
        )
    return None


def _overruled_by(facts: Facts, place: Directive) -> Optional[Directive]:
    """The later ``if`` that holds, where a directive stands in one that holds as well."""
    steps = facts.route.steps if facts.route is not None else []
    held = [step.directive for step in steps if step.kind == "if" and step.result]
    last = held[-1] if place.parent in held else None
    same = last is not None and place.parent is not None and last.parent is place.parent.parent
    return last if same and last is not place.parent else None


def _by_case(facts: Facts, place: Directive) -> Optional[WrongCase]:
    """The condition around a directive, where it is false because of the case of a word alone."""
    passed = wrong_case(facts.route) if facts.route is not None else []
    return next((found for found in passed if found.condition is place.parent), None)


def _own_line(facts: Facts) -> Optional[Directive]:
    """The proxy_pass of a location that was made for this path's sockets: not "/", and with the upgrade."""
    route = facts.route
    if route is None or route.upstream is None or route.level is None or route.location is None:
        return None
    # Lines that stand outside of it are what a server gives to all of its locations.
    general = not route.level.own(b"proxy_set_header")
    general = general or (not route.location.regex and len(route.location.name) < 2)
    return None if general or not carries_upgrade(route.level) else route.upstream.directive


def _chooser(facts: Facts, place: Directive) -> Optional[Directive]:
    """The map by which proxy_pass chooses, where another entry of it leads to a place."""
    route = facts.route
    if route is None or route.upstream is None:
        return None
    block = place.parent
    wanted = block.args[0] if block is not None and block.name == b"upstream" and block.args else b""
    if block is not None and block.name == b"map":
        wanted = place.args[0]
    maps = maps_of(index_of(route.configuration).http)[0]
    for name in variable_names(route.upstream.directive.args[0]):
        found = maps.get(name)
        entries = found.directive.block or () if found is not None else ()
        if found is not None and wanted and any(entry.args[:1] == (wanted,) for entry in entries):
            return found.directive
    return None


def _not_sticky(facts: Facts, suspects: Sequence[Suspect], backend: BackendFacts) -> Finding:
    answer = facts.session[-1]
    return Finding(
        codes.NO_STICKY_SESSION,
        evidence=[
            *evidence_of(suspects, codes.NO_STICKY_SESSION),
            said("a session opened by polling through nginx, then upgraded through nginx", answer),
            said(f"the same straight to {backend.server}", backend.session or answer),
        ],
    )


Rule = Callable[[Facts, Sequence[Suspect], Probe], List[Finding]]
RULES: Sequence[Rule] = (_from_cache, _by_experiment, _elsewhere, _by_configuration, _other_protocol)
"""The first that finds something has the cause; else the backend refuses by itself."""
