"""What the directives in force name in ``http``: maps and their kin, zones, formats of logs.

A map gives one request one value and another request another.  Where both trees give the request that is
asked the same value, others may still part, so the definitions themselves are held against each other.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterable, Iterator, List, Set

from ...behaviour.behaviour import Behaviour
from ...behaviour.effective import Level
from ...behaviour.secret_values import head
from ...behaviour.variables import variable_names
from ...conf.tree import Directive
from ..differences import SETTINGS, Parting
from ..parting.destination import Destination
from .shape import Shape, block_of, shape

_VARIABLES = frozenset((b"map", b"geo", b"split_clients"))
_NAMED = frozenset((b"limit_req_zone", b"limit_conn_zone", b"proxy_cache_path", b"log_format"))
NAMING = frozenset((*_VARIABLES, *_NAMED))
"""Directives of ``http`` that count only for who names what they define."""
_USERS = {
    b"limit_conn": (b"limit_conn_zone", 0),
    b"proxy_cache": (b"proxy_cache_path", 0),
    b"access_log": (b"log_format", 1),
}
"""What defines the zone or format that a directive names, and which argument names it."""
_BLOCKS = frozenset((b"server", b"location", b"limit_except", b"upstream", b"types", *_VARIABLES))
_HOP = frozenset((b"connection", b"upgrade"))


def definitions(before: Behaviour, after: Behaviour, now: Destination) -> Iterator[Parting]:
    """The definitions that count for a request in the live tree, and mean something else in the staged one.

    Args:
        before: in the live tree.
        after: in the staged one.
        now: where the request ends up there.
    """
    old = _counting(before)
    if not old:
        return
    new = _counting(after)
    meanings = {_meaning(lines) for lines in new.values()}
    for name, lines in sorted(old.items()):
        if name in new:
            if _shape(lines) == _shape(new[name]):
                continue
            then, at = f"{head(new[name][-1])} says something else", new[name][-1].where()
        elif not name.startswith(b"$") or _meaning(lines) in meanings:
            continue  # a zone or a format goes with the directive that names it, which is told
        else:
            then, at = "nothing depends on that", now.at
        shown = name.decode("utf-8", "replace")
        yield Parting(SETTINGS, head(lines[-1]), then, lines[-1].where(), at, (repr(_shape(lines)),), shown)


def _counting(found: Behaviour) -> Dict[bytes, List[Directive]]:
    """The definitions that count on the way of a request."""
    result: Dict[bytes, List[Directive]] = {}
    for level in (found.route.level, *(visit.level for visit in found.visits)):
        if level is not None:
            result.update(level.once(_used))
    return result


def named_in(level: Level) -> Dict[bytes, List[Directive]]:
    """What ``http`` defines, by the words that name it; a variable with its dollar sign.

    Args:
        level: of ``http``.
    """
    found: Dict[bytes, List[Directive]] = {}
    for line in level.body():
        if line.name in _VARIABLES and line.args:
            found[line.args[-1]] = [line]  # the last of a name counts
        elif line.name in _NAMED and line.args:
            zones = (arg for arg in line.args[1:] if arg.startswith((b"zone=", b"keys_zone=")))
            key = next(zones, line.args[0]).rpartition(b"=")[2].partition(b":")[0]
            found.setdefault(line.name + b" " + key, []).append(line)
    return found


def _used(level: Level) -> Dict[bytes, List[Directive]]:
    """The definitions that count at a level."""
    known = level.chain()[-1].once(named_in)
    found: Dict[bytes, List[Directive]] = {}
    waiting = sorted(_words(level))
    while waiting:
        name = waiting.pop()
        if name in found or name not in known:
            continue
        found[name] = known[name]
        waiting += used_by(known[name])
    return found


def used_by(lines: Iterable[Directive]) -> Set[bytes]:
    """The names of the variables that some definitions use, with their dollar signs."""
    return {b"$" + name for line in lines for name in _variables_of(line)}


def _words(level: Level) -> Set[bytes]:
    """The names that the directives in force use."""
    found: Set[bytes] = set()
    taken: Set[bytes] = set()
    for outer in level.chain():
        here = {line.name for line in outer.body()}
        for line in outer.body():
            if line.name in _BLOCKS or (outer.kind == "http" and line.name in _NAMED):
                continue
            if line.name in taken and line.name not in (b"if", b"set", b"rewrite", b"return"):
                continue
            found |= _words_of(line)
        taken |= here
    return found


def _words_of(line: Directive) -> Set[bytes]:
    if line.name == b"proxy_set_header" and line.args and line.args[0].lower() in _HOP:
        return set()  # whether a WebSocket opens is told by itself
    found = {b"$" + name for name in _variables_of(line)}
    if line.name == b"limit_req":
        found |= {b"limit_req_zone " + arg[5:] for arg in line.args if arg.startswith(b"zone=")}
    elif line.name in _USERS:
        definer, at = _USERS[line.name]
        found |= {definer + b" " + word for word in line.args[at : at + 1]}
    return found


def _variables_of(line: Directive) -> FrozenSet[bytes]:
    """The variables in a directive and in its block; the last word of a map is what it defines."""
    args = line.args[:-1] if line.name in _VARIABLES else line.args
    found = {name for arg in args if b"$" in arg for name in variable_names(arg)}
    for child in line.block or ():
        found |= _variables_of(child)
    return frozenset(found)


def _shape(lines: List[Directive]) -> Shape:
    return tuple(map(shape, lines))


def _meaning(lines: List[Directive]) -> Shape:
    """What a variable stands for, whatever its name is."""
    return tuple((line.name, tuple(line.args[:-1]), block_of(line)) for line in lines)
