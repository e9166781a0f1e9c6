"""Tell the running nginx to read its configuration, and see whether it did.

A reload that fails says nothing to whoever asked for it: the old workers serve on with the old
configuration, and only the error log knows.  So the workers are watched: when all that take new
connections are new, nginx has taken the tree.
"""

from __future__ import annotations

import os
import signal
import time
from typing import FrozenSet

from . import workers
from .errorlog import LogWatch, final, forbidden, taken_addresses
from .instance import confined, holder_of
from .model import NotProven

_POLL_SECONDS = 0.02


def reload(master: int, log: LogWatch, deadline: float) -> FrozenSet[int]:
    """Send SIGHUP once and wait until only new workers take connections.

    Args:
        master: process id of the nginx master.
        log: watches the error log since before this call.
        deadline: ``time.monotonic()`` value at which to give up.

    Returns:
        The new workers.

    Raises:
        NotProven: nginx did not take the configuration; the message says why.
    """
    before = workers.serving(master)
    os.kill(master, signal.SIGHUP)
    while True:
        now = workers.serving(master)
        if now and not now & before:
            return now
        if not workers.alive(master):
            raise NotProven(f"the nginx master (process {master}) ended during the reload{_why(log, master)}")
        if final(log.emergencies(master)):
            raise NotProven(
                f"nginx refused to reload and serves on with the old configuration{_why(log, master)}"
            )
        if time.monotonic() >= deadline:
            raise NotProven(
                "after the reload the old workers ({}) still take connections{}".format(
                    ", ".join(map(str, sorted(now & before))) or "none are left, and no new ones came",
                    _why(log, master),
                )
            )
        time.sleep(_POLL_SECONDS)


def _why(log: LogWatch, master: int) -> str:
    messages = log.emergencies(master)
    if not messages:
        return "; its error log says nothing about it"
    taken = taken_addresses(messages)
    held = "".join(f"; {address} is held by {holder_of(address)}" for address in taken)
    return ": " + messages[0] + held + (confined(master) if forbidden(messages) else "")
