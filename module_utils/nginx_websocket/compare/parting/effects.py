"""What changes for requests that end up where they ended up: headers, parameters, limits, logs."""

from __future__ import annotations

from collections import Counter
from typing import Dict, FrozenSet, Iterator, Optional, Sequence, Tuple, Union

from ...behaviour.access.guards import LIMIT_CONN, LIMIT_REQ
from ...behaviour.behaviour import Behaviour
from ...behaviour.content.gateway import Parameter
from ...behaviour.content.upstream import Header
from ...behaviour.location import Location
from ...behaviour.response import Added
from ...conf.tree import Directive
from ...conf.units import seconds_of
from ...exchange.masking import masked_headers, masked_url
from ..differences import (
    BACKEND_HEADERS,
    HEADER_PASSED,
    HEADERS,
    LESS,
    LOGS,
    MORE,
    PATH_CHANGED,
    SETTINGS,
    Parting,
)
from ..requests.traits import sent_by_browsers
from .destination import BACKEND, Destination

_TIMES = ("proxy_read_timeout", "proxy_send_timeout")
_BUFFERS = ("proxy_buffering", "proxy_request_buffering")
_CONNECTION = frozenset(("connection",))
_OF_THE_HOP = _CONNECTION | {"upgrade"}
"""Headers that concern one connection."""
_PATHS = frozenset(("SCRIPT_FILENAME", "SCRIPT_NAME", "PATH_INFO", "REQUEST_URI", "DOCUMENT_URI"))
"""Parameters of FastCGI and its kin that say what is asked for."""
_OF_APPLICATIONS = frozenset((404, 405, 406, 409, 410, 422, 451, 501))
"""Errors that nginx does not make of itself where it passes a request on."""
Places = Tuple[str, str]
_Lines = Dict[Tuple[str, int], Tuple[str, Optional[str], Optional[Directive]]]
"""By name (in one case) and number of it: name, value (None for one that cannot be told), and directive."""


def place(directive: Optional[Directive], otherwise: str = "") -> str:
    """``file:line`` of a directive."""
    return directive.where() if directive is not None else otherwise


def asked_of_backend(
    before: Behaviour, after: Behaviour, at: Places, *, handshake: bool = False
) -> Iterator[Parting]:
    """Path, headers and parameters that the backend gets; both trees ask one of the same protocol.

    Args:
        before: in the live tree.
        after: in the staged one.
        at: where both pass the request on.
        handshake: of a WebSocket: whether it survives is told by itself, whatever its headers are.
    """
    hop = _OF_THE_HOP if handshake else _CONNECTION
    if before.upstream is not None and after.upstream is not None:
        asked = [f"{one.method} {one.uri}" for one in (before.upstream, after.upstream)]
        if asked[0] != asked[1]:
            was, now = (f"asks the backend for {masked_url(text)}" for text in asked)
            yield Parting(PATH_CHANGED, was, now, *at, ("path",))
        versions = [one.version for one in (before.upstream, after.upstream)]
        if versions[0] != versions[1]:
            was, now = (f"the backend is asked with HTTP/{version}" for version in versions)
            yield Parting(SETTINGS, was, now, *at, (*versions,), "proxy_http_version")
        old, new = (_by_name(one.headers) for one in (before.upstream, after.upstream))
        yield from _lines(old, new, at, hop)
    elif before.gateway is not None and after.gateway is not None:
        old, new = (_by_name(side.parameters, lower=False) for side in (before.gateway, after.gateway))
        yield from _lines(old, new, at, hop)


def _by_name(lines: Sequence[Union[Header, Parameter]], *, lower: bool = True) -> _Lines:
    found: _Lines = {}
    counts: Counter[str] = Counter()
    for line in lines:
        key = line.name.lower() if lower else line.name
        found[key, counts[key]] = line.name, line.value, line.directive
        counts[key] += 1
    return found


