"""The record of a run: batches, hosts, and what became of each.

Nothing of Ansible is kept here but names, times and the few fields that the summary shows, so that memory
grows by a few hundred bytes a host and not by every task's result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from .outcomes import (
    APPLICATION_DOWN,
    APPLICATION_DOWN_ACCEPTED,
    APPLIED,
    BAD,
    DONE,
    FAILED,
    NOT_REACHED,
    NOTHING_TO_GO_BACK_TO,
    OUTCOMES,
    REFUSED,
    RELOAD_FAILED,
    ROLLBACK_FAILED,
    ROLLED_BACK,
    TAKEN_BACK,
    UNCHANGED,
    UNKNOWN,
    UNREACHABLE,
    VERIFIED,
    WOULD_CHANGE,
)

#: So many lines of a failure's message are kept.
WHY_LINES = 200
#: So many characters of one message are looked at.
MESSAGE = 100_000
#: So many characters of one detail of a comparison are kept.
DETAIL = 500
#: So many findings and sites of a host are kept; what a host says is bounded in every direction.
ROWS = 200

#: Phase of a task by the file that it stands in.
PHASES = {
    "check": "prepare", "prerequisites": "prepare", "install": "prepare", "service": "prepare",
    "sites": "deploy", "verify": "verify", "soak": "soak", "undo": "undo",
    "ask": "verify", "take_back": "take back", "rollback": "roll back",
}  # fmt: skip

_CODED = re.compile(r"(?s)(.*) \[([a-z]+(?:-[a-z]+)+)\]")
_HEADER = re.compile(r"(?i)(\b(?:authorization|cookie)\b\s*[=:]\s*).+")
_TOKEN = re.compile(r"(?i)(\b(?:token|password|passwd|secret|api[-_]?key)\b\s*[=:]\s*)[^\s,;&\"']+")


def masked(text: str) -> str:
    """Return a message without what stands behind "token", "password" and the like.

    The modules mask URLs and headers themselves; this is for messages of others, such as a shell's.
    """
    return _TOKEN.sub(r"\1***", _HEADER.sub(r"\1***", text))


@dataclass
class Phase:
    """One stretch of a host's time; seconds since the epoch."""

    name: str
    start: float
    end: float


@dataclass
class Release:
    """A site's release before and after; "" is none of ours, None is not known."""

    site: str
    before: str
    after: Optional[str]


