"""From what the probes, the log and the host showed to the cause.

The hops are walked in the client's order: name, connection, TLS, nginx's own answer, the request to the
backend, the backend, the open socket.  The first that explains the failure is the cause.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence

from ... import codes
from ..access.client_differences import clients_differ
from ..backend import refusals
from ..capacity.open_socket import after_open, closed, front_differs
from ..evidence.facts import Facts, Hop
from ..evidence.probes import answered
from ..reach import held_back, muted_log, no_answer, stream_target
from ..reach.port import not_running, unconnected
from ..reload.refused_tree import not_loaded
from ..reload.stale import other_upstream
from ..tls.handshake import no_http, no_tls
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, at, certain_cause, words_of
from .answer import answered_by, contradicts, refused_answer


def causes(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The cause first, then whatever else would keep it from opening; empty when none is known."""
    hop = facts.main_hop
    differing = clients_differ(facts)
    if differing:
        return differing
    if hop is not None and hop.opened:
        return after_open(facts)
    if front_differs(facts):
        # Nothing of this host explains it: here it opens.
        return front_differs(facts) + after_open(facts)
    for step in STEPS:
        found = step(facts, suspects, hop)
        if found:
            for finding in found:
                finding.is_cause = True
            if hop is not None and not any(item.kind == "probe" for item in found[0].evidence):
                found[0].evidence.append(answered(hop))
            return found
    return _page_refused(facts, hop)


def _page_refused(facts: Facts, hop: Optional[Hop]) -> List[Finding]:
    """A client without Origin gets in, and a page of this very site does not, whoever may say so."""
    bare = facts.hop("no origin")
    if hop is None or bare is None or not bare.opened:
        return []
    return [
        Finding(
            codes.ORIGIN_REJECTED,
            is_cause=True,
            evidence=[answered(hop), answered(bare)],
            detail=f"a page of this very site (Origin {facts.question.sent_origin}) is refused, and a client "
            "without Origin gets in",
            fix="allow the Origin of the page that opens the socket; if that is a page of another site, "
            "ask again with its own: -e origin=https://...",
        )
    ]


def _hanging(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    if hop is None or hop.probe.error_kind != "answer-timeout":
        return []
    certain = certain_cause(suspects)
    if certain:
        return certain
    line = facts.logged(codes.OPEN_FILE_LIMIT)
    if line is not None:
        return [Finding(codes.OPEN_FILE_LIMIT, evidence=[line.evidence()])]
    held = held_back.by_ssi(facts, suspects) or held_back.by_limit(facts)
    return held or other_upstream(facts) or no_answer.unreachable_backend(facts, suspects)


def _mirrored(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """The copy of the request was upgraded as well, and nginx ended both (ngx_http_upstream_upgrade)."""
    line = facts.logged(codes.MIRROR_UPGRADED)
    mirrors = facts.in_force(b"mirror")
    if hop is None or not mirrors:
        return []
    if line is None:
        return muted_log.mirrored(facts, suspects, hop.probe)
    where = at(mirrors[-1], f"{words_of(mirrors[-1])} sends a copy of the handshake")
    return [Finding(codes.MIRROR_UPGRADED, evidence=[*where, line.evidence()])]


def _handshake(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """A 101 that a client refuses, or a socket that ended while it was looked at."""
    if hop is None or hop.probe.status != 101:
        return []
    if hop.probe.error_kind == "bad-handshake":
        of_headers = (
            codes.RESPONSE_HEADER_HIDDEN,
            codes.RESPONSE_HEADER_ADDED,
            codes.SUBPROTOCOL_STRIPPED,
            codes.UPGRADE_HARDCODED_NO_TUNNEL,
            codes.REQUEST_HEADERS_NOT_PASSED,
        )
        # A 101 came and is spoilt: what may add a line to it did.
        added = [suspect.finding for suspect in suspects if suspect.code == codes.RESPONSE_HEADER_ADDED]
        return (
            certain_cause(suspects, of_headers)
            or added[:1]
            or refusals.refused_by_backend(facts, suspects, hop.probe)
        )
    if hop.probe.closed_after is not None:
        return closed(facts, suspects, hop)
    return []


def disagreement(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """What nginx does is not what the files lead to, and nothing that was looked at says why."""
    hop = facts.main_hop
    if hop is None or facts.route is None or facts.nginx is None or facts.nginx.master is None:
        return []
    predicted = next((suspect for suspect in suspects if suspect.certain and suspect.answers), None)
    if hop.opened and predicted is not None:
        words = f"by the files it should be {predicted.code}"
    elif (
        hop.probe.status is not None
        and not hop.opened
        and contradicts(facts, suspects, answered_by(facts, hop.probe) == "backend")
    ):
        words = "by the files the handshake should open"
    else:
        return []
    return [
        Finding(
            codes.STATIC_LIVE_DISAGREE, weight=95, evidence=[answered(hop), Evidence("configuration", words)]
        )
    ]


Step = Callable[[Facts, Sequence[Suspect], Optional[Hop]], List[Finding]]
STEPS: Sequence[Step] = (
    not_loaded,
    not_running,
    unconnected,
    stream_target.in_front,
    no_tls,
    _mirrored,
    no_http,
    refused_answer,
    _hanging,
    _handshake,
)
