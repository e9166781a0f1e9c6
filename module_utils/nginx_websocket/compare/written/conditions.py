"""Conditions that a request came by and that did not hold for it: for another request they may.

What an ``if`` asks for may be an address, a cookie, a file, several things at once: no list of requests has
them all.  So each one that is in the way of a request in the live tree, and not in the staged one, is told.
"""

from __future__ import annotations

from typing import Dict, Iterator

from ...behaviour.access.conditions import condition_variables
from ...behaviour.behaviour import Behaviour
from ...behaviour.effective import Level
from ...behaviour.secret_values import head
from ...conf.tree import Directive
from ..differences import SETTINGS, Parting
from ..parting.destination import Destination
from .shape import Line, shape

_PATH = frozenset((b"uri", b"document_uri"))


def conditions(before: Behaviour, after: Behaviour, now: Destination) -> Iterator[Parting]:
    """The conditions in the way of a request in the live tree that are not in its way in the staged one.

    Args:
        before: in the live tree.
        after: in the staged one.
        now: where the request ends up there.
    """
    old = _in_the_way(before)
    if not old:
        return
    new = _in_the_way(after)
    for written, line in old.items():
        if written not in new:
            yield Parting(
                SETTINGS,
                f"{head(line)} decides for some requests",
                "there is no such condition",
                line.where(),
                now.at,
                (repr(written),),
                "if",
            )


def _in_the_way(found: Behaviour) -> Dict[Line, Directive]:
    levels = [found.route.server, *(visit.level for visit in found.visits)]
    result: Dict[Line, Directive] = {}
    for level in levels:
        if level is not None:
            result.update(level.once(_conditions))
    return result


def _conditions(level: Level) -> Dict[Line, Directive]:
    return {shape(line): line for line in level.own(b"if") if not _of_the_path(line)}


def _of_the_path(condition: Directive) -> bool:
    """Whether it asks for the path alone: paths are asked for that it matches, and others."""
    names = condition_variables(condition)
    return bool(names) and _PATH.issuperset(names)
