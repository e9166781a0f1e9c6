"""Tell whether a backtracking matcher can need exponential time for a regular expression.

It can when there are two ways to read the same text from one place of the pattern back to that place: each
repetition of the text then doubles the number of ways. The pattern becomes a position automaton (Glushkov
1961); two ways exist where the product of the automaton with itself has a cycle through a pair of equal
positions and a pair of different ones (Weber and Seidl 1991, criterion EDA). Counted repetitions are unrolled
a few times, assertions are taken as always true, so a harmless pattern may be called exponential; the other
way round is meant not to happen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

try:
    from re import _constants as codes  # type: ignore[attr-defined]
    from re import _parser as parser  # type: ignore[attr-defined]
except ImportError:  # Python 3.10, where Ubuntu 22.04's controllers are
    import sre_constants as codes
    import sre_parse as parser

#: A part of the parser's tree, which has no public types.
Node = Any

#: More positions than any route needs; beyond it the pattern counts as exponential.
MOST_POSITIONS = 400

#: `{n,m}` is unrolled so often at most; what goes beyond is read as unbounded.
MOST_COPIES = 8

#: Two operators that Python's parser knows from 3.11 on; before it, a pattern that has them is no pattern.
POSSESSIVE_REPEAT = getattr(codes, "POSSESSIVE_REPEAT", None)
ATOMIC_GROUP = getattr(codes, "ATOMIC_GROUP", None)

ALPHABET = 256
ANY = (1 << ALPHABET) - 1

CATEGORIES = {
    codes.CATEGORY_DIGIT: frozenset(b"0123456789"),
    codes.CATEGORY_SPACE: frozenset(b" \t\n\r\f\v"),
    codes.CATEGORY_WORD: frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"),
}
NEGATED = {
    codes.CATEGORY_NOT_DIGIT: codes.CATEGORY_DIGIT,
    codes.CATEGORY_NOT_SPACE: codes.CATEGORY_SPACE,
    codes.CATEGORY_NOT_WORD: codes.CATEGORY_WORD,
}


#: Steps of the search for a cycle, a tenth of a second or so. Only patterns made for it need more.
MOST_STEPS = 300_000


class TooLargeError(Exception):
    """The pattern has more positions, or more ways through them, than are worth looking at."""


@dataclass
class Part:
    """A piece of the pattern: where it can begin, where it can end, and whether it can be empty."""

    first: Set[int] = field(default_factory=set)
    last: Set[int] = field(default_factory=set)
    nullable: bool = True


class Automaton:
    """The positions of a pattern, the characters each takes, and which may follow which."""

    def __init__(self, pattern: str) -> None:
        """Build the automaton; raises `re.error` or TooLargeError."""
        self.characters: List[int] = []
        self.follow: Dict[int, Set[int]] = {}
        self.doubled: Set[Tuple[int, int]] = set()
        tree = parser.parse(separated(pattern))
        self.ignore_case = bool(tree.state.flags & re.IGNORECASE)
        self.sequence(tree)

    def position(self, characters: int) -> Part:
        """Add a position that takes one of the characters."""
        if len(self.characters) >= MOST_POSITIONS:
            raise TooLargeError
        self.characters.append(characters)
        place = len(self.characters) - 1
        self.follow[place] = set()
        return Part({place}, {place}, nullable=False)

    def connect(self, before: Set[int], after: Set[int]) -> None:
        """Let each position of `after` follow each of `before`; remember a second way between two."""
        for left in before:
            for right in after:
                if right in self.follow[left]:
                    self.doubled.add((left, right))
                self.follow[left].add(right)

    def sequence(self, items: Node) -> Part:
        """Add pieces one after the other."""
        whole = Part()
        for operator, argument in items:
            piece = self.piece(operator, argument)
            self.connect(whole.last, piece.first)
            whole = Part(
                whole.first | piece.first if whole.nullable else whole.first,
                whole.last | piece.last if piece.nullable else piece.last,
                whole.nullable and piece.nullable,
            )
        return whole

    def alternatives(self, branches: List[Any]) -> Part:
        """Add pieces one of which is taken."""
        parts = [self.sequence(branch) for branch in branches]
        return Part(
            set().union(*(part.first for part in parts)),
            set().union(*(part.last for part in parts)),
            any(part.nullable for part in parts),
        )

    def repeat(self, low: int, high: Node, body: Node) -> Part:
        """Add a piece that is taken from `low` to `high` times."""
        unbounded = high == codes.MAXREPEAT or high > MOST_COPIES
        copies = max(1, min(low, MOST_COPIES)) if unbounded else high
        whole = Part()
        for copy in range(copies):
            piece = self.sequence(body)
            if unbounded and copy == copies - 1:
                self.connect(piece.last, piece.first)
            optional = piece.nullable or copy >= low
            self.connect(whole.last, piece.first)
            whole = Part(
                whole.first | piece.first if whole.nullable else whole.first,
                whole.last | piece.last if optional else piece.last,
                whole.nullable and optional,
            )
        return whole

    def piece(self, operator: Node, argument: Node) -> Part:
        """Add one node of the parser's tree."""
        if operator in (codes.LITERAL, codes.NOT_LITERAL, codes.ANY, codes.IN):
            return self.position(self.taken(operator, argument))
        if operator in (codes.MAX_REPEAT, codes.MIN_REPEAT, POSSESSIVE_REPEAT):
            return self.repeat(*argument)
        if operator is codes.BRANCH:
            return self.alternatives(argument[1])
        if operator is codes.SUBPATTERN:
            outside = self.ignore_case
            ignored = outside or bool(argument[1] & re.IGNORECASE)
            self.ignore_case = ignored and not argument[2] & re.IGNORECASE
            part = self.sequence(argument[3])
            self.ignore_case = outside
            return part
        if operator is ATOMIC_GROUP:
            return self.sequence(argument)
        if operator in (codes.GROUPREF, codes.GROUPREF_IGNORE):
            return self.repeat(0, codes.MAXREPEAT, [(codes.ANY, None)])
        if operator is codes.GROUPREF_EXISTS:
            return self.alternatives([argument[1], argument[2] or []])
        if operator in (codes.ASSERT, codes.ASSERT_NOT):
            self.sequence(argument[1])
        return Part()

    def taken(self, operator: Node, argument: Node) -> int:
        """Return the set of characters that a node takes, as bits."""
        if operator is codes.ANY:
            return ANY
        if operator is codes.LITERAL:
            return self.bits({argument})
        if operator is codes.NOT_LITERAL:
            return ANY & ~self.bits({argument})
        wanted = 0
        negated = False
        for kind, value in argument:
            if kind is codes.NEGATE:
                negated = True
            elif kind is codes.LITERAL:
                wanted |= self.bits({value})
            elif kind is codes.RANGE:
                wanted |= self.bits(set(range(value[0], value[1] + 1)))
            elif value in NEGATED:
                wanted |= ANY & ~self.bits(set(CATEGORIES[NEGATED[value]]))
            else:
                wanted |= self.bits(set(CATEGORIES[value]))
        return ANY & ~wanted if negated else wanted

    def bits(self, characters: Set[int]) -> int:
        """Return a set of characters as bits, with both cases when case is ignored."""
        result = 0
        for character in characters:
            if character < ALPHABET:
                result |= 1 << character
                if self.ignore_case and chr(character).isascii():
                    result |= (1 << ord(chr(character).lower())) | (1 << ord(chr(character).upper()))
        return result


