"""Times as nginx writes them, and the one that ends a silent socket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, List, Optional

from .findings import Evidence

if TYPE_CHECKING:
    from ..nginx_conf.route import Route


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


UNITS = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "m": 60.0,
    "h": 3600.0,
    "d": 86400.0,
    "w": 604800.0,
    "M": 2592000.0,
    "y": 31536000.0,
}


def seconds_of(text: str) -> Optional[float]:
    """A time as nginx writes it (``ngx_parse_time``): ``90``, ``1h 30m``, ``500ms``."""
    parts = re.findall(r"(\d+)(ms|[smhdwMy]?)", text.replace(" ", ""))
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        return None
    return sum(int(number) * UNITS[unit] for number, unit in parts)
