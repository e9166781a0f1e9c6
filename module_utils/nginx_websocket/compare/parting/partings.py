"""Where the behaviours of two trees part for one request, and how much that weighs."""

from __future__ import annotations

import dataclasses
from typing import FrozenSet, Iterator, List, Optional, Tuple

from ... import codes
from ...behaviour.access import guards as kinds
from ...behaviour.access.guards import Guard
from ...behaviour.behaviour import Behaviour
from ...behaviour.upgrade.verdict import RISKS, Verdict, obstacles
from ..differences import (
    BACKEND_MOVED,
    CLOSED,
    ELSEWHERE,
    FILE_LOST,
    GUARD_CHANGED,
    GUARD_LOST,
    KINDS,
    LET_IN,
    LOSS,
    MORE,
    OPENED,
    PREFLIGHT,
    REDIRECT_LOST,
    REDIRECTED,
    REROUTED,
    ROOT_CHANGED,
    SOURCE_SERVED,
    STATUS,
    UNKNOWN,
    UPGRADE_LOST,
    Parting,
)
from ..written.conditions import conditions
from ..written.definitions import definitions
from ..written.in_force import in_force
from ..written.shares import shares
from . import destination as to
from . import effects
from .destination import Destination, destination
from .effects import place

_OF_GUARDS = frozenset((codes.ACCESS_DENIED, codes.METHOD_NOT_ALLOWED, codes.AUTH_BASIC, codes.AUTH_REQUEST))
_ACME = b"/.well-known/acme-challenge/"
_ACCESS = frozenset(
    (kinds.ADDRESS, kinds.PASSWORD, kinds.AUTH_REQUEST, kinds.METHOD, kinds.CLIENT_CERTIFICATE, kinds.OTHER)
)


@dataclasses.dataclass(frozen=True)
class Pair:
    """One request in both trees."""

    before: Behaviour
    after: Behaviour
    end: Behaviour
    """``after``, or where it leads by redirects from one endpoint of the site to another."""
    behind: Optional[Behaviour] = None
    """Where ``before`` only adds a slash to a directory's name: what the live tree answers there."""
    handshake: bool = False
    method: str = "GET"
    foreign: str = ""
    """The Origin, where it is of another site's page."""
    shut: Optional[Tuple[Behaviour, Behaviour]] = None
    """The same two as they are for who is not let in; None where no guard refuses."""
    known: FrozenSet[str] = frozenset()
    """Addresses that the live site passes to: one of them is another application, any other may be a move."""
    same_text: bool = False
    """Whether both servers say the same, so that what is unknown is unknown in the same way."""

    @property
    def opening(self) -> bool:
        """Whether it opens a WebSocket; an Upgrade with another method is a header like others (RFC 6455)."""
        return self.handshake and self.method == "GET"


def partings(pair: Pair) -> List[Parting]:
    """Where the two part.

    Args:
        pair: asked as if every guard let the request pass; guards are compared by their rules.
    """
    was, now = destination(pair.before), destination(pair.end)
    unknown = _unknown(pair, was, now)
    if unknown is not None:
        return [unknown]
    found = list(_guards(pair, was, now))
    if pair.opening:
        found += _upgrade(pair, was, now)
    if not found or not (pair.opening or KINDS[found[0].kind][0] == LOSS):
        found += _places(pair, was, now)
    if pair.end is not pair.after and was.kind != to.NOBODY:
        step = destination(pair.after)
        if not was.value & step.value:
            target = "://".join(to.split(next(iter(step.value), ""))[:2])
            text = f"is redirected to {target}, where the same answers"
            found.append(Parting(REDIRECTED, was.text, text, was.at, step.at, (target,)))
    if to.NOBODY not in (was.kind, now.kind):
        found += _effects(pair, was, now)
    if pair.shut is not None:
        found += _outside(*pair.shut, told=bool(found))
    return found


