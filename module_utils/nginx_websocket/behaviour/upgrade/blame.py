"""Why the request ended in the wrong place: which block was meant, and what kept it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ...conf.tree import Directive
from ..content.upstream import proxy_pass_of
from ..effective import Level
from ..location import Location, Loser, all_locations
from ..regex import CannotDecide, RegexError
from ..server.listen import ListenGroup

if TYPE_CHECKING:
    from ..route import Route
    from .upgrade import Upgrade

WRONG_PLACE = frozenset(
    (
        "no-upgrade-header",
        "wrong-location",
        "try_files-spa-fallback",
        "return-or-rewrite-redirect",
        "http-to-https-301",
        "hop-header-inheritance",
    )
)
"""Causes that another block may explain better."""


def carries_upgrade(level: Level) -> bool:
    """Whether a level proxies and sends Upgrade and Connection, as its text says."""
    if proxy_pass_of(level)[0] is None:
        return False
    lines = level.nearest(b"proxy_set_header")[1]
    sent = {line.args[0].lower() for line in lines if len(line.args) == 2 and line.args[1]}
    return b"upgrade" in sent and b"connection" in sent


def blame(route: Route, verdict: Upgrade) -> Upgrade:
    """Replace a general cause by the one that names the block that was meant."""
    if verdict.cause not in WRONG_PLACE or route.server is None or route.listen is None:
        return verdict
    tests = (
        _rewritten,
        _lost_location,
        _other_location,
        _duplicate_name,
        _other_address,
        _tls_twin,
        _default,
    )
    for test in tests:
        try:
            found = test(route, verdict)
        except (CannotDecide, RegexError, RecursionError):
            continue
        if found is not None:
            return found
    return verdict


def _make(cause: str, reason: str, directive: Optional[Directive]) -> Upgrade:
    from .upgrade import Upgrade

    return Upgrade(False, cause, reason, directive)


def _rewritten(route: Route, verdict: Upgrade) -> Optional[Upgrade]:
    """A rewrite took the request out of a location that would have carried it."""
    if len(route.selections) < 2:
        return None
    first, last = route.selections[0].location, route.location
    if first is None or first is last or not carries_upgrade(first):
        return None
    step = next((step for step in route.steps if step.kind == "rewrite"), None)
    if step is None:
        return None
    where = last.title() if last is not None else "no location"
    text = f"the rewrite sends the request from {first.title()} to {where}"
    return _make("rewrite-relocates", text, step.directive)


def _lost_location(route: Route, verdict: Upgrade) -> Optional[Upgrade]:
    """A location that matches and would carry the upgrade lost to another one."""
    loser = next((item for item in route.losers if carries_upgrade(item.location)), None)
    first = route.selections[0].location if route.selections else None
    if loser is None or first is None:
        return None
    cause = _cause_of(loser, first)
    if cause is None:
        return None
    text = f"{loser.location.title()} would carry the upgrade, but {loser.reason}"
    return _make(cause, text, first.directive)


def _cause_of(loser: Loser, winner: Location) -> Optional[str]:
    if loser.code == "regex-wins":
        return "regex-shadows-prefix"
    if loser.code == "later-regex":
        return "regex-order"
    if loser.code == "caret-skips-regex":
        return "shadowed-by-prefix-caret"
    if loser.code == "auto-redirect":
        return "trailing-slash-redirect"
    if loser.code == "shorter-prefix" and winner.regex:
        return "regex-shadows-prefix"
    return "wrong-location"


def _other_location(route: Route, verdict: Upgrade) -> Optional[Upgrade]:
    """The server has a location for sockets, but its name does not match the URI."""
    assert route.server is not None
    if verdict.cause not in ("no-upgrade-header", "wrong-location"):
        return None
    meant = [item for item in all_locations(route.server) if not item.named and carries_upgrade(item)]
    if not meant or route.location in meant:
        return None
    path = route.first_uri.decode("utf-8", "replace")
    taken = route.location.title() if route.location is not None else "no location"
    text = f"{meant[0].title()} carries upgrades but does not match {path}; {taken} takes it"
    return _make("wrong-location", text, meant[0].directive)


def _duplicate_name(route: Route, verdict: Upgrade) -> Optional[Upgrade]:
    """Another server has the same name on the same address; nginx ignores it with a warning."""
    from ..route import index_of, virtual_names

    assert route.listen is not None
    names = virtual_names(index_of(route.configuration), route.listen, route.version)
    for name, server in names.conflicts:
        winner = names.exact.get(name) or next(iter(names.head.get(name.lstrip(b"*."), ())), None)
        if winner is route.server and any(map(carries_upgrade, all_locations(server))):
            text = "server name %s stands in an earlier server of this address, so this one is ignored"
            shown = name.decode("utf-8", "replace") or '""'
            return _make("duplicate-server-name", text % shown, server.directive)
    return None


def _matching(route: Route, group: ListenGroup) -> Optional[Level]:
    from ..route import index_of, virtual_names

    found = virtual_names(index_of(route.configuration), group, route.version).lookup(route.host)
    return found.server if found is not None else None


def _other_address(route: Route, verdict: Upgrade) -> Optional[Upgrade]:
    """A server on ``*:port`` is hidden by one on the exact address."""
    from ..route import index_of

    here = route.listen
    assert here is not None
    if here.address.wildcard or here.address.family == "unix":
        return None
    for group in index_of(route.configuration).groups:
        same_port = group.address.port == here.address.port and group.address.family == here.address.family
        if not group.address.wildcard or not same_port or group.default is None:
            continue
        server = _matching(route, group) or group.default
        if server in here.servers or not any(map(carries_upgrade, all_locations(server))):
            continue
        text = f"the listen on {here.address} hides every server on {group.address}"
        return _make("listen-address-captured", text, here.listens[0].directive)
    return None


def _tls_twin(route: Route, verdict: Upgrade) -> Optional[Upgrade]:
    """The plain server of the same name carries sockets, the TLS one does not."""
    from ..route import index_of

    if not route.request.tls:
        return None
    for group in index_of(route.configuration).groups:
        if group.ssl or group.address.family == "unix":
            continue
        server = _matching(route, group)
        if server is None or server is route.server:
            continue
        if any(map(carries_upgrade, all_locations(server))):
            text = "the server for plain HTTP has the socket location, the TLS server has not"
            assert route.server is not None
            return _make("ws-missing-in-tls-server", text, route.server.directive)
    return None


def _default(route: Route, verdict: Upgrade) -> Optional[Upgrade]:
    """No server name matches, so the default server answers; another one would carry the socket."""
    here = route.listen
    assert here is not None
    if route.server_match is None or route.server_match.how != "default":
        return None
    for server in here.servers:
        if server is not route.server and any(map(carries_upgrade, all_locations(server))):
            shown = route.host.decode("utf-8", "replace") or "a request without Host"
            text = f"no server name matches {shown}, so the default server answers"
            assert route.server is not None
            return _make("default-server-captured", text, route.server.directive)
    return None
