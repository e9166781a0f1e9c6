"""What a change does to users, known before it goes live: told always, and refused where somebody loses.

Imported only where something changes.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Sequence, Tuple

from ...compare import differences as kinds
from ...compare.comparing import World, compare
from ...compare.differences import CHANGE, LOSS, Comparison, Difference, unusable
from ...compare.logs.of_servers import DEFAULT
from ...conf.tree import Configuration
from ..site.model import Finding, Losses, Refused, Site
from ..surroundings.host import Host
from ..tree.takeover import settings_gone

FAIL, OVERWRITE, ACCEPT = "fail", "overwrite", "accept"
_SHOWN = 8
_NONE = ("nginx adds no ", "the backend gets no ", "no ")
"""How the text of a parting begins where there is none of what it speaks of."""
_IN_ONE_LINE = frozenset((kinds.BACKEND_HEADERS, kinds.HEADERS, kinds.SETTINGS, kinds.LOGS, kinds.LESS))
"""Kinds that the same requests meet together, and whose names say enough."""
_NO_CERTIFICATES = (
    " (a site of this role cannot ask every client for a certificate, because nothing could be proven then: "
    "leave it out of the role)"
)
ORDINARY: FrozenSet[str] = frozenset(
    (
        kinds.GUARD_LOST,
        kinds.SOURCE_SERVED,
        kinds.OPENED,
        kinds.HEADER_PASSED,
        kinds.FILE_LOST,
        kinds.NEIGHBOUR,
    )
)
"""Losses that nobody means when a site's variables change; other losses may be just what is wanted."""


def judge_change(
    host: Host,
    live: Configuration,
    staged: Configuration,
    sites: Sequence[Site],
    foreign: Sequence[str],
    losses: Losses,
) -> None:
    """Compare both trees, and put into the outcome what users would see.

    Args:
        host: the host; its outcome gets the comparison and the findings.
        live: the tree on the disk.
        staged: the tree as it would be.
        sites: what is deployed; their WebSocket URLs are asked for, too.
        foreign: files of somebody else whose place the sites take.
        losses: what may be lost.

    Raises:
        Refused: somebody would lose something.
    """
    on_takeover, on_loss, accept_losses = losses
    bad = unusable(accept_losses)
    if bad:
        raise Refused(
            f"nginx_websocket_accept_losses has {bad[0]!r}; write /path, /path/* or https://name/path/*"
        )
    result = _compared(
        host, live, staged, [check.url for site in sites for check in site.routes], accept_losses
    )
    mode = on_takeover if foreign else on_loss
    lost = [one for one in result.of(LOSS) if foreign or one.whose or one.parting.kind in ORDINARY]
    refused = [one for one in lost if not one.accepted]
    gone = settings_gone(foreign, live, staged) if foreign else []
    if (refused or gone) and mode == FAIL:
        raise Refused(_refusal(result, refused, gone, foreign))
    code = "lost-in-takeover" if foreign else "lost-by-change"
    host.outcome.findings += [Finding(code, loss) for loss in [*map(_sentence, lost), *gone]]
    told = [one for one in result.differences if one.weight != kinds.GAIN and one not in lost]
    host.outcome.findings += _told(result, told)


def tell_change(host: Host, live: Configuration, staged: Configuration) -> None:
    """Compare both trees and tell what users would see, without a judgement: going back must be possible.

    Args:
        host: the host; its outcome gets the comparison and the findings.
        live: the tree on the disk.
        staged: the tree as it would be.
    """
    result = _compared(host, live, staged, [])
    told = [one for one in result.differences if one.weight in (LOSS, CHANGE)]
    host.outcome.findings += _told(result, told)


def _compared(
    host: Host, live: Configuration, staged: Configuration, urls: List[str], accepted: Sequence[str] = ()
) -> Comparison:
    default = host.nginx.access_log or DEFAULT
    world = World(now=host.world.time(), default_log=default, accepted=tuple(accepted))
    with host.step("compare requests"):
        result = compare(live, staged, version=host.nginx.version, urls=urls, world=world)
    host.outcome.comparison = result.as_dict()
    return result


def _told(result: Comparison, differences: Sequence[Difference]) -> List[Finding]:
    """One finding for all that users may notice."""
    if not differences:
        return []
    return [Finding("changes-for-users", f"what users may notice: {_list(result, lines(differences))}")]


def _sentence(loss: Difference) -> str:
    certificate = loss.parting.kind == kinds.GUARD_LOST and "ssl_verify_client" in loss.parting.was
    accepted = " (accepted by nginx_websocket_accept_losses)" if loss.accepted else ""
    return loss.sentence() + (_NO_CERTIFICATES if certificate else "") + accepted


def _list(result: Comparison, told: Sequence[str]) -> str:
    """What the traffic says, and one line for each thing, the most important first."""
    shown = [f"\n  ({number}) {one}" for number, one in enumerate(told[:_SHOWN], 1)]
    if len(told) > _SHOWN:
        shown.append(f"\n  and {len(told) - _SHOWN} more; all of it is in the result's comparison")
    return result.summary() + "".join(shown)


def lines(differences: Sequence[Difference]) -> List[str]:
    """What parts, a line each; what many requests meet alike, such as headers, is one line for all.

    Args:
        differences: in the order in which they matter.
    """
    alike: Dict[str, List[Difference]] = {}
    single = []
    for one in differences:
        if one.parting.kind in _IN_ONE_LINE and not one.whose:
            alike.setdefault(one.parting.kind, []).append(one)
        else:
            single.append(_sentence(one))
    return single + [f"{kinds.KINDS[kind][1]}: {_names(found)}" for kind, found in alike.items()]


def _names(differences: Sequence[Difference]) -> str:
    """Headers and directives by name, without the requests that meet them: gone, new, and changed."""
    gone, new, changed = [], [], []
    for one in differences:
        parting = one.parting
        place = parting.was_at or parting.now_at
        if parting.now.startswith(_NONE):
            gone.append(f"{parting.name} ({place})" if place else parting.name)
        elif parting.was.startswith(_NONE):
            new.append(parting.name)
        else:
            changed.append(f"now {parting.was}, then {parting.now}" + (f" ({place})" if place else ""))
    told = [
        f"{word} {', '.join(dict.fromkeys(names))}"
        for word, names in (("gone:", gone), ("new:", new))
        if names
    ]
    return "; ".join([*told, *dict.fromkeys(changed)])


def _refusal(
    result: Comparison, losses: Sequence[Difference], gone: Sequence[str], foreign: Sequence[str]
) -> str:
    what, remedy = _words(foreign)
    return f"{what}; nothing was changed: {_list(result, [*lines(losses), *gone])}\n{remedy}"


def _words(foreign: Sequence[str]) -> Tuple[str, str]:
    one_by_one = "name the paths that may lose it in nginx_websocket_accept_losses; or set "
    if foreign:
        return (
            f"the site would take the place of {', '.join(sorted(set(foreign)))}, which this role has not "
            "written, and users would lose something",
            "Say it in the site's variables, or in a file of your own that its includes name; or "
            f"{one_by_one}nginx_websocket_on_takeover to overwrite: the backup keeps what stood there.",
        )
    return (
        "users would lose something that the live release gives them",
        f"Change the site's variables; or, where it is meant, {one_by_one}nginx_websocket_on_loss to accept: "
        "the backup keeps what stood there.",
    )