def _outside(before: Behaviour, after: Behaviour, *, told: bool) -> Iterator[Parting]:
    """What those get who are not let in: another error, another page for it, other headers."""
    was, now = destination(before), destination(after)
    same = was.kind == now.kind and was.value == now.value and was.status == now.status
    if not same and not told:
        yield Parting(STATUS, was.text, now.text, was.at, now.at, (was.text, now.text))
    if was.kind == now.kind == to.BACKEND and was.protocol == now.protocol:
        # A backend makes the page for the refusal, from what it is asked for.
        yield from effects.asked_of_backend(before, after, (was.at, now.at))
    yield from effects.answer_headers(before, after, was, now)


def _effects(pair: Pair, was: Destination, now: Destination) -> Iterator[Parting]:
    before, after = pair.before, pair.end
    yield from effects.bodies(before, after, was, now)
    if was.kind == now.kind == to.BACKEND:
        yield from effects.limits(before, after, was, now)
        yield from shares(before, after, was, now)
    yield from effects.answer_headers(before, after, was, now)
    yield from conditions(before, after, now)
    yield from definitions(before, after, now)
    if was.kind in to.REAL and now.kind in to.REAL:
        if not pair.opening:
            yield from effects.settings(before, after, was, now)
        yield from effects.logs(before, after)
    if was.kind == now.kind and was.kind in (*to.REAL, to.ANSWER, to.REDIRECT, to.REFUSED):
        protocols = frozenset((was.protocol, now.protocol)) if was.protocol == now.protocol else frozenset()
        tls = before.route.request.tls and after.route.request.tls
        yield from in_force(before.route.level, after.route.level, protocols, tls=tls)


def _unknown(pair: Pair, was: Destination, now: Destination) -> Optional[Parting]:
    """What cannot be told and could be anything; None where both trees are unknown in the same way."""
    reasons = [tuple(item.reason for item in one.route.undecided) for one in (pair.before, pair.end)]
    if was.kind != to.UNKNOWN and now.kind != to.UNKNOWN and not any(reasons):
        return None
    if pair.same_text and reasons[0] == reasons[1]:
        return None
    why = next((reason for side in reasons for reason in side), "") or (
        was.text if was.kind == to.UNKNOWN else now.text
    )
    held = any(one.guards for one in (pair.before, pair.end)) or {was.kind, now.kind} & {*to.REAL, to.UNKNOWN}
    if not held:
        return None
    return Parting(UNKNOWN, was.text, f"{now.text}; it cannot be told: {why}", was.at, now.at, (why,))


# -- guards ---------------------------------------------------------------------------------------


def _access_guards(found: Behaviour) -> List[Guard]:
    return [guard for guard in found.guards if guard.kind in _ACCESS]


def _guards(pair: Pair, was: Destination, now: Destination) -> Iterator[Parting]:
    old, new = _access_guards(pair.before), _access_guards(pair.end)
    for guard in old:
        if any(_alike(guard, one) for one in new):
            continue
        other = next((one for one in new if one.kind == guard.kind), None)
        text, at = _rule(guard), place(guard.directive)
        opened = other is None or (other.passes and not guard.passes)
        if opened and now.kind in (*to.REAL, to.ANSWER):
            after = f"{now.text} for everybody"
            yield Parting(GUARD_LOST, f"stands behind {text}", after, at, now.at, (text,))
        elif other is None:
            yield Parting(STATUS, f"stands behind {text}", now.text, at, now.at, (text,))
        else:
            yield Parting(GUARD_CHANGED, text, _rule(other), at, place(other.directive), (text, _rule(other)))
    for guard in new:
        if any(one.kind == guard.kind for one in old):
            continue
        kind = CLOSED if was.kind in (*to.REAL, to.ANSWER) else STATUS
        text = f"stands behind {_rule(guard)}"
        yield Parting(kind, was.text, text, was.at, place(guard.directive), (text,))


