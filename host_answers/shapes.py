"""The shapes that data of a host may have. What has another one is refused; unknown keys are left out.

A shape's ``cut`` returns a copy that holds nothing but what the shape declares. Text that people read comes
out without control characters, so that it can be printed anywhere.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass, field
from typing import Any, Dict, FrozenSet, List, Optional, Protocol, Tuple

#: Bytes of an answer as it came, whatever it holds.
MOST_BYTES = 8 * 2**20
#: Characters of one text. Longer ones end with a mark.
MOST_TEXT = 64 * 2**10
#: Elements of one list, and keys of one object.
MOST_ELEMENTS = 50_000
#: Objects and lists in each other, where a shape declares no more than "data".
MOST_DEPTH = 12
#: JSON's numbers are exact up to here in every language (RFC 8259 section 6).
MOST_NUMBER = 2**53

# C0 but tab, newline and a newline's CR (as in HTTP), DEL, C1, the marks that turn the direction of writing
# (Unicode UAX 9), line and paragraph separators, byte order mark, and halves of surrogate pairs, which no
# output can encode.
_CONTROL = re.compile(
    "\r(?!\n)"
    "|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


class Misshapen(Exception):
    """Data has another shape than was declared; the message says where, what was expected and what came."""


class Shape(Protocol):
    """What data must be like."""

    def cut(self, value: object, where: str) -> Any:  # noqa: ANN401  plain data of the declared shape
        """Return what the shape declares of a value.

        Raises:
            Misshapen: the value has another shape; ``where`` is its place in the answer.
        """


def clean(text: str) -> str:
    """Return a text with every control character written out (``\\x1b``), so that a terminal obeys none."""
    return _CONTROL.sub(_written, text)


def _written(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _wrong(where: str, expected: str, value: object) -> Misshapen:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a truth value", type(None): "null"}
    came = kinds.get(type(value)) or ("a number" if isinstance(value, (int, float)) else type(value).__name__)
    return Misshapen(f"{clean(where)[:200] or 'the whole'}: expected {expected}, got {came}")


@dataclass(frozen=True)
class Text:
    """What people read."""

    most: int = MOST_TEXT

    def cut(self, value: object, where: str) -> str:
        """Return the text without control characters, shortened where it is too long."""
        if not isinstance(value, str):
            raise _wrong(where, "text", value)
        if len(value) > self.most:
            return clean(value[: self.most]) + " … (cut)"
        return clean(value)


@dataclass(frozen=True)
class Word:
    """What goes back to the host as it is, such as a path: never shortened, and never more than one line."""

    most: int = 4096
    pattern: str = "[^\x00-\x1f\x7f]*"

    def cut(self, value: object, where: str) -> str:
        """Return the word."""
        if not isinstance(value, str):
            raise _wrong(where, "text", value)
        if len(value) > self.most or not re.fullmatch(self.pattern, value):
            raise Misshapen(f"{clean(where)[:200]}: expected a word, got {clean(value[:60])!r}")
        return value


@dataclass(frozen=True)
class Base64:
    """Bytes as RFC 4648 writes them."""

    most: int = MOST_BYTES

    def cut(self, value: object, where: str) -> str:
        """Return the text, without the ends of its lines."""
        if not isinstance(value, str):
            raise _wrong(where, "text", value)
        found = "".join(value.split())
        try:
            base64.b64decode(found, validate=True)
        except ValueError:
            raise Misshapen(f"{clean(where)[:200]}: expected base64, got other text") from None
        if len(found) > self.most:
            raise Misshapen(f"{clean(where)[:200]}: expected at most {self.most} characters, got more")
        return found


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words: FrozenSet[str]

    def cut(self, value: object, where: str) -> str:
        """Return the word."""
        if not isinstance(value, str):
            raise _wrong(where, "text", value)
        if value not in self.words:
            expected = ", ".join(sorted(self.words))
            raise Misshapen(f"{clean(where)[:200]}: expected one of {expected}; got {clean(value[:60])!r}")
        return value


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def cut(self, value: object, where: str) -> bool:
        """Return the truth value."""
        if not isinstance(value, bool):
            raise _wrong(where, "true or false", value)
        return value


@dataclass(frozen=True)
class Int:
    """A whole number."""

    least: int = -MOST_NUMBER
    most: int = MOST_NUMBER

    def cut(self, value: object, where: str) -> int:
        """Return the number."""
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong(where, "a whole number", value)
        if not self.least <= value <= self.most:
            raise Misshapen(f"{clean(where)[:200]}: expected {self.least} to {self.most}, got another number")
        return value


@dataclass(frozen=True)
class Number:
    """A number, whole or not."""

    def cut(self, value: object, where: str) -> float:
        """Return the number."""
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise _wrong(where, "a number", value)
        if not math.isfinite(value) or abs(value) > MOST_NUMBER:
            raise Misshapen(f"{clean(where)[:200]}: expected a number, got one beyond all bounds")
        return value


@dataclass(frozen=True)
class Maybe:
    """A shape, or null."""

    shape: Shape

    def cut(self, value: object, where: str) -> Any:  # noqa: ANN401
        """Return what the shape declares, or None."""
        return None if value is None else self.shape.cut(value, where)


@dataclass(frozen=True)
class ListOf:
    """A list whose elements have one shape."""

    shape: Shape
    most: int = MOST_ELEMENTS

    def cut(self, value: object, where: str) -> List[Any]:
        """Return the list."""
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        if len(value) > self.most:
            raise Misshapen(f"{clean(where)[:200]}: expected at most {self.most} elements, got {len(value)}")
        return [self.shape.cut(element, f"{where}[{index}]") for index, element in enumerate(value)]


@dataclass(frozen=True)
class Named:
    """An object whose keys are names that the host chooses, and whose values have one shape."""

    shape: Shape
    most: int = MOST_ELEMENTS

    def cut(self, value: object, where: str) -> Dict[str, Any]:
        """Return the object."""
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        if len(value) > self.most:
            raise Misshapen(f"{clean(where)[:200]}: expected at most {self.most} keys, got {len(value)}")
        found = {}
        for name, element in value.items():
            if len(name) > 4096:
                raise Misshapen(f"{clean(where)[:200]}: expected names, got one of {len(name)} characters")
            found[clean(name)] = self.shape.cut(element, f"{where}.{name}")
        return found


@dataclass(frozen=True)
class Record:
    """An object with declared keys. Others are left out; those in ``optional`` may be missing."""

    fields: Dict[str, Shape]
    optional: Tuple[str, ...] = ()
    or_empty: bool = False
    """Whether an object without any key is fine as well."""

    def cut(self, value: object, where: str) -> Dict[str, Any]:
        """Return the object."""
        if not isinstance(value, dict):
            raise _wrong(where, "an object", value)
        if not value and self.or_empty:
            return {}
        found = {}
        for name, shape in self.fields.items():
            place = f"{where}.{name}" if where else name
            if name in value:
                found[name] = shape.cut(value[name], place)
            elif name not in self.optional:
                raise Misshapen(f"{place[:200]}: is missing")
        return found


@dataclass(frozen=True)
class Data:
    """Any plain data of a bounded depth, for what is shown or stored and never computed with."""

    depth: int = MOST_DEPTH
    text: Text = field(default_factory=Text)

    def cut(self, value: object, where: str) -> Any:  # noqa: ANN401
        """Return the data, with clean texts."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text.cut(value, where)
        if isinstance(value, (int, float)):
            return Number().cut(value, where)
        if not self.depth:
            raise Misshapen(f"{clean(where)[:200]}: expected data of a few levels, got deeper ones")
        below = Data(self.depth - 1, self.text)
        return ListOf(below).cut(value, where) if isinstance(value, list) else Named(below).cut(value, where)


def record(optional: Optional[Dict[str, Shape]] = None, **fields: Shape) -> Record:
    """Return the `Record` with these keys, and with those that may be missing."""
    return Record({**fields, **(optional or {})}, tuple(optional or ()))
