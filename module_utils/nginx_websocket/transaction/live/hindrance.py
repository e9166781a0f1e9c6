"""Why a running nginx does not read a changed configuration, where its error log is silent."""

from __future__ import annotations

import re
from typing import Iterable, List, Sequence

from ...behaviour.server.listen import WILDCARD4, WILDCARD6, Address
from ...host.listeners import Listener, listeners
from ...host.processes.proc import Proc
from . import workers

_STATES = {
    "T": "is stopped (state T; go on with: kill -CONT {pid})",
    "t": "is held by a debugger (state t)",
    "D": "waits for a disk or a network file system and can do nothing else (state D)",
    "Z": "has ended and waits for its parent (state Z)",
}
_TOO_MANY = re.compile(r"\(24: |Too many open files")


def hindered(master: int, others: Iterable[int] = ()) -> str:
    """Say which of nginx's processes cannot run at the moment, and why; "" when all can.

    Args:
        master: process id of the master.
        others: workers that should have given way to new ones.
    """
    said = []
    for pid, what in [(master, "the master"), *((pid, "a worker") for pid in sorted(others))]:
        state = _STATES.get(workers.state(pid))
        if state:
            said.append(f"process {pid} ({what}) {state.format(pid=pid)}")
    return "".join(f"; {one}" for one in said)


def limited(master: int, unit: str, messages: Sequence[str]) -> str:
    """Name the limit where nginx ran out of descriptors; "" where it did not.

    While it reads a tree, a master holds the logs and sockets of the old tree and of the new one.
    """
    if not any(map(_TOO_MANY.search, messages)):
        return ""
    limit, most = Proc().open_files(master) or ("an unknown number of", "")
    return (
        f"; nginx's master (process {master}) may open {limit} files, and during a reload it needs those of "
        "the old configuration and of the new one together. Raise LimitNOFILE "
        f"(systemctl edit {unit or 'nginx'}) and restart nginx"
        + (f", or at once: prlimit --pid {master} --nofile={most}:" if most not in ("", limit) else "")
    )


def conflicts(addresses: Iterable[Address], master: int, unit: str) -> str:
    """Who holds an address that nginx should listen on and does not; "" where nobody does.

    Args:
        addresses: those of the tree that nginx was told to read.
        master: process id of the master.
        unit: its systemd unit; "" when it is not known.
    """
    asked = {one for one in addresses if one.family in ("inet", "inet6")}
    # A wildcard stands for the specific addresses of its port (ngx_http_optimize_servers).
    whole = {(one.family, one.port) for one in asked if one.wildcard}
    wanted = sorted(
        (one.family, one.host, one.port)
        for one in asked
        if one.wildcard or (one.family, one.port) not in whole
    )
    held = listeners({port for _, _, port in wanted})
    own = {master, *workers.all_of(master)}
    mine = {(_family(one), one.address, one.port) for one in held if own & set(one.pids)}
    said: List[str] = []
    for family, host, port in wanted:
        if (family, host, port) in mine:
            continue
        rivals = [
            one
            for one in held
            if one.port == port
            and _family(one) == family
            and (one.address == host or {one.address, host} & {WILDCARD4, WILDCARD6})
        ]
        where = f"[{host}]:{port}" if family == "inet6" else f"{host}:{port}"
        others = [one for one in rivals if not own & set(one.pids)]
        if others:
            said.append(f"; {where} is held by {'; '.join(one.describe() for one in others)}")
        elif rivals:
            said.append(f"; {where} {own_listener(rivals[0].address, port, unit)}")
    return "".join(dict.fromkeys(said))


def own_listener(address: str, port: int, unit: str) -> str:
    """Say that nginx itself is in its own way, which a reload cannot change."""
    return (
        f"cannot be opened while this nginx itself listens on {address} port {port}, which it gives up only "
        "when it ends: a reload cannot exchange one address of a port for all of them, or all for one. Let "
        "the site listen on the same addresses as the others (listen.addresses); or let nginx start anew "
        f"with the release, which ends open connections: systemctl stop {unit or 'nginx'}, then deploy with "
        "start: true"
    )


def _family(listener: Listener) -> str:
    return "inet6" if listener.family == "tcp6" else "inet"
