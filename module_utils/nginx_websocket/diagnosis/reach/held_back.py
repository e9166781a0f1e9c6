"""The backend would open the WebSocket, and nginx waits: SSI keeps the 101, or a limit the request."""

from __future__ import annotations

from typing import List, Sequence

from ... import codes
from ..backend.answers import said
from ..evidence.facts import Facts
from ..words.findings import Finding
from ..words.suspect import Suspect, at, suspected, words_of


def by_limit(facts: Facts) -> List[Finding]:
    """limit_req keeps a request beyond its rate, up to its burst, until its turn comes.

    The log says so at a level below that of the refusals (``limit_req_log_level``), and mostly not at all.
    """
    lines = facts.level.nearest(b"limit_req")[1] if facts.level is not None else []
    keeping = [line for line in lines if _keeps(line.args)]
    answers = [(backend.server, backend.as_sent) for backend in facts.backends if backend.as_sent is not None]
    opens = next(((server, answer) for server, answer in answers if answer.opened), None)
    if not keeping or opens is None:
        return []
    return [
        Finding(
            codes.LIMIT_REQ,
            evidence=[*at(keeping[0], words_of(keeping[0])), said(f"{opens[0]}, asked directly", opens[1])],
            detail="nginx lets the handshake wait for its turn: limit_req has a burst and no nodelay",
            fix="nodelay behind burst, a higher rate, or a zone by $binary_remote_addr, so that each client "
            "has a turn of its own",
        )
    ]


def _keeps(words: Sequence[bytes]) -> bool:
    """Whether a limit_req lets requests wait."""
    return any(word.startswith(b"burst=") for word in words) and b"nodelay" not in words


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
