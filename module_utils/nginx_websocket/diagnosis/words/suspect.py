"""A finding that may be the cause, and what every rule on the configuration needs to speak of one."""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Sequence, Tuple

from ... import codes
from ...behaviour.upgrade.obstacle import Obstacle, words_of
from ...conf.tree import Directive
from .findings import Evidence, Finding

__all__ = [
    "HEADER_FAULTS",
    "Suspect",
    "all_certain",
    "at",
    "certain_cause",
    "evidence_of",
    "finding_of",
    "suspected",
    "with_those_behind",
    "words_of",
]


@dataclasses.dataclass
class Suspect:
    """A finding that may be the cause."""

    finding: Finding
    certain: bool
    answers: Tuple[int, ...] = ()
    """Statuses that the client sees when this is the cause; empty when it is not by status that it shows."""

    @property
    def code(self) -> str:
        """The finding's code."""
        return self.finding.code


HEADER_FAULTS = (
    codes.NO_UPGRADE_HEADER,
    codes.HOP_HEADER_INHERITANCE,
    codes.ADD_HEADER_NOT_PROXY_SET_HEADER,
    codes.UPGRADE_HEADER_WRONG_VALUE,
    codes.CONNECTION_HEADER_WRONG,
)
"""The location is the right one, and only Upgrade and Connection are missing in it."""

_BESIDES = (
    codes.METHOD_CHANGED,
    codes.REQUEST_HEADERS_NOT_PASSED,
    codes.RESPONSE_HEADER_HIDDEN,
    codes.RESPONSE_HEADER_ADDED,
    codes.RESOLVER_MISSING,
)
"""Each is a fault of its own, whatever else is wrong in the location."""


def with_those_behind(certain: Sequence[Finding]) -> List[Finding]:
    """The first of the certain findings, and those that keep the socket shut once it is cured."""
    known = (*HEADER_FAULTS, *_BESIDES)
    if not certain or certain[0].code not in known:
        return list(certain[:1])
    return [certain[0], *(finding for finding in certain[1:] if finding.code in _BESIDES)]


def finding_of(obstacle: Obstacle) -> Finding:
    """What may keep a socket from opening, as a finding without a cure."""
    evidence = [item for fact in obstacle.facts for item in at(fact.directive, fact.text)]
    return Finding(
        obstacle.code,
        evidence=evidence,
        detail=obstacle.detail,
        fix=obstacle.fix,
        weight=obstacle.weight,
    )


def at(directive: Optional[Directive], text: str) -> List[Evidence]:
    """One piece of evidence in the configuration; without a place where there is no directive."""
    if directive is None:
        return [Evidence("configuration", text)]
    return [Evidence("configuration", text, directive.file, directive.line)]


def certain_cause(suspects: Sequence[Suspect], among: Sequence[str] = ()) -> List[Finding]:
    """The first suspect that is certain (and whose code is ``among`` these)."""
    for suspect in suspects:
        if suspect.certain and (not among or suspect.code in among):
            return [suspect.finding]
    return []


def suspected(suspects: Sequence[Suspect], code: str) -> Optional[Finding]:
    """What is suspected with a code, whether it is certain or not."""
    return next((suspect.finding for suspect in suspects if suspect.code == code), None)


def evidence_of(suspects: Sequence[Suspect], code: str) -> List[Evidence]:
    """The evidence of a suspect; empty when nothing suspects it."""
    found = suspected(suspects, code)
    return found.evidence if found is not None else []


def all_certain(suspects: Sequence[Suspect]) -> List[Finding]:
    """What is certain, the strongest first."""
    return [suspect.finding for suspect in suspects if suspect.certain]
