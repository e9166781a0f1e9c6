"""Locations: the set on each level, and the search for a URI.

Rules of ``ngx_http_core_location``, ``ngx_http_core_find_location`` and
``ngx_http_core_find_static_location``.  The set of a level is built when a search reaches it, so a
configuration with a thousand servers costs no more than its one selected server.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, Iterator, List, Optional, Tuple

from ..conf.tree import Directive
from .effective import Level, Version
from .regex import Match, compiled

PASS_DIRECTIVES = tuple(b"proxy_pass fastcgi_pass uwsgi_pass scgi_pass grpc_pass memcached_pass".split())


class Location(Level):
    """One ``location`` block."""

    def __init__(self, directive: Directive, parent: Level) -> None:
        """Split modifier and name as ``ngx_http_core_location`` does."""
        super().__init__("location", directive, parent)
        self.modifier, self.name = split_name(directive.args)

    @property
    def exact(self) -> bool:
        """``location = …``."""
        return self.modifier == b"="

    @property
    def noregex(self) -> bool:
        """``location ^~ …``."""
        return self.modifier == b"^~"

    @property
    def regex(self) -> bool:
        """``location ~ …`` or ``~*``."""
        return self.modifier in (b"~", b"~*")

    @property
    def named(self) -> bool:
        """``location @…``."""
        return self.modifier == b"@"

    @property
    def auto_redirect(self) -> bool:
        """A ``*_pass`` of its own and a name that ends in ``/``: the name without it answers 301."""
        return self.name.endswith(b"/") and bool(self.own(*PASS_DIRECTIVES))

    def title(self) -> str:
        """As it stands in the configuration: ``location ^~ /ws/``."""
        modifier = "" if self.modifier in (b"", b"@") else self.modifier.decode() + " "
        return "location {}{}".format(modifier, self.name.decode("utf-8", "backslashreplace"))

    def matches(self, uri: bytes, version: Version) -> Optional[Match]:
        """Whether the regex of this location matches.

        Raises:
            CannotDecide: no PCRE library.
            RegexError: PCRE gave up; nginx answers 500.
        """
        return compiled(self.name, self.modifier == b"~*", version).match(uri)


def split_name(args: Tuple[bytes, ...]) -> Tuple[bytes, bytes]:
    """Modifier ("", "=", "^~", "~", "~*" or "@") and name of a location."""
    if len(args) == 2:
        return args[0], args[1]
    text = args[0] if args else b""
    for modifier in (b"=", b"^~", b"~*", b"~"):
        if text.startswith(modifier):
            return modifier, text[len(modifier) :]
    return (b"@" if text.startswith(b"@") else b""), text


@dataclasses.dataclass
class LocationSet:
    """The locations directly on one level, as ``ngx_http_init_locations`` sorts them."""

    exact: Dict[bytes, Location]
    prefixes: Dict[bytes, Location]
    lengths: List[int]
    """Lengths of the prefix names, longest first."""
    regexes: List[Location]
    named: Dict[bytes, Location]

    def longest_prefix(self, uri: bytes) -> Optional[Location]:
        """The longest prefix location that the URI begins with."""
        for length in self.lengths:
            if length <= len(uri):
                found = self.prefixes.get(uri[:length])
                if found is not None:
                    return found
        return None

    def all(self) -> Iterator[Location]:
        """Every location of the level."""
        for group in (self.exact.values(), self.prefixes.values(), self.regexes, self.named.values()):
            yield from group


def locations_of(level: Level) -> LocationSet:
    """The location set of a level, built once."""
    return level.once(_location_set)


def all_locations(level: Level) -> Iterator[Location]:
    """Every location below a level, outer before inner, named ones too."""
    waiting = list(locations_of(level).all())[::-1]
    while waiting:
        location = waiting.pop()
        yield location
        waiting += list(locations_of(location).all())[::-1]


def _location_set(level: Level) -> LocationSet:
    result = LocationSet({}, {}, [], [], {})
    for directive in level.own(b"location"):
        location = Location(directive, level)
        if location.regex:
            result.regexes.append(location)
        elif location.named:
            result.named.setdefault(location.name, location)
        elif location.exact:
            result.exact.setdefault(location.name, location)
        else:
            result.prefixes.setdefault(location.name, location)
    result.lengths = sorted({len(name) for name in result.prefixes}, reverse=True)
    return result


@dataclasses.dataclass
class Found:
    """Result of a search.

    ``how`` is "exact", "prefix", "regex", "redirect" (301 to the name with a slash) or "none".
    """

    location: Optional[Location]
    how: str
    matches: List[Match] = dataclasses.field(default_factory=list)
    """Successful regex matches in the order they were made: each one sets captures."""

    @property
    def redirect(self) -> bool:
        """Whether nginx answers 301 by itself."""
        return self.how == "redirect"


def find_static(level: Level, uri: bytes) -> Found:
    """``ngx_http_core_find_static_location`` on one level."""
    locations = locations_of(level)
    found = locations.exact.get(uri)
    if found is not None:
        return Found(found, "exact")
    if uri in locations.prefixes:
        return Found(locations.prefixes[uri], "prefix")
    for table in (locations.exact, locations.prefixes):
        slashed = table.get(uri + b"/")
        if slashed is not None and (slashed.auto_redirect or _twin_redirects(locations, slashed)):
            target = locations.exact.get(slashed.name, slashed)
            return Found(target, "redirect")
    prefix = locations.longest_prefix(uri)
    return Found(prefix, "prefix") if prefix is not None else Found(None, "none")


def _twin_redirects(locations: LocationSet, location: Location) -> bool:
    """One tree node holds the exact and the prefix location of a name; either makes it redirect."""
    twins = (locations.exact.get(location.name), locations.prefixes.get(location.name))
    return any(twin is not None and twin.auto_redirect for twin in twins)


def find_location(level: Level, uri: bytes, version: Version = (1, 22, 1)) -> Found:
    """``ngx_http_core_find_location``: the location of a URI, from this level down.

    Args:
        level: the server (nested levels are searched by recursion).
        uri: normalised URI.
        version: nginx's version (which PCRE it links).

    Returns:
        What nginx would select; ``how`` "none" when the server itself handles the request.

    Raises:
        CannotDecide: a regex would have to be tried and no PCRE library is there.
        RegexError: PCRE gave up; nginx answers 500.
    """
    found = find_static(level, uri)
    noregex = False
    if found.how == "prefix" and found.location is not None:
        noregex = found.location.noregex
        nested = find_location(found.location, uri, version)
        if nested.location is not None:
            found = nested
    if found.how in ("exact", "redirect", "regex"):
        return found
    if not noregex:
        for location in locations_of(level).regexes:
            match = location.matches(uri, version)
            if match is None:
                continue
            nested = find_location(location, uri, version)
            matches = [*found.matches, match, *nested.matches]
            # ngx_http_core_find_location returns NGX_OK here: a redirect found inside is lost
            return Found(nested.location or location, "regex", matches)
    return found


def path_of(location: Level) -> List[Location]:
    """The location and the locations around it, outer first."""
    return [level for level in reversed(location.chain()) if isinstance(level, Location)]


@dataclasses.dataclass
class Loser:
    """A location that one would expect to take the URI, and why it does not.

    ``code`` is "shorter-prefix", "exact-wins", "caret-skips-regex", "later-regex", "regex-wins",
    "auto-redirect", "nested-wins" or "no-match".
    """

    location: Location
    code: str
    reason: str


def explain_losers(server: Level, uri: bytes, found: Found, version: Version = (1, 22, 1)) -> List[Loser]:
    """All locations of the server that match the URI by themselves but were not chosen."""
    chosen = path_of(found.location) if found.location is not None else []
    losers: List[Loser] = []
    _explain(server, uri, found, chosen, losers, version)
    return losers


def _explain(
    level: Level, uri: bytes, found: Found, chosen: List[Location], losers: List[Loser], version: Version
) -> None:
    locations = locations_of(level)
    winner = next((location for location in chosen if location.parent is level), None)
    title = winner.title() if winner is not None else "the server itself"
    prefix = locations.longest_prefix(uri)
    for location in locations.all():
        if location is winner or location.named:
            continue
        if location.regex:
            match = location.matches(uri, version)
        else:
            match = uri == location.name if location.exact else uri.startswith(location.name)  # type: ignore
        if not match:
            continue
        losers.append(_reason(location, winner, prefix, found, title))
    for location in chosen:
        if location.parent is level:
            _explain(location, uri, found, chosen, losers, version)


def _reason(
    loser: Location, winner: Optional[Location], prefix: Optional[Location], found: Found, title: str
) -> Loser:
    """Why one matching location of a level lost to the winner of that level."""
    if found.redirect and winner is found.location:
        text = f"{title} answers 301 before regexes and shorter prefixes are looked at"
        return Loser(loser, "auto-redirect", text)
    if winner is not None and winner.exact:
        return Loser(loser, "exact-wins", f"{title} equals the URI, which ends the search")
    if not loser.regex:
        if winner is not None and winner.regex:
            if loser is prefix:
                return Loser(loser, "regex-wins", f"{title} is a regex; it beats a prefix without ^~")
            text = f"a shorter prefix than {prefix and prefix.title()}, and {title} beats both"
            return Loser(loser, "shorter-prefix", text)
        return Loser(loser, "shorter-prefix", f"{title} is a longer prefix")
    if winner is not None and winner.noregex:
        return Loser(loser, "caret-skips-regex", f"{title} has ^~, so no regex of its level is tried")
    if winner is not None and winner.regex:
        return Loser(loser, "later-regex", f"{title} stands before it in the file")
    return Loser(loser, "nested-wins", f"a nested location of {title} matches first")