def is_exponential(pattern: str) -> bool:
    """Return whether some text makes a backtracking matcher try exponentially many ways.

    Args:
        pattern: A pattern that Python's parser can read.

    Raises:
        re.error: It cannot.
    """
    try:
        automaton = Automaton(pattern)
    except TooLargeError:
        return True
    component = components(list(automaton.follow), lambda place: automaton.follow[place])
    if any(component[left] == component[right] for left, right in automaton.doubled):
        return True

    steps = 0

    def step(pair: Tuple[int, int]) -> Set[Tuple[int, int]]:
        nonlocal steps
        steps += len(automaton.follow[pair[0]]) * len(automaton.follow[pair[1]])
        if steps > MOST_STEPS:
            raise TooLargeError
        return {
            (min(left, right), max(left, right))
            for left in automaton.follow[pair[0]]
            for right in automaton.follow[pair[1]]
            if automaton.characters[left] & automaton.characters[right]
        }

    equal = [(place, place) for place in automaton.follow]
    try:
        found = components(equal, step)
    except TooLargeError:
        return True
    on_diagonal = {found[pair] for pair in equal}
    return any(left != right and number in on_diagonal for (left, right), number in found.items())


def separated(pattern: str) -> str:
    """Return the pattern with its alternatives kept apart.

    Python's parser makes a set of `a|b` and draws a common beginning out of `ab|ac`; PCRE tries one after the
    other, and that is what counts here. An empty assertion at the beginning of each later alternative keeps
    the parser from it.
    """
    written = []
    in_class = escaped = False
    for character in pattern:
        written.append(character)
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
        elif character == "|":
            written.append("(?=)")
    return "".join(written)


def components(roots: List[Any], step: Callable[[Any], Set[Any]]) -> Dict[Any, int]:
    """Return the strongly connected component of every node reachable from the roots (Tarjan 1972)."""
    index: Dict[Any, int] = {}
    low: Dict[Any, int] = {}
    component: Dict[Any, int] = {}
    stack: List[Any] = []
    for root in roots:
        if root in index:
            continue
        path: List[Tuple[Any, List[Any]]] = [(root, list(step(root)))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while path:
            node, waiting = path[-1]
            following: Optional[Any] = waiting.pop() if waiting else None
            if following is not None:
                if following not in index:
                    index[following] = low[following] = len(index)
                    stack.append(following)
                    path.append((following, list(step(following))))
                elif following not in component:
                    low[node] = min(low[node], index[following])
                continue
            path.pop()
            if path:
                low[path[-1][0]] = min(low[path[-1][0]], low[node])
            if low[node] == index[node]:
                while True:
                    member = stack.pop()
                    component[member] = index[node]
                    if member == node:
                        break
    return component
