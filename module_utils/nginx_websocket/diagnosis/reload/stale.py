"""The workers run another configuration than the one on disk: how that shows, and why it is so."""

from __future__ import annotations

import ipaddress
import re
from typing import List, Optional, Tuple

from ... import codes
from ...behaviour.content.upstream import Upstream
from ...behaviour.route import Route
from ...behaviour.upgrade.hops import own_hops
from ..evidence.errorlog import LogLine
from ..evidence.facts import Facts, NewerFile
from ..words.findings import Evidence, Finding
from ..words.suspect import at

_UPSTREAM = re.compile(r'upstream: "\w+://(unix:[^:"]+|\[[0-9a-fA-F:.]+\]:\d+|[0-9.]+:\d+)')


def stale(facts: Facts) -> List[Finding]:
    """Files that changed after the workers started, with the refused reload where there was one."""
    if not facts.newer_files:
        return []
    reasons = refused_since(facts, facts.newer_files[0].changed)
    evidence = reasons + [
        Evidence(
            "file", f"{item.path} changed {since(facts, item):.0f} s after the workers started", item.path
        )
        for item in facts.newer_files[:3]
    ]
    return [Finding(codes.RELOAD_FAILED if reasons else codes.STALE_CONFIG_NOT_RELOADED, evidence=evidence)]


def since(facts: Facts, file: NewerFile) -> float:
    """Seconds from the start of the workers to the change of a file."""
    return file.changed - facts.workers_started


def refused_since(facts: Facts, changed: float) -> List[Evidence]:
    """Why nginx refused a reload since a file changed, as far as its log says so."""
    return [line.evidence() for line in facts.emergencies if line.time >= int(changed) - 1][:3]


def other_upstream(facts: Facts) -> List[Finding]:
    """The log names only backends to which the files on disk do not lead: another configuration runs."""
    if facts.route is None or facts.route.upstream is None or not facts.newer_files:
        return []
    asked = [(line, used_address(line)) for line in facts.log if "subrequest: " not in line.text]
    strange = [(line, used) for line, used in asked if used]
    if not strange or any(_leads_to(facts, facts.route, used) for _, used in strange):
        return []
    found = stale(facts)
    line, used = strange[0]
    upstream = facts.route.upstream
    words = f"the workers ask {used}, and the files on disk lead to {', '.join(upstream.servers)}"
    for finding in found:
        finding.evidence[:0] = [line.evidence(), *at(upstream.directive, words)]
    return found


def used_address(line: LogLine) -> str:
    """The address that nginx connected to, by a line of its log; empty where the line has none."""
    match = _UPSTREAM.search(line.text)
    return match.group(1) if match else ""


def _leads_to(facts: Facts, route: Route, used: str) -> bool:
    """Whether the configuration on disk may have nginx connect to an address for this request."""
    upstreams = [hop.upstream for hop in own_hops(route) if hop.upstream is not None]
    if any(_is(server, upstream, used) for upstream in upstreams for server in upstream.servers):
        return True
    errors = route.level.nearest(b"error_page")[1] if route.level is not None else []
    if not errors and not route.undecided:
        return False
    # Any location may be reached in the end: the address must not be in the configuration at all.
    return any(_may_be(word.decode("utf-8", "replace"), used) for word in _written(facts))


def _written(facts: Facts) -> List[bytes]:
    """What the ``*_pass`` directives and the servers of upstream blocks of the configuration name."""
    assert facts.configuration is not None
    return [
        directive.args[0]
        for directive in facts.configuration.walk()
        if directive.args and (directive.name.endswith(b"_pass") or directive.name == b"server")
    ]


def _may_be(written: str, used: str) -> bool:
    rest = written.split("://", 1)[-1]
    if "$" in rest:
        return True
    if rest.startswith("unix:"):
        return rest.split(":")[1] == used[len("unix:") :]
    host, port = _host_and_port(rest.split("/")[0])
    scheme = 443 if written.startswith("https:") else 80
    return _same(host, port or scheme, used)


def _is(server: str, upstream: Upstream, used: str) -> bool:
    if server.startswith("unix:") or used.startswith("unix:"):
        return server == used
    host, port = _host_and_port(server)
    return _same(host, port or upstream.port, used)


def _host_and_port(text: str) -> Tuple[str, Optional[int]]:
    match = re.match(r"^(.*?)(?::(\d+))?$", text)
    assert match is not None
    return match.group(1), int(match.group(2)) if match.group(2) else None


def _same(host: str, port: int, used: str) -> bool:
    """Whether a host and a port may be the address used; a name may have had any address."""
    if used.startswith("unix:"):
        return False
    address, used_port = _host_and_port(used)
    if port != used_port:
        return False
    try:
        return ipaddress.ip_address(host.strip("[]")) == ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return True
