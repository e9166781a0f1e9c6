"""``rollback``: the same transaction that the playbook runs."""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import List

from ..report.kept import kept_table
from ..report.medium import json_text, terminal
from ..transaction.live.instance import find_instance
from ..transaction.rollback import kept
from ..transaction.rollback import rollback as go_back
from ..transaction.site.model import Outcome, Refused
from .looking import FAILS, WORKS, here
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
        outcome = go_back(given.to, nginx=nginx, state_dir=given.state_dir, check=given.check)
    tell(outcome, given)
    return FAILS if outcome.failed else WORKS


def tell(outcome: Outcome, given: argparse.Namespace, shown: str = "") -> None:
    """Print what came of a transaction."""
    data = outcome.as_dict(diff=False)
    if given.json:
        show(json_text({**data, "message": outcome.message}))
        return
    lines: List[str] = [f"{terminal(here())}: {data['outcome'].upper()}"]
    told = [outcome.message, *filter(None, [outcome.recovered])]
    told += [finding.message + (f". {finding.fix}" if finding.fix else "") for finding in outcome.findings]
    for text in told:
        lines += textwrap.wrap(
            text,
            width(sys.stdout),
            initial_indent="  ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    lines += [f"  $ {command}" for command in outcome.remedy]
    show(terminal("\n".join(lines), lines=True) + shown + "\n")
