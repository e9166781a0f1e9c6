"""The backend opens the WebSocket, and nginx never passes its 101 on: SSI keeps it."""

from __future__ import annotations

from typing import List, Sequence

from ... import codes
from ..backend.answers import said
from ..evidence.facts import Facts
from ..words.findings import Finding
from ..words.suspect import Suspect, suspected


def by_ssi(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """SSI takes an answer of a type that it knows, and drops the flush behind the 101 (measured).

    Other filters that look at the body (``sub_filter``, ``gzip``, ``addition``) let the 101 through.
    """
    known = suspected(suspects, codes.SSI_HOLDS_UPGRADE)
    if known is None or facts.level is None:
        return []
    types = [b"text/html", *(word for line in facts.in_force(b"ssi_types") for word in line.args)]
    for backend in facts.backends:
        answer = backend.as_sent
        if answer is None or not answer.opened:
            continue
        kind = (answer.header("Content-Type") or "").split(";")[0].strip().lower()
        if kind and (b"*" in types or kind.encode("latin-1", "replace") in types):
            known.evidence.append(said(f"{backend.server}, asked directly, with Content-Type {kind}", answer))
            return [known]
    return []
