"""A release that waits to be confirmed: whose it is, and what a run of somebody else does about it."""

from __future__ import annotations

from typing import Sequence

from .history.journal import UNCONFIRMED, Record
from .plan.placement import place
from .site.model import Failure, Refused, Site
from .surroundings.host import Host


def describe(record: Record) -> str:
    """Who made the release that waits, since when, and until when."""
    made = f", made by {record.by}," if record.by else ""
    return f"the release of {record.started}{made} waits to be confirmed until {record.confirm_by}"


def leave_to_others(host: Host, sites: Sequence[Site]) -> None:
    """Stop a run that changes nothing, where the release of somebody else waits to be confirmed.

    Whoever changes something goes on, after that release was undone: it must not be proven and taken back
    together with another one.  So does whoever repeats a run of their own, whose controller died.

    Raises:
        Refused: the run would undo the other's release and do nothing else.
    """
    record = host.journal.read()
    if record is None or record.step != UNCONFIRMED or record.backup not in host.backups.numbers():
        return
    open_sites = {change.site for change in host.backups.load(record.backup).changes}
    if record.by == host.world.by_whom() and open_sites & {site.name for site in sites}:
        return
    try:
        placements = place(sites, host.tree(), host.nginx, host.files, host.deployed())
    except Failure:
        return
    if not any(placement.changes for placement in placements):
        raise Refused(
            f"{describe(record)}, and this run would change nothing; it stops, because it would undo that "
            "release. When its controller has confirmed it, or the time is over, run again."
        )
