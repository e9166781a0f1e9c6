"""What the host's own nginx says of a change that is about to be offered: ``nginx -t`` on a private copy."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Mapping, Optional, Sequence

from ...conf.splice import Edit
from ...conf.tree import ConfSyntaxError
from ...edit import memory
from ..evidence.facts import Facts

if TYPE_CHECKING:
    from ...transaction.site.model import Validation


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
    if facts.configuration is None or facts.nginx is None:
        return ""
    if facts.configuration is not facts.nginx.configuration:
        return ""
    before = facts.configuration.files
    try:
        after = memory.edited(facts.configuration, edits).files
    except (ConfSyntaxError, ValueError, KeyError):
        return ""  # An edit was judged in memory all the same.
    verdict = _verdict(facts, {path: after[path] for path in after if after[path] != before.get(path)})
    return "" if verdict is None or verdict.valid else verdict.errors[0].sentence()


def taken(facts: Facts, files: Mapping[str, bytes]) -> bool:
    """Whether this host's nginx was asked, and takes its tree with other content in some files.

    Args:
        facts: what was seen of the host.
        files: the new content of each.
    """
    verdict = _verdict(facts, files)
    return verdict is not None and verdict.valid


def _verdict(facts: Facts, files: Mapping[str, bytes]) -> Optional[Validation]:
    nginx = facts.nginx
    if not facts.live or nginx is None or nginx.unsafe or os.geteuid() != 0:
        return None
    # Only a host that fails and can be mended needs them: they are compiled on every run that imports them.
    from ...transaction.live.instance import instance_of
    from ...transaction.site.model import Refused
    from ...transaction.tree.validation import candidate_changes, validate

    try:
        return validate(candidate_changes(files), instance_of(nginx))
    except (Refused, OSError, ConfSyntaxError, ValueError, KeyError):
        return None
