"""Judge a regular expression before nginx gets it.

nginx compiles it with PCRE. Here Python's parser reads it, which agrees on the structure; what only PCRE
knows is left to ``nginx -t`` on the staged tree. A pattern that can take exponential time is refused, because
any client may choose the path that it is matched against.
"""

from __future__ import annotations

import re
import warnings
from typing import Optional

from .ambiguity import is_exponential
from .kinds import Problem

#: Constructs that PCRE has and Python's parser does not: such a pattern is judged by nginx alone.
ONLY_PCRE = re.compile(r"\\[hHvVRKXNCGQEpPgk]|\(\?[|R&P>]|\(\?[0-9]|\(\*|\[\[:")

LONGEST = 512


def location_regex(value: str) -> Problem:
    """Accept a regular expression that can stand in ``location ~``."""
    expected = "a regular expression that begins with ^/, such as ^/ws/[a-z]+$"
    if not value.isascii() or not value.isprintable():
        return expected, "Printable ASCII only; match other bytes with \\xHH."
    if len(value) > LONGEST:
        return f"{expected}, at most {LONGEST} characters", ""
    if not value.startswith("^"):
        return expected, "Without ^ it would match in the middle of other paths, too."
    if re.search(r"\(\?(?:P?<|')(?![=!])", value):
        return (
            f"{expected}, without named groups",
            "A named group is a variable of the whole nginx: write (?:...).",
        )
    if ONLY_PCRE.search(value):
        return _balanced(value, expected)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(value)  # as it is: below, empty assertions give a lone quantifier something to repeat
            exponential = is_exponential(value)
    except (re.error, OverflowError, RecursionError) as error:
        return expected, f"It does not compile: {error}."
    if exponential:
        return (
            f"{expected}, in which no repetition holds another that can match the same text",
            "A path can be made that takes it forever. Put a separator between: ^/ws/(?:[a-z]+/)*$.",
        )
    return None


def matches(pattern: str, path: str) -> Optional[bool]:
    """Return whether the pattern takes the path, None where only PCRE can tell."""
    if ONLY_PCRE.search(pattern):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.search(pattern, path, re.ASCII) is not None
    except (re.error, OverflowError, RecursionError):
        return None


def _balanced(value: str, expected: str) -> Problem:
    depth = 0
    in_class = False
    position = 0
    while position < len(value):
        character = value[position]
        if character == "\\":
            position += 1
            if position == len(value):
                return expected, "It ends in a backslash."
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth < 0:
                return expected, "A parenthesis is closed that was never opened."
        position += 1
    if depth or in_class:
        return expected, "A parenthesis or a bracket is not closed."
    return None
