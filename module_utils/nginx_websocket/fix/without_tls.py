"""May a proxy_pass speak plain HTTP where it said https:// or wss://?  Only to a backend of this host."""

from __future__ import annotations

import re
from typing import Iterator, List, Tuple

from ..behaviour.content.upstream import upstream_block
from ..behaviour.route import index_of
from ..conf.tree import Configuration, printable
from ..exchange import tls
from ..exchange.connection import Deadline, Failure, dial

_OF_THIS_HOST = re.compile(r"(127(?:\.\d+){3}|localhost|\[::1\])(?::(\d+))?$|unix:")
_SECONDS = 2.0


def given_up(before: Configuration, after: Configuration) -> str:
    """The backend of another host that would get without TLS what it should get in TLS; "" for none.

    Args:
        before: the configuration as it is.
        after: as it would be.
    """
    for old, new in _changed(before, after):
        rest = new[len(b"http://") :]
        secure = old in (b"https://" + rest, b"wss://" + rest)
        if secure and new == b"http://" + rest and not all(map(_OF_THIS_HOST.match, _servers(after, rest))):
            return rest.split(b"/")[0].decode("utf-8", "replace")
    return ""


def not_spoken(before: Configuration, after: Configuration) -> bool:
    """Whether proxy_pass would say https:// to a backend of this host that speaks no TLS.

    Args:
        before: the configuration as it is.
        after: as it would be.
    """
    return any(
        new.startswith(b"https://") and any(map(_plain, _servers(after, new[len(b"https://") :])))
        for _, new in _changed(before, after)
    )


def _changed(before: Configuration, after: Configuration) -> Iterator[Tuple[bytes, bytes]]:
    """What each proxy_pass that is edited says before and after."""
    was, now = (
        [line.args[0] for line in tree.walk() if line.name == b"proxy_pass" and line.args]
        for tree in (before, after)
    )
    return ((old, new) for old, new in zip(was, now) if old != new) if len(was) == len(now) else iter(())


def _servers(tree: Configuration, target: bytes) -> List[str]:
    """The addresses of a target: those of its upstream, also of one that is down for a while, or itself."""
    name = printable(target.split(b"/")[0])
    block = upstream_block(index_of(tree).http, name)
    lines = block.children(b"server") if block is not None else ()
    return [printable(line.args[0]) for line in lines if line.args] or [name]


def _plain(server: str) -> bool:
    """Whether somebody of this host takes a connection there, and makes no TLS handshake as nginx would."""
    found = _OF_THIS_HOST.match(server)
    if found is None or not found.group(2):
        return False
    deadline = Deadline(_SECONDS)
    try:
        connection, _ = dial((found.group(1).strip("[]"), int(found.group(2))), deadline)
    except Failure:
        return False
    try:
        tls.wrap(connection, "", tls.make_context(verify=False, alpn=False), deadline).close()
    except Failure:
        return True
    return False
