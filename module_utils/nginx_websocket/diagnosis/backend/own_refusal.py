"""No request that nginx could send opens the socket: the backend itself refuses."""

from __future__ import annotations

from typing import Container, List, Optional, Sequence, Tuple

from ... import codes
from ...behaviour.upgrade.hops import own_hops
from ...exchange.result import Probe
from ..evidence.facts import BackendFacts, Facts
from ..words.findings import Evidence, Finding
from .answers import TO_HTTPS_PORT, right_handshake, said

BY_STATUS: Sequence[Tuple[Container[int], str, str]] = (
    ((401, 407), codes.BACKEND_AUTH, ""),
    (
        (403,),
        codes.BACKEND_AUTH,
        "the backend refuses the handshake (403), whatever the Host and Origin: a token or cookie is "
        "missing, or the application has no WebSocket on this path",
    ),
    (range(500, 1000), codes.BACKEND_ERROR, "the backend answers {status} by itself"),
    ((301, 302, 303, 307, 308), codes.BACKEND_ERROR, "the backend itself redirects ({status} to {location})"),
)
"""Statuses of the backend, the code that they mean, and what is said of it."""


def own_refusal(facts: Facts, probe: Probe) -> List[Finding]:
    """What the first backend's answer to a right handshake means.

    Args:
        facts: all that was seen.
        probe: the answer through nginx, for its status where the backend gave none.

    Returns:
        Empty where the backend was not asked, or opens when it is asked directly.
    """
    if not facts.backends:
        return []
    backend = facts.backends[0]
    asked = right_handshake(backend) if backend.search is not None else backend.plain
    if asked is None or asked.lasting:
        return []
    evidence = [said(f"a right handshake, sent to {backend.server}", asked)]
    evidence += [
        Evidence("process", f"{item.address}:{item.port}: {item.describe()}")
        for item in backend.listeners[:2]
    ]
    found = _other_scheme(backend, asked, evidence) or _other_port(facts, backend, evidence)
    if found is None and asked.closed_after is not None:
        found = Finding(codes.BACKEND_CLOSED, evidence=evidence)
    return [found or _by_status(backend, asked, probe, evidence)]


def _other_scheme(backend: BackendFacts, asked: Probe, evidence: List[Evidence]) -> Optional[Finding]:
    """The backend speaks TLS, and nginx does not; or the reverse."""
    other = backend.other_scheme
    if other is None or not (other.opened or TO_HTTPS_PORT in asked.body):
        return None
    return Finding(codes.UPSTREAM_SCHEME_MISMATCH, evidence=[*evidence, said("in the other scheme", other)])


def _other_port(facts: Facts, backend: BackendFacts, evidence: List[Evidence]) -> Optional[Finding]:
    """Another application has the port that nginx asks."""
    other = next((item.other_port for item in facts.backends if item.other_port is not None), None)
    if other is None:
        return None
    listener, answer = other
    hops = own_hops(facts.route) if facts.route is not None else ()
    leads = (server for hop in hops if hop.upstream is not None for server in hop.upstream.servers)
    if any(server.rpartition(":")[2] == str(listener.port) for server in leads):
        return None  # Servers of this nginx lead there: what answers on the way is no other application.
    return Finding(
        codes.WRONG_BACKEND,
        evidence=[*evidence, said(f"port {listener.port} of this host ({listener.describe()})", answer)],
        detail=(
            f"another application answers at {backend.server}; the WebSocket opens on port {listener.port}"
        ),
        fix=f"proxy_pass to port {listener.port}",
    )


def _by_status(backend: BackendFacts, asked: Probe, probe: Probe, evidence: List[Evidence]) -> Finding:
    """What the status of the backend's own answer means."""
    status = asked.status or probe.status or 0
    for statuses, code, words in BY_STATUS:
        if status in statuses:
            detail = words.format(status=status, location=asked.header("Location"))
            return Finding(code, evidence=evidence, detail=detail)
    plain = backend.plain
    if not 200 <= status < 300 or plain is None or plain.status != status:
        return Finding(codes.BACKEND_NO_WEBSOCKET, evidence=evidence)
    return Finding(
        codes.BACKEND_NO_WEBSOCKET,
        evidence=[*evidence, said("an ordinary request there", plain)],
        detail=(
            "the backend answers the handshake like any other request: it ignores upgrades, or it is another "
            "application"
        ),
    )
