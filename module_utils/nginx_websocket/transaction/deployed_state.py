"""What stands on the host already: is it a release that holds, and does the running nginx serve it?

A controller that is told so needs to send nothing when it renders the same release again.
"""

from __future__ import annotations

import dataclasses
from typing import Optional, Sequence

from .deploy import deploy
from .history.journal import UNCONFIRMED, Journal
from .site.instance import Instance
from .site.model import STATE_DIR, Outcome, Refused, Site
from .site.release import LITERAL, claimed, pristine
from .surroundings.host import Host
from .surroundings.world import World
from .window import describe


def waiting(state_dir: str = STATE_DIR, *, world: Optional[World] = None) -> str:
    """Say that a release waits for its confirmation; "" where none does.

    Args:
        state_dir: where lock, journal and backups live.
        world: everything outside the transaction; unit tests hand in another.
    """
    try:
        record = Journal((world or World()).files, state_dir).read()
    except (OSError, ValueError):
        return ""
    if record is None or record.step != UNCONFIRMED:
        return ""
    return f"{describe(record)}; where it is not, the host goes back to what it had before by itself"


def deployed_state(
    sites: Sequence[Site],
    *,
    nginx: Instance,
    state_dir: str = STATE_DIR,
    deadline: float = 15.0,
    max_sockets: int = 0,
    world: Optional[World] = None,
) -> Optional[Outcome]:
    """See whether deploying what stands there would change nothing.

    The releases on the disk are taken for candidates and go through ``deploy`` in check mode: compared,
    validated and proven as any others.

    Args:
        sites: as for ``deploy``; their content does not count.
        nginx: from ``find_instance``.
        state_dir: where lock, journal and backups live.
        deadline: seconds that the proof may take.
        max_sockets: WebSockets that nginx shall have room for; 0 leaves its limits alone.
        world: everything outside the transaction; unit tests hand in another.

    Returns:
        The outcome of such a deployment, with the releases that stand and are proven; None where it would be
        anything but "unchanged", also because another transaction runs at the moment, or was never closed or
        tidied up after.
    """
    host = Host(nginx, state_dir, check=True, world=world or World())
    try:
        host.world.secure(state_dir)
        if host.untidy():
            return None
        deployed = host.deployed()
    except (Refused, OSError, ValueError):
        return None
    candidates = []
    for site in sites:
        path = deployed.get(site.name, {}).get("path", "")
        content = host.files.entry(path).content if path else b""
        release = claimed(content)
        if release is None or not pristine(content):
            return None
        candidates.append(dataclasses.replace(site, content=content.replace(release.encode(), LITERAL)))
    outcome = deploy(
        candidates,
        nginx=nginx,
        state_dir=state_dir,
        check=True,
        deadline=deadline,
        lock_timeout=0.0,
        max_sockets=max_sockets,
        world=world,
    )
    return None if outcome.failed or outcome.changed or outcome.recovered else outcome
