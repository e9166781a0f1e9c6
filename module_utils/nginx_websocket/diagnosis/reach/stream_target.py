"""A ``stream`` server in front: where it leads nobody listens, or another site, and whom it lets in."""

from __future__ import annotations

import re
from typing import List, Optional, Sequence

from ... import codes
from ...behaviour.route import index_of
from ...behaviour.server.names import server_names
from ...conf.tree import Directive
from ...edit.changes.change import Change
from ..evidence.facts import Facts, Hop
from ..evidence.probes import answered
from ..words.findings import Finding
from ..words.suspect import Suspect, at, certain_cause, words_of
from .no_answer import upstream_line

RULES = (b"allow", b"deny")


def in_front(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """What the stream server in front does to a connection that does not open."""
    if facts.passage is None or facts.passage.directive is None or hop is None or hop.opened:
        return []
    return refused(facts) or _denied(facts, hop) or _other_scheme(facts, suspects, hop) or _misled(facts, hop)


def _denied(facts: Facts, hop: Hop) -> List[Finding]:
    """Its allow and deny: the connection ends before anything is read."""
    line, passage = facts.logged(codes.ACCESS_DENIED), facts.passage
    if line is None or passage is None or hop.probe.status is not None or not passage.allow:
        return []
    block = passage.directive.parent if passage.directive is not None else None
    found = Finding(codes.ACCESS_DENIED, evidence=[answered(hop)])
    found.detail = "the stream server in front lets this address in by no rule, and closes the connection"
    for rule in block.block or () if block is not None else ():
        if rule.name in RULES:
            found.evidence += at(rule, words_of(rule))
    found.evidence.append(line.evidence())
    return [found]


def _other_scheme(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """It ends TLS, and the server behind it expects TLS all the same."""
    passage = facts.passage
    known = certain_cause(suspects, (codes.PLAIN_HTTP_TO_TLS_PORT,))
    if not known or passage is None or passage.tls != "ended" or passage.directive is None:
        return []
    line = passage.directive
    found = Finding(codes.PLAIN_HTTP_TO_TLS_PORT, evidence=[*known[0].evidence, answered(hop)])
    found.detail = "the stream server in front ends TLS, and passes plain HTTP on to a port that expects TLS"
    found.fix = "proxy_ssl on in the stream server, or a listen without ssl behind it"
    found.evidence += at(line, f"{words_of(line)} leads there without TLS")
    indent = line.source.data[line.source.data.rfind(b"\n", 0, line.start) + 1 : line.start].decode("latin-1")
    if not indent.strip():
        found.change = Change(line.file, line.line + 1, [], [f"{indent}proxy_ssl on;"])
    return [found]


def _misled(facts: Facts, hop: Hop) -> List[Finding]:
    """Its map has no entry for the name, and what it leads to in place of that is another site."""
    passage, asked = facts.passage, facts.question.endpoint.host
    line = passage.directive if passage is not None else None
    if hop.probe.status is None and not hop.probe.tls:
        return []  # Nobody answered, so nobody knows who would.
    entry, served = _default_of(facts), _serving(facts, asked)
    if passage is None or line is None or entry is None or not served or served in passage.servers:
        return []
    evidence = at(line, f"{words_of(line)} leads to {passage.target}")
    evidence += at(entry, f"the map has no entry for {asked}: this one holds")
    return [
        Finding(
            codes.DEFAULT_SERVER_CAPTURED,
            evidence=[*evidence, answered(hop)],
            detail=f"the map of the stream server in front has no entry for {asked}: another site answers",
            fix=f"a line for {asked} in this map: {asked} {served};",
        )
    ]


def _default_of(facts: Facts) -> Optional[Directive]:
    """The default entry of the map by which it chooses, where that has none for the name of the URL."""
    line = facts.passage.directive if facts.passage is not None else None
    variable = re.match(r"\$\{?(\w+)\}?$", line.args[0].decode("latin-1")) if line and line.args else None
    if variable is None or facts.configuration is None:
        return None
    name = b"$" + variable.group(1).encode("latin-1")
    block = next(
        (item for item in facts.configuration.walk() if item.name == b"map" and item.args[1:2] == (name,)),
        None,
    )
    entries = {entry.name.decode("latin-1").lower(): entry for entry in block.block or ()} if block else {}
    return None if facts.question.endpoint.host.lower() in entries else entries.get("default")


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
    asked, entry = facts.question.endpoint.host, _default_of(facts)
    if entry is not None:
        found.evidence += at(entry, f"the map has no entry for {asked}: this one holds")
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
