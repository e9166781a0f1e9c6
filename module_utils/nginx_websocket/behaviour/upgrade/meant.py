"""Where the WebSocket location is, when it is not the one that answers.

A route says which location wins.  People ask why *their* location does not.  Among all locations that would
carry
an upgrade, this finds the one that was meant for the path, and the rule of nginx by which it lost.
"""

from __future__ import annotations

import dataclasses
from typing import FrozenSet, Iterator, List, Optional, Tuple
from urllib.parse import unquote_to_bytes

from ... import codes
from ...conf.tree import Directive
from ..effective import Level, Version, header_list
from ..location import Found, Location, all_locations, find_location, locations_of
from ..regex import CannotDecide, RegexError, compiled
from ..request import guessed_host
from ..route import Route, index_of
from ..sample import literal_of, own_match
from ..server.listen import ListenGroup, canonical_host, groups_for, listens_of
from ..server.names import VirtualNames, server_names


@dataclasses.dataclass
class Place:
    """What the route found, as far as the search for the meant location needs it."""

    servers: List[Level]
    groups: List[ListenGroup]
    server: Level
    how: str
    """How the server was selected: "default" when no name matched."""
    location: Optional[Level]
    """The location whose settings are in force at the end."""
    visited: List[Level]
    """Locations on the way, the last included."""
    uri: bytes
    """The normalised path of the request, before any rewrite."""
    host: bytes
    """The host name, lower case, without port."""
    address: str
    port: int
    version: Version


@dataclasses.dataclass(frozen=True)
class Fact:
    """Something that stands in the configuration, in words."""

    text: str
    directive: Optional[Directive] = None


@dataclasses.dataclass
class Meant:
    """The location that was meant, and the code of the rule by which it lost."""

    code: str
    location: Level
    why: str
    weak: bool = False
    """Whether only some words of the path are shared: that explains nothing but a file in its place."""

    def fact(self) -> Fact:
        """The location that was meant, and why it lost."""
        return Fact(self.why, self.location.directive)


def place_of(route: Route) -> Optional[Place]:
    """What the search for the meant location needs; None when no server was reached."""
    if route.server is None or route.listen is None:
        return None
    index = index_of(route.configuration)
    host, port = route.request.local_address()
    visited: List[Level] = [found.location for found in route.selections if found.location is not None]
    if route.location is not None and (not visited or visited[-1].directive is not route.location.directive):
        visited.append(route.location)
    return Place(
        servers=index.servers,
        groups=index.groups,
        server=route.server,
        how=route.server_match.how if route.server_match is not None else "default",
        location=route.location,
        visited=visited,
        uri=route.first_uri,
        host=guessed_host(route.request, route.version),
        address=host if canonical_host(host)[0] else str(route.listen.address.host),
        port=port,
        version=route.version,
    )


def carries_upgrade(level: Level) -> bool:
    """Whether a level proxies over HTTP with an Upgrade and a Connection line of some sense."""
    return level.once(_carries_upgrade)


def _carries_upgrade(level: Level) -> bool:
    if not any(own.own(b"proxy_pass") for own in with_ifs(level)):
        return False
    values = {line.args[0].lower(): line.args[1] for line in header_list(level)[1] if len(line.args) == 2}
    upgrade, connection = values.get(b"upgrade", b""), values.get(b"connection", b"").lower()
    return bool(upgrade) and bool(connection) and connection not in (b"close", b"keep-alive")


def with_ifs(level: Level) -> Iterator[Level]:
    """The level and the if blocks directly in it."""
    yield level
    for directive in level.own(b"if"):
        yield Level("if", directive, level)


def titled(level: Level) -> str:
    """The level in words."""
    if isinstance(level, Location):
        return level.title()
    if level.kind == "server":
        names = " ".join(name.decode("utf-8", "backslashreplace") for name in server_names(level))
        return f"server {names}" if names else "server"
    return level.kind


def find_meant(place: Place) -> Optional[Meant]:
    """The location that was meant for this path, when another one answers.

    Returns:
        None when no location of the configuration is a candidate.
    """
    return _left_by_rewrite(place) or _same_server(place) or _other_server(place) or _near_miss(place)


def _same(one: Optional[Level], other: Optional[Level]) -> bool:
    return one is not None and other is not None and one.directive is other.directive


