"""The words of a fix: what is asked, how the host is asked, what came of it."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, Callable, Dict, List, Mapping, Tuple

from ..diagnosis.engine import Report, diagnose
from ..diagnosis.evidence.facts import Question
from ..diagnosis.words.findings import Finding
from ..transaction.site.model import Outcome


@dataclasses.dataclass(frozen=True)
class Wish:
    """What a fix may do beyond its ordinary limits."""

    managed: bool = False
    """Edit files that another tool owns and may write again."""
    add_names: bool = False
    """Add a name to a ``server_name``: the server then answers for a name that it did not have."""


@dataclasses.dataclass
class Look:
    """How the host is asked; unit tests ask a tree in memory."""

    binary: str = ""
    conf_path: str = ""

    def report(self, question: Question) -> Report:
        """Why a URL does not open, on this host."""
        return diagnose(question, binary=self.binary, conf_path=self.conf_path)


@dataclasses.dataclass
class Case:
    """One URL that fails."""

    question: Question
    report: Report
    causes: List[Finding]

    @property
    def urls(self) -> List[str]:
        """The URL, and the one that nginx itself asks of its own server in which the fault lies."""
        behind = self.report.behind
        return [self.question.url, *([behind.question.url] if behind is not None else [])]


Ask = Callable[[Question], Report]


@dataclasses.dataclass(frozen=True)
class Edited:
    """One place of a file that was edited."""

    file: str
    line: int
    """0 where the file itself comes."""
    before: Tuple[str, ...]
    after: Tuple[str, ...]

    def as_dict(self) -> Dict[str, Any]:
        """For a module's result."""
        return {"file": self.file, "line": self.line, "before": list(self.before), "after": list(self.after)}

    def text(self) -> str:
        """As a diff has it."""
        head = f"{self.file}:{self.line}"
        lines = [f"- {line}" for line in self.before] + [f"+ {line}" for line in self.after]
        return "\n".join([head, *(f"  {line}" for line in lines)])


_OF_A_CHOICE = (
    "causes", "urls", "edits", "files", "diff", "findings", "comparison", "method", "warnings", "changed",
)  # fmt: skip


@dataclasses.dataclass
class Fixed(Outcome):
    """How a fix ended."""

    urls: List[str] = dataclasses.field(default_factory=list)
    """The WebSockets that were mended, secrets masked."""
    causes: List[str] = dataclasses.field(default_factory=list)
    """Codes of docs/findings.md, as they were cured."""
    edits: List[Edited] = dataclasses.field(default_factory=list)
    commands: List[str] = dataclasses.field(default_factory=list)
    """What helps, where the fault is none of the configuration."""
    undecided: bool = False
    """Nobody can tell whether the URL works; nothing was changed."""

    def of_a_choice(self) -> Dict[str, Any]:
        """What is said of the edits that were chosen, to take back before others are tried."""
        return {name: copy.copy(getattr(self, name)) for name in _OF_A_CHOICE}

    def take_back(self, told: Mapping[str, Any]) -> None:
        """Say what was said before.

        Args:
            told: what ``of_a_choice`` gave.
        """
        for name, value in told.items():
            setattr(self, name, copy.copy(value))

    def as_dict(self, *, diff: bool = True) -> Dict[str, Any]:
        """For a module's result.

        Args:
            diff: whether the difference is wanted, which holds whole files.
        """
        return {
            **super().as_dict(diff=diff),
            "urls": self.urls,
            "causes": self.causes,
            "edits": [one.as_dict() for one in self.edits],
            "commands": self.commands,
        }
