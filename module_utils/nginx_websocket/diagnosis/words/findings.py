"""What a diagnosis says: findings with their evidence, and the report that holds them."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Sequence

from ...behaviour.effective import Level
from ...edit.changes.change import Change
from ...exchange.masking import without
from ..vocabulary.whole import CODES
from .discreet import discreet

WORKS, FAILS, CANNOT_TELL = "works", "fails", "cannot tell"


@dataclasses.dataclass
class Evidence:
    """One thing that was seen, and where."""

    kind: str
    """"configuration", "probe", "log", "process", "socket", "file", "firewall" or "nginx"."""
    text: str
    file: str = ""
    line: int = 0

    def shown(self) -> str:
        """The evidence in one line."""
        return f"{self.text} ({self.file}:{self.line})" if self.file else self.text


@dataclasses.dataclass
class Finding:
    """One diagnosed fact."""

    code: str
    is_cause: bool = False
    evidence: List[Evidence] = dataclasses.field(default_factory=list)
    detail: str = ""
    """What the fact means here, when the vocabulary's sentence is not enough."""
    fix: str = ""
    """The cure for this host; the vocabulary's when empty."""
    change: Optional[Change] = None
    meant: Optional[Level] = None
    """The location that was meant, where another one answers."""
    weight: int = 0
    """Order among findings that are not the cause: higher comes first."""
    brief: str = ""
    """What is true of most sites that work, in a few words: said with its like in one line; "" else."""

    def __post_init__(self) -> None:
        """A code that is not in the vocabulary is a mistake of ours."""
        entry = CODES[self.code]
        self.fix = self.fix or entry.fix

    @property
    def title(self) -> str:
        """The fact in one sentence."""
        return self.detail or CODES[self.code].title

    def as_data(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        change = self.change or Change()
        unique = list(
            dict.fromkeys((item.kind, discreet(item.text), item.file, item.line) for item in self.evidence)
        )
        return {
            "code": self.code,
            "is_cause": self.is_cause,
            "title": discreet(self.title),
            "evidence": [
                {"kind": kind, "text": text, "file": file, "line": line} for kind, text, file, line in unique
            ],
            "fix": self.fix,
            "diff": "".join(discreet(line) + "\n" for line in change.diff().splitlines()),
            "commands": list(change.commands),
            "link": CODES[self.code].link,
            "hint": "" if self.is_cause else self.brief,
        }


def ranked(findings: Sequence[Finding]) -> List[Finding]:
    """Causes first, in the order given; then the others by weight; one of a code.

    A code that is the cause is not repeated as a risk.
    """
    causes = [finding for finding in findings if finding.is_cause]
    others = sorted(
        (finding for finding in findings if not finding.is_cause), key=lambda finding: -finding.weight
    )
    kept: List[Finding] = []
    seen = set()
    for finding in causes + others:
        if finding.code not in seen:
            seen.add(finding.code)
            kept.append(finding)
    return kept


def conclude(findings: Sequence[Finding], opened: Optional[bool]) -> str:
    """The verdict: a cause means it fails; else what the probe saw; without a probe nobody can tell.

    Args:
        findings: with ``is_cause`` set.
        opened: whether a WebSocket really opened the way a client would open it; None when not asked.
    """
    if any(finding.is_cause for finding in findings):
        return FAILS
    if opened is None:
        return CANNOT_TELL
    return WORKS if opened else CANNOT_TELL


_HARMLESS = "\n\t\u00a0\u2009\u202f\u3000"
"""What Python calls unprintable, and what a diff must hold as it is: spaces of every kind."""


def scrubbed(data: object, secrets: Sequence[str]) -> object:
    """A copy of plain data in which no string holds one of the secret words, nor a control character.

    What comes from logs, answers and configuration files is other people's text: a terminal escape in it
    must not reach a terminal.
    """
    if isinstance(data, str):
        text = without(data, secrets)
        return "".join(
            char if char in _HARMLESS or char.isprintable() else f"\\x{ord(char):02x}" for char in text
        )
    if isinstance(data, dict):
        return {key: scrubbed(value, secrets) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [scrubbed(value, secrets) for value in data]
    return data
