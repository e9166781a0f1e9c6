"""The ways into a server from outside: names, ports, and a path for each location."""

from __future__ import annotations

import urllib.parse
from typing import FrozenSet, Iterator, List, Optional, Tuple

from ..behaviour.effective import Level
from ..behaviour.location import Location, all_locations
from ..behaviour.route import Route
from ..behaviour.sample import TAIL, sample_path
from ..behaviour.server.listen import listens_of
from ..behaviour.uri import escape_uri


def names(server: Level) -> List[str]:
    """The names of a server, in lower case, as they are written."""
    return [
        argument.decode("utf-8", "replace").lower()
        for line in server.own(b"server_name")
        for argument in line.args
    ]


def takes_strangers(server: Level) -> bool:
    """Whether requests for names that no site has are its, on one of its sockets."""
    return any(listen.has("default_server") or listen.has("default") for listen in listens_of(server))


def origins(server: Level, name: str) -> List[str]:
    """Scheme, name and port of every TCP socket of the server.

    Args:
        server: the server.
        name: the host name to put in.
    """
    doors = {
        (listen.has("ssl") or server.on(b"ssl", False), address.port)
        for listen in listens_of(server)
        for address in listen.addresses
        if address.family != "unix"
    }
    return [
        f"{'https' if tls else 'http'}://{name}" + ("" if port == (443 if tls else 80) else f":{port}")
        for tls, port in sorted(doors)
    ]


def paths(server: Level, version: Tuple[int, ...]) -> Iterator[Tuple[Optional[Location], str]]:
    """Every location with a path that leads to it, escaped; the root, where there is none for it.

    Args:
        server: the server.
        version: version of the nginx, for its regexes.
    """
    errors = _error_pages(server)
    found = list(all_locations(server))
    for location in found:
        path = sample_path(location, version)
        if path is not None and path not in errors:
            yield location, escape_uri(path.encode("utf-8", "replace")).decode()
    if not any(location.name == b"/" and not location.regex for location in found):
        yield None, "/"


def made_up(path: str) -> str:
    """What is at a path, for both trees alike: nothing of a made-up name, and all that they name."""
    if TAIL in path:
        return ""
    return "directory" if path.endswith("/") else "file"


def stays(found: Route, server: Level) -> bool:
    """Whether a redirect leads to the same site; where it leads is asked for by itself."""
    if found.answer.code in ("auto-redirect", "directory"):
        return True
    target = (found.answer.redirect_target or b"").decode("utf-8", "replace")
    host = (urllib.parse.urlsplit(target).hostname or "").lower()
    return _bare(host) in {_bare(name) for name in names(server)}


def _bare(name: str) -> str:
    return name[4:] if name.startswith("www.") else name


def _error_pages(server: Level) -> FrozenSet[str]:
    """Paths that stand for errors, not for users."""
    levels = [server, *all_locations(server)]
    lines = [line for level in levels for line in level.nearest(b"error_page")[1]]
    return frozenset(line.args[-1].decode("utf-8", "replace") for line in lines if line.args)
