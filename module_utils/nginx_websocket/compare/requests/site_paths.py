"""The paths that users may ask a site for: of both trees' locations, of files, of variables, of the log."""

from __future__ import annotations

from typing import Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from ...behaviour.content.files import root_of
from ...behaviour.effective import Level
from ...behaviour.location import Location, all_locations, find_location
from ...behaviour.regex import CannotDecide, RegexError
from ...behaviour.uri import escape_uri
from ..scope import RELEASE
from .files_below import Root, root_of_url
from .paths import TAIL, askable, matching, paths_to
from .traits import Traits

Version = Tuple[int, ...]
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
