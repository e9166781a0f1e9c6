"""The client does not reach nginx: its name, its port, and who holds that."""

from __future__ import annotations

import os
from typing import List, Optional, Sequence

from ... import codes
from ...host.listeners import Listener
from ..capacity.open_socket import CONNECT_KINDS
from ..evidence.facts import Facts, Hop
from ..evidence.probes import answered
from ..reload.stale import stale
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, certain_cause


def not_running(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """Something else has the port, or no nginx runs at all."""
    unseen = facts.owner is not None and facts.owner.pid is None
    if unseen and os.geteuid() != 0:
        facts.notes.append("without root nobody can see which process holds the port")
    elif facts.owner is not None and not facts.owner_is_nginx and contained(facts.owner):
        return [_in_container(facts, facts.owner)]
    elif facts.owner is not None and not facts.owner_is_nginx:
        return [Finding(codes.OTHER_PROCESS_ON_PORT, evidence=[_held(facts.owner)])]
    if facts.nginx is None or facts.nginx.master is None:
        evidence = [Evidence("process", facts.nginx_choice or "no nginx master")]
        return [Finding(codes.NGINX_NOT_RUNNING, evidence=evidence)]
    return []


def _held(owner: Listener) -> Evidence:
    """Who has the port."""
    return Evidence("process", f"port {owner.port} on {owner.address}: {owner.describe()}")


def contained(owner: Listener) -> bool:
    """Whether a port is published by a container, or held in another namespace."""
    return owner.pid is None or owner.origin == "container" or owner.exe.endswith("docker-proxy")


def _in_container(facts: Facts, owner: Listener) -> Finding:
    port, name = facts.question.endpoint.port, facts.container
    if name:
        return Finding(
            codes.OTHER_PROCESS_ON_PORT,
            evidence=[_held(owner), Evidence("process", f"container {name} publishes port {port}")],
            detail=f"port {port} belongs to the container {name}: the nginx that answers runs there, with "
            "its own files",
            fix=f"look at the nginx of that container: docker exec {name} nginx -T, which -e dump=FILE reads",
        )
    return Finding(
        codes.OTHER_PROCESS_ON_PORT,
        evidence=[_held(owner)],
        detail=f"port {port} belongs to a container: the nginx that answers runs there, with its own files",
        fix=f"see which one publishes it (docker ps --filter publish={port}) and look at its nginx "
        "(docker exec NAME nginx -T, which -e dump=FILE reads)",
    )


def unconnected(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """The name has no address, or no connection comes about."""
    if hop is None or hop.probe.error_kind not in CONNECT_KINDS:
        return []
    if hop.probe.error_kind == "dns":
        return [Finding(codes.NAME_NOT_RESOLVED, evidence=[answered(hop)])]
    static = certain_cause(
        suspects, (codes.NOT_INCLUDED_FILE, codes.LISTEN_IPV6_MISSING, codes.PORT_NOT_LISTENING)
    )
    if static:
        return stale(facts) or static
    address = facts.route.request.local_address()[0] if facts.route is not None else ""
    if hop.probe.error_kind == "connect-refused":
        old = stale(facts)
        if old:
            return old
        if ":" in address and facts.listeners:
            return [Finding(codes.LISTEN_IPV6_MISSING, evidence=[answered(hop)])]
        return [Finding(codes.PORT_NOT_LISTENING, evidence=[answered(hop)])]
    evidence = [answered(hop)] + [Evidence("firewall", line) for line in facts.firewall]
    return [Finding(codes.ADDRESS_UNREACHABLE, evidence=evidence)]
