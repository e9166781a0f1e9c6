"""A ``stream`` server in front leads to a port at which nothing listens."""

from __future__ import annotations

import re
from typing import List

from ... import codes
from ...behaviour.route import index_of
from ...behaviour.server.names import server_names
from ..evidence.facts import Facts
from ..words.findings import Finding
from ..words.suspect import at, words_of
from .no_answer import upstream_line


def refused(facts: Facts) -> List[Finding]:
    """Nothing listens where the stream server leads; by a map, the entry that led there is named."""
    passage, line = facts.passage, upstream_line(facts.log)
    if passage is None or passage.directive is None or line is None or line.code != codes.BACKEND_DOWN:
        return []
    if not any(server in line.text for server in passage.servers):
        return []
    target = passage.target or ""
    evidence = [line.evidence(), *at(passage.directive, f"{words_of(passage.directive)} leads to {target}")]
    found = Finding(codes.BACKEND_DOWN, evidence=evidence)
    found.detail = f"the stream server in front leads to {target}, where nothing listens"
    variable = re.match(r"\$\{?(\w+)\}?$", (passage.directive.args[0]).decode("latin-1"))
    if variable is None or facts.configuration is None:
        return [found]
    name = b"$" + variable.group(1).encode("latin-1")
    block = next(
        (item for item in facts.configuration.walk() if item.name == b"map" and item.args[1:2] == (name,)),
        None,
    )
    if block is None:
        return [found]
    asked = facts.question.endpoint.host
    entries = {entry.name.decode("latin-1").lower(): entry for entry in block.block or ()}
    if asked.lower() not in entries and "default" in entries:
        found.evidence += at(entries["default"], f"the map has no entry for {asked}: this one holds")
        found.detail += f": the map in front has no entry for {asked}"
        found.fix = f"a line for {asked} in this map"
        served = _serving(facts, asked)
        if served:
            found.fix += f": {asked} {served};"
    return [found]


def _serving(facts: Facts, name: str) -> str:
    """The address at which a server of this nginx has the name; "" where there is none, or more than one."""
    assert facts.configuration is not None
    groups = [
        group
        for group in index_of(facts.configuration).groups
        if any(name.lower().encode() in map(bytes.lower, server_names(server)) for server in group.servers)
    ]
    return str(groups[0].address) if len(groups) == 1 else ""
