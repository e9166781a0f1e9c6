"""Which access logs a site writes, and in which format."""

from __future__ import annotations

import os
from typing import Dict, FrozenSet, Iterable, List, Sequence, Set, Tuple

from ...behaviour.effective import Level
from ...behaviour.location import all_locations
from ...behaviour.variables import maps_of, variable_names
from ...conf.tree import Directive
from .access_log import Log
from .log_format import COMBINED, Format, template_of

DEFAULT = "logs/access.log"
"""Where nginx writes without any ``access_log``; distributions set another (``--http-log-path``)."""
_PATHS = frozenset((b"request_uri", b"uri", b"document_uri"))


def logs_of(
    http: Level, servers: Sequence[Level], others: Iterable[Level], *, prefix: str, default: str = DEFAULT
) -> Tuple[List[Log], List[str]]:
    """The logs of some servers.

    Args:
        http: their http block.
        servers: of the site.
        others: all other servers of the tree; a log that one of them writes too is shared.
        prefix: nginx's own, for relative paths.
        default: of this nginx, where no ``access_log`` is set.

    Returns:
        The logs, and what is known of logs that cannot be read here.
    """
    formats = _formats(http)
    shared = {path for server in others for path, _name in _written(server, prefix, default)}
    found: Dict[str, Log] = {}
    notes: List[str] = []
    for server in servers:
        lines = _written(server, prefix, default)
        if not lines and not any(_in_file(line) for line in server.nearest(b"access_log")[1]):
            notes.append(_without(server))
        for path, name in lines:
            if name in formats:
                found.setdefault(path, Log(path, formats[name], path in shared))
    return list(found.values()), sorted({note for note in notes if note})


def _written(server: Level, prefix: str, default: str) -> List[Tuple[str, bytes]]:
    """Path and format of every file that a server's requests are logged to."""
    levels = [server, *(level for level in all_locations(server) if level.own(b"access_log"))]
    found: List[Tuple[str, bytes]] = []
    for level in levels:
        lines = level.nearest(b"access_log")[1]
        if not lines and level is server:
            found.append((_full(default, prefix), b"combined"))
        for line in lines:
            if _in_file(line):
                path = line.args[0].decode("utf-8", "surrogateescape")
                named = len(line.args) > 1 and b"=" not in line.args[1]
                found.append((_full(path, prefix), line.args[1] if named else b"combined"))
    return list(dict.fromkeys(found))


def _in_file(line: Directive) -> bool:
    target = line.args[0] if line.args else b"off"
    return target != b"off" and b"$" not in target and not target.startswith((b"syslog:", b"memory:"))


def _without(server: Level) -> str:
    lines = server.nearest(b"access_log")[1]
    if not lines:
        return ""
    target = lines[0].args[0].decode("utf-8", "replace") if lines[0].args else "off"
    where = lines[0].where()
    if target == "off":
        return f"access_log is off ({where})"
    return f"the log {target} ({where}) is no file that could be read"


def _full(path: str, prefix: str) -> str:
    return path if path.startswith("/") else os.path.join(prefix or "/", path)


def _formats(http: Level) -> Dict[bytes, Format]:
    paths = _path_variables(http)
    formats = {b"combined": Format(COMBINED)}
    for line in http.own(b"log_format"):
        if len(line.args) > 1:
            template, escape = template_of(line.args)
            formats[line.args[0]] = Format(template, escape, paths)
    return formats


def _path_variables(http: Level) -> FrozenSet[str]:
    """Variables that are the request's path, or a part of it without secrets, by way of maps."""
    maps = maps_of(http)[0]
    found: Set[bytes] = set(_PATHS)
    for _round in range(3):
        for name, entry in maps.items():
            values = (entry.default, *(value for _pattern, _caseless, value in entry.regexes))
            if set(variable_names(entry.source)) & found and any(b"$" in value for value in values):
                found.add(name)
    return frozenset(name.decode("latin-1") for name in found - _PATHS)
