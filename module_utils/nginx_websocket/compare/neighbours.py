"""What a change does to others: names that no site has, servers beside the site, sockets that they share."""

from __future__ import annotations

from typing import Iterator, List, Optional, Tuple

from ..behaviour.effective import Level
from .differences import NEIGHBOUR, SETTINGS, STRANGERS, Parting
from .scope import Endpoint, Scope, local_address

Found = Tuple[Parting, str, str]
"""What parts, the requests for people, and whose they are."""


def unnamed(scope: Scope, endpoint: Endpoint) -> Optional[List[Parting]]:
    """What becomes of the names that no site has.

    Args:
        scope: the two trees.
        endpoint: one of these names (``Endpoint.stranger``).

    Returns:
        What parts for all of them at once; None where one server answers before and after, so that its
        requests can be compared one by one.
    """
    group = scope.before.groups.get(endpoint.key)
    if endpoint.before is None or group is None:
        return []  # nobody listened there
    servers = endpoint.before, endpoint.after
    ours = [scope.touches(server) for server in servers]
    if all(ours) and _alike(endpoint.before, endpoint.after):
        return None
    if endpoint.after is None and ours[0]:
        return []  # the port is closed, which the site's own names tell
    kind = NEIGHBOUR if group.default_explicit else STRANGERS
    return [_goes_elsewhere(kind, *servers, name="default_server")]


def moved(scope: Scope) -> Iterator[Found]:
    """Names of others that another server answers for, and sockets of others that change."""
    for key, host, was, now in scope.neighbours():
        yield _goes_elsewhere(NEIGHBOUR, was, now), f"{host} at {local_address(key)}", host
    for key, group in scope.before.groups.items():
        other = scope.after.groups.get(key)
        theirs = [server for server in group.servers if not scope.touches(server)]
        if other is None or not theirs:
            continue
        for name in ("ssl", "proxy_protocol", "http2"):
            before, after = getattr(group, name), getattr(other, name)
            if before == after:
                continue
            texts = [f"the socket is {'with' if value else 'without'} {name}" for value in (before, after)]
            kind = SETTINGS if name == "http2" else NEIGHBOUR
            whose = _named(theirs[0]) if kind == NEIGHBOUR else ""
            parting = Parting(kind, texts[0], texts[1], name=name)
            yield parting, f"every request at {local_address(key)}", whose


def _goes_elsewhere(kind: str, was: Optional[Level], now: Optional[Level], *, name: str = "") -> Parting:
    at = [one.directive.where() if one is not None and one.directive else "" for one in (was, now)]
    return Parting(kind, f"goes to the server {_named(was)}", f"to {_named(now)}", at[0], at[1], (), name)


def _alike(one: Optional[Level], other: Optional[Level]) -> bool:
    if one is None or other is None:
        return False
    names = {*_names(one)}, {*_names(other)}
    # Servers without a name are told apart by their file and what they listen to.
    return bool(names[0] & names[1]) if any(names) else _listens(one) == _listens(other)


def _names(server: Level) -> List[str]:
    return [
        argument.decode("utf-8", "replace").lower()
        for line in server.own(b"server_name")
        for argument in line.args
    ]


def _listens(server: Level) -> Tuple[str, List[Tuple[bytes, ...]]]:
    """A server's file, and its listen lines."""
    file = server.directive.file if server.directive is not None else ""
    return file, [line.args for line in server.own(b"listen")]


def _named(server: Optional[Level]) -> str:
    """A server for people."""
    if server is None:
        return "nobody"
    names = [name for name in _names(server) if name]
    return names[0] if names else "without a name"
