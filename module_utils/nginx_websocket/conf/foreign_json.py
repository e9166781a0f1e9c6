"""JSON that others wrote, read within bounds of depth."""

from __future__ import annotations

import json
import re
from typing import Any

MOST_LEVELS = 100
_PART = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)


def loads(text: str) -> Any:  # noqa: ANN401  somebody's JSON
    """Return the data of a JSON text.

    ``json.loads`` ends deep nesting by RecursionError. Python 3.8 may abort there ("Cannot recover from stack
    overflow") when the garbage collector calls something just below the limit; so deep text never gets there.

    Args:
        text: as it came.

    Raises:
        ValueError: it is no JSON, or has more than `MOST_LEVELS` levels.
    """
    levels = 0
    for part in _PART.finditer(text):
        if part.group() in ("[", "{"):
            levels += 1
            if levels > MOST_LEVELS:
                raise ValueError(f"expected JSON of at most {MOST_LEVELS} levels, got more")
        elif part.group() in ("]", "}"):
            levels -= 1
    return json.loads(text)
