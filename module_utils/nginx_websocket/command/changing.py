"""``fix`` and ``rollback``: the same transactions that the playbooks run."""

from __future__ import annotations

import argparse
import sys

from ..report.fixed import fixed_text
from ..report.kept import kept_table
from ..report.medium import json_text, terminal
from ..transaction.live.instance import find_instance
from ..transaction.rollback import kept
from ..transaction.rollback import rollback as go_back
from ..transaction.site.model import Outcome, Refused
from .looking import CANNOT_TELL, FAILS, WORKS, here, question_of
from .shown import show, width


def rollback(given: argparse.Namespace) -> int:
    """Bring back what stood before.

    Returns:
        0 where the older state is live (with ``--check``: could be), 1 where it is not.
    """
    try:
        if given.list:
            backups = kept(state_dir=given.state_dir)
            table = kept_table(backups, here(), width=width(sys.stdout), how="rollback --to NUMBER")
            show(json_text(backups) if given.json else table + "\n")
            return WORKS
        nginx = find_instance(binary=given.binary, conf_path=given.conf)
    except Refused as refusal:
        outcome = Outcome("refused", failed=True, message=str(refusal))
    else:
        outcome = go_back(
            given.to,
            nginx=nginx,
            state_dir=given.state_dir,
            check=given.check,
            on_drift=given.on_drift,
            allow_invalid=given.allow_invalid,
        )
    _tell(outcome, given)
    return FAILS if outcome.failed else WORKS


def fix(given: argparse.Namespace) -> int:
    """Mend the files of nginx in place.

    Returns:
        0 where the socket opens (with ``--check``: would open), 1 where it does not, 2 where nobody can tell.
    """
    from ..fix.fix import fix as mend
    from ..fix.model import Fixed, Wish

    question = question_of(given) if given.url else None
    try:
        nginx = find_instance(binary=given.binary, conf_path=given.conf)
    except Refused as refusal:
        outcome = Fixed("refused", failed=True, message=str(refusal))
    else:
        wish = Wish(managed=given.managed, add_names=given.add_names)
        outcome = mend(question, nginx=nginx, state_dir=given.state_dir, check=given.check, wish=wish)
    _tell(outcome, given)
    return (CANNOT_TELL if outcome.undecided else FAILS) if outcome.failed else WORKS


def _tell(outcome: Outcome, given: argparse.Namespace) -> None:
    """Print what came of a transaction."""
    data = {**outcome.as_dict(diff=False), "msg": outcome.message}
    undo = "sudo python3 nginx-websocket.pyz rollback"
    show(json_text(data) if given.json else fixed_text(data, terminal(here()), width(sys.stdout), undo))