def _alike(one: Guard, other: Guard) -> bool:
    return (one.kind, one.rule, one.satisfy) == (other.kind, other.rule, other.satisfy)


def _rule(guard: Guard) -> str:
    return "; ".join(guard.rule)


# -- upgrades -------------------------------------------------------------------------------------


def _verdict(found: Behaviour) -> Verdict:
    """Whether an upgrade survives, whoever is let in."""
    verdict = found.upgrade or Verdict(None, codes.UNDECIDED)
    if verdict.code not in _OF_GUARDS:
        return verdict
    left = [item for item in obstacles(found.route) if item.code not in (*_OF_GUARDS, *RISKS)]
    if not left:
        return Verdict(True, "")
    return Verdict(False if left[0].certain else None, left[0].code, left[0].sentence, left[0].directive)


def _upgrade(pair: Pair, was: Destination, now: Destination) -> Iterator[Parting]:
    old, new = _verdict(pair.before), _verdict(pair.after)
    if old.survives is new.survives:
        return
    opens, not_now = "is a WebSocket that opens", f"would not open: {new.reason}"
    if old.survives and new.survives is False:
        kind = CLOSED if pair.foreign and now.kind == to.REFUSED else UPGRADE_LOST
        if pair.end is not pair.after:
            kind, not_now = REDIRECTED, "is redirected, which a WebSocket does not follow"
        yield Parting(
            kind,
            opens,
            not_now,
            was.at,
            place(new.directive) or now.at,
            (new.code, pair.foreign),
            "",
            bool(pair.foreign),
        )
    elif old.survives is not False and not new.survives:
        was_text = opens if old.survives else f"may open: {old.reason}"
        kind = UNKNOWN
        if new.survives is None:
            not_now = f"cannot be told: {new.reason}"
        elif pair.end is not pair.after:
            kind, not_now = REDIRECTED, "is redirected, which a WebSocket does not follow"
        elif pair.foreign and now.kind == to.REFUSED:
            kind = CLOSED
        yield Parting(kind, was_text, not_now, was.at, place(new.directive) or now.at, ("upgrade",))
    elif not pair.foreign:
        text = f"may open: {old.reason}" if old.survives is None else f"does not open: {old.reason}"
        then = opens if new.survives else f"may open: {new.reason}"
        yield Parting(MORE, text, then, place(old.directive) or was.at, now.at, (old.code, "upgrade"))


# -- where it ends up -----------------------------------------------------------------------------


def _places(pair: Pair, was: Destination, now: Destination) -> Iterator[Parting]:
    kind = _kind(pair, was, now)
    if kind:
        group = (was.kind, now.kind, *_told(kind, was, now, pair))
        anywhere = kind == CLOSED and bool(pair.foreign)
        yield Parting(kind, was.text, now.text, was.at, now.at, group, "", anywhere)
    if was.kind == now.kind == to.BACKEND and was.protocol == now.protocol:
        at = was.at, now.at
        # Where no socket opens, or nobody can tell, an Upgrade is a header that the backend gets or not.
        told = pair.opening and any(_verdict(one).survives for one in (pair.before, pair.after))
        yield from effects.asked_of_backend(pair.before, pair.end, at, handshake=told)


def _told(kind: str, was: Destination, now: Destination, pair: Pair) -> Tuple[str, ...]:
    """What makes two of a kind and a place differ all the same."""
    if kind == CLOSED:
        return (pair.foreign,)
    return (was.text, now.text) if kind in (BACKEND_MOVED, STATUS) else ()


def _kind(pair: Pair, was: Destination, now: Destination) -> str:
    """The kind of a difference between two places; "" where they are the same."""
    if _renewal(pair):
        return ELSEWHERE
    if was.kind == now.kind and (was.value & now.value or was.value == now.value):
        if was.protocol != now.protocol:
            return BACKEND_MOVED
        return "" if was.status == now.status else STATUS
    if was.kind == to.NOBODY:
        return MORE if now.kind != to.REFUSED else STATUS
    if pair.method == "OPTIONS" and now.kind == to.ANSWER:
        return PREFLIGHT
    if now.kind == to.REFUSED and _challenge(pair):
        return CLOSED  # the site answers challenges for its certificate from a directory of its own
    return _BY_KIND[was.kind](was, now, pair)


