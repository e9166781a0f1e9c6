"""Cures that lead a request to another place: a port, a location, a server, an address."""

from __future__ import annotations

import difflib
import re
from typing import Dict, Iterator, List, Optional
from urllib.parse import unquote_to_bytes

from .. import codes
from ..behaviour.effective import Level
from ..behaviour.location import Location, all_locations
from ..behaviour.request import guessed_host
from ..behaviour.route import Route, index_of
from ..behaviour.server.listen import canonical_host
from ..behaviour.server.names import server_names
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive
from .fault import Edits, Fault, margin_of, replace_head, text_of
from .style import speaks_of_sockets, upgrade_lines

_CLOSING = (b"return", b"deny", b"internal")
_NEAR = 0.75
"""How alike names are of which one is the other misspelt."""


def other_port(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """proxy_pass (or the one server of its upstream) to the port on which the socket opens."""
    upstream = route.upstream
    if upstream is None or not fault.server:
        return
    if fault.directive is not None and fault.directive.name == b"map":
        return  # The port is right for what else the map sends there.
    host, _, number = fault.server.rpartition(":")
    port, near = number.encode(), host in ("127.0.0.1", "[::1]", "localhost")
    lines = [item for item in upstream.block.block or () if item.name == b"server"] if upstream.block else []
    line = lines[0] if len(lines) == 1 else upstream.directive if upstream.block is None else None
    if line is None or not line.args or not upstream.directive.args:
        return
    if near:
        # Without a port nginx asks 80 (or 443), in an upstream block as in proxy_pass.
        new = re.sub(
            rb"((?:(?<=//)|^)(?:\[[^]]*\]|[^/:$]+))(?::\d+)?(?=/|$)", rb"\1:" + port, line.args[0], count=1
        )
    else:
        new = re.sub(rb"(?:(?<=//)|^)[\w.-]+(?::\d+)?(?=/|$)", fault.server.encode(), line.args[0], count=1)
    if new != line.args[0]:
        yield [splice.set_argument(line, 0, new)]
    pool = _target_of(configuration, fault.server)
    if upstream.block is not None and pool != fault.server:
        # Other requests go to the pool that is asked now; another pool of this file is the right one.
        new = re.sub(rb"(?<=://)[^/$]+(?=/|$)", pool.encode(), upstream.directive.args[0], count=1)
        yield [splice.set_argument(upstream.directive, 0, new)]


def other_location(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """A location for the path of the WebSocket, beside what answers it now."""
    yield from _head(configuration, route, fault)
    if fault.meant is not None:
        yield from _copied(route, fault.meant)
        if not fault.server:
            return
    known = goals(configuration, route, fault)
    if len(known) == 1:
        yield from new_location(route, known[0], fault)
    if not fault.server:
        yield from _without_slash(route, fault)


def _head(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The head of the location that was meant, so that it matches or wins."""
    slashed = _with_slash(route, fault)
    location = fault.meant or (slashed if slashed is not None and slashed.exact else None)
    if not isinstance(location, Location) or location.directive is None or not location.directive.args:
        return
    directive, path = location.directive, route.first_uri
    modifier = directive.args[0] if len(directive.args) == 2 else b""
    plain = unquote_to_bytes(location.name)
    if plain != location.name and (modifier in (b"~", b"~*") or path.startswith(plain)):
        yield [replace_head(directive, b" ".join(filter(None, (modifier, splice.quote(plain)))))]
    if modifier == b"=" and path + b"/" == location.name:
        yield [replace_head(directive, b"= " + splice.quote(path))]
    if modifier == b"=" and path.startswith(location.name):
        yield [replace_head(directive, location.name)]
    if modifier == b"~":
        yield [replace_head(directive, b"~* " + splice.quote(location.name))]
    if not modifier and location.name.endswith(b"/") and path == location.name[:-1]:
        yield [replace_head(directive, path)]
    if not modifier and len(location.name) > 1:
        yield [replace_head(directive, b"^~ " + splice.quote(location.name))]


def _with_slash(route: Route, fault: Fault) -> Optional[Location]:
    """The location of the very path with a slash behind it, to which nginx redirects."""
    if fault.code != codes.TRAILING_SLASH_REDIRECT or route.server is None:
        return None
    name = route.first_uri + b"/"
    found = (one for one in all_locations(route.server) if one.name == name and not one.regex)
    return next(found, None)


def _without_slash(route: Route, fault: Fault) -> Iterator[Edits]:
    """The location with the slash once more, for the very path without it."""
    source = _with_slash(route, fault)
    if source is None or source.directive is None or not source.own(b"proxy_pass"):
        return
    body = source.directive.source.data[source.directive.body : source.directive.end - 1].rstrip()
    text = b"location = %b {%b\n%b}" % (splice.quote(route.first_uri), body, margin_of(source.directive))
    yield [splice.insert_before(source.directive, text)]


def scope(path: str) -> str:
    """The location's name for a path: the last directory whose name speaks of WebSockets, or the path itself.

    Other directories may be an application's, whose further paths go where they went.
    """
    parts = path.split("/")
    if speaks_of_sockets(parts[-1]):
        return path
    for count in range(len(parts) - 1, 1, -1):
        if speaks_of_sockets(parts[count - 1]):
            return "/".join(parts[:count]) + "/"
    return path


def _meant_name(meant: bytes, path: str) -> str:
    """The part of a path that a location's name was meant for, where it is nearly the same; "" for none."""
    name, slash = text_of(meant), meant.endswith(b"/")
    parts = path.split("/")
    starts = ["/".join(parts[:count]) + "/" * slash for count in range(2, len(parts) + (not slash))]
    near = difflib.get_close_matches(name, starts, 1, _NEAR)
    return near[0] if near else ""


def _copied(route: Route, meant: Level) -> Iterator[Edits]:
    """The location that was meant once more, with the path of the WebSocket as its own."""
    source = meant.directive
    if source is None or source.block is None or not isinstance(meant, Location) or meant.named:
        return
    if meant.regex:
        yield from _nested_copy(route, meant)
    path = text_of(route.first_uri)
    near = "" if meant.exact or meant.regex else _meant_name(meant.name, path)
    names = (path,) if meant.exact else (near, scope(path), path)
    for name in dict.fromkeys(filter(None, names)):
        head = b"location = " if meant.exact else b"location ^~ "
        head += splice.quote(name.encode("utf-8", "surrogateescape"))
        text = head + b" {" + _body(meant, name).rstrip() + b"\n" + margin_of(source) + b"}"
        if _around(meant, route):
            yield [splice.insert_before(source, text)]  # what guards the one around it guards it, too
        yield _into_server(route, text)


def _nested_copy(route: Route, meant: Location) -> Iterator[Edits]:
    """The regex location that was meant, within the location that takes its paths before it gets its turn.

    nginx looks for nested locations in whatever it has found (ngx_http_core_find_location). So every path
    that was meant is mended, and not only the one that was asked for.
    """
    winner = route.selections[0].location if route.selections else None
    source = meant.directive
    if source is None or not isinstance(winner, Location) or winner.exact:
        return
    block = winner.directive
    if block is not None and block.block is not None:
        if any(child.name in _CLOSING for child in block.block):
            return  # Who closed all of its paths may mean more of them than the one that is asked for.
        first = next((child for child in block.block if child.source is block.source), None)
        margin = margin_of(first) or margin_of(block)
        text = source.source.data[source.start : source.end]
        yield [splice.insert_inside(block, _indented(text, margin))]


def _body(meant: Location, name: str) -> bytes:
    """What stands in a location, for a copy with a longer name: a URI part takes that much less away."""
    source = meant.directive
    assert source is not None
    data, own = source.source.data, text_of(meant.name)
    line = next(source.children(b"proxy_pass"), None)
    match = re.match(rb"(https?://[^/$]+/[^$]*)$", line.args[0]) if line is not None and line.args else None
    if meant.regex or not name.startswith(own) or line is None or match is None:
        return data[source.body : source.end - 1]
    more = name[len(own) :].encode("utf-8", "surrogateescape")
    edit = splice.set_argument(line, 0, match.group(1) + more)
    return data[source.body : edit.start] + edit.text + data[edit.end : source.end - 1]


def _around(meant: Level, route: Route) -> bool:
    """Whether a location stands in another one, in which the request is as well."""
    outer = meant.parent
    entered = [found.location for found in route.selections]
    return isinstance(outer, Location) and any(
        level.directive is outer.directive for one in entered if one is not None for level in one.chain()
    )


def same_address(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The exact address of the listen that hides the server that was meant, in that server, too."""
    server = fault.meant.server() if fault.meant is not None else None
    lines = server.own(b"listen") if server is not None else []
    if server is None or not lines or route.listen is None:
        return
    tls = route.request.tls
    if tls and not server.nearest(b"ssl_certificate")[1]:
        return
    words = f"listen {route.listen.address}{' ssl' if tls else ''};"
    yield [splice.insert_after(lines[-1], words.encode("utf-8", "surrogateescape"))]


def other_pass(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """A location of its own for the WebSocket, where what listens behind another pass speaks HTTP, too."""
    if fault.server:
        yield from new_location(route, f"http://{fault.server}", fault)
    else:
        yield from other_location(configuration, route, fault)


def new_location(route: Route, target: str, fault: Fault) -> Iterator[Edits]:
    """A location of its own for the path of the WebSocket, passed to a target."""
    lines = [f"proxy_pass {target};", *upgrade_lines(route), "proxy_set_header Host $http_host;"]
    path = text_of(route.first_uri)
    heads = [f"^~ {scope(path)}", f"= {path}"]
    if fault.code == codes.TRY_FILES_BEFORE_PROXY:
        heads.reverse()  # There are files below that path.
    for head in heads:
        text = "\n".join([f"location {head} {{", *(f"    {line}" for line in lines), "}"])
        data = text.encode("utf-8", "surrogateescape")
        yield _into_server(route, data)
        for outer in _nesting(route):
            yield [splice.insert_before(outer, _indented(data, margin_of(outer)))]


def _nesting(route: Route) -> Iterator[Directive]:
    """The first location within each that the request enters, where one more may stand.

    What guards and limits the outer one holds for it as well.
    """
    for found in route.selections:
        outer = found.location.directive if found.location is not None else None
        if outer is not None and not (isinstance(found.location, Location) and found.location.named):
            first = next((item for item in outer.block or () if item.name == b"location"), None)
            if first is not None and first.source is outer.source:
                yield first


def _into_server(route: Route, text: bytes) -> Edits:
    """A location before the first one of the server that answers, with that one's indentation."""
    server = route.server.directive if route.server is not None else None
    if server is None or server.block is None:
        return []
    first = next(
        (item for item in server.block if item.name == b"location" and item.source is server.source), None
    )
    if first is None:
        inner = next((item for item in server.block if item.source is server.source), None)
        margin = margin_of(inner) if inner is not None else b"    "
        return [splice.insert_inside(server, _indented(text, margin))]
    return [splice.insert_before(first, _indented(text, margin_of(first)))]


def _indented(text: bytes, margin: bytes) -> bytes:
    """The text with its own first line's margin taken for the given one."""
    lines = text.split(b"\n")
    own = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
    rest = [line[len(own) :] if line.startswith(own) else line for line in lines[1:]]
    return b"\n".join([lines[0], *(margin + line if line.strip() else line for line in rest)])


def goals(configuration: Configuration, route: Route, fault: Fault) -> List[str]:
    """Where a new proxy_pass may lead: to the backend that opens it, else to those of the server."""
    if fault.server:
        return [f"http://{_target_of(configuration, fault.server)}"]
    return _targets(route)


def _targets(route: Route) -> List[str]:
    """What the proxy_pass lines of the server that answers lead to, without their paths."""
    found: Dict[str, None] = {}
    server = route.server.directive if route.server is not None else None
    waiting = list(server.block or ()) if server is not None else []
    while waiting:
        directive = waiting.pop()
        waiting += directive.block or ()
        if directive.name == b"proxy_pass" and directive.args:
            match = re.match(r"https?://(?:unix:[^:]+|[^/$]+)", text_of(directive.args[0]))
            if match is not None:
                found.setdefault(match.group())
    return list(found)


def _target_of(configuration: Configuration, server: str) -> str:
    """The upstream block that has this server alone, else the server itself."""
    port = server.rpartition(":")[2]
    for block in configuration.walk():
        if block.name == b"upstream" and block.args:
            lines = [item for item in block.block or () if item.name == b"server" and item.args]
            if len(lines) == 1 and text_of(lines[0].args[0]).endswith(":" + port):
                return text_of(block.args[0])
    return server


def served_name(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The name that the client uses, added to the server that has the location."""
    location, host = fault.meant, guessed_host(route.request, route.version)
    server = location.server() if location is not None else None
    line = next(iter(server.own(b"server_name")), None) if server is not None else None
    if line is None or not host or not line.args or not server_names(server or Level("", None, None)):
        return
    data = line.source.data
    end = line.end - 1 if data[line.end - 1 : line.end] == b";" else line.end
    yield [Edit(line.source, end, end, b" " + splice.quote(host))]


def listen(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """One more listen beside the one that the server of this name has."""
    address, port = route.request.local_address()
    host = guessed_host(route.request, route.version)
    for server in index_of(configuration).servers:
        names = server_names(server)
        lines = server.own(b"listen")
        if (host not in names and len(index_of(configuration).servers) > 1) or not lines or not lines[0].args:
            continue
        ssl = any(b"ssl" in line.args for line in lines)
        if route.request.tls and not ssl and not server.nearest(b"ssl_certificate")[1]:
            continue
        if ssl and not route.request.tls:
            continue
        words = [_listened(configuration, address, port)] + (["ssl"] if route.request.tls else [])
        yield [splice.insert_after(lines[-1], f"listen {' '.join(words)};".encode())]


def _listened(configuration: Configuration, address: str, port: int) -> str:
    """What to listen on: every address, unless nginx holds one of this port already.

    A reload cannot bind the port at every address while the old workers hold it at one (EADDRINUSE).
    """
    own = f"[{address}]" if ":" in address else address
    held = [group.address for group in index_of(configuration).groups if group.address.port == port]
    if any((":" in address) == (item.family == "inet6") for item in held) and canonical_host(own)[0]:
        return f"{own}:{port}"
    return f"[::]:{port}" if ":" in address else str(port)
