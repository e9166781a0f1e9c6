"""Cures between a location and its backend: servers of an upstream, names in TLS, a map in front."""

from __future__ import annotations

import re
from typing import Iterator, List, Optional

from .. import codes
from ..behaviour.content.upstream import servers_of
from ..behaviour.request import guessed_host
from ..behaviour.route import Route, index_of
from ..behaviour.server.names import server_names
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive
from .fault import Edits, Fault, margin_of, text_of, together

_ADDRESS = re.compile(r"[\d.]+$|\[")
_SOCKETS = 1024
"""Sockets for each server of an upstream, where fewer are allowed: the limit stays one."""


def more_sockets(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """A larger max_conns at each server of the upstream that has one for a few sockets only."""
    edits = []
    for line in _servers(route):
        for index, word in enumerate(line.args):
            number = word.partition(b"max_conns=")[2]
            if number.isdigit() and 0 < int(number) < _SOCKETS:
                edits.append(splice.set_argument(line, index, b"max_conns=%d" % _SOCKETS))
    yield edits


def marked_up(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The server without ``down``, where every server of the upstream has it: nothing else can answer."""
    servers = _servers(route)
    if not all(b"down" in line.args for line in servers):
        return
    for line in servers:
        kept = [word for word in line.args if word != b"down"]
        yield [Edit(line.source, line.start, line.end, splice.statement(b"server", kept))]


def tls_name(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The name in TLS, which is no address and no name of an upstream block.

    nginx sends none for an address, and the block's name for a block; both mean nothing to a backend, which
    gets the name that the client asked for.  Where the client asked for an address, too, nobody knows it.
    A certificate that does not fit is asked for by a name that it holds; nginx goes on verifying it.
    """
    upstream, level = route.upstream, route.level
    if upstream is None or level is None:
        return
    held = level.nearest(b"proxy_ssl_name")[1]
    if fault.code == codes.UPSTREAM_TLS_FAILED:
        if fault.tls_name and not held:
            yield [splice.insert_after(upstream.directive, f"proxy_ssl_name {fault.tls_name};".encode())]
        return
    lines = [] if level.on(b"proxy_ssl_server_name", False) else ["proxy_ssl_server_name on;"]
    if (_ADDRESS.match(upstream.host) or upstream.block is not None) and not held:
        if _ADDRESS.match(route.host.decode("latin-1")):
            return
        lines.append("proxy_ssl_name $host;")
    yield [splice.insert_after(upstream.directive, together(lines, upstream.directive))] if lines else []


def trusted(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The file of authorities by which the backend's certificate verifies; nginx goes on verifying it."""
    upstream, level = route.upstream, route.level
    if not fault.authority or upstream is None or level is None:
        return
    text = splice.statement(b"proxy_ssl_trusted_certificate", [fault.authority.encode()])
    lines = level.own(b"proxy_ssl_trusted_certificate")
    if lines:
        yield [Edit(lines[-1].source, lines[-1].start, lines[-1].end, text)]
    else:
        yield [splice.insert_after(upstream.directive, text)]


def map_in_front(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """An entry for the name that was asked for in the map by which a stream server in front chooses.

    Only where one server of this nginx has the name: the entry leads to it, or the address that stands in
    place of a map.
    """
    line, name = fault.directive, guessed_host(route.request, route.version)
    block = _map_of(configuration, line)
    groups = [
        group
        for group in index_of(configuration).groups
        if group.ssl == route.request.tls
        and any(name in map(bytes.lower, server_names(server)) for server in group.servers)
    ]
    if len(groups) != 1 or line is None:
        return
    to = str(groups[0].address).encode()
    if block is None and _of_stream(line) and re.match(rb"[\d.]+:\d+$|\[[\da-f:]+\]:\d+$", line.args[0]):
        yield [splice.set_argument(line, 0, to)]
    elif block is not None and name and all(entry.name.lower() != name for entry in block.block or ()):
        entry = splice.statement(name, [to])
        yield [
            splice.insert_before(block.block[0], entry) if block.block else splice.insert_inside(block, entry)
        ]


def chosen_by_map(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """An entry for this handshake in a map of $http_upgrade or $host that chooses between backends."""
    block, port = fault.directive, fault.server.rpartition(":")[2]
    if block is None or block.name != b"map" or len(block.args) != 2 or not port:
        return
    keys = {b"$http_upgrade": b"websocket", b"$host": guessed_host(route.request, route.version)}
    key = keys.get(block.args[0], b"")
    if not key or any(entry.name.lower() == key for entry in block.block or ()):
        return
    for entry in block.block or ():
        if entry.args and _leads_to(configuration, entry.args[0], port):
            yield [splice.insert_before(entry, splice.statement(key, [entry.args[0]]))]


def other_entry(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Another address in the one entry of a map that names the backend of this handshake."""
    block, upstream = _defining(configuration, route), route.upstream
    if block is None or upstream is None or not fault.server:
        return
    now = [server.encode() for server in upstream.servers]
    entries = [item for item in block.block or () if item.args[:1] and item.args[0] in now]
    if len(entries) == 1:
        yield [splice.set_argument(entries[0], 0, fault.server.encode())]


def only_value(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """An entry for the name that was asked for in a map of names that has one value, and none for it."""
    block, name = _defining(configuration, route), guessed_host(route.request, route.version)
    entries = [item for item in (block.block or () if block is not None else ()) if item.args]
    values = {item.args[0] for item in entries if item.name not in (b"hostnames", b"volatile", b"include")}
    if block is None or block.args[:1] not in ((b"$host",), (b"$http_host",)) or not name:
        return
    if len(values) != 1 or any(item.name.lower() in (name, b"default") for item in entries):
        return
    key = name if block.args[0] == b"$host" else _sent_host(route) or name
    yield [splice.insert_before(entries[0], splice.statement(key, sorted(values)))]


def _sent_host(route: Route) -> bytes:
    """Host as the client sends it, its port included."""
    return next(
        (value.encode("latin-1") for key, value in route.request.header_list() if key.lower() == "host"), b""
    )


def _defining(configuration: Configuration, route: Route) -> Optional[Directive]:
    """The map in http of the one variable by which proxy_pass names the backend."""
    written = route.upstream.directive.args[0] if route.upstream is not None else b""
    if route.upstream is None and route.level is not None:
        line = next(iter(route.level.own(b"proxy_pass")), None)
        written = line.args[0] if line is not None and line.args else b""
    names = re.findall(rb"\$\{?(\w+)", written.split(b"://", 1)[-1].partition(b"/")[0])
    if len(names) != 1:
        return None
    return next(
        (item for item in index_of(configuration).http.own(b"map") if item.args[1:2] == (b"$" + names[0],)),
        None,
    )


def _leads_to(configuration: Configuration, value: bytes, port: str) -> bool:
    """Whether an address, or every server of an upstream block, has a port."""
    servers = servers_of(index_of(configuration).http, text_of(value))
    return bool(servers) and all(server.rpartition(":")[2] == port for server in servers)


def set_before(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """An ``if`` that only sets variables, moved out of its location in front of it.

    In the location it takes the place of ``try_files`` and of the handler; in the server it runs before any
    location is looked for, with the same condition and the same values.
    """
    block = fault.directive
    while block is not None and block.name != b"if":
        block = block.parent
    if block is None or not block.block or any(child.name != b"set" for child in block.block):
        return
    location = block.parent
    if location is None or location.name != b"location" or location.parent is None:
        return
    if location.parent.name != b"server":
        return
    text = block.source.data[block.start : block.end]
    deeper, outer = margin_of(block), margin_of(location)
    moved = b"\n".join(
        outer + row[len(deeper) :] if row.startswith(deeper) and number else row
        for number, row in enumerate(text.split(b"\n"))
    )
    yield [splice.delete(block), splice.insert_before(location, moved)]


def _servers(route: Route) -> List[Directive]:
    block = route.upstream.block if route.upstream is not None else None
    return [line for line in block.block or () if line.name == b"server" and line.args] if block else []


def _of_stream(line: Directive) -> bool:
    """Whether a line is the proxy_pass of a server in stream."""
    outer = line.parent.parent if line.parent is not None else None
    return line.name == b"proxy_pass" and bool(line.args) and outer is not None and outer.name == b"stream"


def _map_of(configuration: Configuration, line: Optional[Directive]) -> Optional[Directive]:
    """The map of the variable in a stream server's proxy_pass."""
    if line is None or line.name != b"proxy_pass" or not line.args:
        return None
    variable = re.match(r"\$\{?(\w+)\}?$", text_of(line.args[0]))
    if variable is None:
        return None
    name = b"$" + variable.group(1).encode()
    return next(
        (
            item
            for item in configuration.walk()
            if item.name == b"map"
            and item.args[1:2] == (name,)
            and item.parent is not None
            and item.parent.name == b"stream"
        ),
        None,
    )