def _challenge(pair: Pair) -> bool:
    """Whether it is a challenge for a certificate that no location of the live tree speaks of."""
    location = pair.before.route.location
    meant = location is not None and location.name.startswith(_ACME)
    return pair.before.route.first_uri.startswith(_ACME) and not meant


def _renewal(pair: Pair) -> bool:
    """Whether challenges for a certificate have a location, and would be looked for elsewhere."""
    location = pair.before.route.location
    if location is None or not location.name.startswith(_ACME) or location.regex:
        return False
    if not pair.before.route.first_uri.startswith(_ACME):
        return False
    return bool(pair.before.answer.path) and pair.before.answer.path != pair.end.answer.path


def _was_backend(was: Destination, now: Destination, pair: Pair) -> str:
    if now.kind == to.BACKEND and (
        was.protocol == now.protocol or {was.protocol, now.protocol} <= {"http", "https"}
    ):
        return ELSEWHERE if now.value & pair.known else BACKEND_MOVED
    if now.kind == to.FILE and now.own and was.protocol not in ("http", "https", "grpc"):
        return SOURCE_SERVED
    if now.kind == to.REFUSED and pair.foreign:
        return CLOSED
    return ELSEWHERE


def _was_file(was: Destination, now: Destination, pair: Pair) -> str:
    if now.kind == to.FILE:
        old, new = (next(iter(one.value)) for one in (was, now))
        if was.own == now.own and old.rpartition("/")[2] == new.rpartition("/")[2]:
            return ROOT_CHANGED
    if was.own:
        return FILE_LOST
    if now.kind in (*to.REAL, to.ANSWER, to.REDIRECT):
        return REROUTED
    # A page that stands for every path is no longer sent for some of them, or for none.
    location = pair.end.route.location
    hidden = b"/." in pair.end.route.first_uri
    return CLOSED if hidden or (location is not None and location.name != b"/") else ELSEWHERE


def _was_redirect(was: Destination, now: Destination, pair: Pair) -> str:
    if was.own:
        if now.kind == to.REDIRECT:
            return REDIRECTED
        if now.kind == to.BACKEND and pair.before.answer.code != "directory":
            return REDIRECTED  # to a location's name with its slash, and no directory's
        # A directory without an index is refused: the slash led to nothing that could be lost.
        empty = pair.behind is not None and destination(pair.behind).kind == to.REFUSED
        return REROUTED if empty else FILE_LOST
    target = next(iter(was.value), "")
    ours = not target or to.host_of(target) in ("", to.host_of(pair.before.route.request.url))
    if now.kind == to.REDIRECT:
        new = next(iter(now.value), "")
        return REDIRECTED if to.host_of(new) == to.host_of(target) else ELSEWHERE
    return REDIRECT_LOST if ours and now.kind in (*to.REAL, to.ANSWER) else ELSEWHERE


def _was_refused(was: Destination, now: Destination, pair: Pair) -> str:
    if now.kind in (to.REFUSED, to.NOBODY):
        return STATUS
    if pair.opening and pair.foreign and now.kind == to.BACKEND:
        return LET_IN
    if was.own and now.kind != to.REDIRECT:
        return OPENED
    return REROUTED


def _was_else(_was: Destination, _now: Destination, _pair: Pair) -> str:
    return ELSEWHERE


_BY_KIND = {
    to.BACKEND: _was_backend,
    to.HANDLER: _was_else,
    to.FILE: _was_file,
    to.LISTING: _was_else,
    to.REDIRECT: _was_redirect,
    to.ANSWER: _was_else,
    to.REFUSED: _was_refused,
}