def _left_by_rewrite(place: Place) -> Optional[Meant]:
    for level in place.visited[:-1]:
        if carries_upgrade(level) and not _same(level, place.location):
            return Meant(
                codes.REWRITE_RELOCATES,
                level,
                f"{titled(level)} carries the upgrade, but a rewrite leaves it",
            )
    return None


def _inside(inner: Level, outer: Level) -> bool:
    """Whether a level is nested in another: that one did not lose against it, it contains it."""
    return any(_same(level, outer) for level in inner.chain()[1:])


def _winner(place: Place) -> Optional[Location]:
    """The location that the search chose for the original path."""
    first = place.visited[0] if place.visited else place.location
    return first if isinstance(first, Location) else None


def _same_server(place: Place) -> Optional[Meant]:
    winner = _winner(place)
    for location in all_locations(place.server):
        if not carries_upgrade(location) or not own_match(location, place.uri, place.version):
            continue
        if any(_same(location, seen) for seen in place.visited):
            continue
        if winner is None or _inside(winner, location):
            continue
        taken = f"{titled(location)} matches too, but {titled(winner)} is taken"
        if location.regex:
            if winner.regex:
                return Meant(codes.REGEX_ORDER, location, f"{taken}: it stands first")
            caret = _caret(winner)
            if caret is not None:
                return Meant(
                    codes.SHADOWED_BY_PREFIX_CARET,
                    location,
                    f"{taken}: ^~ of {titled(caret)} ends the search",
                )
            return Meant(codes.WRONG_LOCATION, location, taken)
        if winner.regex:
            return Meant(codes.REGEX_SHADOWS_PREFIX, location, f"{taken}: a regex beats a prefix without ^~")
        if not carries_upgrade(winner):
            return Meant(codes.WRONG_LOCATION, location, f"{taken}: it is the longer match")
    return None


def _caret(winner: Location) -> Optional[Location]:
    """The ^~ prefix on the way to the winner, at the level on which the regexes stand."""
    return next((one for one in winner.chain() if isinstance(one, Location) and one.noregex), None)


def serving(server: Level, uri: bytes, version: Version) -> Optional[Level]:
    """The location with which a server would carry an upgrade for a path; None when it would not."""
    try:
        found: Found = find_location(server, uri, version)
    except (CannotDecide, RegexError):
        return None
    level: Level = found.location or server
    if found.redirect:
        return None
    if carries_upgrade(level):
        return level
    return _named_fallback(server, level)


def _named_fallback(server: Level, level: Level) -> Optional[Level]:
    """``try_files … @name`` into a location that carries the upgrade."""
    for directive in level.nearest(b"try_files")[1]:
        last = directive.args[-1] if directive.args else b""
        named = locations_of(server).named.get(last)
        if named is not None and carries_upgrade(named):
            return named
    return None


def _other_server(place: Place) -> Optional[Meant]:
    group = next(iter(groups_for(place.groups, place.address, place.port)), None)
    members = {id(server.directive) for server in group.servers} if group is not None else set()
    known = frozenset(name for server in place.servers for name in _lowered(server))
    for server in place.servers:
        if _same(server, place.server):
            continue
        code = _server_relation(place, id(server.directive) in members, server, known)
        location = serving(server, place.uri, place.version) if code else None
        if location is not None:
            why = {
                codes.DUPLICATE_SERVER_NAME: "has the same name on the same address, and nginx ignores it",
                codes.LISTEN_ADDRESS_CAPTURED: "listens on another address of this port",
                codes.DEFAULT_SERVER_CAPTURED: "listens here too, but has another name",
                codes.WS_MISSING_IN_TLS_SERVER: "has this name, but another port",
            }[code]
            return Meant(
                code, location, f"{titled(location)} in {titled(server)} carries the upgrade; it {why}"
            )
    return None


