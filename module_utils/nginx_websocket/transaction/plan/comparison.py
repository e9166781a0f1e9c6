"""What a change does to users, known before it goes live: told always, and refused where somebody loses.

Imported only where something changes.
"""

from __future__ import annotations

from typing import FrozenSet, List, Sequence, Tuple

from ...compare import differences as kinds
from ...compare.comparing import World, compare
from ...compare.differences import CHANGE, LOSS, Comparison, Difference
from ...compare.logs_of import DEFAULT
from ...conf.tree import Configuration
from ..site.model import Finding, Refused, Site
from ..surroundings.host import Host
from ..tree.takeover import settings_gone

FAIL, OVERWRITE, ACCEPT = "fail", "overwrite", "accept"
_SHOWN = 8
_NO_CERTIFICATES = (
    " (a site of this role cannot ask every client for a certificate, because nothing could be proven then: "
    "leave it out of the role)"
)
ORDINARY: FrozenSet[str] = frozenset(
    (kinds.GUARD_LOST, kinds.SOURCE_SERVED, kinds.OPENED, kinds.FILE_LOST, kinds.NEIGHBOUR)
)
"""Losses that nobody means when a site's variables change; other losses may be just what is wanted."""


def judge_change(
    host: Host,
    live: Configuration,
    staged: Configuration,
    sites: Sequence[Site],
    foreign: Sequence[str],
    *,
    on_takeover: str = FAIL,
    on_loss: str = FAIL,
) -> None:
    """Compare both trees, and put into the outcome what users would see.

    Args:
        host: the host; its outcome gets the comparison and the findings.
        live: the tree on the disk.
        staged: the tree as it would be.
        sites: what is deployed; their WebSocket URLs are asked for, too.
        foreign: files of somebody else whose place the sites take.
        on_takeover: ``fail``, or ``overwrite`` to lose what such a file did.
        on_loss: ``fail``, or ``accept`` to lose what the release before did.

    Raises:
        Refused: somebody would lose something.
    """
    result = _compared(host, live, staged, [check.url for site in sites for check in site.routes])
    mode = on_takeover if foreign else on_loss
    lost = [one for one in result.of(LOSS) if foreign or one.whose or one.parting.kind in ORDINARY]
    losses = [_sentence(one) for one in lost] + (settings_gone(foreign, live, staged) if foreign else [])
    if losses and mode == FAIL:
        raise Refused(_refusal(losses, foreign))
    code = "lost-in-takeover" if foreign else "lost-by-change"
    host.outcome.findings += [Finding(code, loss) for loss in losses]
    told = [one for one in result.differences if one.weight != kinds.GAIN and one not in lost]
    host.outcome.findings += _told(told)


def tell_change(host: Host, live: Configuration, staged: Configuration) -> None:
    """Compare both trees and tell what users would see, without a judgement: going back must be possible.

    Args:
        host: the host; its outcome gets the comparison and the findings.
        live: the tree on the disk.
        staged: the tree as it would be.
    """
    result = _compared(host, live, staged, [])
    host.outcome.findings += _told([one for one in result.differences if one.weight in (LOSS, CHANGE)])


def _compared(host: Host, live: Configuration, staged: Configuration, urls: List[str]) -> Comparison:
    world = World(now=host.world.time(), default_log=host.nginx.access_log or DEFAULT)
    with host.step("compare requests"):
        result = compare(live, staged, version=host.nginx.version, urls=urls, world=world)
    host.outcome.comparison = result.as_dict()
    return result


def _told(differences: Sequence[Difference]) -> List[Finding]:
    """One finding for all that users may notice."""
    if not differences:
        return []
    sentences = [one.sentence() for one in differences]
    return [Finding("changes-for-users", f"what users may notice: {_numbered(sentences)}")]


def _sentence(loss: Difference) -> str:
    certificate = loss.parting.kind == kinds.GUARD_LOST and "ssl_verify_client" in loss.parting.was
    return loss.sentence() + (_NO_CERTIFICATES if certificate else "")


def _numbered(sentences: Sequence[str]) -> str:
    told = [f"({number}) {one}" for number, one in enumerate(sentences[:_SHOWN], 1)]
    if len(sentences) > _SHOWN:
        told.append(f"and {len(sentences) - _SHOWN} more, all of them in the result's comparison")
    return "; ".join(told)


def _refusal(losses: Sequence[str], foreign: Sequence[str]) -> str:
    what, remedy = _words(foreign)
    return f"{what}; nothing was changed: {_numbered(losses)}. {remedy}"


def _words(foreign: Sequence[str]) -> Tuple[str, str]:
    if foreign:
        return (
            f"the site would take the place of {', '.join(sorted(set(foreign)))}, which this role has not "
            "written, and users would lose something",
            "Say it in the site's variables, or in a file of your own that its includes name; or set "
            "nginx_websocket_on_takeover to overwrite: the backup keeps what stood there.",
        )
    return (
        "users would lose something that the live release gives them",
        "Change the site's variables; or, where it is meant, set nginx_websocket_on_loss to accept: the "
        "backup keeps what stood there.",
    )
