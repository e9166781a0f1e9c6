"""How many sockets the configuration lets live at the same time."""

from __future__ import annotations

import dataclasses
import re
from typing import List, Optional

from ... import codes
from ...behaviour.route import index_of
from ...conf.tree import Directive
from ..evidence.facts import Facts

TRY_AT_MOST = 16
"""Sockets that the diagnosis opens together: more would be a load, and a larger limit is hardly the cause."""


@dataclasses.dataclass
class Limit:
    """One limit on open sockets (or on handshakes in a moment)."""

    code: str
    sockets: int
    words: str
    directive: Optional[Directive]
    meant: bool = False
    """Whether it is of a size that people choose."""

    @property
    def worth_trying(self) -> bool:
        """Whether so many sockets are opened together as it allows, and one more."""
        return self.sockets < TRY_AT_MOST and not self.meant


def socket_limits(facts: Facts) -> List[Limit]:
    """All limits that hold for the route, smallest first."""
    rules = (_max_conns, _limit_conn, _limit_req, _worker_connections, _files)
    return sorted((limit for rule in rules for limit in rule(facts)), key=lambda limit: limit.sockets)


def _number(text: bytes) -> Optional[int]:
    return int(text) if text.isdigit() else None


def worker_count(facts: Facts) -> int:
    """Workers that serve; 1 when that is not known."""
    if facts.nginx is not None and facts.nginx.master is not None:
        return max(1, sum(not worker.shutting_down for worker in facts.nginx.master.workers))
    return 1


def _max_conns(facts: Facts) -> List[Limit]:
    upstream = facts.upstream
    if upstream is None or upstream.block is None:
        return []
    total, place = 0, None
    for server in upstream.block.block or ():
        if server.name != b"server" or b"down" in server.args or b"backup" in server.args:
            continue
        limit = next((_number(arg[10:]) for arg in server.args if arg.startswith(b"max_conns=")), None)
        if not limit:
            return []
        total, place = total + limit, place or server
    if not total:
        return []
    # Without a zone in shared memory every worker counts for itself (ngx_http_upstream_module, max_conns).
    shared = any(child.name == b"zone" for child in upstream.block.block or ())
    total *= 1 if shared else worker_count(facts)
    return [Limit(codes.UPSTREAM_MAX_CONNS, total, f"max_conns of upstream {upstream.host}", place)]


def _limit_conn(facts: Facts) -> List[Limit]:
    found = []
    for directive in facts.in_force(b"limit_conn"):
        number = _number(directive.args[1]) if len(directive.args) == 2 else None
        if number is not None:
            # A small limit by client is often meant; one or two sockets are too few for two tabs.
            words = "limit_conn " + directive.args[0].decode("utf-8", "replace")
            found.append(Limit(codes.LIMIT_CONN, number, words, directive, number > 2))
    return found


def _limit_req(facts: Facts) -> List[Limit]:
    if facts.configuration is None:
        return []
    zones = {}
    for zone in index_of(facts.configuration).http.own(b"limit_req_zone"):
        name = next((arg[5:].split(b":")[0] for arg in zone.args if arg.startswith(b"zone=")), b"")
        rate = next((arg[5:] for arg in zone.args if arg.startswith(b"rate=")), b"1r/s")
        zones[name] = rate
    found = []
    for directive in facts.in_force(b"limit_req"):
        options = dict(arg.partition(b"=")[::2] for arg in directive.args)
        burst = _number(options.get(b"burst", b"0")) or 0
        match = re.match(rb"(\d+)r/([sm])$", zones.get(options.get(b"zone", b""), b"1r/s"))
        second = (int(match.group(1)) / (60.0 if match.group(2) == b"m" else 1.0)) if match else 1.0
        words = f"limit_req {options.get(b'zone', b'').decode('utf-8', 'replace')} in one moment"
        sockets = burst + max(1, int(second))
        found.append(Limit(codes.LIMIT_REQ, sockets, words, directive, burst > 1 or second > 2))
    return found


def _worker_connections(facts: Facts) -> List[Limit]:
    if facts.configuration is None:
        return []
    number, place = 512, None
    for events in facts.configuration.root:
        if events.name == b"events":
            for directive in events.children(b"worker_connections"):
                number, place = _number(directive.args[0]) or number, directive
    # Listening sockets and the channel to the master take entries of the same table (ngx_event_process_init).
    groups = len(index_of(facts.configuration).groups)
    sockets = max(0, (number - groups - 1) // 2) * worker_count(facts)
    return [Limit(codes.WORKER_CONNECTIONS, sockets, f"worker_connections {number}", place)]


def _files(facts: Facts) -> List[Limit]:
    number, place = facts.limits.get("files", 0), None
    if facts.configuration is not None:
        for directive in facts.configuration.root:
            if directive.name == b"worker_rlimit_nofile" and directive.args:
                number, place = facts.limits.get("files", _number(directive.args[0]) or 0), directive
    if not number:
        return []
    used = facts.limits.get("used", 10)
    sockets = max(0, (number - used) // 2) * worker_count(facts)
    return [Limit(codes.OPEN_FILE_LIMIT, sockets, f"{number} file descriptors a worker", place)]
