"""The line of the PROXY protocol: sent and not expected, or the reverse."""

from __future__ import annotations

from typing import List, Optional, Sequence

from ... import codes
from ...behaviour.route import Route
from ...edit.changes.change import Change, insert_after, replace
from ..evidence.facts import Facts
from ..evidence.probes import answered
from ..words.findings import Finding
from ..words.suspect import Suspect, suspected


def change(route: Route) -> Optional[Change]:
    """The stream server's line as the http server behind it expects it."""
    directive, group = route.answer.directive, route.listen
    if directive is None or group is None or directive.parent is None:
        return None
    if group.proxy_protocol:
        return insert_after(route.configuration, directive, "proxy_protocol on;")
    sending = next((item for item in directive.parent.children(b"proxy_protocol")), None)
    return replace(route.configuration, sending) if sending is not None else None


def waits_for_line(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The port waits for a line of the PROXY protocol: the log says so, or the line helps."""
    proxied = facts.hop("with PROXY")
    line = facts.logged(codes.PROXY_PROTOCOL_MISMATCH)
    # A server that does not expect the line takes it for a bad request.
    helped = proxied is not None and (
        proxied.probe.opened
        or proxied.probe.status not in (None, 400)
        or bool(proxied.probe.tls.get("verify_error"))
    )
    if line is None and not helped:
        return []
    known = suspected(suspects, codes.PROXY_PROTOCOL_MISMATCH)
    evidence = list(known.evidence) if known is not None else []
    evidence += [line.evidence()] if line is not None else []
    evidence += [answered(proxied)] if proxied is not None else []
    change = known.change if known is not None else None
    return [Finding(codes.PROXY_PROTOCOL_MISMATCH, evidence=evidence, change=change)]
