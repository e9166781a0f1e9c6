"""What a backend said when it was asked directly, in words, and whose answer that is."""

from __future__ import annotations

from ...exchange.result import Probe
from ..evidence.facts import BackendFacts, Facts
from ..evidence.host_state import master_of
from ..experiments.search import RIGHT
from ..words.findings import Evidence

TO_HTTPS_PORT = "plain HTTP request was sent to HTTPS port"


def said(words: str, probe: Probe) -> Evidence:
    """A direct answer as evidence."""
    if probe.opened:
        closed = f", and closes after {probe.closed_after:.1f} s" if probe.closed_after is not None else ""
        text = f"101, the WebSocket opens{closed}"
    elif probe.status is not None:
        body = " ".join(probe.body.split())[:100]
        text = f"{probe.status} {probe.reason}" + (f" ({body})" if body else "")
    else:
        text = probe.error
    return Evidence("probe", f"{words}: {text}")


def is_this_nginx(facts: Facts, backend: BackendFacts) -> bool:
    """Whether nginx passes on to itself: then its answer there follows from the same configuration."""
    master = facts.nginx.master if facts.nginx is not None else None
    return master is not None and any(
        master_of(listener, [master]) is not None for listener in backend.listeners
    )


def right_handshake(backend: BackendFacts) -> Probe:
    """The answer to a right handshake, else to nginx's own request."""
    search = backend.search
    assert search is not None
    return next((probe for words, probe in search.tried if words == RIGHT), search.as_sent)
