"""Times and sizes as nginx writes them."""

from __future__ import annotations

import re
from typing import Optional

_TIMES = {
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
_SIZES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def seconds_of(text: str) -> Optional[float]:
    """A time as nginx writes it (``ngx_parse_time``): ``90``, ``1h 30m``, ``500ms``; else None."""
    parts = re.findall(r"(\d+)(ms|[smhdwMy]?)", text.replace(" ", ""))
    if not parts or "".join(number + unit for number, unit in parts) != text.replace(" ", ""):
        return None
    return sum(int(number) * _TIMES[unit] for number, unit in parts)


def bytes_of(text: str) -> Optional[int]:
    """A size as nginx writes it (``ngx_parse_offset``): ``8192``, ``20M``, ``1g``; None for what is none."""
    unit = _SIZES.get(text[-1:].lower(), 0)
    digits = text[:-1] if unit else text
    return int(digits) * (unit or 1) if digits.isdigit() else None
