"""Is an edit fit to be shown?  The edited tree is read and asked, beside the tree as it is."""

from __future__ import annotations

import dataclasses
from typing import Callable, Iterator, List, Optional, Sequence, Tuple

from ..behaviour.behaviour import Behaviour, behaviour
from ..behaviour.content.files import FileKind
from ..behaviour.effective import Level
from ..behaviour.regex import CannotDecide, RegexError
from ..behaviour.request import Request
from ..behaviour.route import index_of
from ..behaviour.server.names import real_names
from ..behaviour.upgrade import verdict
from ..behaviour.upgrade.conditions import keeps_out
from ..behaviour.variables import maps_of
from ..compare.requests.site_paths import paths_of
from ..compare.requests.traits import traits_of
from ..conf.contexts import misplaced
from ..conf.splice import Edit
from ..conf.tree import Configuration, ConfSyntaxError
from .memory import edited

BROKEN = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    RecursionError,
    CannotDecide,
    RegexError,
)
MOST = 120
"""Other requests that are compared."""
NOBODY = "proxy-line"
"""Code of the answer where a PROXY line is missing or too much: no request whatever gets one."""
STRANGER = "203.0.113.77"
"""Address of a client from outside (RFC 5737)."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """The WebSocket that shall open."""

    request: Request
    version: Tuple[int, ...] = (1, 22, 1)
    files: Optional[FileKind] = None
    target: str = ""
    """Path and query with which the backend opened it in an experiment; "" where none is known."""
    server: str = ""
    """``host:port`` of the backend at which it opens; "" where that is not in question."""


@dataclasses.dataclass(frozen=True)
class Judgement:
    """Whether edits are fit, and if not, why."""

    good: bool
    reason: str = ""


def judge(
    configuration: Configuration,
    edits: Sequence[Edit],
    asked: Asked,
    *,
    refuses: Callable[[Configuration], Sequence[object]] = lambda configuration: (),
    broken: bool = False,
) -> Judgement:
    """Judge edits on a copy in memory.

    Args:
        configuration: as it is.
        edits: for its files.
        asked: the WebSocket that shall open.
        refuses: what nginx would say against a configuration, beyond its syntax; empty for nothing.
        broken: nginx refuses the configuration as it is, so that nothing is lost by a change.

    Returns:
        Good only where the edited tree can be read, the upgrade of this URL passes in it to where it should,
        no guard is lost, and no request outside of the location that was edited gets anything else.
    """
    if not any(edit.source.data[edit.start : edit.end] != edit.text for edit in edits):
        return Judgement(False, "it changes nothing")
    try:
        after = edited(configuration, edits)
    except (ConfSyntaxError, ValueError, KeyError, OSError) as error:
        return Judgement(False, f"nginx would not read it: {error}")
    twice = _twice(after)
    if twice and twice != _twice(configuration):
        return Judgement(False, f"nginx would refuse it: duplicate {twice}")
    wrong = next(misplaced(after), None)
    if wrong is not None and next(misplaced(configuration), None) is None:
        return Judgement(False, f"nginx would refuse it: {wrong.name.decode()} is not allowed there")
    if refuses(after):
        return Judgement(False, "nginx would still refuse it")
    try:
        now = _of(after, asked)
        reason = _opens(now, asked)
        if reason or broken:
            return Judgement(not reason, reason)
        was = _of(configuration, asked)
        reason = _guards_lost(was, now, own=True) or _others(configuration, after, asked, was, now)
    except BROKEN as error:
        return Judgement(False, f"it cannot be judged: {error}")
    return Judgement(not reason, reason)


def opens(configuration: Configuration, asked: Asked) -> str:
    """Why the upgrade of this URL would not pass in a tree; empty where it does."""
    try:
        return _opens(_of(configuration, asked), asked)
    except BROKEN as error:
        return f"it cannot be judged: {error}"


SINGLE = frozenset(
    b"proxy_buffer_size proxy_buffers proxy_busy_buffers_size "
    b"proxy_pass proxy_http_version proxy_read_timeout proxy_ssl_server_name proxy_ssl_name root alias "
    b"underscores_in_headers large_client_header_buffers worker_connections proxy_buffering ip_hash".split()
)
"""Directives that nginx takes once in a block ("is duplicate"), of those that a cure may add."""


def _twice(configuration: Configuration) -> str:
    """The first directive or location that stands twice in one block; nginx calls it duplicate."""
    for block in configuration.walk():
        seen = set()
        for child in block.block or ():
            key: Tuple[bytes, ...] = ()
            if child.name in SINGLE:
                key = (child.name,)
            elif child.name == b"location" and child.args and not child.args[0].startswith((b"~", b"@")):
                # "^~ /x" and "/x" are the same location.
                key = (b"=" if child.args[0] == b"=" else b"", child.args[-1])
            if key and key in seen:
                return b" ".join((child.name, *key)).decode("utf-8", "replace")
            seen.add(key)
    return ""


def _of(configuration: Configuration, asked: Asked) -> Behaviour:
    return behaviour(configuration, asked.request, version=asked.version, files=asked.files, admitted=True)


def _opens(now: Behaviour, asked: Asked) -> str:
    """Why the upgrade would not pass; empty where it does, as far as the configuration decides."""
    if now.answer.kind != "proxy" or now.upstream is None:
        return f"nginx would answer by itself: {now.answer.kind} {now.answer.status or ''}"
    found = verdict.judge(now.route)
    if found.survives is False:
        return f"the upgrade would not pass: {found.code}"
    if asked.target and not _as_it_opened(now.upstream.uri, asked):
        return f"the backend would get {now.upstream.uri}"
    if asked.server and asked.server not in now.upstream.servers:
        return f"it would go to {', '.join(now.upstream.servers)}"
    return ""


def _as_it_opened(uri: str, asked: Asked) -> bool:
    """Whether the backend gets what it opened, or the same with the client's own query behind it."""
    path, _, query = uri.partition("?")
    own = asked.request.raw_target().decode("latin-1").partition("?")[2]
    return uri == asked.target or (path == asked.target and query == own)