def _lines(old: _Lines, new: _Lines, at: Places, hop: FrozenSet[str]) -> Iterator[Parting]:
    for key in dict.fromkeys((*old, *new)):
        if key[0] in hop:
            continue
        name = (old.get(key) or new[key])[0]
        sent = [_sent(side.get(key)) for side in (old, new)]
        before, line = old[key][1:] if key in old else ("", None)
        after, other = new[key][1:] if key in new else ("", None)
        if sent[0] == sent[1] and (not sent[0] or _same(before, line, after, other)):
            continue
        kind = PATH_CHANGED if key[0] in _PATHS else BACKEND_HEADERS
        if key not in old or line is not None:
            forged = bool(after) and other is None and not sent_by_browsers(name)
            kind = HEADER_PASSED if forged and not before else kind
        was, now = (
            f"the backend gets {name}: {known(value, name)}" if here else f"the backend gets no {name}"
            for value, here in zip((before, after), sent)
        )
        # One difference for all requests: by the lines that make the value, not by the value.
        group = (_source(line), _source(other))
        yield Parting(kind, was, now, place(line, at[0]), place(other, at[1]), group, name)


def _sent(line: Optional[Tuple[str, Optional[str], Optional[Directive]]]) -> bool:
    """Whether a line is sent: an empty value of the configuration is not, a client's own one is."""
    return line is not None and (line[1] != "" or line[2] is None)


def _source(directive: Optional[Directive]) -> str:
    return "" if directive is None else b" ".join(directive.args).decode("utf-8", "replace")


def known(value: Optional[str], name: str) -> str:
    """The value of a header for people, secrets masked; it may be one that cannot be told."""
    if value is None:
        return "a value that cannot be told"
    shown = masked_headers([(name, value)])[0][1]
    return masked_url(shown) if shown.startswith("/") or "://" in shown else shown


def _same(
    before: Optional[str], line: Optional[Directive], after: Optional[str], other: Optional[Directive]
) -> bool:
    """Whether two values are the same; unknown ones are where the same is written."""
    if before is None or after is None:
        return before is after and line is not None and other is not None and line.args == other.args
    return before == after


def body_limit(found: Behaviour) -> Optional[int]:
    """Bytes that a body with a Content-Length may have; 0 for no limit, None where it cannot be told.

    nginx looks at it in every location that it searches for, and not in a named one
    (``ngx_http_core_find_config_phase``).
    """
    sizes = [
        visit.body_limit
        for visit in found.visits
        if not (isinstance(visit.level, Location) and visit.level.named)
    ]
    if None in sizes:
        return None
    return min((size for size in sizes if size), default=0)


def bodies(before: Behaviour, after: Behaviour, was: Destination, now: Destination) -> Iterator[Parting]:
    """How long a body may be, whoever would get it: nginx answers 413 before it looks for a file."""
    old, new = body_limit(before), body_limit(after)
    if old is None or new is None or old == new:
        return
    kind = LESS if new and (not old or new < old) else MORE
    texts = [f"client_max_body_size is {size or 'without limit'}" for size in (old, new)]
    yield Parting(
        kind, texts[0], texts[1], was.at, now.at, (str(old), str(new)), "client_max_body_size", True
    )


def limits(before: Behaviour, after: Behaviour, was: Destination, now: Destination) -> Iterator[Parting]:
    """A shorter time, or an answer that is held back, on the way to a backend."""
    if was.protocol not in ("http", "https") or now.protocol not in ("http", "https"):
        return
    for name in (*_TIMES, *_BUFFERS):
        one, other = before.settings.get(name), after.settings.get(name)
        if one is None or other is None or one.value == other.value:
            continue
        shorter = (seconds_of(other.value) or 0.0) < (seconds_of(one.value) or 0.0)
        if shorter if name in _TIMES else one.value == "off":
            at = place(one.directive, was.at), place(other.directive, now.at)
            texts = [f"{name} is {value.value}" for value in (one, other)]
            yield Parting(LESS, texts[0], texts[1], *at, (one.value, other.value), name)


