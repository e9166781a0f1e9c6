"""Which nginx inside a container takes the connections of a port of this host."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import List, Optional, Tuple

from ..listeners import Listener, listeners
from ..masters import Master, masters
from ..processes.proc import Proc
from . import published

_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{64})(?![0-9a-f])")
_PODMAN = re.compile(r"libpod")


@dataclasses.dataclass
class Contained:
    """An nginx in a container, and where the connections of a port come out there."""

    master: Master
    address: str
    """At which it gets them; "" where that is the address that the client dialled."""
    port: int
    name: str
    """Of the container; "" where nothing tells it."""
    engine: str
    """ "docker", "podman" or ""."""
    log: str = ""
    """The file in which the engine keeps its output; "" where it keeps none that we know."""


def answering(owner: Listener, port: int, proc: Optional[Proc] = None) -> Optional[Contained]:
    """The nginx in a container to which a port of this host leads.

    Args:
        owner: the socket that takes the connection on this host.
        port: of the host.
        proc: the /proc to read; other users' processes are shown to root alone.

    Returns:
        None where it is no nginx, and where it cannot be told which.
    """
    proc = proc or Proc()
    where = _leads_to(owner, port, proc)
    if where is None:
        return None
    address, inner, ident = where
    found: List[Tuple[Master, int]] = []
    for master in masters(proc, contained=True):
        if ident and ident not in _ids(_cgroup(proc, master.pid)):
            continue
        own = [master.pid, *(worker.pid for worker in master.workers)]
        if not ident and not address and not set(own) & set(owner.pids):
            continue  # It shares the host's network: then it holds the socket itself.
        if address and not has_address(proc, master.pid, address):
            continue
        held = {
            item.port
            for item in listeners([inner] if inner else None, unix=False, proc=proc, beside=master.pid)
            if set(own) & set(item.pids)
        }
        if inner in held or (not inner and (port in held or len(held) == 1)):
            found.append((master, inner or (port if port in held else held.pop())))
    if len(found) != 1:
        return None
    master, inner = found[0]
    return _named(Contained(master, address, inner, "", ""), port, proc)


def _leads_to(owner: Listener, port: int, proc: Proc) -> Optional[Tuple[str, int, str]]:
    """Address, port and container id behind a socket; "" and 0 for what is not told."""
    if owner.pid is None:
        return None
    if owner.exe.endswith("docker-proxy") and proc.uids(owner.pid)[:1] == [0]:
        argv = proc.argv(owner.pid)
        options = dict(zip(argv, argv[1:]))
        inner = options.get("-container-port", "")
        address = options.get("-container-ip", "")
        return (address, int(inner), "") if inner.isdigit() and address else None
    if not proc.same_host(owner.pid):
        return "", port, ""
    # Whoever starts containers holds the port for them (podman's conmon), or runs beside them.
    known = _ids(" ".join(proc.argv(owner.pid)) + " " + owner.unit)
    return ("", 0, known[0]) if len(known) == 1 and proc.uids(owner.pid)[:1] == [0] else None


def _ids(text: str) -> List[str]:
    return list(dict.fromkeys(_ID.findall(text)))


def has_address(proc: Proc, pid: int, address: str) -> bool:
    """Whether an IP address is one of a process's network."""
    if ":" in address:
        import ipaddress

        try:
            wanted = ipaddress.IPv6Address(address).packed.hex()
        except ValueError:
            return False
        return any(line.startswith(wanted) for line in proc.read(pid, "net/if_inet6").decode().splitlines())
    lines = proc.read(pid, "net/fib_trie").decode("utf-8", "replace").splitlines()
    # fib_trie shows each local address above a line "/32 host LOCAL".
    return any(
        line.split()[-1:] == [address] and "host LOCAL" in after for line, after in zip(lines, lines[1:])
    )


def _named(found: Contained, port: int, proc: Proc) -> Contained:
    """The same with name, engine and log of the container, as far as its control group tells them."""
    cgroup = _cgroup(proc, found.master.pid)
    # What we run in ourselves is no container of this host's.
    ids = [ident for ident in _ids(cgroup) if ident not in _ids(_cgroup(proc, os.getpid()))]
    if ids:
        podman = _PODMAN.search(cgroup) is not None
        found.engine = "podman" if podman else "docker"
        found.name = ids[-1][:12] if podman else published.name_of(ids[-1]) or ids[-1][:12]
        found.log = "" if podman else published.log_of(ids[-1])
    else:
        found.name = published.container_publishing(port)
        found.engine = "docker" if found.name else ""
    return found


def _cgroup(proc: Proc, pid: int) -> str:
    return proc.read(pid, "cgroup").decode("utf-8", "replace")
