"""What the host's own nginx says of a change that is about to be offered: ``nginx -t`` on a private copy."""

from __future__ import annotations

import os
from typing import Sequence

from ...conf.splice import Edit
from ...conf.tree import ConfSyntaxError
from ...edit import memory
from ..evidence.facts import Facts


def refused(facts: Facts, edits: Sequence[Edit]) -> str:
    """Why this host's nginx would not take the tree with the edits in it.

    The test is that of a transaction: nginx reads the real paths in a mount namespace of its own, where the
    edited files stand in place of those on disk.  Nothing on the host changes.

    Args:
        facts: what was seen of the host.
        edits: for the files of its configuration.

    Returns:
        nginx's first complaint; empty where it takes the tree, and where it cannot be asked: the
        configuration is a dump or a copy in memory, the binary is not to be run, or we are not root (nginx
        must read keys).
    """
    nginx = facts.nginx
    if not facts.live or nginx is None or os.geteuid() != 0:
        return ""
    if facts.configuration is None or facts.configuration is not nginx.configuration or nginx.unsafe:
        return ""
    # Only a host that fails and can be mended needs them: they are compiled on every run that imports them.
    from ...transaction.live.instance import instance_of
    from ...transaction.site.model import Refused
    from ...transaction.tree.validation import candidate_changes, validate

    before = facts.configuration.files
    try:
        after = memory.edited(facts.configuration, edits).files
        changes = candidate_changes({path: after[path] for path in after if after[path] != before.get(path)})
        verdict = validate(changes, instance_of(nginx))
    except (Refused, OSError, ConfSyntaxError, ValueError, KeyError):
        return ""  # It could not be asked: an edit was judged in memory all the same.
    return "" if verdict.valid else verdict.errors[0].sentence()