@dataclass
class HostRecord:
    """What became of one host.

    Attributes:
        name: Name in the inventory.
        batch: Number of its batch, from 1; 0 as long as it has none.
        outcome: One of `OUTCOMES`.
        why: Lines that say why it failed.
        backup: Number of the backup that holds the state before, for a roll back by hand.
        confirm_by: Until when its release waits to be confirmed, or the host goes back by itself.
        comparison: What users would see of the change, as data; empty where nothing changed.
    """

    name: str
    batch: int = 0
    outcome: str = NOT_REACHED
    releases: List[Release] = field(default_factory=list)
    sockets: Dict[str, int] = field(default_factory=dict)
    findings: List[Dict[str, str]] = field(default_factory=list)
    why: List[str] = field(default_factory=list)
    passed: Optional[int] = None
    backup: Optional[int] = None
    confirm_by: str = ""
    comparison: Dict[str, Any] = field(default_factory=dict)
    phases: List[Phase] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """Time from the host's first task to the end of its last."""
        return self.phases[-1].end - self.phases[0].start if self.phases else 0.0

    def saw(self, phase: str, start: float, end: float) -> None:
        """Note that a task of that phase ran."""
        if self.phases and self.phases[-1].name == phase:
            self.phases[-1].end = max(self.phases[-1].end, end)
        else:
            self.phases.append(Phase(phase, start, end))

    def find(self, code: str, message: str, fix: str = "") -> None:
        """Add a finding once."""
        finding = {"code": code, "message": masked(message), "fix": fix}
        if finding not in self.findings and len(self.findings) < ROWS:
            self.findings.append(finding)

    def transaction(self, result: Mapping[str, Any], *, failed: bool, undo: bool, check: bool) -> None:
        """Take over what `nginx_deploy` or `nginx_rollback` returned.

        Args:
            result: The module's result, as Ansible gives it to callbacks: without ``failed``.
            failed: Whether Ansible reports the task as failed.
            undo: It undoes what this run has done.
            check: The run is in check mode.
        """
        word = str(result.get("outcome") or "")
        if word or undo:
            self._told(result)
        if undo:
            self._undone(word, failed, result)
        elif word:
            self._done(word, failed, result, check)
        elif failed:
            # A module that broke down, or a connection that did.
            self._judge(UNKNOWN)

    def _told(self, result: Mapping[str, Any]) -> None:
        if result.get("recovered"):
            self.find("recovered", str(result["recovered"]))
        for finding in _rows(result.get("findings")):
            self.find(*(str(finding.get(part) or "") for part in ("code", "message", "fix")))
        self._count(_numbers(result.get("sockets")))
        self.comparison = _compared(result.get("comparison")) or self.comparison

    def _done(self, word: str, failed: bool, result: Mapping[str, Any], check: bool) -> None:
        if failed and word in (UNCHANGED, APPLIED):
            word = FAILED
        elif word == UNCHANGED and check and result.get("changed"):
            word = WOULD_CHANGE
        previous, wanted = _texts(result.get("previous")), _texts(result.get("releases"))
        known = word not in (ROLLBACK_FAILED, RELOAD_FAILED)
        live = wanted if word in (APPLIED, UNCHANGED, WOULD_CHANGE) else previous
        self.releases = [
            Release(name, previous.get(name, ""), live.get(name, "") if known else None)
            for name in list(wanted or previous)[:ROWS]
        ]
        backup = result.get("backup")
        self.backup = backup if isinstance(backup, int) else None
        self.confirm_by = str(result.get("confirm_by") or "")
        self._judge(word if word in OUTCOMES else UNKNOWN)

    def _judge(self, outcome: str) -> None:
        self.outcome = outcome
        if outcome in (UNKNOWN, UNREACHABLE):
            for release in self.releases:
                release.after = None

    def _count(self, sockets: Mapping[str, int]) -> None:
        """Add a count to those from before: the first ``before``, the last ``after``, all that were lost."""
        if {"before", "after", "lost"} <= set(sockets):
            known = self.sockets or {"before": sockets["before"], "lost": 0}
            self.sockets = {
                "before": known["before"],
                "after": sockets["after"],
                "lost": known["lost"] + sockets["lost"],
            }

    def _undone(self, word: str, failed: bool, result: Mapping[str, Any]) -> None:
        if word in (APPLIED, UNCHANGED) and not failed:  # unchanged: it went back by itself, unconfirmed
            now = _texts(result.get("releases"))
            for release in self.releases:
                release.after = now.get(release.site, release.before)
            self.outcome = ROLLED_BACK
            return
        self.outcome = ROLLBACK_FAILED
        if word not in (REFUSED, ROLLED_BACK):  # with these the host is as it was before the undo
            for release in self.releases:
                release.after = None
        if self.confirm_by:
            self.say(f"The release was not confirmed: the host goes back by itself at {self.confirm_by}")
        self.say(f"Undo: {result.get('msg') or 'no answer'}")

    def taken_back(self, result: Mapping[str, Any], *, failed: bool) -> None:
        """Take over what `nginx_rollback` returned for a finished host when another one failed."""
        self.transaction(result, failed=failed, undo=True, check=False)
        if self.outcome == ROLLED_BACK:
            self.outcome = TAKEN_BACK

    def verified(self, result: Mapping[str, Any], *, failed: bool) -> None:
        """Take over a host's verdict as the action nginx_websocket_verify returns it.

        Args:
            result: ``passed``, ``findings``, and ``application_down`` where nothing else failed.
            failed: Whether the run fails for it.
        """
        passed = result.get("passed")
        self.passed = passed if isinstance(passed, int) else self.passed
        for text in _list(result.get("findings")):
            self.find(*_coded(str(text)))
        down = _list(result.get("application_down"))
        for text in down:
            self.find("application-down", str(text), "start the application; nothing must be deployed again")
        if down:
            self._judge(APPLICATION_DOWN if failed else APPLICATION_DOWN_ACCEPTED)
        elif not failed and self.outcome == NOT_REACHED:
            self.outcome = VERIFIED

    def failed(self, message: str, *, phase: str = "", unreachable: bool = False) -> None:
        """Note a failed task."""
        if unreachable:
            self._judge(UNREACHABLE)
        elif self.outcome not in BAD:
            self._judge(self._failed_verification() if phase in ("verify", "soak") else FAILED)
        self.say(message)

    def _failed_verification(self) -> str:
        """What a failed verification means: nothing is undone where this run made no release."""
        if self.outcome == UNCHANGED:
            return NOTHING_TO_GO_BACK_TO
        if self.outcome == APPLIED and self.backup is None:
            return RELOAD_FAILED
        return FAILED

    def say(self, message: str) -> None:
        """Add lines that say why the host failed, each once."""
        for line in message[:MESSAGE].split("\n"):
            line = masked(line.rstrip())
            if line and line not in self.why and len(self.why) < WHY_LINES:
                self.why.append(line)


def _coded(text: str) -> Tuple[str, str]:
    """Return the name of a finding of the suite, which stands behind it, and its message."""
    found = _CODED.fullmatch(text)
    return (found.group(2), found.group(1)) if found else ("", text)


