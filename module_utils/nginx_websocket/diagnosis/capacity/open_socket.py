"""The socket opened: does it last, does a second one open, and who else comes this far?"""

from __future__ import annotations

from typing import List, Sequence, Tuple

from ... import codes
from ...edit.changes.by_code import change_for
from ...edit.changes.change import Change
from ...exchange.result import NO_CONNECTION, Probe
from ..backend import refusals
from ..evidence.facts import Facts, Hop
from ..evidence.probes import answered
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, at, certain_cause
from .limits import socket_limits
from .timing import STREAM, Silence, silence

CONNECT_KINDS = ("dns", *NO_CONNECTION)


def closed(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """An open socket was closed by the other side."""
    certain = certain_cause(suspects)
    if certain:
        return certain
    after = hop.probe.closed_after or 0.0
    limit = silence(facts)
    direct = [backend.held or backend.as_sent for backend in facts.backends]
    stays = any(probe is not None and probe.lasting for probe in direct)
    closes = any(probe is not None and probe.closed_after is not None for probe in direct)
    if limit is not None and abs(after - limit.seconds) < max(0.7, limit.seconds * 0.02) and not closes:
        return [timeout_finding(limit, [answered(hop)])]
    if any(backend.search is not None and backend.search.fatal for backend in facts.backends):
        return refusals.refused_by_backend(facts, suspects, hop.probe)
    if closes or not stays:
        code = f" with close code {hop.probe.close_code}" if hop.probe.close_code else ""
        words = (
            "asked directly, the backend closes as well" if closes else "the backend could not be compared"
        )
        return [
            Finding(
                codes.BACKEND_CLOSED,
                evidence=[answered(hop), Evidence("probe", words)],
                detail=f"the backend closes the socket {after:.1f} s after opening it{code}",
            )
        ]
    return []


def timeout_finding(limit: Silence, evidence: List[Evidence]) -> Finding:
    """The finding for a time that is too short."""
    found = Finding(
        codes.TIMEOUT_SHORT,
        evidence=limit.evidence() + evidence,
        detail=f"nginx closes the socket after {limit.seconds:g} s of silence ({limit.name})",
    )
    if limit.hop is not None:
        found.change = change_for(found.code, limit.hop)
    if limit.name == STREAM:
        found.fix = "proxy_timeout 1h in the stream server in front, or pings more often than it"
        line = limit.directive
        if line is not None:
            data = line.source.data
            text = data.split(b"\n")[line.line - 1].decode("utf-8", "surrogateescape").rstrip("\r")
            new = text.replace(data[line.start : line.end].decode("utf-8", "replace"), "proxy_timeout 1h;")
            found.change = Change(line.file, line.line, [text], [new]) if new != text else None
    return found


def after_open(facts: Facts) -> List[Finding]:
    """One socket opens.  Does a second, does it last, does the client get what it needs?"""
    found = alpn_refused(facts) + _refused_together(facts) + _servers_differ(facts)
    held = facts.hop("held")
    if held is not None and held.probe.closed_after is not None:
        found += closed(facts, [], held)
    limit = silence(facts)
    if limit is not None and facts.question.ping_interval > limit.seconds:
        words = f"the application is silent for up to {facts.question.ping_interval:g} s"
        found.append(timeout_finding(limit, [Evidence("probe", words)]))
    for finding in found:
        finding.is_cause = True
    return found


def unlike(facts: Facts) -> List[Tuple[str, Probe]]:
    """Servers (and addresses of one) that do not open what others open, each with its answer."""
    each = [item for backend in facts.backends for item in backend.each]
    bad = [item for item in each if not item[1].lasting]
    return bad if len(bad) < len(each) else []


def _servers_differ(facts: Facts) -> List[Finding]:
    """One socket opened, others through the same nginx do not: which server is it?"""
    # nginx leaves a server alone for a while after it failed, so any handshake may have met it.
    made = [*facts.repeated, *(hop.probe for hop in facts.hops if hop.name in ("held", "foreign origin"))]
    failed = [
        probe for probe in made if not probe.opened and (probe in facts.repeated or probe.status == 502)
    ]
    bad = unlike(facts)
    if not failed or not bad:
        return []
    upstream = facts.upstream
    where = (upstream.block or upstream.directive) if upstream is not None else None
    told = [f"of {len(made)} handshakes through nginx {len(failed)} failed: {_outcome(failed[0])}"]
    told += [f"{name}, asked directly: {_outcome(probe)}" for name, probe in bad]
    names = ", ".join(name for name, _ in bad)
    shown = at(where, f"this upstream leads to {names}, too") if where is not None else []
    return [
        Finding(
            codes.UPSTREAM_SERVERS_DIFFER,
            evidence=[*(Evidence("probe", words) for words in told), *shown],
            detail=f"only some handshakes open: {names} refuses them, the upstream's other servers do not",
        )
    ]


def front_differs(facts: Facts) -> List[Finding]:
    """nginx on this host opens the socket, and the public name leads to something that does not."""
    front, local = facts.hop("public"), facts.hop("loopback")
    if front is None or local is None or not local.opened or front.opened:
        return []
    kind = front.probe.error_kind
    if kind in CONNECT_KINDS or (kind == "tls" and front.probe.tls.get("verify_error")):
        return []  # Nobody was reached, or the certificate there says why.
    if front.probe.status == 403 and facts.logged(codes.ACCESS_DENIED) is not None:
        return []  # The way back to this very nginx, which refused an address.
    return [Finding(codes.FRONT_DIFFERS, is_cause=True, evidence=[answered(local), answered(front)])]


def _refused_together(facts: Facts) -> List[Finding]:
    """Of several sockets at a time some were refused: by which limit?"""
    refused = [probe for probe in facts.many if not probe.opened]
    if not refused:
        return []
    opened = len(facts.many) - len(refused)
    limits = socket_limits(facts)
    logged = [line.code for line in facts.log]
    at_limit = any(limit.code == codes.UPSTREAM_MAX_CONNS for limit in limits)
    if at_limit and codes.UPSTREAM_MARKED_DOWN in logged:
        logged.insert(0, codes.UPSTREAM_MAX_CONNS)
    known = {limit.code: limit for limit in limits}
    code = next((code for code in logged if code in known), "")
    if not code and limits and limits[0].sockets <= len(facts.many):
        code = limits[0].code
    if not code:
        return []
    limit = known[code]
    line = facts.logged(codes.UPSTREAM_MARKED_DOWN if code == codes.UPSTREAM_MAX_CONNS else code)
    others = f"{opened} opened, the others got {_outcome(refused[0])}"
    evidence = at(limit.directive, limit.words)
    evidence.append(Evidence("probe", f"of {len(facts.many)} sockets opened together {others}"))
    return [Finding(code, evidence=evidence + ([line.evidence()] if line is not None else []))]


def _outcome(probe: Probe) -> str:
    return f"{probe.status} {probe.reason}" if probe.status is not None else probe.error


def unreached(facts: Facts) -> List[Finding]:
    """Ways to this host that nobody could walk: never a cause while nginx itself opens the socket."""
    found: List[Finding] = []
    hop, public, other = facts.main_hop, facts.hop("public"), facts.hop("other address")
    if hop is None or not hop.opened:
        return found
    if public is not None and public.probe.error_kind in CONNECT_KINDS:
        code = codes.NAME_NOT_RESOLVED if public.probe.error_kind == "dns" else codes.ADDRESS_UNREACHABLE
        found.append(
            Finding(
                code,
                weight=97,
                evidence=[answered(public), answered(hop)],
                detail=(
                    "nginx on this host opens the socket, but this host does not reach the name's "
                    "address: a firewall, a wrong "
                    "record, or a router that does not turn a host's own traffic back to it"
                ),
                fix="ask from outside; -e address=IP asks nginx on this host alone",
            )
        )
    if other is not None and other.probe.error_kind == "connect-refused" and "[" in other.probe.error:
        found.append(Finding(codes.LISTEN_IPV6_MISSING, weight=80, evidence=[answered(other)]))
    return found


def alpn_refused(facts: Facts) -> List[Finding]:
    """The client's own ALPN list leads it to HTTP/2."""
    alpn = facts.hop("alpn")
    if alpn is not None and not alpn.probe.opened and alpn.probe.tls.get("alpn") == "h2":
        return [Finding(codes.HTTP2_ONLY, evidence=[answered(alpn)])]
    return []
