"""The words for what can become of a host: the same on the terminal, in each file, and in the exit code."""

from __future__ import annotations

from typing import Dict, Tuple

NOT_REACHED = "not reached"
UNCHANGED = "unchanged"
APPLIED = "applied"
WOULD_CHANGE = "would change"
VERIFIED = "verified"
APPLICATION_DOWN_ACCEPTED = "application down, accepted"
APPLICATION_DOWN = "application down"
REFUSED = "refused"
ROLLED_BACK = "rolled back"
ROLLBACK_FAILED = "rollback failed"
RELOAD_FAILED = "reload failed"
NOTHING_TO_GO_BACK_TO = "nothing to go back to"
TAKEN_BACK = "taken back"
FAILED = "failed"
UNKNOWN = "unknown"
UNREACHABLE = "unreachable"

GOOD, CHANGE, WARNING, IDLE, FAULT = "good", "change", "warning", "idle", "fault"

#: Each outcome with its kind and what it says of the host, in the order in which they are counted.
MEANINGS: Dict[str, Tuple[str, str]] = {
    UNCHANGED: (GOOD, "had the release already, and serves it"),
    APPLIED: (CHANGE, "has the new release, proven; with rollback.yml, the older state"),
    WOULD_CHANGE: (CHANGE, "check mode: would get a new release"),
    VERIFIED: (GOOD, "was only verified"),
    APPLICATION_DOWN_ACCEPTED: (
        WARNING,
        "serves what it should, but the application behind it does not answer, so no WebSocket opens",
    ),
    APPLICATION_DOWN: (
        FAULT,
        "serves what it should, but the application behind it does not answer, and the run fails for it",
    ),
    REFUSED: (FAULT, "was not touched, because something spoke against the change"),
    ROLLED_BACK: (FAULT, "failed, and serves again what it had before this run"),
    ROLLBACK_FAILED: (
        FAULT,
        "failed, and what this run did could not be undone: the message says what to do",
    ),
    RELOAD_FAILED: (
        FAULT,
        "only read a changed certificate or include anew, fails since, and has no older release",
    ),
    NOTHING_TO_GO_BACK_TO: (FAULT, "fails with the release that it had before this run, which stays"),
    TAKEN_BACK: (IDLE, "was fine, and went back because another host failed"),
    FAILED: (FAULT, "failed in another way; this run changed none of its sites, or see the message"),
    UNKNOWN: (FAULT, "gave no answer when it was deployed, so what is live there is not known"),
    UNREACHABLE: (FAULT, "did not answer, so what is live there is not known"),
    NOT_REACHED: (IDLE, "was not touched: the rollout stopped before it"),
}

#: What a person does next about a host with a fault.
NEXT: Dict[str, str] = {
    APPLICATION_DOWN: "start the application; nothing must be deployed again",
    REFUSED: "put right what the message names, and run again",
    ROLLED_BACK: "put right what the message names, and run again; the host needs nothing",
    ROLLBACK_FAILED: "look at this host first: playbooks/rollback.yml, or the commands of the message",
    RELOAD_FAILED: "put right the certificate or include that changed, and run again",
    NOTHING_TO_GO_BACK_TO: "playbooks/diagnose.yml says why it fails; rollback.yml goes further back",
    FAILED: "put right what the message names, and run again",
    UNKNOWN: "run again: it heals what is unfinished, and says what is live",
    UNREACHABLE: "make the host reachable, and run again: it heals what is unfinished",
}

OUTCOMES = tuple(MEANINGS)
#: With these a host has what was asked for; a retry leaves it out.
DONE = frozenset({UNCHANGED, APPLIED, VERIFIED, APPLICATION_DOWN_ACCEPTED})
#: With these somebody has to look at the host, and the run has failed.
BAD = frozenset(word for word, (kind, _) in MEANINGS.items() if kind == FAULT)


def kind(outcome: str) -> str:
    """Return the kind of an outcome; one that nobody knows is a fault."""
    return MEANINGS.get(outcome, (FAULT, ""))[0]
