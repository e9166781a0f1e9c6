"""What is said about a value that is not accepted."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_VALUE_SHOWN = 80
LONGEST_PLACE_SHOWN = 160

#: What is expected in place of a key that does not exist.
UNKNOWN = "a variable of this role"


@dataclass(frozen=True)
class Refusal:
    """One value that is refused: the variable, what it holds, what was expected, what to write instead."""

    variable: str
    value: object
    expected: str
    fix: str = ""

    def __str__(self) -> str:
        """Return the message in one line."""
        found = "unknown" if self.expected == UNKNOWN else f"{shown(self.value)}, expected {self.expected}"
        sentence = f"{named(self.variable)} is {found}."
        return f"{sentence} {self.fix}".rstrip()


def named(variable: str) -> str:
    """Return the place of a value as a message may hold it; a key may hold anything."""
    safe = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in variable
    )
    return safe if len(safe) <= LONGEST_PLACE_SHOWN else safe[: LONGEST_PLACE_SHOWN - 1] + "…"


def shown(value: object) -> str:
    """Return a value as a message may hold it: quoted, on one line, not endless."""
    if value is None:
        return "not set"
    text = repr(str(value)) if isinstance(value, str) else repr(value)
    if len(text) > LONGEST_VALUE_SHOWN:
        text = text[: LONGEST_VALUE_SHOWN - 1] + "…"
    return text