def answer_headers(
    before: Behaviour, after: Behaviour, was: Destination, now: Destination
) -> Iterator[Parting]:
    """Headers that nginx adds to the answer, and those of the backend that it keeps back."""
    old = {one.name.lower(): one for one in before.added}
    new = {one.name.lower(): one for one in after.added}
    for key in sorted({*old, *new}):
        one, other = old.get(key), new.get(key)
        name = (one or new[key]).name
        if one is not None and other is not None and _unchanged(one, other):
            continue
        texts = [
            f"nginx adds {name}: {known(header.value, name)}"
            if header is not None
            else f"nginx adds no {name}"
            for header in (one, other)
        ]
        if one is None and now.kind == BACKEND and key not in after.hidden:
            texts[1] += ", beside what the application may send itself"
        at = (
            place(one.directive if one is not None else None, was.at),
            place(other.directive if other is not None else None, now.at),
        )
        group = tuple(_source(side.directive) if side is not None else "none" for side in (one, other))
        yield Parting(HEADERS, texts[0], texts[1], *at, group, name)
    if not was.kind == now.kind == BACKEND:
        return
    for name in sorted(set(before.hidden) ^ set(after.hidden)):
        texts = [
            f"the backend's {name} is {'kept back' if name in side.hidden else 'passed on'}"
            for side in (before, after)
        ]
        yield Parting(HEADERS, texts[0], texts[1], was.at, now.at, ("hidden",), name)


def _unchanged(one: Added, other: Added) -> bool:
    return one.always == other.always and _same(one.value, one.directive, other.value, other.directive)


def settings(before: Behaviour, after: Behaviour, was: Destination, now: Destination) -> Iterator[Parting]:
    """Compression, limits on how much one client may ask for, and pages for errors."""
    one, other = before.settings.get("gzip"), after.settings.get("gzip")
    if one is not None and other is not None and one.value != other.value:
        texts = [f"gzip is {value.value}" for value in (one, other)]
        at = place(one.directive, was.at), place(other.directive, now.at)
        yield Parting(SETTINGS, texts[0], texts[1], *at, (one.value, other.value), "gzip")
    for kind in (LIMIT_REQ, LIMIT_CONN):
        rules = [
            ["; ".join(guard.rule) for guard in side.guards if guard.kind == kind] for side in (before, after)
        ]
        if rules[0] != rules[1]:
            texts = ["; ".join(found) or f"no {kind}" for found in rules]
            yield Parting(SETTINGS, texts[0], texts[1], was.at, now.at, (*texts,), kind)
    yield from _pages(before, after, was, now)


def _pages(before: Behaviour, after: Behaviour, was: Destination, now: Destination) -> Iterator[Parting]:
    """Pages for errors; of a backend's own ones where they are intercepted, of nginx's always."""
    pages = [
        {(page.status, page.target, page.answers): page for page in side.error_pages}
        for side in (before, after)
    ]
    passed = was.kind == BACKEND and not before.intercepts
    lost = sorted(
        key[:2] for key in pages[0] if key not in pages[1] and not (passed and key[0] in _OF_APPLICATIONS)
    )
    if lost:
        line = next(one.directive for key, one in pages[0].items() if key[:2] == lost[0])
        codes = ", ".join(str(code) for code, target in lost if target == lost[0][1])
        text = f"the page for error {codes} is {lost[0][1]}"
        page = next((target for code, target, _answers in pages[1] if code == lost[0][0]), "nginx's own")
        then = f"it would be {page}"
        yield Parting(SETTINGS, text, then, place(line, was.at), now.at, (str(lost),), "error_page")


def logs(before: Behaviour, after: Behaviour) -> Iterator[Parting]:
    """The files that requests and errors are logged to."""
    for kind in ("access", "error"):
        found = [[log for log in side.logs if log.kind == kind] for side in (before, after)]
        texts = [
            ", ".join(log.words[0] if log.words else "nginx's default" for log in side) for side in found
        ]
        if texts[0] == texts[1]:
            # The same file, by another format or for other requests.
            texts = [", ".join(" ".join(log.words) for log in side) for side in found]
        if texts[0] != texts[1]:
            at = [place(side[0].directive) if side else "" for side in found]
            was, now = (f"the {kind} log is {text or 'off'}" for text in texts)
            yield Parting(LOGS, was, now, at[0], at[1], (*texts,), f"{kind}_log")
