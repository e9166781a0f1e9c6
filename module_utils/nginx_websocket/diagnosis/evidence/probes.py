"""What came of the probes, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Sequence, Tuple

from ..words.findings import Evidence
from .facts import BackendFacts, Hop

if TYPE_CHECKING:
    from ...exchange.result import Probe


def answered(hop: Hop) -> Evidence:
    """A hop's result as evidence."""
    probe = hop.probe
    if probe.opened and not probe.error:
        text = "101, the WebSocket opens"
    elif probe.status is not None and probe.error_kind == "http-status":
        location = probe.header("Location")
        text = f"{probe.status} {probe.reason}" + (f" to {location}" if location else "")
    else:
        text = probe.error or probe.error_kind
    where = f" at {probe.address}" if probe.address else ""
    return Evidence("probe", f"{hop.words}{where}: {text}")


def outcome(probe: Probe) -> str:
    """What came of a probe, in a few words."""
    if probe.opened:
        pong = ", pong" if probe.pong else ""
        closed = f", closed after {probe.closed_after:.1f} s" if probe.closed_after is not None else ""
        return f"101, open{pong}{closed}"
    if probe.status is not None and (probe.error_kind == "http-status" or not probe.error):
        return f"{probe.status} {probe.reason}"
    return str(probe.error or probe.error_kind)


def probes_of(found: Sequence[BackendFacts]) -> List[Tuple[str, Probe]]:
    """Every experiment with its words, for the report."""
    result: List[Tuple[str, Probe]] = []
    for backend in found:
        if backend.search is not None:
            result += [(f"{backend.server}, {words}", probe) for words, probe in backend.search.tried]
        for words, probe in (
            ("held open", backend.held),
            ("an ordinary request", backend.plain),
            ("in the other scheme", backend.other_scheme),
            ("with a server name in TLS", backend.with_name),
            ("behind a line of the PROXY protocol", backend.with_line),
            ("with Socket.IO's session", backend.session),
        ):
            if probe is not None:
                result.append((f"{backend.server}, {words}", probe))
    return result
