"""The systemd unit of the application behind nginx: written, started and proven, or left as it was."""

from __future__ import annotations

from .deploy import Outcome, Refused, Unit, deploy

__all__ = ["Outcome", "Refused", "Unit", "deploy"]