def _server_relation(place: Place, in_group: bool, server: Level, known: FrozenSet[bytes]) -> str:
    """How a server that would do better came to lose; empty when it is a stranger to this request."""
    names, chosen = set(_lowered(server)), set(_lowered(place.server))
    if in_group:
        # By nginx's rule the later of two equal names is dropped (ngx_http_server_names).
        if names & chosen and (place.host not in known or _fits(server, place)):
            return codes.DUPLICATE_SERVER_NAME
        return codes.DEFAULT_SERVER_CAPTURED if place.how == "default" else ""
    wanted = _fits(server, place)
    if not wanted and place.how != "default" and not names & (chosen - {b"", b"_"}):
        return ""
    ports = {address.port for listen in listens_of(server) for address in listen.addresses}
    if place.port in ports:
        return codes.LISTEN_ADDRESS_CAPTURED if wanted or place.how == "default" else ""
    return (
        codes.WS_MISSING_IN_TLS_SERVER
        if wanted or names & (chosen - {b"", b"_"}) or (names == chosen and place.how == "default")
        else ""
    )


def _lowered(server: Level) -> List[bytes]:
    return [name.lower() for name in server_names(server)]


def _fits(server: Level, place: Place) -> bool:
    """Whether a server would take the host by its names alone."""
    names_of = _lowered(server)
    if place.host in names_of:
        return True
    if not any(name[:1] in (b"~", b".", b"*") or name.endswith(b".*") for name in names_of):
        return False
    group = ListenGroup(next(iter(place.groups)).address, [server], default=server)
    names = VirtualNames(group, place.version)
    names.searched = True
    try:
        return names.find(place.host) is not None
    except (CannotDecide, RegexError):
        return False


# ---------------------------------------------------------------------------------------- near misses


def _near_miss(place: Place) -> Optional[Meant]:
    """A location of the chosen server whose path is nearly the request's."""
    if place.location is None or carries_upgrade(place.location):
        return None  # It is one itself: what is wrong is in its lines.
    best: Optional[Tuple[int, Location, str]] = None
    for location in all_locations(place.server):
        if not carries_upgrade(location) or location.named:
            continue
        if any(_same(location, seen) for seen in place.visited) or _inside(place.location, location):
            continue
        score, how = likeness(location, place.uri, place.version)
        if score and (best is None or score > best[0]):
            best = (score, location, how)
    if best is None:
        return None
    why = f"{titled(best[1])} does not match this path: {best[2]}"
    return Meant(codes.WRONG_LOCATION, best[1], why, weak=best[0] < STRONG)


STRONG = 3
DECODED = "nginx compares the decoded path, and the location is written with its percent signs"


def likeness(location: Location, uri: bytes, version: Version) -> Tuple[int, str]:
    """How near a location that does not match comes to a path.

    Returns:
        A score (``STRONG`` or more where one rule of nginx separates the two, 0 for strangers) and that rule
        in words.
    """
    low = uri.lower()
    plain = unquote_to_bytes(location.name)
    if location.regex:
        try:
            if compiled(location.name, True, version).match(uri) is not None:
                return STRONG + 2, "the regex ~ compares upper and lower case, ~* does not"
            if plain != location.name and compiled(plain, False, version).match(uri) is not None:
                return STRONG + 2, DECODED
        except (CannotDecide, RegexError):
            pass
        literal = literal_of(location.name).lower()
    else:
        literal = location.name.lower()
    if not literal.strip(b"/"):
        return 0, ""
    matches = uri == plain if location.exact else uri.startswith(plain)
    if not location.regex and plain != location.name and matches:
        return STRONG + 2, DECODED
    if location.exact and (low + b"/").startswith(literal.rstrip(b"/") + b"/"):
        return STRONG + 2, "= takes the very path only, not what lies below it"
    if low.startswith(literal):
        return STRONG + 1, "upper and lower case differ" if not location.regex else "the regex asks for more"
    if (low + b"/").startswith(literal):
        return STRONG + 1, "the slash at its end is missing in the request"
    shared = _shared_segments(literal, low)
    if shared:
        return shared, "its path is another one"
    return 0, ""


def _shared_segments(literal: bytes, path: bytes) -> int:
    """2 when all of the literal's segments occur in the path in order, 1 when most do, else 0."""
    wanted = [segment for segment in literal.split(b"/") if segment]
    given = [segment for segment in path.split(b"/") if segment]
    position, hits = 0, 0
    for segment in wanted:
        if segment in given[position:]:
            position = given.index(segment, position) + 1
            hits += 1
    if hits == len(wanted):
        return 2
    return 1 if hits * 2 >= len(wanted) and hits else 0
