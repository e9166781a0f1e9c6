"""The paths that users may ask a site for: of both trees' locations, of files, of variables, of the log."""

from __future__ import annotations

import dataclasses
from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from ..behaviour.content.files import root_of
from ..behaviour.effective import Level
from ..behaviour.location import Location, all_locations, find_location
from ..behaviour.regex import CannotDecide, RegexError
from ..behaviour.request import HANDSHAKE, Request
from ..behaviour.uri import escape_uri
from .files_below import Root, root_of_url
from .paths import TAIL, askable, matching, paths_to
from .scope import RELEASE, Door
from .traits import Traits

Version = Tuple[int, ...]
FOREIGN = "https://page-of-somebody-else.invalid"
REMOTE = "203.0.113.77"
"""Address of a client from outside (RFC 5737)."""
_USUAL = (b"/", b"/" + TAIL, b"/" + TAIL + b"/", b"/index.html", b"/robots.txt", b"/favicon.ico", b"/.env")


def paths_of(servers: Sequence[Optional[Level]], traits: Traits, version: Version) -> List[str]:
    """Paths of all that the servers of both trees name, escaped.

    Args:
        servers: before and after; None where there is none.
        traits: of these servers.
        version: nginx's version.
    """
    there = [server for server in servers if server is not None]
    found: Dict[bytes, None] = dict.fromkeys(_USUAL)
    for server in there:
        for location in all_locations(server):
            found.update(dict.fromkeys(_leading_to(server, location, version)))
    for path in traits.plain:
        if askable(path, version):
            found.setdefault(path)
    for pattern in traits.paths:
        found.update(dict.fromkeys(matching(pattern, False, version)))
    # The locations of one tree, below those of the other: "/api/" and "/api/admin/" meet there.
    return [escape_uri(path).decode("latin-1") for path in found if not path.startswith(RELEASE)]


def _leading_to(server: Level, location: Location, version: Version) -> List[bytes]:
    """Paths that the location matches; such as it wins, where there are any."""
    found = paths_to(location, version)
    if location.regex and found and not any(_wins(server, location, path, version) for path in found):
        found += matching(
            location.name,
            location.modifier == b"~*",
            version,
            most=2,
            accepts=lambda path: _wins(server, location, path, version),
        )
    return found


def _wins(server: Level, location: Location, path: bytes, version: Version) -> bool:
    try:
        taken = find_location(server, path, version).location
    except (CannotDecide, RegexError, RecursionError):
        return False
    return taken is not None and taken.directive is location.directive


def roots_of(servers: Iterable[Optional[Level]], prefix: str) -> Iterator[Root]:
    """The directories that some servers serve files of, those of the server first.

    Args:
        servers: before and after.
        prefix: nginx's own, for relative paths.
    """
    for server in servers:
        if server is None:
            continue
        for level in (server, *all_locations(server)):
            if level is not server and not level.own(b"root", b"alias"):
                continue
            if isinstance(level, Location) and (level.regex or level.named or level.exact):
                if level.own(b"alias"):
                    continue
                name = ""
            else:
                name = level.name.decode("utf-8", "replace") if isinstance(level, Location) else ""
            kind, value, _at = root_of(level)
            path = value.decode("utf-8", "surrogateescape")
            if not path.startswith("/"):
                path = f"{prefix.rstrip('/')}/{path}"
            root = root_of_url(path, name, alias=kind == b"alias")
            if root is not None:
                yield root


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to ask for a path."""

    title: str
    """For people: ``a handshake with the Origin https://…``; "" for a plain GET."""
    method: str = "GET"
    origin: Optional[str] = None
    upgrade: bool = False
    headers: Tuple[Tuple[str, str], ...] = ()
    query: str = ""


PLAIN = Variant("")


def request(door: Door, path: str, variant: Variant = PLAIN) -> Request:
    """One request at one door.

    Args:
        door: where.
        path: escaped.
        variant: how.
    """
    sent: List[Tuple[str, str]] = list(variant.headers)
    if variant.upgrade:
        sent += HANDSHAKE
    if variant.origin is not None:
        sent.append(("Origin", variant.origin))
    target = path + (f"?{variant.query}" if variant.query else "")
    return Request(
        f"{door.origin}{target}", headers=sent, address=door.address, method=variant.method, remote=REMOTE
    )


def variants(traits: Traits, origin: str, *, proxied: bool) -> Iterator[Variant]:
    """The other ways to ask for a path that has been asked for plainly.

    Args:
        traits: of both servers.
        origin: the site's own.
        proxied: whether a tree passes the plain request on, or a handshake could matter for another reason.
    """
    if proxied or traits.asks_upgrade:
        yield Variant("a WebSocket without Origin", upgrade=True)
        for value in dict.fromkeys((origin, FOREIGN, *traits.origins)):
            yield Variant(_from("a WebSocket", value, origin), upgrade=True, origin=value)
    if traits.asks_origin:
        for value in dict.fromkeys((origin, FOREIGN, *traits.origins)):
            yield Variant(_from("a request", value, origin), origin=value)
            preflight = (("Access-Control-Request-Method", "POST"),)
            yield Variant(
                _from("a preflight", value, origin), method="OPTIONS", origin=value, headers=preflight
            )
    for method in traits.methods:
        yield Variant(f"{method}", method=method)
    for header in traits.headers:
        yield Variant(f"a request with {header[0]}: {header[1]}", headers=(header,))
    for query in traits.queries:
        yield Variant(f"a request with the query {query.partition('=')[0]}", query=query)


def _from(what: str, value: str, own: str) -> str:
    whose = "the site's own pages" if value == own else "pages of others" if value == FOREIGN else value
    return f"{what} from {whose}"
