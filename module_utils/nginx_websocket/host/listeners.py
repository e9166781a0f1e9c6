"""Listening sockets and the processes behind them, from /proc alone."""

from __future__ import annotations

import dataclasses
import os
import socket
import struct
from typing import Any, Dict, Iterable, List, Optional, Tuple

from ..exchange.masking import masked_argv
from .processes.descriptors import socket_holders
from .processes.proc import Proc, origin_of, user_name

_LISTEN = "0A"
_ACCEPTING = 0x00010000
_STREAM = "0001"


@dataclasses.dataclass
class Listener:
    """One listening socket, with the process that holds it."""

    family: str
    """``tcp``, ``tcp6`` or ``unix``."""
    address: str
    """IP address, or the path of a unix socket (``@…`` for an abstract one)."""
    port: int
    """0 for a unix socket."""
    inode: int
    uid: Optional[int] = None
    """User id that made the socket; None for a unix socket."""
    pids: List[int] = dataclasses.field(default_factory=list)
    """Every process that holds the socket; empty when /proc shows none to us."""
    pid: Optional[int] = None
    """The one that started it all: not a child of another holder, not systemd unless it alone holds it."""
    exe: str = ""
    argv: List[str] = dataclasses.field(default_factory=list)
    """Command line with its secrets masked."""
    user: str = ""
    origin: str = ""
    """How it was started: unit, user unit, session, container, unknown; empty without a process."""
    unit: str = ""
    """The unit's (or session's, or container's) name."""

    def describe(self) -> str:
        """The process in one line, for evidence."""
        if self.pid is None:
            by = f" of user {self.user}" if self.user else ""
            return f"a process{by} that /proc does not show (another namespace, or not root)"
        started = {
            "unit": f"systemd unit {self.unit}",
            "user unit": f"user unit {self.unit}",
            "session": f"started by hand ({self.unit}), not by systemd",
            "container": f"in a container ({self.unit[:40]})",
        }.get(self.origin, "not started by systemd")
        return f"pid {self.pid}, user {self.user}, {started}: {' '.join(self.argv)[:300]}"

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)


def listeners(
    ports: Optional[Iterable[int]] = None,
    *,
    unix: bool = True,
    proc: Optional[Proc] = None,
    beside: Optional[int] = None,
) -> List[Listener]:
    """List the listening TCP and unix stream sockets of a network namespace.

    Args:
        ports: only these TCP ports (and no unix sockets); None for all.
        unix: with unix sockets.
        proc: the /proc to read.
        beside: a process whose network is meant; ours without one.

    Returns:
        Listeners by port, then address.  Without root, sockets of other users have no process.
    """
    proc = proc or Proc()
    wanted = None if ports is None else set(ports)
    found: List[Listener] = []
    for family in ("tcp", "tcp6"):
        for line in _table(proc, family, beside):
            fields = line.split()
            if len(fields) < 10 or fields[3] != _LISTEN:
                continue
            address, port = decode_address(fields[1])
            if wanted is None or port in wanted:
                found.append(Listener(family, address, port, int(fields[9]), int(fields[7])))
    if unix and wanted is None:
        for line in _table(proc, "unix", beside):
            fields = line.split(None, 7)
            if len(fields) == 8 and int(fields[3], 16) & _ACCEPTING and fields[4] == _STREAM:
                found.append(Listener("unix", fields[7], 0, int(fields[6])))
    _find_processes(found, proc)
    return sorted(found, key=lambda item: (item.port, item.family, item.address))


def decode_address(text: str) -> Tuple[str, int]:
    """Decode ``0100007F:1F90`` as /proc/net/tcp and tcp6 print it: 32-bit words in host byte order."""
    address, _, port = text.partition(":")
    words = [int(address[i : i + 8], 16) for i in range(0, len(address), 8)]
    data = b"".join(struct.pack("=I", word) for word in words)
    family = socket.AF_INET if len(data) == 4 else socket.AF_INET6
    return socket.inet_ntop(family, data), int(port, 16)


def ports_of(found: Iterable[Listener]) -> Dict[int, List[int]]:
    """For each process id, the TCP ports that it holds."""
    ports: Dict[int, List[int]] = {}
    for listener in found:
        for pid in listener.pids:
            if listener.port:
                ports.setdefault(pid, []).append(listener.port)
    return ports


def _table(proc: Proc, name: str, beside: Optional[int]) -> List[str]:
    """The lines of a table in /proc/net, its head left out; none when the family is switched off."""
    place = proc.root if beside is None else proc.path(beside)
    try:
        with open(os.path.join(place, "net", name), encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()[1:]
    except OSError:
        return []


def _find_processes(found: List[Listener], proc: Proc) -> None:
    """Fill in who holds each socket."""
    if not found:
        return
    held, executables = socket_holders({item.inode: item.uid for item in found}, proc)
    for listener in found:
        listener.pids = held.get(listener.inode, [])
        listener.user = "" if listener.uid is None else user_name(listener.uid)
        _describe_process(listener, executables, proc)


def _describe_process(listener: Listener, executables: Dict[int, str], proc: Proc) -> None:
    """Fill in the process that started what holds the socket."""
    # With socket activation systemd holds the socket too; the service is what answers.
    holders = [pid for pid in listener.pids if pid != 1] or listener.pids
    parents = {pid: stat[0] for pid in holders for stat in [proc.stat(pid)] if stat}
    if not parents:
        return
    first = min((pid for pid in parents if parents[pid] not in parents), default=min(parents))
    listener.pid = first
    listener.exe = proc.exe(first)[0] or executables.get(first, "")
    listener.argv = masked_argv(proc.argv(first))
    listener.user = proc.user(first) or listener.user
    program = os.path.basename(listener.exe or (listener.argv[0] if listener.argv else ""))
    listener.origin, listener.unit = origin_of(proc.cgroup(first), program)
