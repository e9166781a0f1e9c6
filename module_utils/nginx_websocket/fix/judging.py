"""May an edit be made?  nginx reads it in a private copy, and both trees are asked what users get."""

from __future__ import annotations

from typing import FrozenSet, List, Sequence

from ..compare.comparing import World as Compared
from ..compare.comparing import compare
from ..conf.tree import Configuration
from ..diagnosis.reload.refused_tree import refusals_in_tree
from ..transaction.site.model import Change, Refused
from ..transaction.surroundings.host import Host
from . import showing
from .intended import unintended
from .model import Fixed

_SHOWN = 6


class Unfit(Refused):
    """Edits that would open the socket must not be made; others may be fit."""


def judged(
    host: Host,
    outcome: Fixed,
    live: Configuration,
    changes: Sequence[Change],
    urls: List[str],
    names: FrozenSet[str] = frozenset(),
) -> Configuration:
    """The tree as it would be, where nginx takes it and nobody gets anything that is not meant.

    Args:
        host: whose tree it is.
        outcome: gets what nginx says and what changes for users.
        live: the tree on the disk.
        changes: of its files.
        urls: the WebSockets that shall open.
        names: of a site that comes whole.

    Raises:
        Unfit: nginx refuses it, or somebody would get something else.
    """
    with host.step("validate"):
        verdict = host.world.validate(changes, host.nginx)
        outcome.method, outcome.warnings = verdict.method, verdict.warnings
    if not verdict.valid:
        raise Unfit(
            f"nginx does not accept the edit: {verdict.errors[0].sentence()}; nothing was changed",
            verdict.errors,
        )
    staged = host.tree(changes).configuration
    with host.step("compare requests"):
        result = compare(
            live, staged, version=host.nginx.version, urls=urls, world=Compared(now=host.world.time())
        )
    outcome.comparison = result.as_dict()
    bad = unintended(result, urls, live, staged, host.nginx.version, names)
    if bad and not _refused(host, live):
        raise Unfit(
            "the edit would open the socket and change something else for users, so nothing was changed: "
            + "; ".join(one.sentence() for one in bad[:_SHOWN])
        )
    told = [showing.difference(one) for one in result.differences]
    if told:
        more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
        host.find("changes-for-users", "\n".join(["What changes for users:", *told[:_SHOWN], *more]))
    return staged


def _refused(host: Host, live: Configuration) -> bool:
    """Whether nginx refuses the files as they are, so that what it serves is something else.

    What they would do then is no measure of what users have.
    """
    return bool(refusals_in_tree(live, host.nginx.version)) or not host.world.validate([], host.nginx).valid
