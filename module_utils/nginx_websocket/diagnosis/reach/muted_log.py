"""What nginx's error log would say, told by other signs where it is set to say nothing.

People send the error log to /dev/null, or keep the worst lines alone.  Then the files say what may have
happened, the backend says that it would open, and the kind of nginx's answer says the rest.
"""

from __future__ import annotations

import ipaddress
import os
from typing import List, Sequence, Tuple

from ... import codes
from ...behaviour.upgrade.meant import serving
from ...conf.tree import Directive
from ...conf.units import bytes_of
from ...exchange.result import Probe
from ..backend.answers import said
from ..evidence import host_state
from ..evidence.facts import BackendFacts, Facts
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, at, words_of

AT_ONCE = 1.0
"""Seconds after the 101 within which an end is that of the copy, and no timeout's."""
LEVELS = (b"debug", b"info", b"notice", b"warn", b"error", b"crit", b"alert", b"emerg")
"""From the most words to the fewest; without a word "error" is in force (ngx_log_set_levels)."""


def says(facts: Facts, level: bytes) -> bool:
    """Whether a line of this level would have been found in the error log."""
    route = facts.route
    if not facts.log_readable or route is None:
        return False
    lines = facts.in_force(b"error_log")
    lines = lines or [item for item in route.configuration.root if item.name == b"error_log"]
    return not lines or any(_lets_through(line, level) for line in lines)


def _lets_through(line: Directive, level: bytes) -> bool:
    if line.args[:1] == (b"/dev/null",):
        return False
    least = line.args[1] if line.args[1:2] and line.args[1] in LEVELS else b"error"
    return LEVELS.index(level) >= LEVELS.index(least)


def mirrored(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """The connection ends without a byte or at once after the 101, and a mirror gets the handshake as well.

    Which of the two comes back first, the backend or the mirror's, is a race.
    """
    opening = [backend for backend in facts.backends if backend.opens]
    if facts.level is None or facts.server is None or not opening or says(facts, b"error"):
        return []
    at_once = probe.closed_after is not None and probe.closed_after < AT_ONCE
    if not (at_once or probe.error_kind == "closed-without-answer") or any(
        suspect.certain for suspect in suspects
    ):
        return []
    for line in facts.in_force(b"mirror"):
        target = line.args[0].split(b"?")[0] if line.args else b"off"
        if not target.startswith(b"/") or serving(facts.server, target, facts.version) is None:
            continue
        text = f"{words_of(line)} sends a copy of the handshake, and Upgrade and Connection go with it"
        return [_finding(facts, codes.MIRROR_UPGRADED, at(line, text), opening[0])]
    return []


def unsaid(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """nginx's own 500 or 502, while the backend opens what nginx sends it."""
    opening = [backend for backend in facts.backends if backend.opens]
    if facts.level is None or not opening or any(suspect.certain for suspect in suspects):
        return []
    if probe.status == 500 and not says(facts, b"crit"):
        for line in facts.in_force(b"proxy_bind")[-1:]:
            if _foreign_address(line):
                text = f"{words_of(line)}: this host has no such address"
                return [_finding(facts, codes.PROXY_BIND_FAILED, at(line, text), opening[0])]
    if probe.status == 502 and not says(facts, b"error"):
        size, where = _answer_buffer(facts)
        for backend in opening:
            length = (backend.as_sent or probe).head_bytes
            if length > size:
                text = f"the backend's 101 has {length} bytes of headers, and proxy_buffer_size is {size}"
                places = at(where[-1], text) if where else [Evidence("probe", text)]
                return [_finding(facts, codes.UPSTREAM_HEADER_TOO_BIG, places, backend)]
    return []


def _finding(facts: Facts, code: str, evidence: List[Evidence], backend: BackendFacts) -> Finding:
    if backend.as_sent is not None:
        evidence.append(said(f"nginx's own request, sent to {backend.server} directly", backend.as_sent))
    route = facts.route
    logs = [item for item in route.configuration.root if item.name == b"error_log"] if route else []
    evidence += [
        item for line in logs for item in at(line, f"{words_of(line)}: nginx's reason is not logged")
    ]
    return Finding(code, evidence=evidence)


def _foreign_address(line: Directive) -> bool:
    """Whether a proxy_bind names an address that this host does not have."""
    if len(line.args) != 1:
        return False  # transparent: any address will do
    text = line.args[0].decode("latin-1")
    host = text.rpartition(":")[0].strip("[]") if text.count(":") == 1 or text.startswith("[") else text
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not host_state.is_local(host)


def _answer_buffer(facts: Facts) -> Tuple[int, List[Directive]]:
    """Bytes that nginx keeps for the headers of a backend's answer, and the line that says so."""
    lines = facts.in_force(b"proxy_buffer_size")
    size = bytes_of(lines[-1].args[0].decode("latin-1")) if lines and lines[-1].args else None
    # The default is a page of memory (ngx_pagesize).
    return size or os.sysconf("SC_PAGESIZE"), lines
