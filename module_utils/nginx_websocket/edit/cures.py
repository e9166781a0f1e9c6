"""Edits that may cure a fault, the best first.  Which of them is fit, ``judge`` says.

A cure never takes a guard away, and changes as little as it can: one argument, one line, one location.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Callable, Dict, Iterator, List, Optional

from ..behaviour.effective import Level
from ..behaviour.location import Location
from ..behaviour.route import Route, index_of
from ..behaviour.server.names import server_names
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive
from .style import upgrade_lines

Edits = List[Edit]

_ADDRESS = re.compile(r"[\d.]+$|\[")


@dataclasses.dataclass(frozen=True)
class Fault:
    """What is wrong, and what is known of how the socket would open."""

    code: str
    """Of docs/findings.md."""
    directive: Optional[Directive] = None
    """The directive that the finding names first."""
    server: str = ""
    """``host:port`` of a backend of this host that opens it."""
    target: str = ""
    """Path and query with which the backend opens it."""
    meant: Optional[Level] = None
    """The location that was meant."""
    host_known: bool = False
    """Whether this host itself resolves the backend's name."""


def cures(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Candidates for a fault.

    Args:
        configuration: as it is.
        route: of the handshake through it.
        fault: what is wrong.
    """
    make = _BY_CODE.get(fault.code)
    if make is not None:
        yield from (edits for edits in make(configuration, route, fault) if edits)


# ---------------------------------------------------------------------------------------- not loadable


def _map_missing(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The map that nginx's documentation has, before the server that uses its variable."""
    known = {d.args[-1] for d in configuration.walk() if d.name in (b"map", b"geo") and d.args}
    known |= {d.args[0] for d in configuration.walk() if d.name == b"set" and d.args}
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
                yield [splice.insert_before(block, _map_text(name, block))]
            return


def _map_text(name: bytes, before: Directive) -> bytes:
    data = before.source.data
    indent = data[data.rfind(b"\n", 0, before.start) + 1 : before.start]
    indent = indent if not indent.strip() else b""
    lines = [b"map $http_upgrade $" + name + b" {", b"    default upgrade;", b"    ''      close;", b"}"]
    return (b"\n" + indent).join(lines)


def _outermost(directive: Directive) -> Optional[Directive]:
    """The block directly below http (or at the top of an included file) that a directive stands in."""
    current = directive
    while current.parent is not None and current.parent.name != b"http":
        current = current.parent
    return current if current.name in (b"server", b"proxy_set_header") else None


def _map_misplaced(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
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


def _scheme(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """ws:// and wss:// are the browser's words; nginx says http:// and https://."""
    edits = []
    for directive in configuration.walk():
        if directive.name == b"proxy_pass" and directive.args:
            match = re.match(rb"(?i)ws(s?)://", directive.args[0])
            if match is not None:
                new = b"http" + match.group(1).lower() + b"://" + directive.args[0][match.end() :]
                edits.append(splice.set_argument(directive, 0, new))
    yield edits


def _uri_in_regex(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
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


# ---------------------------------------------------------------------------------------- where it goes


def _other_port(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """proxy_pass (or the one server of its upstream) to the port on which the socket opens."""
    upstream = route.upstream
    if upstream is None or not fault.server:
        return
    host, _, number = fault.server.rpartition(":")
    port, near = number.encode(), host in ("127.0.0.1", "[::1]", "localhost")
    lines = [item for item in upstream.block.block or () if item.name == b"server"] if upstream.block else []
    line = lines[0] if len(lines) == 1 else upstream.directive if upstream.block is None else None
    if line is None or not line.args:
        return
    if near:
        new = re.sub(rb"(?<=[^/]):\d+(?=/|$)", b":" + port, line.args[0], count=1)
    else:
        new = re.sub(rb"(?:(?<=//)|^)[\w.-]+:\d+(?=/|$)", fault.server.encode(), line.args[0], count=1)
    if new != line.args[0]:
        yield [splice.set_argument(line, 0, new)]


def _other_location(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """A location for the path of the WebSocket, beside what answers it now."""
    yield from _head(configuration, route, fault)
    if fault.meant is not None:
        yield from _copied(route, fault.meant)
    if fault.server:
        yield from _new_location(route, f"http://{_target_of(configuration, fault.server)}", fault)
    elif fault.meant is None:
        targets = _targets(route)
        if len(targets) == 1:
            yield from _new_location(route, targets[0], fault)


def _head(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The head of the location that was meant, so that it matches or wins."""
    location = fault.meant
    if not isinstance(location, Location) or location.directive is None or not location.directive.args:
        return
    directive, path = location.directive, route.first_uri
    modifier = directive.args[0] if len(directive.args) == 2 else b""
    if modifier == b"=" and path.startswith(location.name):
        yield [_replace_head(directive, location.name)]
    if modifier == b"~":
        yield [_replace_head(directive, b"~* " + splice.quote(location.name))]
    if not modifier and location.name.endswith(b"/") and path == location.name[:-1]:
        yield [_replace_head(directive, path)]
    if not modifier and len(location.name) > 1:
        yield [_replace_head(directive, b"^~ " + splice.quote(location.name))]


def _replace_head(directive: Directive, head: bytes) -> Edit:
    """Other words between "location" and its brace."""
    data = directive.source.data
    start = directive.start + len(b"location")
    end = data.rindex(b"{", start, directive.body)
    return Edit(directive.source, start, end, b" " + head + b" ")


def scope(path: str) -> str:
    """The location's name for a path: the path itself, or the directory of its last part."""
    parts = path.split("/")
    return path if len(parts) <= 2 else "/".join(parts[:-1]) + "/"


def _copied(route: Route, meant: Level) -> Iterator[Edits]:
    """The location that was meant once more, with the path of the WebSocket as its own."""
    source = meant.directive
    if source is None or source.block is None or not isinstance(meant, Location) or meant.named:
        return
    body = source.source.data[source.body : source.end - 1]
    for name in dict.fromkeys((scope(_text(route.first_uri)), _text(route.first_uri))):
        head = b"location ^~ " + splice.quote(name.encode("utf-8", "surrogateescape"))
        yield _into_server(route, head + b" {" + body.rstrip() + b"\n" + _margin(source) + b"}")


def _new_location(route: Route, target: str, fault: Fault) -> Iterator[Edits]:
    lines = [f"proxy_pass {target};", *upgrade_lines(route), "proxy_set_header Host $http_host;"]
    path = _text(route.first_uri)
    heads = [f"^~ {scope(path)}", f"= {path}"]
    if fault.code == "try-files-before-proxy":
        heads.reverse()  # There are files below that path.
    for head in heads:
        text = "\n".join([f"location {head} {{", *(f"    {line}" for line in lines), "}"])
        yield _into_server(route, text.encode("utf-8", "surrogateescape"))


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
        margin = _margin(inner) if inner is not None else b"    "
        return [splice.insert_inside(server, _indented(text, margin))]
    return [splice.insert_before(first, _indented(text, _margin(first)))]


def _indented(text: bytes, margin: bytes) -> bytes:
    """The text with its own first line's margin taken for the given one."""
    lines = text.split(b"\n")
    own = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())]
    rest = [line[len(own) :] if line.startswith(own) else line for line in lines[1:]]
    return b"\n".join([lines[0], *(margin + line if line.strip() else line for line in rest)])


def _margin(directive: Optional[Directive]) -> bytes:
    if directive is None:
        return b""
    data = directive.source.data
    line = data[data.rfind(b"\n", 0, directive.start) + 1 : directive.start]
    return line if not line.strip() else b""


def _targets(route: Route) -> List[str]:
    """What the proxy_pass lines of the server that answers lead to, without their paths."""
    found: Dict[str, None] = {}
    server = route.server.directive if route.server is not None else None
    waiting = list(server.block or ()) if server is not None else []
    while waiting:
        directive = waiting.pop()
        waiting += directive.block or ()
        if directive.name == b"proxy_pass" and directive.args:
            match = re.match(r"https?://(?:unix:[^:]+|[^/$]+)", _text(directive.args[0]))
            if match is not None:
                found.setdefault(match.group())
    return list(found)


def _target_of(configuration: Configuration, server: str) -> str:
    """The upstream block that has this server alone, else the server itself."""
    port = server.rpartition(":")[2]
    for block in configuration.walk():
        if block.name == b"upstream" and block.args:
            lines = [item for item in block.block or () if item.name == b"server" and item.args]
            if len(lines) == 1 and _text(lines[0].args[0]).endswith(":" + port):
                return _text(block.args[0])
    return server


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _served_name(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The name that the client uses, added to the server that has the location."""
    location, host = fault.meant, _host(route)
    server = location.server() if location is not None else None
    line = next(iter(server.own(b"server_name")), None) if server is not None else None
    if line is None or not host or not line.args or not server_names(server or Level("", None, None)):
        return
    data = line.source.data
    end = line.end - 1 if data[line.end - 1 : line.end] == b";" else line.end
    yield [Edit(line.source, end, end, b" " + splice.quote(host))]


def _host(route: Route) -> bytes:
    host = next((value for key, value in route.request.header_list() if key.lower() == "host"), "")
    return re.sub(r":\d+$", "", host).encode("utf-8", "surrogateescape")


def _listen(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """One more listen beside the one that the server of this name has."""
    address, port = route.request.local_address()
    host = _host(route)
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
        words = [f"[::]:{port}" if ":" in address else str(port)] + (["ssl"] if route.request.tls else [])
        yield [splice.insert_after(lines[-1], f"listen {' '.join(words)};".encode())]


def _no_try_files(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Without the try_files beside a proxy_pass, which asks for a file before that gets its turn."""
    meant = [level.directive for level in (fault.meant, route.location) if level is not None]
    named = [fault.directive.parent] if fault.directive is not None else []
    for block in [*named, *meant]:
        if block is not None and block.name == b"location" and block.children(b"proxy_pass"):
            yield [splice.delete(line) for line in block.children(b"try_files")]


def map_mended(configuration: Configuration, route: Route) -> Iterator[Edits]:
    """The map of $http_upgrade that gives the Connection header another word than upgrade."""
    upstream = route.upstream
    lines = upstream.header_level.own(b"proxy_set_header") if upstream and upstream.header_level else []
    used = [line.args[1] for line in lines if len(line.args) == 2 and line.args[0].lower() == b"connection"]
    for block in index_of(configuration).http.own(b"map"):
        if len(block.args) == 2 and block.args[0] == b"$http_upgrade" and block.args[1] in used:
            entries = {entry.name.lower(): entry for entry in block.block or () if len(entry.args) == 1}
            entry = entries.get(b"websocket", entries.get(b"default"))
            if entry is not None:
                yield [splice.set_argument(entry, 0, b"upgrade")]
            else:
                yield [splice.insert_inside(block, b"default upgrade;")]


def _try_files_before(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    yield from _no_try_files(configuration, route, fault)
    yield from _other_location(configuration, route, fault)


def _own_headers(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The whole list in the location itself, where others inherit the one with the wrong line."""
    upstream, level = route.upstream, route.level
    if upstream is None or level is None or upstream.header_level is None or level.own(b"proxy_set_header"):
        return
    wrong = (b"upgrade", b"connection")
    kept = [
        _text(line.source.data[line.start : line.end])
        for line in upstream.header_level.own(b"proxy_set_header")
        if line.args and line.args[0].lower() not in wrong
    ]
    margin = _margin(upstream.directive).decode()
    lines = [*kept, *upgrade_lines(route)[0 if upstream.version == "1.0" else 1 :]]
    text = f"\n{margin}".join(lines).encode("utf-8", "surrogateescape")
    yield [splice.insert_after(upstream.directive, text)]


# ---------------------------------------------------------------------------------------- the path


def _path(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Another proxy_pass, location or rewrite, such that the backend gets the path that it knows."""
    upstream, location = route.upstream, route.location
    if upstream is None or not upstream.directive.args:
        return
    line, written = upstream.directive, _text(upstream.directive.args[0])
    match = re.match(r"(https?://(?:unix:[^:/]+:?|[^/]+))(/.*)?$", written)
    base, uri = (match.group(1), match.group(2) or "") if match is not None else ("", "")

    def passing(text: str) -> Edit:
        return splice.set_argument(line, 0, text.encode("utf-8", "surrogateescape"))

    for step in route.steps:
        if step.kind == "rewrite" and step.directive is not None and len(step.directive.args) >= 2:
            yield from _rewrites(step.directive)
    if base:
        rewritten = any(step.kind == "rewrite" for step in route.steps)
        # What a rewrite makes of other paths is wanted by somebody.
        as_it_came = [] if rewritten else [base + "$request_uri"]
        for new in (base, base + "/", base + uri.rstrip("/"), base + uri + "/", *as_it_came):
            if new != written:
                yield [passing(new)]
        if "?" not in written:
            yield [passing(written + "$is_args$args")]
    if isinstance(location, Location) and location.directive is not None and not location.regex:
        name, exact = location.name, location.exact
        if not exact and not location.named and base:
            other = name.rstrip(b"/") if name.endswith(b"/") else name + b"/"
            caret = b"^~ " if location.noregex else b""
            head = _replace_head(location.directive, caret + splice.quote(other or b"/"))
            yield [head]
            yield [head, passing(base + "/")]
            yield [head, passing(base)]


def _rewrites(directive: Directive) -> Iterator[Edits]:
    """A rewrite whose replacement has no slash too many, keeps the query, or strips a prefix as meant."""
    regex, new = directive.args[0], directive.args[1]
    if new.endswith(b"?"):
        yield [splice.set_argument(directive, 1, new[:-1])]
    if new.startswith(b"/$"):
        yield [splice.set_argument(directive, 1, new[1:])]
    if re.match(rb"\^?/[^()]*\(\.\*\)\$?$", regex) and new == b"/$1":
        yield [splice.set_argument(directive, 0, regex.replace(b"(", b"/?(", 1))]
    if directive.parent is not None and directive.parent.name == b"location":
        yield [splice.delete(directive)]  # One of the server is there for other requests as well.


# ---------------------------------------------------------------------------------------- single lines


def _line(text: str, block: bool = False) -> Callable[[Configuration, Route, Fault], Iterator[Edits]]:
    """One more line at the location's proxy_pass (or in its upstream block)."""

    def make(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
        upstream = route.upstream
        if upstream is None:
            return
        if block:
            yield [splice.insert_inside(upstream.block, text.encode())] if upstream.block is not None else []
        else:
            yield [splice.insert_after(upstream.directive, text.encode())]

    return make


def _server_name(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The name in TLS; nginx sends none for an address, which gets the name that the client asked for.

    Where the client asked for an address, too, nobody knows the backend's name.
    """
    upstream, level = route.upstream, route.level
    if upstream is None or level is None:
        return
    lines = [] if level.on(b"proxy_ssl_server_name", False) else ["proxy_ssl_server_name on;"]
    if _ADDRESS.match(upstream.host) and not level.nearest(b"proxy_ssl_name")[1]:
        if _ADDRESS.match(route.host.decode("latin-1")):
            return
        lines.append("proxy_ssl_name $host;")
    margin = _margin(upstream.directive).decode()
    yield [splice.insert_after(upstream.directive, f"\n{margin}".join(lines).encode())] if lines else []


def _underscores(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Headers after Host are read by the rules of the chosen server, those before it by the default's."""
    for level in dict.fromkeys((route.server, route.listen.default if route.listen is not None else None)):
        if level is not None and level.directive is not None:
            yield [splice.insert_inside(level.directive, b"underscores_in_headers on;")]


def _buffers(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    if route.server is None or route.server.directive is None:
        return
    own = route.server.own(b"large_client_header_buffers")
    line = b"large_client_header_buffers 4 64k;"
    if own:
        yield [Edit(own[0].source, own[0].start, own[0].end, line)]
    else:
        yield [splice.insert_inside(route.server.directive, line)]


def _connections(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    for directive in configuration.walk():
        count = directive.args[0] if directive.name == b"worker_connections" and directive.args else b""
        if count.isdigit() and int(count) < 4096:
            yield [splice.set_argument(directive, 0, b"4096")]


def _delete_named(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The directive that the finding names, taken out; of several words only those of the handshake."""
    line = fault.directive
    if line is None:
        return
    handshake = (b"upgrade", b"connection", b"sec-websocket-key", b"sec-websocket-version")
    kept = [word for arg in line.args for word in arg.split() if word.lower() not in handshake]
    if kept and line.name == b"more_clear_input_headers":
        yield [Edit(line.source, line.start, line.end, splice.statement(line.name, kept))]
    else:
        yield [splice.delete(line)]


def _localhost(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The one address of the backend's name at which it listens."""
    upstream = route.upstream
    if upstream is None or not fault.server:
        return
    host = fault.server.rpartition(":")[0].encode()
    lines = [item for item in upstream.block.block or () if item.name == b"server"] if upstream.block else []
    for line in lines or [upstream.directive]:
        if line.args and b"localhost" in line.args[0]:
            yield [splice.set_argument(line, 0, line.args[0].replace(b"localhost", host, 1))]
    if upstream.block is not None and len(lines) > 1:
        yield from _new_location(route, f"http://{fault.server}", fault)


def _literal_name(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The name without a variable: nginx then looks it up when it starts, as the host itself does."""
    upstream = route.upstream
    if upstream is None or not fault.host_known or not upstream.directive.args:
        return
    written = upstream.directive.args[0]
    values = {
        step.directive.args[0]: step.directive.args[1]
        for step in route.steps
        if step.kind == "set" and step.directive is not None and len(step.directive.args) == 2
    }
    new = written
    for name, value in values.items():
        if b"$" not in value:
            new = new.replace(b"${" + name[1:] + b"}", value).replace(name, value)
    # The path goes out as it came; a URI part of variables alone says the same.
    new = re.sub(rb"(\$request_uri|\$uri\$is_args\$args)$", b"", new)
    if b"$" not in new and new != written:
        yield [splice.set_argument(upstream.directive, 0, new)]


def _name_capture(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The numbered capture under a name of its own, in the location and in proxy_pass."""
    location = route.location or fault.meant
    line = fault.directive
    if not isinstance(location, Location) or location.directive is None or line is None or not line.args:
        return
    regex = location.name
    groups = [match.start() for match in re.finditer(rb"(?<!\\)\((?!\?)", regex)]
    value = line.args[0]
    for number in sorted({int(item) for item in re.findall(rb"\$\{?([1-9])", value)}, reverse=True):
        if number > len(groups):
            return
        name = b"part%d" % number
        at = groups[number - 1] + 1
        regex = regex[:at] + b"?<" + name + b">" + regex[at:]
        value = re.sub(rb"\$(?:%d(?!\d)|\{%d\})" % (number, number), b"${" + name + b"}", value)
    index = len(location.directive.args) - 1
    yield [splice.set_argument(location.directive, index, regex), splice.set_argument(line, 0, value)]


Maker = Callable[[Configuration, Route, Fault], Iterator[Edits]]
_BY_CODE: Dict[str, Maker] = {
    "missing-map": _map_missing,
    "map-wrong-context": _map_misplaced,
    "proxy-pass-ws-scheme": _scheme,
    "proxy-pass-uri-in-regex": _uri_in_regex,
    "backend-down": _other_port,
    "wrong-backend": _other_port,
    "wrong-location": _other_location,
    "shadowed-by-prefix-caret": _other_location,
    "regex-order": _other_location,
    "regex-shadows-prefix": _other_location,
    "location-without-handler": _other_location,
    "try_files-spa-fallback": _other_location,
    "try-files-before-proxy": _try_files_before,
    "rewrite-relocates": _no_try_files,
    "connection-header-wrong": _own_headers,
    "upgrade-header-wrong-value": _own_headers,
    "trailing-slash-redirect": _other_location,
    "default-server-captured": _served_name,
    "port-not-listening": _listen,
    "listen-ipv6-missing": _listen,
    "proxy-pass-keeps-prefix": _path,
    "proxy-pass-strips-prefix": _path,
    "proxy-pass-double-slash": _path,
    "proxy-pass-normalizes-path": _path,
    "proxy-pass-variable-uri": _path,
    "rewrite-changes-path": _path,
    "query-string-lost": _path,
    "no-sticky-session": _line("ip_hash;", block=True),
    "upstream-sni-missing": _server_name,
    "header-underscore-dropped": _underscores,
    "request-header-too-large": _buffers,
    "worker-connections": _connections,
    "input-header-cleared": _delete_named,
    "backend-ipv6-localhost": _localhost,
    "upstream-servers-differ": _localhost,
    "upstream-host-not-found": _literal_name,
    "resolver-missing": _literal_name,
    "capture-lost": _name_capture,
}


def curable() -> List[str]:
    """The codes for which there are cures, in the order of docs/findings.md."""
    return list(_BY_CODE)
