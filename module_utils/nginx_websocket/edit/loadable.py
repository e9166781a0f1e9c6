"""Cures for what nginx does not load."""

from __future__ import annotations

import difflib
import re
from typing import Iterator, Optional, Set

from ..behaviour.route import Route
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive
from . import spelling
from .fault import Edits, Fault, margin_of
from .mapping import map_text
from .style import own_map

_BUILT_IN = {b"$http_connection", b"$http_upgrade"}


def named_line(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The line that nginx's message names, where one word of it is too much.

    A second ``default_server`` of an address, or a port beside the name of an upstream block, which names its
    servers' ports itself.
    """
    line = fault.directive
    if line is None:
        return
    if line.name == b"listen" and {b"default_server", b"default"} & set(line.args):
        kept = [word for word in line.args if word not in (b"default_server", b"default")]
        yield [Edit(line.source, line.start, line.end, splice.statement(line.name, kept))]
    match = re.match(rb"(https?://)([\w.-]+):\d+(/\S*)?$", line.args[0]) if line.args else None
    pools = [item.args[0] for item in configuration.walk() if item.name == b"upstream" and item.args]
    if line.name == b"proxy_pass" and match is not None and match.group(2) in pools:
        yield [splice.set_argument(line, 0, match.group(1) + match.group(2) + (match.group(3) or b""))]


def _sources(configuration: Configuration) -> Edits:
    """Maps of a header of the client whose name lacks ``http_``."""
    return [
        splice.set_argument(item, 0, b"$http_" + item.args[0][1:])
        for item in configuration.walk()
        if item.name == b"map" and item.args[:1] in ((b"$upgrade",), (b"$connection",))
    ]


def map_missing(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The map that nginx's documentation has, before the server that uses its variable."""
    yield _sources(configuration)
    known = {d.args[-1] for d in configuration.walk() if d.name in (b"map", b"geo") and d.args}
    known |= {d.args[0] for d in configuration.walk() if d.name == b"set" and d.args}
    yield _misspelt(configuration, known)
    own = own_map(route)
    if own:
        yield [
            splice.set_argument(line, 1, own.encode())
            for line in configuration.walk()
            if line.name == b"proxy_set_header"
            and len(line.args) == 2
            and line.args[0].lower() == b"connection"
            if re.match(rb"\$\w+$", line.args[1]) and line.args[1] not in known | _BUILT_IN
        ]
    for directive in configuration.walk():
        if directive.name != b"proxy_set_header" or len(directive.args) != 2:
            continue
        for name in re.findall(rb"\$\{?(\w+)", directive.args[1]):
            if (
                b"$" + name in known
                or not re.search(rb"upgrade|connection", name)
                or name.startswith(b"http_")
            ):
                continue
            block = _outermost(directive)
            if block is not None:
                yield [splice.insert_before(block, map_text(name.decode(), margin_of(block)))]
            return


def _misspelt(configuration: Configuration, known: Set[bytes]) -> Edits:
    """Header lines with a variable that nothing defines, by the name of one that is nearly the same."""
    names = [name.decode("latin-1") for name in known if name.startswith(b"$")] + ["$http_upgrade"]
    edits = []
    for directive in configuration.walk():
        if directive.name != b"proxy_set_header" or len(directive.args) != 2:
            continue
        value = directive.args[1].decode("latin-1")
        if not re.match(r"\$\w+$", value) or value in names or "upgrade" not in value:
            continue
        near = difflib.get_close_matches(value, names, 1, 0.9)
        if near:
            edits.append(splice.set_argument(directive, 1, near[0].encode("latin-1")))
    return edits


def variable_misspelt(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The variable that is meant, in place of one that nothing defines and whose name is nearly the same."""
    name = fault.variable.encode()
    right = spelling.meant(configuration, name) if name else b""
    if right:
        yield spelling.respelt(configuration, name, right)


def http2_to_backend(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """HTTP/1.1 to the backend in place of HTTP/2, in which no upgrade passes."""
    lines = [item for item in configuration.walk() if item.name == b"proxy_http_version"]
    if fault.directive in lines:
        lines = [item for item in lines if item is fault.directive]
    yield [splice.set_argument(item, 0, b"1.1") for item in lines if item.args == (b"2",)]


def _outermost(directive: Directive) -> Optional[Directive]:
    """The block directly below http (or at the top of an included file) that a directive stands in."""
    current = directive
    while current.parent is not None and current.parent.name != b"http":
        current = current.parent
    return current if current.name in (b"server", b"proxy_set_header") else None


def map_misplaced(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The same map, where nginx allows one: before the server it stands in, or first in http."""
    for directive in configuration.walk():
        if directive.name != b"map" or directive.block is None:
            continue
        if directive.parent is not None and directive.parent.name == b"http":
            continue
        text = directive.source.data[directive.start : directive.end]
        server = directive.parent
        while server is not None and server.name != b"server":
            server = server.parent
        if server is not None:
            yield [splice.delete(directive), splice.insert_before(server, text)]
        else:
            http = next((item for item in configuration.root if item.name == b"http"), None)
            if http is not None:
                yield [splice.delete(directive), splice.insert_inside(http, text)]


def scheme(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """ws:// and wss:// are the browser's words; nginx says http:// and https://, and needs one of them.

    Who writes wss:// may have taken it from the page, and mean a backend that speaks no TLS.
    """
    edits, plain = [], []
    for directive in configuration.walk():
        if directive.name == b"proxy_pass" and directive.args:
            inside = directive.parent.name if directive.parent is not None else b"server"
            bare = re.match(rb"(?:https?:/?)?([\w.-]+(?::\d+)?(?:[/$].*)?)$", directive.args[0])
            if bare is not None and inside != b"server":  # a server's own is that of stream
                edits.append(splice.set_argument(directive, 0, b"http://" + bare.group(1)))
            match = re.match(rb"(?i)ws(s?)://", directive.args[0])
            if match is not None:
                rest = b"://" + directive.args[0][match.end() :]
                edits.append(splice.set_argument(directive, 0, b"http" + match.group(1).lower() + rest))
                plain.append(splice.set_argument(directive, 0, b"http" + rest))
    yield edits
    if any(edit.text.startswith(b"https") for edit in edits):
        yield plain


def uri_in_regex(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Without its URI part; the path then goes out as it came."""
    edits = []
    for directive in configuration.walk():
        parent = directive.parent
        if directive.name != b"proxy_pass" or not directive.args or parent is None:
            continue
        regex = parent.name == b"location" and parent.args[:1] in ((b"~",), (b"~*",))
        named = parent.name == b"location" and parent.args and parent.args[0].startswith((b"@", b"~"))
        inside = parent.name in (b"if", b"limit_except")
        match = re.match(rb"(https?://[^/$]+)/\S*$", directive.args[0])
        if (regex or named or inside) and match is not None:
            edits.append(splice.set_argument(directive, 0, match.group(1)))
    yield edits
