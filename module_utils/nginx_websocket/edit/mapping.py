"""A map in the place of a constant Connection, where a location serves plain requests as well.

With the constant every request of the location says ``Connection: upgrade`` to the backend: its connections
are not kept alive, and some applications refuse plain requests that ask for an upgrade.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Optional

from ..behaviour.location import Location
from ..behaviour.route import Route, route
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive
from .fault import Edits, margin_of, text_of
from .style import CONNECTION, own_map, speaks_of_sockets

NAME = "connection_upgrade"
_DEEP = 2
"""Parts of a path below a location's name from which on it is taken for a whole application's."""


def by_map(configuration: Configuration, found: Route, edits: Edits) -> Optional[Edits]:
    """The same edits with a map of $http_upgrade: plain requests keep the Connection that they have now.

    Args:
        configuration: as it is.
        found: the route of the handshake through it.
        edits: that may bring the constant.

    Returns:
        None where they bring none, where the location is for WebSockets alone, or where nobody can tell what
        plain requests have.
    """
    constant = CONNECTION.encode()
    bringing = next((edit for edit in edits if constant in edit.text), None)
    if bringing is None or own_map(found) or not _general(found, bringing):
        return None
    plain = _plain_value(found)
    top = _outermost(found)
    if plain is None or top is None:
        return None
    name = _free(configuration)
    line = f"proxy_set_header Connection ${name};".encode()
    block = splice.insert_before(top, map_text(name, margin_of(top), plain))
    return [Edit(e.source, e.start, e.end, e.text.replace(constant, line)) for e in edits] + [block]


def map_text(name: str, margin: bytes, plain: str = "close") -> bytes:
    """The map of nginx's documentation, for one that stands behind a margin.

    Args:
        name: of the variable.
        margin: what stands before it on its line.
        plain: the Connection of requests that ask for no upgrade; "" for none.
    """
    other = plain or "''"
    lines = [f"map $http_upgrade ${name} {{", "    default upgrade;", f"    ''      {other};", "}"]
    return (b"\n" + margin).join(line.encode() for line in lines)


def _general(found: Route, edit: Edit) -> bool:
    """Whether lines come into a location that serves more than WebSockets.

    By its name, and by how far the URL is below it.  Lines above it are for others as well, whose
    handshakes a map would let through.
    """
    location = found.location
    if not isinstance(location, Location) or location.directive is None:
        return False
    lines = location.directive
    if edit.source.name == lines.source.name and not (edit.start < lines.end and edit.end > lines.start):
        return False
    if location.exact or location.regex or speaks_of_sockets(text_of(location.name)):
        return False
    if location.named or location.name in (b"/", b""):
        return True
    below = text_of(found.first_uri)[len(location.name) :].strip("/")
    return bool(below) and len(below.split("/")) >= _DEEP


def _plain_value(found: Route) -> Optional[str]:
    """The Connection of a plain request of the same URL; None where nobody can tell."""
    hosts = [pair for pair in found.request.header_list() if pair[0].lower() == "host"]
    url = re.sub(r"^ws", "http", found.request.url)
    asked = dataclasses.replace(found.request, url=url, headers=hosts)
    plain = route(found.configuration, asked, version=found.version, admitted=True)
    if plain.upstream is None or found.upstream is None:
        return None
    if plain.upstream.directive is not found.upstream.directive:
        return None
    values = plain.upstream.values("Connection")
    if not values:
        return ""
    value = values[0].value
    return value if value is not None and re.match(r"[\w-]+$", value) else None


def _outermost(found: Route) -> Optional[Directive]:
    """The server, where a map may stand before it."""
    server = found.server.directive if found.server is not None else None
    alone = server is not None and (server.parent is None or server.parent.name == b"http")
    return server if alone else None


def _free(configuration: Configuration) -> str:
    """A name for the variable that nothing in the files has."""
    taken = b"\n".join(configuration.files.values())
    name, number = NAME, 1
    while re.search(rb"\$\{?" + name.encode() + rb"\b", taken):
        number += 1
        name = f"{NAME}_{number}"
    return name
