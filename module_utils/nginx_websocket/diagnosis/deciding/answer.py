"""An answer came that does not open the socket: whose it is, and what it follows from."""

from __future__ import annotations

from typing import List, Optional, Sequence

from ...exchange.result import Probe
from ..backend import refusals
from ..evidence.facts import Facts, Hop
from ..location import error_pages
from ..reach import no_answer
from ..reload.stale import other_upstream, stale
from ..words.findings import Finding
from ..words.suspect import Suspect
from .by_nginx import by_nginx

NGINX_PAGES = ("<center>nginx", "<center>openresty", "<center>tengine", "<center>angie", "<center>freenginx")
PASSED_ON = ("proxy", "pass", "handler", "undecided")
"""Kinds of answers that somebody behind nginx may make."""


def answered_by(facts: Facts, probe: Probe) -> str:
    """Who made the answer: "nginx" or "backend".

    nginx writes its own Server over a backend's, so the header does not tell; the same request asked
    directly does.
    """
    for backend in facts.backends:
        direct = backend.direct
        if direct is not None and direct.status == probe.status and direct.body == probe.body:
            return "backend"
    if error_pages.backend_is_silent(facts):
        return "nginx"  # Who gives no answer did not make this one, whatever the page looks like.
    if any(mark in probe.body for mark in NGINX_PAGES):
        return "nginx"
    route = facts.route
    if route is None:
        return "nginx" if not probe.body else "backend"
    return "backend" if route.answer.kind in PASSED_ON else "nginx"


def refused_answer(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """An answer came that is no 101: nginx's own, the backend's, or a page in its place."""
    if hop is None or hop.probe.status is None or hop.probe.status == 101:
        return []
    probe = hop.probe
    hidden = error_pages.hidden_failure(facts, suspects, probe)
    hidden = hidden or error_pages.hidden_refusal(facts, suspects, probe)
    if hidden:
        return hidden
    if answered_by(facts, probe) == "nginx":
        return by_nginx(facts, suspects, hop)
    if contradicts(facts, suspects, from_backend=True):
        old = stale(facts)
        if old:
            return old
    behind = other_upstream(facts) or no_answer.behind_own_hop(facts, probe)
    return behind or refusals.refused_by_backend(facts, suspects, probe)


def contradicts(facts: Facts, suspects: Sequence[Suspect], from_backend: bool) -> bool:
    """Whether the backend's answer cannot come from the configuration on disk."""
    route = facts.route
    if route is None:
        return False
    if route.answer.kind not in PASSED_ON:
        return from_backend
    if any(suspect.certain for suspect in suspects):
        return False
    # What disk would send opens when it is sent directly: then something else was sent.
    return any(backend.opens for backend in facts.backends)
