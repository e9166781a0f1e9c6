"""A guard of nginx that refused this very handshake, by nginx's own log."""

from __future__ import annotations

from typing import List, Sequence

from ... import codes
from ..evidence.facts import Facts
from ..words.findings import Finding
from ..words.suspect import Suspect, evidence_of

GUARDS = (codes.LIMIT_REQ, codes.LIMIT_CONN, codes.AUTH_REQUEST)


def refused_by_guard(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The guard of which the log got a line; what the client sees of it, an error_page may have chosen."""
    line = next((line for line in facts.log if line.code in GUARDS), None)
    if line is None:
        return []
    return [Finding(line.code, evidence=[*evidence_of(suspects, line.code), line.evidence()])]
