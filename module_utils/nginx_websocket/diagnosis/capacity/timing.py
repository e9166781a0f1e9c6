"""The time that ends a silent socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional

from ...conf.units import seconds_of
from ..words.findings import Evidence

if TYPE_CHECKING:
    from ...behaviour.route import Route


def read_timeout(found: Optional[Route]) -> Optional[float]:
    """``proxy_read_timeout`` in seconds; None when it cannot be told."""
    if found is None:
        return None
    effective = found.effective.get("proxy_read_timeout")
    return seconds_of(effective.value) if effective is not None else None


def timeout_evidence(found: Optional[Route]) -> List[Evidence]:
    """The ``proxy_read_timeout`` in force, and where it is set."""
    effective = found.effective.get("proxy_read_timeout") if found is not None else None
    if effective is None:
        return []
    line = effective.directive
    words = f"proxy_read_timeout is {effective.value} ({'set here' if line else effective.source})"
    return [Evidence("configuration", words, line.file if line else "", line.line if line else 0)]
