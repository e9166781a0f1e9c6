"""Tell the running nginx to read its configuration, and see whether it did.

A reload that fails says nothing to whoever asked for it: the old workers serve on with the old
configuration, and only the error log knows.  So the workers are watched: when all that take new
connections are new, nginx has taken the tree.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import FrozenSet, Sequence

from ...conf.tree import Configuration
from ..site.instance import Instance
from ..site.model import NotProven
from ..site.servers import servers
from . import workers
from .errorlog import LogWatch, final, forbidden, taken_addresses
from .hindrance import conflicts, hindered, limited
from .instance import confined, holder_of

_POLL_SECONDS = 0.02
_DOUBT_SECONDS = 2.0
"""So long a refusal that stands in the error log is doubted: a client can have nginx write such a line."""
_UPGRADED = "a binary upgrade of nginx began before process {} had read the new tree"


def reload(
    tree: Configuration, nginx: Instance, master: int, log: LogWatch, deadline: float
) -> FrozenSet[int]:
    """Send SIGHUP once and wait until only new workers take connections.

    Args:
        tree: what nginx is told to read.
        nginx: whose unit is named where a person has to do something.
        master: process id of the nginx master.
        log: watches the error log since before this call.
        deadline: ``time.monotonic()`` value at which to give up.

    Returns:
        The new workers.

    Raises:
        NotProven: nginx did not take the configuration; the message says why.
    """
    # A master that has begun a binary upgrade answers the signal with more workers of the old tree.
    if workers.successors(master):
        raise NotProven(_UPGRADED.format(master))
    # Whatever the titles say: a worker bears its master's title for a moment after its fork.
    before = frozenset(workers.children(master))
    refused = float("inf")
    with contextlib.suppress(ProcessLookupError):  # what has become of it is told below
        os.kill(master, signal.SIGHUP)
    while True:
        now = workers.serving(master)
        if now and not now & before and not workers.successors(master):
            return now
        if not workers.alive(master):
            raise NotProven(
                f"the nginx master (process {master}) ended during the reload{_said(log, master)}"
            )
        if not now and workers.quits(master):
            raise NotProven(f"the nginx master (process {master}) was told to quit during the reload")
        if workers.successors(master):
            raise NotProven(_UPGRADED.format(master))
        if final(log.emergencies(master)):
            refused = min(refused, time.monotonic())
        if time.monotonic() >= min(refused + _DOUBT_SECONDS, deadline) and refused <= time.monotonic():
            raise NotProven(
                "nginx refused to reload and serves on with the old configuration"
                + _why(tree, nginx, master, log)
            )
        if time.monotonic() >= deadline:
            old = sorted(now & before)
            raise NotProven(
                "after the reload the old workers ({}) still take connections{}{}".format(
                    ", ".join(map(str, old)) or "none are left, and no new ones came",
                    hindered(master, old),
                    _why(tree, nginx, master, log),
                )
            )
        time.sleep(_POLL_SECONDS)


def _said(log: LogWatch, master: int) -> str:
    messages = log.emergencies(master)
    return f": {messages[0]}" if messages else ""


def _why(tree: Configuration, nginx: Instance, master: int, log: LogWatch) -> str:
    messages = log.emergencies(master)
    rivals = conflicts(
        {
            address
            for server in servers(tree)
            for listen in server.listens
            if not listen.has("quic")
            for address in listen.addresses
        },
        master,
        nginx.unit,
    )
    if not messages:
        return f"; {log.silence()}{rivals}"
    return (
        f": {messages[0]}"
        + (rivals or _holders(messages))
        + limited(master, nginx.unit, messages)
        + (confined(master) if forbidden(messages) else "")
    )


def _holders(messages: Sequence[str]) -> str:
    """Who holds the addresses that nginx names; not all of them are addresses of a site."""
    return "".join(f"; {address} is held by {holder_of(address)}" for address in taken_addresses(messages))
