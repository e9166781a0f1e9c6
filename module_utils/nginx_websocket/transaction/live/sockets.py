"""How many sockets nginx passes on to backends, and how many of them a transaction ended.

A reload must not cost a client: old workers keep what is open.  Whether that held is read from the
kernel's tables, before and after.  What counts is the connection from nginx to a backend, for an open
WebSocket has one for as long as it lives, while an idle browser connection has none.  An idle connection
of a pool has no client, so no more can be lost than clients that went.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
from typing import Any, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from ...conf.tree import Configuration, Directive
from ...host.processes.descriptors import socket_inodes
from ...host.processes.proc import Proc
from . import workers

_ESTABLISHED, _LISTENING = "01", "0A"
_CONNECTED = "03"  # SS_CONNECTED, in /proc/net/unix
_PASS = re.compile(rb"\A(?:proxy|grpc|fastcgi|uwsgi|scgi)_pass\Z")
_SCHEME = re.compile(rb"\A([a-z]+)://")
_LOOPBACK = re.compile(rb"(?:\A|//)(?:localhost|127\.[0-9.]+|\[::1\])(?=[:/]|\Z)")
_PORT = re.compile(rb"\A[^/]*?:([0-9]{1,5})(?:/|\Z)")


@dataclasses.dataclass(frozen=True)
class Backends:
    """Where a configuration passes requests to."""

    ports: FrozenSet[int]
    paths: FrozenSet[str]
    """Unix sockets."""
    pooled: FrozenSet[int]
    """Ports with idle connections (``keepalive``), which a reload closes without anybody's loss."""
    idle: int = 0
    """How many idle connections a worker may have."""
    local_clients: bool = False
    """Whether clients come by Unix sockets, too, which are not counted."""
    cut: str = ""
    """``worker_shutdown_timeout``, with its place: when old workers give up what is still open."""


@dataclasses.dataclass(frozen=True)
class Open:
    """Sockets by inode, which stays the same for as long as a socket lives."""

    all: FrozenSet[str] = frozenset()
    lasting: FrozenSet[str] = frozenset()
    """Without those that may be idle ones of a pool."""
    clients: Optional[FrozenSet[str]] = frozenset()
    """Connections of clients over TCP; None where they cannot be told."""


def backends(*trees: Configuration) -> Backends:
    """Return where some configurations pass requests to.

    A port that stands in a variable alone is not seen.
    """
    ports: Set[int] = set()
    paths: Set[str] = set()
    pooled: Set[int] = set()
    idle, cut, local_clients = 0, "", False
    for tree in trees:
        pools = 0
        for directive in tree.walk():
            if directive.name == b"keepalive" and directive.args and directive.args[0].isdigit():
                pools += int(directive.args[0])
            elif directive.name == b"listen" and directive.args:
                local_clients = local_clients or directive.args[0].startswith(b"unix:")
            elif directive.name == b"worker_shutdown_timeout" and directive.args:
                cut = f"{directive.args[0].decode('ascii', 'replace')} ({directive.where()})"
            for port, path in _targets(directive):
                if path:
                    paths.add(path)
                    continue
                ports.add(port)
                group = directive.parent
                if group is not None and any(one.name == b"keepalive" for one in group.block or ()):
                    pooled.add(port)
        idle = max(idle, pools)
    return Backends(frozenset(ports), frozenset(paths), frozenset(pooled), idle, local_clients, cut)


def _targets(directive: Directive) -> Iterator[Tuple[int, str]]:
    if not directive.args:
        return
    address = directive.args[0]
    if _PASS.match(directive.name):
        scheme = _SCHEME.match(address)
        rest = address[scheme.end() :] if scheme else address
        secure = bool(scheme) and address.startswith((b"https:", b"grpcs:"))
    elif directive.name == b"server" and directive.parent and directive.parent.name == b"upstream":
        rest, secure = address, False
    else:
        return
    if rest.startswith(b"unix:"):
        yield 0, rest[5:].split(b":", 1)[0].decode("utf-8", "surrogateescape")
        return
    port = _PORT.match(rest)
    yield (int(port.group(1)) if port else 443 if secure else 80), ""


def silent_backends(tree: Configuration, files: FrozenSet[str]) -> List[str]:
    """Loopback addresses to which some files pass requests and at which nothing listens.

    Args:
        tree: the configuration that is live.
        files: the files, as nginx names them.
    """
    found = set()
    for directive in tree.walk():
        if directive.file in files:
            for port, path in _targets(directive):
                local = _LOOPBACK.search(directive.args[0])
                if path or local:
                    found.add((path, port))
    return sorted(path or f"127.0.0.1:{port}" for path, port in found if not _listens(path, port))


def _listens(path: str, port: int) -> bool:
    loopback = [(socket.AF_INET, ("127.0.0.1", port)), (socket.AF_INET6, ("::1", port))]
    places: Sequence[Tuple[int, Any]] = [(socket.AF_UNIX, path)] if path else loopback
    for family, address in places:
        with contextlib.suppress(OSError), socket.socket(family) as trial:
            trial.settimeout(1.0)
            trial.connect(address)
            return True
    return False


def opened(master: int, where: Backends) -> Open:
    """Return the open sockets between one nginx and its backends, draining workers included.

    Args:
        master: process id of the nginx master, whose network namespace is looked at.
        where: what ``backends`` found.
    """
    proc = Proc()
    # The entries of /proc belong to root, as nginx is not dumpable.
    owners = {str(uids[1]) for uids in map(proc.uids, workers.all_of(master)) if uids}
    everything: Set[str] = set()
    pooled: Set[str] = set()
    clients: Set[str] = set()
    table = [fields for fields in map(str.split, _lines(master, "tcp", "tcp6")) if len(fields) >= 10]
    # Others may run as nginx's user, too: clients come to what the master listens on. Where it is its own
    # backend, they are not those of that port.
    held = socket_inodes(master, proc)
    own = frozenset(map(str, held or ()))
    served = {_port(fields[1]) for fields in table if fields[3] == _LISTENING and fields[9] in own}
    served -= where.ports
    for fields in table:
        if fields[3] != _ESTABLISHED or fields[7] not in owners:
            continue
        port = _port(fields[2])
        if port in where.ports:
            everything.add(fields[9])
            if port in where.pooled:
                pooled.add(fields[9])
        elif _port(fields[1]) in served:
            clients.add(fields[9])
    if where.paths:
        # The accepting end carries the listening socket's path, the connecting end none.
        for line in _lines(master, "unix"):
            fields = line.split(None, 7)
            if len(fields) == 8 and fields[5] == _CONNECTED and fields[7].rstrip("\n") in where.paths:
                everything.add(fields[6])
    return Open(
        frozenset(everything), frozenset(everything - pooled), None if held is None else frozenset(clients)
    )


def _port(address: str) -> int:
    """The port of an address as the kernel's tables write it."""
    return int(address.rpartition(":")[2], 16)


def _lines(master: int, *tables: str) -> Iterable[str]:
    for table in tables:
        with contextlib.suppress(OSError), open(
            f"/proc/{master}/net/{table}", encoding="utf-8", errors="surrogateescape"
        ) as stream:
            next(stream, None)
            yield from stream