def _texts(value: object) -> Dict[str, str]:
    """The pairs of text in what a host gave for a table of text."""
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {name: text for name, text in pairs if isinstance(name, str) and isinstance(text, str)}


def _numbers(value: object) -> Dict[str, int]:
    pairs = value.items() if isinstance(value, Mapping) else ()
    return {str(name): number for name, number in pairs if isinstance(number, int)}


def _compared(value: object) -> Dict[str, Any]:
    """What is kept of a comparison: texts masked and cut, numbers, and so many differences."""
    if not isinstance(value, Mapping) or not value:
        return {}
    return {
        **_short(value),
        "differences": [
            {**_short(row), "examples": [masked(str(one)[:DETAIL]) for one in _list(row.get("examples"))]}
            for row in _rows(value.get("differences"))
        ],
        "notes": [masked(str(note)[:DETAIL]) for note in _list(value.get("notes"))],
    }


def _short(value: Mapping[str, Any]) -> Dict[str, Any]:
    texts = {name: masked(text[:DETAIL]) for name, text in _texts(value).items()}
    return {**texts, **_numbers(value)}


def _list(value: object) -> List[Any]:
    return value[:ROWS] if isinstance(value, list) else []


def _rows(value: object) -> Iterator[Mapping[str, Any]]:
    return (row for row in _list(value) if isinstance(row, Mapping))


@dataclass
class Batch:
    """Hosts that go together; seconds since the epoch."""

    number: int
    hosts: List[str]
    start: float
    end: float = 0.0


@dataclass
class Rollout:
    """One run of one play."""

    play: str
    start: float
    check: bool = False
    planned: List[int] = field(default_factory=list)
    """Sizes of the batches, those to come included."""
    batches: List[Batch] = field(default_factory=list)
    hosts: Dict[str, HostRecord] = field(default_factory=dict)
    end: float = 0.0
    ours: bool = False
    """Whether any task of this project ran; a summary of somebody else's play is nobody's wish."""

    def expect(self, names: Sequence[str]) -> None:
        """Note hosts that this play will come to."""
        for name in names:
            self.hosts.setdefault(name, HostRecord(name))

    def begin_batch(self, names: Sequence[str], now: float) -> Batch:
        """Note that a batch begins."""
        self.end_batch(now)
        batch = Batch(len(self.batches) + 1, list(names), now)
        self.batches.append(batch)
        self.expect(names)
        for name in names:
            self.hosts[name].batch = batch.number
        return batch

    def end_batch(self, now: float) -> None:
        """Note that the batch that runs has ended; one that came to no host is forgotten."""
        self.end = now
        if not self.batches or self.batches[-1].end:
            return
        batch = self.batches[-1]
        batch.end = now
        if not any(self.hosts[name].phases for name in batch.hosts):
            self.batches.pop()
            for name in batch.hosts:
                self.hosts[name].batch = 0

    def counts(self) -> Dict[str, int]:
        """Return how many hosts have which outcome, in the order of `OUTCOMES`, none left out that occurs."""
        found = dict.fromkeys(OUTCOMES, 0)
        for host in self.hosts.values():
            found[host.outcome] += 1
        return {outcome: number for outcome, number in found.items() if number}

    @property
    def idle(self) -> bool:
        """Whether every host was come to and none was to be touched, as where tags choose no such task."""
        return all(host.outcome == NOT_REACHED and host.phases for host in self.hosts.values())

    def not_done(self) -> List[str]:
        """Return the hosts that a retry must come to."""
        if self.idle:
            return []
        return [host.name for host in self.hosts.values() if host.outcome not in DONE]

    @property
    def succeeded(self) -> bool:
        """Whether every host has what was asked for."""
        return self.idle or all(
            host.outcome in DONE or host.outcome == WOULD_CHANGE for host in self.hosts.values()
        )


def batch_sizes(serial: Sequence[Any], hosts: int) -> List[int]:
    """Return the sizes of the batches that Ansible will make.

    Args:
        serial: The play's ``serial``: numbers and percentages of all hosts, the last one repeated.
        hosts: How many hosts the play has.

    Returns:
        Sizes whose sum is the number of hosts, as in Ansible's ``_get_serialized_batches``.
    """
    sizes: List[int] = []
    left = hosts
    steps = list(serial) or [-1]
    while left > 0:
        step = steps[min(len(sizes), len(steps) - 1)]
        if isinstance(step, str) and step.endswith("%"):
            # At least one, like ansible.utils.helpers.pct_to_int.
            size = int((float(step[:-1]) / 100.0) * hosts) or 1
        else:
            size = int(step)
        size = left if size <= 0 else min(size, left)
        sizes.append(size)
        left -= size
    return sizes
