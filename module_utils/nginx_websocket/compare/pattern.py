"""Texts that a regular expression of a configuration matches, made up from the expression itself.

A small reader of PCRE's syntax makes a few candidates, each alternative at least once; whether one matches
is for the caller to ask nginx's own PCRE library.  What the reader does not know it leaves out: then a
candidate may fail, and no answer is wrong.
"""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

Texts = List[bytes]
"""What one part of an expression may stand for, the likeliest first; never empty."""

_MOST = 24
"""Candidates of one part: enough for the longest lists of file endings, where each is asked for."""
_DEPTH = 60
_PREFERRED = b"a1-x0zA_.b/ !~%\xc3"
_CLASSES = {
    b"d": frozenset(b"0123456789"),
    b"w": frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"),
    b"s": frozenset(b" \t\n\r\f\v"),
    b"h": frozenset(b" \t"),
    b"v": frozenset(b"\n\r\f\v"),
    b"N": frozenset(range(256)) - {10},
}
_POSIX = {
    b"alpha": frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    b"digit": _CLASSES[b"d"],
    b"alnum": _CLASSES[b"w"] - {0x5F},
    b"word": _CLASSES[b"w"],
    b"lower": frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    b"upper": frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    b"space": _CLASSES[b"s"],
    b"blank": frozenset(b" \t"),
    b"xdigit": frozenset(b"0123456789abcdefABCDEF"),
    b"punct": frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    b"graph": frozenset(range(0x21, 0x7F)),
    b"print": frozenset(range(0x20, 0x7F)),
}
_CONTROLS = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b"f": b"\f", b"e": b"\x1b", b"a": b"\a"}
_LOOKS = (b"?=", b"?<=", b"?!", b"?<!")
_GROUP = re.compile(rb"\?(?:P?<(?P<name>[A-Za-z_]\w*)>|'(?P<quoted>[A-Za-z_]\w*)'|[:>|]|[imsxUJ^-]*:)")
_FLAGS = re.compile(rb"\?[imsxUJ^-]*\)")
_COUNT = re.compile(rb"\{(\d*)(,?)(\d*)\}")
_BACK = re.compile(rb"(?:k(?:\{(\w+)\}|<(\w+)>|'(\w+)')|g\{?(-?\w+)\}?|([1-9]\d?))")
_HEX = re.compile(rb"x(?:\{([0-9A-Fa-f]{1,2})\}|([0-9A-Fa-f]{0,2}))")


class Unreadable(Exception):
    """The expression is not one that PCRE would take."""


def texts(pattern: bytes) -> List[bytes]:
    """What the expression may match, each alternative at least once, the likeliest first.

    Args:
        pattern: as it stands in the configuration.

    Returns:
        Texts without what may stand before and after the match; none when the expression cannot be read.
    """
    try:
        return _Reader(pattern).read()
    except (Unreadable, RecursionError):
        return []


