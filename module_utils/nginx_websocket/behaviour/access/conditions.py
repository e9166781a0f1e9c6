"""An ``if`` that answers by itself is a guard too: what it asks for, through ``map`` and ``set``."""

from __future__ import annotations

from typing import List, Optional, Sequence, Set, Tuple

from ...conf.tree import Directive
from ..effective import Level
from ..rewrite import REDIRECT_CODES, Step
from ..variables import maps_of, variable_names
from .guards import CONDITION, Guard, words

MOST_VARIABLES = 50


def condition_guards(steps: Sequence[Step], place: str, level: Level) -> List[Guard]:
    """The conditions among some steps that answer when they are true.

    Args:
        steps: steps of one place, in order.
        place: its name, for the guards.
        level: the level that the conditions stand in.
    """
    found: List[Guard] = []
    for number, step in enumerate(steps):
        directive = step.directive
        if step.kind != "if" or directive is None:
            continue
        status, answer = _answers(directive)
        if answer is None:
            continue
        asked = tuple(_sources(directive, steps[:number], level))
        passes = None if step.result is None else not step.result
        rule = (words(directive), words(answer), *asked)
        found.append(Guard(CONDITION, rule, passes, status, "all", step.text, False, place, directive))
    return found


def _answers(condition: Directive) -> Tuple[int, Optional[Directive]]:
    """Status and directive with which an ``if`` block answers; (0, None) when it only prepares something."""
    for child in condition.block or ():
        if child.name == b"return" and child.args:
            text = child.args[0]
            return (int(text) if text.isdigit() else 302), child
        if child.name == b"rewrite" and len(child.args) >= 2:
            if child.args[-1] == b"permanent":
                return REDIRECT_CODES[0], child
            if child.args[-1] == b"redirect" or child.args[1].startswith((b"http:", b"https:", b"$scheme")):
                return REDIRECT_CODES[1], child
    return 0, None


def _sources(condition: Directive, before: Sequence[Step], level: Level) -> List[str]:
    """The directives that the variables of a condition come from, as words."""
    found: List[str] = []
    for name in asked_variables(condition, before, level):
        if name == b"invalid_referer":
            found += [words(line) for line in level.nearest(b"valid_referers")[1]]
        block = _map_of(level, name)
        if block is not None:
            found += [words(block), *(words(entry) for entry in block.block or ())]
        for step in before:
            if step.kind == "set" and step.directive is not None and step.directive.args[0][1:] == name:
                found.append(words(step.directive))
    return found


def _map_of(level: Level, name: bytes) -> Optional[Directive]:
    block = level.chain()[-1].once(maps_of)[0].get(name)
    return block.directive if block is not None else None


def asked_variables(condition: Directive, before: Sequence[Step], level: Level) -> List[bytes]:
    """The variables that a condition comes from, also through ``map`` and ``set``.

    Args:
        condition: the ``if``.
        before: the steps taken before it.
        level: the level that it stands in.
    """
    found: List[bytes] = []
    seen: Set[bytes] = set()
    waiting = condition_variables(condition)
    while waiting and len(seen) < MOST_VARIABLES:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        found.append(name)
        block = _map_of(level, name)
        if block is not None and block.args:
            waiting += variable_names(block.args[0])
        for step in before:
            setter = step.directive
            if step.kind != "set" or setter is None or setter.args[0][1:] != name:
                continue
            waiting += variable_names(setter.args[1])
            outer = enclosing_if(setter)
            waiting += condition_variables(outer) if outer is not None else []
    return found


def enclosing_if(directive: Optional[Directive]) -> Optional[Directive]:
    """The innermost ``if`` that a directive stands in; None without one."""
    parent = directive.parent if directive is not None else None
    while parent is not None and parent.name != b"if":
        parent = parent.parent
    return parent


def condition_variables(condition: Directive) -> List[bytes]:
    """The variables of a condition; a regex may end in a dollar sign, which names none."""
    parts = [word.lstrip(b"(") for word in condition.args]
    return [name for word in parts if word.startswith(b"$") for name in variable_names(word.rstrip(b")"))]
