"""How requests are shared out among several backends: among whom, by what rule, who stands in."""

from __future__ import annotations

from typing import Dict, Iterator, Tuple

from ...behaviour.behaviour import Behaviour
from ..differences import SETTINGS, Parting
from ..parting.destination import Destination

_RULES = frozenset((b"hash", b"ip_hash", b"least_conn", b"least_time", b"random", b"sticky", b"queue"))
_DEFAULTS = frozenset((b"weight=1", b"max_fails=1", b"fail_timeout=10s", b"fail_timeout=10", b"max_conns=0"))
_OF_SEVERAL = (b"weight=", b"max_fails=", b"fail_timeout=", b"slow_start=", b"route=")
"""Options of a server that mean nothing where it is the only one."""
Servers = Dict[bytes, Tuple[bytes, ...]]


def shares(before: Behaviour, after: Behaviour, was: Destination, now: Destination) -> Iterator[Parting]:
    """Another set of backends that has some of the old ones, or another rule by which they are chosen.

    Args:
        before: in the live tree.
        after: in the staged one.
        was: where the request goes in the live tree.
        now: in the staged one.
    """
    if not was.value & now.value:
        return  # others get the requests, which is told
    old, new = (_shared(side, place) for side, place in ((before, was), (after, now)))
    if old == new:
        return
    texts = [_told(*side) for side in (old, new)]
    group = (texts[0], texts[1])
    yield Parting(SETTINGS, texts[0], texts[1], was.at, now.at, group, "upstream")


def _shared(found: Behaviour, place: Destination) -> Tuple[bytes, Servers]:
    """The rule and the servers with their options, without what is nginx's default or says nothing."""
    request = found.upstream or found.gateway
    block = request.block if request is not None else None
    if block is None:
        return b"", {address.encode(): () for address in place.value}
    servers: Servers = {}
    for line in block.children(b"server"):
        if line.args and b"down" not in line.args[1:]:
            options = (word for word in line.args[1:] if word not in _DEFAULTS)
            servers[_local(line.args[0])] = tuple(sorted(options))
    if len(servers) < 2:
        alone = {
            name: tuple(word for word in words if not word.startswith(_OF_SEVERAL) and word != b"backup")
            for name, words in servers.items()
        }
        return b"", alone
    rules = [b" ".join((line.name, *line.args)) for line in block.block or () if line.name in _RULES]
    return b"; ".join(sorted(rules)), servers


def _local(address: bytes) -> bytes:
    for name in (b"localhost:", b"[::1]:"):
        if address.startswith(name):
            return b"127.0.0.1:" + address[len(name) :]
    return address if b":" in address else address + b":80"


def _told(rule: bytes, servers: Servers) -> str:
    listed = b", ".join(b" ".join((name, *words)) for name, words in servers.items()).decode(
        "utf-8", "replace"
    )
    if len(servers) < 2:
        return f"all requests go to {listed}"
    return f"requests are shared by {rule.decode('utf-8', 'replace') or 'turns'} among {listed}"