class _Reader:
    """Reads an expression from left to right and keeps what each group may stand for."""

    def __init__(self, pattern: bytes) -> None:
        self.pattern, self.at, self.depth = pattern, 0, 0
        self.groups: List[Texts] = []
        self.names: Dict[bytes, int] = {}

    def read(self) -> Texts:
        found = self._choice()
        if self.at < len(self.pattern):
            raise Unreadable
        return found

    def _next(self) -> bytes:
        return self.pattern[self.at : self.at + 1]

    def _match(self, expression: re.Pattern[bytes]) -> Optional[re.Match[bytes]]:
        found = expression.match(self.pattern, self.at)
        if found is not None:
            self.at = found.end()
        return found

    def _choice(self) -> Texts:
        self.depth += 1
        if self.depth > _DEPTH:
            raise Unreadable
        branches = [self._sequence()]
        while self._next() == b"|":
            self.at += 1
            branches.append(self._sequence())
        self.depth -= 1
        return _in_turn(branches)

    def _sequence(self) -> Texts:
        parts: List[Texts] = []
        while self.at < len(self.pattern) and self._next() not in (b"|", b")"):
            parts.append(self._repeated(self._atom()))
        return _joined(parts)

    def _repeated(self, atom: Texts) -> Texts:
        least, most = 1, 1
        mark = self._next()
        counted = _COUNT.match(self.pattern, self.at) if mark == b"{" else None
        if mark in (b"*", b"+", b"?"):
            self.at += 1
            least, most = {b"*": (0, 9), b"+": (1, 9), b"?": (0, 1)}[mark]
        elif counted is not None and (counted.group(1) or counted.group(3)):
            self.at = counted.end()
            least = int(counted.group(1) or 0)
            most = least if not counted.group(2) else int(counted.group(3) or least + 9)
        else:
            return atom
        if self._next() in (b"+", b"?"):
            self.at += 1
        # Once rather than never, for what may be left out is written to be there; never as well.
        times = max(1, least) if most else 0
        some = [text * min(times, 300) for text in atom]
        return _unique([*some, b""] if least == 0 else some)

    def _atom(self) -> Texts:
        mark = self._next()
        self.at += 1
        if mark == b"(":
            return self._group()
        if mark == b"[":
            return _of(self._bracket())
        if mark == b"\\":
            return self._escape()
        if mark == b".":
            return [b"a/b", b"a"] if self._next() in (b"*", b"+") else [b".", b"a"]
        if mark in (b"^", b"$"):
            return [b""]
        return [mark]

    def _group(self) -> Texts:
        if self._match(re.compile(rb"\?#[^)]*\)")) or self._match(_FLAGS):
            return [b""]
        for look in _LOOKS:
            if self.pattern.startswith(look, self.at):
                self.at += len(look)
                inside = self._closed()
                # What must follow is often all that follows; what must not is left out.
                return [b""] if b"!" in look else _unique([b"", *inside])
        capture = self._next() != b"?"
        opened = None if capture else self._match(_GROUP)
        if not capture and opened is None:
            raise Unreadable
        name = (opened.group("name") or opened.group("quoted")) if opened is not None else None
        number = -1
        if capture or name:
            number = len(self.groups)
            self.groups.append([b""])
            if name:
                self.names[name] = number
        inside = self._closed()
        if number >= 0:
            self.groups[number] = inside
        return inside

    def _closed(self) -> Texts:
        inside = self._choice()
        if self._next() != b")":
            raise Unreadable
        self.at += 1
        return inside

    def _escape(self) -> Texts:
        mark = self._next()
        if not mark:
            raise Unreadable
        back = self._match(_BACK)
        if back is not None:
            return self._back(next(group for group in back.groups() if group))
        number = self._match(_HEX)
        if number is not None:
            return [bytes((int(number.group(1) or number.group(2) or b"0", 16),))]
        self.at += 1
        if mark == b"Q":
            end = self.pattern.find(b"\\E", self.at)
            end = len(self.pattern) if end < 0 else end
            text, self.at = self.pattern[self.at : end], min(len(self.pattern), end + 2)
            return [text]
        if mark in b"bBAzZGKE":
            return [b""]
        if mark in b"pPX":
            self._match(re.compile(rb"\{[^}]*\}|."))
            return [b"a", b"1"]
        members = _class(mark)
        return _of(members) if members is not None else [_CONTROLS.get(mark, mark)]

    def _back(self, name: bytes) -> Texts:
        if name.lstrip(b"-").isdigit():
            number = int(name)
            at = len(self.groups) + number if number < 0 else number - 1
        else:
            at = self.names.get(name, -1)
        return self.groups[at][:1] if 0 <= at < len(self.groups) else [b""]

    def _bracket(self) -> frozenset[int]:
        negated = self._next() == b"^"
        self.at += negated
        members: set[int] = set()
        first = True
        while first or self._next() != b"]":
            if self.at >= len(self.pattern):
                raise Unreadable
            first = False
            members |= self._member()
        self.at += 1
        return frozenset(range(1, 256)) - members if negated else frozenset(members)

    def _member(self) -> frozenset[int]:
        posix = self._match(re.compile(rb"\[:(\^?)(\w+):\]"))
        if posix is not None:
            named = _POSIX.get(posix.group(2), frozenset())
            return frozenset(range(1, 256)) - named if posix.group(1) else named
        low = self._one()
        if len(low) != 1 or self._next() != b"-" or self.pattern[self.at + 1 : self.at + 2] in (b"]", b""):
            return low
        self.at += 1
        high = self._one()
        if len(high) != 1:
            return low | high | {0x2D}
        return frozenset(range(min(low), min(high) + 1))

    def _one(self) -> frozenset[int]:
        mark = self._next()
        self.at += 1
        if mark != b"\\":
            return frozenset(mark)
        number = self._match(_HEX)
        if number is not None:
            return frozenset((int(number.group(1) or number.group(2) or b"0", 16),))
        mark = self._next()
        self.at += 1
        members = _class(mark)
        return members if members is not None else frozenset(_CONTROLS.get(mark, mark))


def _class(mark: bytes) -> Optional[frozenset[int]]:
    r"""The members of ``\d`` and its like; of ``\D`` as well."""
    if mark in _CLASSES:
        return _CLASSES[mark]
    if mark.lower() in _CLASSES:
        return frozenset(range(1, 256)) - _CLASSES[mark.lower()]
    return _CLASSES[b"v"] if mark == b"R" else None


def _of(members: frozenset[int]) -> Texts:
    """A few members of a set, such as people write them; a letter and a digit where both are in it."""
    if not members:
        raise Unreadable
    liked = [bytes((code,)) for code in _PREFERRED if code in members]
    return liked[:2] or [bytes((min(members),))]


def _in_turn(branches: Sequence[Texts]) -> Texts:
    """Every branch once before any of them twice."""
    found: List[bytes] = []
    for number in range(max(map(len, branches))):
        found += [branch[number] for branch in branches if number < len(branch)]
    return _unique(found)


def _joined(parts: Sequence[Texts]) -> Texts:
    """One after the other: all first choices, then each part's other choices, then two others at a time."""
    first = [part[0] for part in parts]
    found = [b"".join(first)]
    for choices in _changes(parts):
        found.append(b"".join(choices.get(at, text) for at, text in enumerate(first)))
        if len(found) >= 4 * _MOST:
            break
    return _unique(found)


def _changes(parts: Sequence[Texts]) -> Iterator[Dict[int, bytes]]:
    """Which parts are something else than their first choice."""
    single: List[Tuple[int, bytes]] = []
    for number in range(1, max(map(len, parts), default=0)):
        single += [(at, part[number]) for at, part in enumerate(parts) if number < len(part)]
    for at, text in single:
        yield {at: text}
    for at, text in single:
        for other, word in single:
            if other > at:
                yield {at: text, other: word}


def _unique(found: Sequence[bytes]) -> Texts:
    return list(dict.fromkeys(found))[:_MOST]