def _guards_lost(was: Behaviour, now: Behaviour, own: bool = False) -> str:
    """The first guard of a request that the edited tree no longer has.

    Where another location answers than before, what guarded that one is compared as well: a password does
    not go because a location is new.
    """
    kept = [(guard.kind, guard.rule) for guard in now.guards]
    for guard in filter(keeps_out, was.guards):
        if (guard.kind, guard.rule) not in kept and not (own and _shut(was, guard.place)):
            return f"it would take away {guard.kind} ({' '.join(guard.rule)})"
    return ""


def _shut(was: Behaviour, place: str) -> bool:
    """Whether a place lets nobody in at all: then it is what answers wrongly, and no guard of this path."""
    rules = [rule for guard in was.guards if guard.place == place for rule in guard.rule]
    return was.answer.kind != "proxy" and rules == ["deny all"]


def _others(before: Configuration, after: Configuration, asked: Asked, was: Behaviour, now: Behaviour) -> str:
    """The first other request that would get something else, and should not."""
    named = {_place(was), _place(now)}
    for request in _requests(before, after, asked, was, now):
        try:
            old = behaviour(before, request, version=asked.version, files=asked.files)
            new = behaviour(after, request, version=asked.version, files=asked.files)
        except BROKEN:
            continue
        if _same(old, new) or _nobody_yet(old, new):
            continue
        if _place(old) not in named and _place(new) not in named:
            return f"{request.url} would get something else"
        lost = _guards_lost(old, new)
        if lost:
            return f"{request.url}: {lost}"
        if _place(old) != _place(was) and _end(old) != _end(new) and not _below(request, asked):
            return f"{request.url} would be answered by {new.answer.kind}, and not by {old.answer.kind}"
    return ""


def _end(found: Behaviour) -> Tuple[object, ...]:
    """What answers, whatever headers it gets."""
    return found.answer, found.upstream and found.upstream.servers, found.gateway and found.gateway.servers


def _nobody_yet(old: Behaviour, new: Behaviour) -> bool:
    """Whether nobody was answered at all, and no rule on addresses now takes nginx's own for a client's."""
    return old.answer.code == NOBODY and not any(guard.kind == "address" for guard in new.guards)


def _same(old: Behaviour, new: Behaviour) -> bool:
    return (
        old.answer == new.answer
        and old.upstream == new.upstream
        and old.gateway == new.gateway
        and old.guards == new.guards
    )


def _place(found: Behaviour) -> Tuple[object, ...]:
    """The location that answers, or its server, by words that hardly any edit changes."""
    server = found.route.server
    if server is None:
        return ()
    chain = (found.route.location or server).chain()
    words = [(one.kind, one.directive.file, one.directive.args) for one in chain if one.directive]
    return frozenset(real_names(server)), *words


def _below(request: Request, asked: Asked) -> bool:
    """Whether a request is for the path that is asked for, or below it."""
    path, other = _path(asked.request).rstrip("/"), _path(request)
    return other.startswith(path + "/") or other.rsplit("/", 1)[0] == path.rsplit("/", 1)[0]


def _path(request: Request) -> str:
    return request.raw_target().decode("latin-1").split("?")[0]


def _requests(
    before: Configuration, after: Configuration, asked: Asked, was: Behaviour, now: Behaviour
) -> Iterator[Request]:
    """Other requests to the same server: a path for each of its locations, and what nobody shall see."""
    servers: List[Optional[Level]] = [was.route.server, now.route.server]
    scheme = {"ws": "http", "wss": "https"}.get(asked.request.scheme, asked.request.scheme)
    origin = asked.request.url.partition("://")[2].partition("/")[0]
    maps = [maps_of(index_of(tree).http)[0] for tree in (before, after)]
    paths = paths_of(servers, traits_of(*zip(servers, maps)), asked.version)
    own = _path(asked.request)
    for path in dict.fromkeys(
        [*paths, "/.env", "/.git/config", "/index.php", "/a/.htaccess", "/app.js"][:MOST]
    ):
        if path != own:
            yield Request(
                f"{scheme}://{origin}{path}",
                address=asked.request.address,
                headers=[pair for pair in asked.request.header_list() if pair[0].lower() == "host"],
                remote=STRANGER,
            )
    # The other servers of both trees, by a name of theirs.
    for tree in (before, after):
        for server in index_of(tree).servers[:20]:
            for name in _names(server):
                yield Request(
                    f"{scheme}://{origin}/", address=asked.request.address, headers=[("Host", name)]
                )


def _names(server: Level) -> List[str]:
    names = [arg for line in server.own(b"server_name") for arg in line.args]
    return [name.decode("ascii", "replace") for name in names if name and not set(name) & set(b"*~_")][:1]
