"""The steps that turn a candidate into the live release, or leave the host exactly as it was."""

from __future__ import annotations

from .confirm import confirm
from .deploy import deploy
from .going_back import main as go_back
from .instance import Instance, find_instance, instance_of
from .model import (
    APPLIED,
    ROLLBACK_FAILED,
    ROLLED_BACK,
    UNCHANGED,
    Change,
    ConfError,
    Entry,
    Finding,
    Outcome,
    Refused,
    RouteCheck,
    Site,
    Validation,
)
from .rollback import kept, rollback
from .standing import standing
from .validation import candidate_changes, validate, was_read

__all__ = [
    "APPLIED",
    "ROLLBACK_FAILED",
    "ROLLED_BACK",
    "UNCHANGED",
    "Change",
    "ConfError",
    "Entry",
    "Finding",
    "Instance",
    "Outcome",
    "Refused",
    "RouteCheck",
    "Site",
    "Validation",
    "candidate_changes",
    "confirm",
    "deploy",
    "find_instance",
    "go_back",
    "instance_of",
    "kept",
    "rollback",
    "standing",
    "validate",
    "was_read",
]
