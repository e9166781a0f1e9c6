"""The record of a run: batches, hosts, and what became of each.

Nothing of Ansible is kept here but names, times and the few fields that the summary shows, so that memory
grows by a few hundred bytes a host and not by every task's result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence

#: What can become of a host.
NOT_REACHED = "not reached"
UNCHANGED = "unchanged"
APPLIED = "applied"
WOULD_CHANGE = "would change"
VERIFIED = "verified"
ROLLED_BACK = "rolled back"
ROLLBACK_FAILED = "rollback failed"
TAKEN_BACK = "taken back"
FAILED = "failed"
UNREACHABLE = "unreachable"

OUTCOMES = (
    UNCHANGED, APPLIED, WOULD_CHANGE, VERIFIED, ROLLED_BACK, ROLLBACK_FAILED, TAKEN_BACK, FAILED, UNREACHABLE,
    NOT_REACHED,
)  # fmt: skip
#: With these a host has what was asked for; a retry leaves it out.
DONE = frozenset({UNCHANGED, APPLIED, VERIFIED})
#: With these somebody has to look at the host.
BAD = frozenset({ROLLED_BACK, ROLLBACK_FAILED, FAILED, UNREACHABLE})

#: So many lines of a failure's message are kept.
WHY_LINES = 200

#: Phase of a task by the file that it stands in.
PHASES = {
    "check": "prepare", "ground": "prepare", "install": "prepare", "service": "prepare",
    "sites": "deploy", "verify": "verify", "soak": "soak", "undo": "undo",
    "ask": "verify", "take_back": "take back", "rollback": "roll back",
}  # fmt: skip

_HEADER = re.compile(r"(?i)(\b(?:authorization|cookie)\b\s*[=:]\s*).+")
_TOKEN = re.compile(r"(?i)(\b(?:token|password|passwd|secret|api[-_]?key)\b\s*[=:]\s*)[^\s,;&\"']+")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def masked(text: str) -> str:
    """Return a message without control characters and what stands behind "token", "password" and the like.

    The modules mask URLs and headers themselves; this is for messages of others, such as a shell's.
    """
    return _TOKEN.sub(r"\1***", _HEADER.sub(r"\1***", _CONTROL.sub("", text)))


@dataclass
class Phase:
    """One stretch of a host's time; seconds since the epoch."""

    name: str
    start: float
    end: float


@dataclass
class Release:
    """A site's release before and after."""

    site: str
    before: str
    after: str


@dataclass
class HostRecord:
    """What became of one host.

    Attributes:
        name: Name in the inventory.
        batch: Number of its batch, from 1; 0 as long as it has none.
        outcome: One of `OUTCOMES`.
        why: Lines that say why it failed.
        backup: Number of the backup that holds the state before, for a roll back by hand.
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
        if finding not in self.findings:
            self.findings.append(finding)

    def transaction(self, result: Mapping[str, Any], *, undo: bool, check: bool) -> None:
        """Take over what `nginx_deploy` or `nginx_rollback` returned.

        Args:
            result: The module's result.
            undo: It undoes what this run has done.
            check: The run is in check mode.
        """
        outcome = str(result.get("outcome", ""))
        if not outcome:
            # A module that broke down, or a host that no longer answers: what was to be undone is there yet.
            if undo:
                self._undone(outcome, result)
            return
        if result.get("recovered"):
            self.find("recovered", str(result["recovered"]))
        for finding in result.get("findings", []):
            self.find(finding.get("code", ""), finding.get("message", ""), finding.get("fix", ""))
        self._count(result.get("sockets") or {})
        if undo:
            self._undone(outcome, result)
            return
        failed = bool(result.get("failed"))
        landed = outcome == APPLIED or (outcome == UNCHANGED and not failed)
        previous = result.get("previous") or {}
        names = list(result.get("releases") or previous)
        self.releases = [
            Release(name, previous.get(name, ""), (result.get("releases") or {}).get(name, "") if landed else
                    previous.get(name, ""))
            for name in names
        ]  # fmt: skip
        self.backup = result.get("backup")
        if failed:
            self.outcome = outcome if outcome in (ROLLED_BACK, ROLLBACK_FAILED) else FAILED
        elif outcome == UNCHANGED and check and result.get("changed"):
            self.outcome = WOULD_CHANGE
        elif outcome in OUTCOMES:
            self.outcome = outcome

    def _count(self, sockets: Mapping[str, int]) -> None:
        """Add a count to those from before: the first ``before``, the last ``after``, all that were lost."""
        if sockets:
            known = self.sockets or {"before": sockets["before"], "lost": 0}
            self.sockets = {
                "before": known["before"],
                "after": sockets["after"],
                "lost": known["lost"] + sockets["lost"],
            }

    def _undone(self, outcome: str, result: Mapping[str, Any]) -> None:
        by_itself = outcome == UNCHANGED and not result.get("failed")  # while nobody confirmed it
        if outcome == APPLIED or by_itself:
            self.outcome = ROLLED_BACK
            for release in self.releases:
                release.after = release.before
        else:
            self.outcome = ROLLBACK_FAILED
            self.why.append(masked(str(result.get("msg", ""))))

    def taken_back(self, result: Mapping[str, Any]) -> None:
        """Take over what `nginx_rollback` returned for a finished host when another one failed."""
        self.transaction(result, undo=True, check=False)
        if self.outcome == ROLLED_BACK:
            self.outcome = TAKEN_BACK

    def failed(self, message: str, *, unreachable: bool = False) -> None:
        """Note a failed task."""
        if unreachable:
            self.outcome = UNREACHABLE
        elif self.outcome not in (ROLLED_BACK, ROLLBACK_FAILED):
            self.outcome = FAILED
        lines = [masked(line.rstrip()) for line in message.splitlines() if line.strip()]
        self.why += [line for line in lines[:WHY_LINES] if line not in self.why]


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
