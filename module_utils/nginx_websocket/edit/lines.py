"""Cures of one line, beside the proxy_pass or in place of another."""

from __future__ import annotations

import re
from typing import Callable, Iterator, List, Sequence

from .. import codes
from ..behaviour.content.upstream import Upstream
from ..behaviour.location import Location
from ..behaviour.route import Route, index_of
from ..behaviour.upgrade.conditions import wrong_case
from ..behaviour.upgrade.request import no_name
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive, Include
from . import spelling
from .fault import Edits, Fault, text_of, together
from .places import new_location
from .style import HANDSHAKE, upgrade_lines


def line(text: str, block: bool = False) -> Callable[[Configuration, Route, Fault], Iterator[Edits]]:
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


def underscores(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Headers after Host are read by the rules of the chosen server, those before it by the default's."""
    names = [name for name, _ in route.request.headers]
    invalid = any(map(no_name, names)) and not any("_" in name for name in names)
    line = b"ignore_invalid_headers off;" if invalid else b"underscores_in_headers on;"
    for level in dict.fromkeys((route.server, route.listen.default if route.listen is not None else None)):
        if level is not None and level.directive is not None:
            yield [splice.insert_inside(level.directive, line)]


def buffers(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Larger buffers for the headers of requests, for the whole server.

    The line of a request (414) is read before its Host: then those of the default server count, with TLS
    those of the server that TLS named.
    """
    server = route.server
    if " 414 " in fault.message and route.listen is not None and not route.request.tls:
        server = route.listen.default
    if server is None or server.directive is None:
        return
    own = server.own(b"large_client_header_buffers")
    line = b"large_client_header_buffers 4 64k;"
    if own:
        yield [Edit(own[0].source, own[0].start, own[0].end, line)]
    else:
        yield [splice.insert_inside(server.directive, line)]


def connections(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """More connections for each worker."""
    for directive in configuration.walk():
        count = directive.args[0] if directive.name == b"worker_connections" and directive.args else b""
        if count.isdigit() and int(count) < 4096:
            yield [splice.set_argument(directive, 0, b"4096")]


def without_proxy_line(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """A listen of nginx's own inner server that no longer waits for a PROXY line.

    Nothing is offered where a stream server of the same nginx sends such lines: it may be the one that
    comes there.
    """
    listen = fault.directive
    if listen is None or listen.name != b"listen" or b"proxy_protocol" not in listen.args:
        return
    if route.listen is not None and any(item.directive is listen for item in route.listen.listens):
        return  # Clients come there, and a balancer in front of them may well send the line.
    if any(item.name == b"proxy_protocol" and item.args == (b"on",) for item in configuration.walk()):
        return
    kept = [word for word in listen.args if word != b"proxy_protocol"]
    yield [Edit(listen.source, listen.start, listen.end, splice.statement(b"listen", kept))]


def without_http2(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """A plain listen that no longer speaks HTTP/2 alone; not where gRPC may need it."""
    listen = fault.directive
    if any(item.name == b"grpc_pass" for item in configuration.walk()):
        return
    if listen is not None and listen.name == b"listen" and b"http2" in listen.args:
        kept = [word for word in listen.args if word != b"http2"]
        yield [Edit(listen.source, listen.start, listen.end, splice.statement(b"listen", kept))]


BUFFERS = ((b"proxy_buffer_size", (b"32k",)), (b"proxy_buffers", (b"8", b"32k")),
           (b"proxy_busy_buffers_size", (b"64k",)))  # fmt: skip
"""Room for an answer's headers; the three hang on each other (ngx_http_upstream_merge_loc_conf)."""


def answer_buffers(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Buffers for the headers of the backend's answer, in the location."""
    upstream, level = route.upstream, route.level
    if upstream is None or level is None:
        return
    edits, missing = [], []
    for name, words in BUFFERS:
        own = level.own(name)
        text = splice.statement(name, list(words))
        if own:
            edits.append(Edit(own[-1].source, own[-1].start, own[-1].end, text))
        else:
            missing.append(text_of(text))
    if missing:
        edits.append(splice.insert_after(upstream.directive, together(missing, upstream.directive)))
    yield edits


def delete_named(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
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


def localhost(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The one address of the backend's name at which it listens."""
    upstream = route.upstream
    if upstream is None or not fault.server:
        return
    host = fault.server.rpartition(":")[0].encode()
    lines = [item for item in upstream.block.block or () if item.name == b"server"] if upstream.block else []
    for line in lines or [upstream.directive]:
        for name in (b"localhost", b"[::1]", b"127.0.0.1"):
            if line.args and name in line.args[0] and name != host:
                yield [splice.set_argument(line, 0, line.args[0].replace(name, host, 1))]
    if upstream.block is not None and len(lines) > 1:
        yield from new_location(route, f"http://{fault.server}", fault)


def known_name(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The upstream block whose name is nearly the one that proxy_pass has; else the name as it resolves."""
    blocks = [
        text_of(item.args[0]) for item in configuration.walk() if item.name == b"upstream" and item.args
    ]
    edits = []
    for item in configuration.walk():
        match = re.match(r"(https?://)([^/:$]+)(.*)$", text_of(item.args[0]) if item.args else "")
        if item.name != b"proxy_pass" or match is None or match.group(2) in blocks:
            continue
        near = spelling.alike(match.group(2), blocks)
        if near and "." not in match.group(2):
            new = match.group(1) + near[0] + match.group(3)
            edits.append(splice.set_argument(item, 0, new.encode("utf-8", "surrogateescape")))
    yield edits
    yield from literal_name(configuration, route, fault)


def literal_name(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
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
    # The path goes out as it came; a URI part of variables alone says the same, or forgets the query.
    new = re.sub(rb"(\$request_uri|\$uri(?:\$is_args\$args)?)$", b"", new)
    if b"$" not in new and new != written:
        yield [splice.set_argument(upstream.directive, 0, new)]


def name_capture(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
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
            if block.block and b"websocket" not in entries:
                # A word is looked at before every regular expression (ngx_http_map_find).
                yield [splice.insert_before(block.block[0], b"websocket upgrade;")]


def newer_tls(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The TLS of today, where the server that answers offers old ones alone."""
    default = route.listen.default if route.listen is not None else None
    for server in (default, route.server):
        for line in server.nearest(b"ssl_protocols")[1][-1:] if server is not None else ():
            if not {b"TLSv1.2", b"TLSv1.3"} & set(line.args):
                text = splice.statement(line.name, [b"TLSv1.2", b"TLSv1.3"])
                yield [Edit(line.source, line.start, line.end, text)]


_ECDSA = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"


def more_ciphers(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The ciphers for a key of an elliptic curve, where the server that answers has those for RSA alone."""
    default = route.listen.default if route.listen is not None else None
    if "no cipher" not in fault.message:
        return
    for server in dict.fromkeys((default, route.server)):
        for line in server.nearest(b"ssl_ciphers")[1][-1:] if server is not None else ():
            known = [word for word in line.args[0].split(b":") if word[:1] not in b"!-+@"]
            if known and all(b"RSA" in word and b"ECDSA" not in word for word in known):
                yield [splice.set_argument(line, 0, _ECDSA + b":" + line.args[0])]


def wrong_twins(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Of several lines for Upgrade or Connection the right ones alone."""
    upstream = route.upstream
    if upstream is None:
        return
    wrong = {
        line
        for name, right in (("Upgrade", "websocket"), ("Connection", "upgrade"))
        for sent in (upstream.values(name),)
        for words in ([re.split(r"\s*,\s*", (item.value or "").lower()) for item in sent],)
        if any(right in word for word in words)
        for item, word in zip(sent, words)
        for line in (item.directive,)
        if right not in word and line is not None
    }
    if wrong:
        yield [splice.delete(line) for line in wrong]


def own_headers(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The whole list in the location itself, where others inherit the one with the wrong line."""
    upstream, level = route.upstream, route.level
    if upstream is None or level is None or upstream.header_level is None or level.own(b"proxy_set_header"):
        return
    if level.kind in ("if", "limit_except"):
        return  # nginx takes no proxy_set_header there
    kept = [
        text_of(line.source.data[line.start : line.end])
        for line in upstream.header_level.own(b"proxy_set_header")
        if line.args and line.args[0].lower() not in HANDSHAKE
    ]
    lines = [*kept, *upgrade_lines(route)[0 if upstream.version == "1.0" else 1 :]]
    yield [splice.insert_after(upstream.directive, together(lines, upstream.directive))]


def right_case(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The conditions on the way with the word as clients write it."""
    edits = []
    for found in wrong_case(route):
        source, sent = found.condition.source, found.sent.encode()
        start = source.data.find(found.word, found.condition.start, found.condition.body)
        if start >= 0:
            text = sent.join(re.split(re.escape(sent), found.word, flags=re.IGNORECASE))
            edits.append(Edit(source, start, start + len(found.word), text))
    yield edits


def beside_include(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Right lines in the location itself, where wrong ones come from a file that others include, too."""
    upstream = route.upstream
    block = upstream.directive.parent if upstream is not None else None
    if upstream is None or block is None or block.name in (b"if", b"limit_except"):
        return
    version, *headers = upgrade_lines(route)
    wrong: List[Directive] = []
    right: List[str] = []
    if upstream.version == "1.0":
        wrong += [line for line in block.block or () if line.name == b"proxy_http_version"]
        right.append(version)
    if fault.code != codes.HTTP10_UPSTREAM:
        level = upstream.header_level
        if level is None or level.directive is not block:
            return
        wrong += [
            line for line in level.own(b"proxy_set_header") if line.args[:1] and _shared(line, upstream)
        ]
        right += headers
    if wrong and all(line.name == b"proxy_set_header" and line.args[1:] == (b"",) for line in wrong):
        # nginx sends no header without a value (ngx_http_proxy_create_request), so none is sent twice.
        yield [splice.insert_after(upstream.directive, together(right, upstream.directive))]
    for include in configuration.includes:
        if include.directive.parent is block:
            yield _written_out(configuration, include, wrong, right)


def _shared(line: Directive, upstream: Upstream) -> bool:
    """Whether a line for a header of the handshake stands in another file than the proxy_pass."""
    return line.args[0].lower() in HANDSHAKE and line.source is not upstream.directive.source


def _written_out(
    configuration: Configuration, include: Include, wrong: Sequence[Directive], right: Sequence[str]
) -> Edits:
    """A file's lines in the place of its include, right ones for wrong ones; nothing where it has none."""
    block = include.directive.parent
    brought = [
        child for child in (block.block if block else None) or () if child.source.name in include.files
    ]
    # What that file includes itself would be lost.
    deep = any(other.directive.source.name in include.files for other in configuration.includes)
    if deep or not set(wrong) & set(brought):
        return []
    kept = [text_of(child.source.data[child.start : child.end]) for child in brought if child not in wrong]
    statement = include.directive
    return [Edit(statement.source, statement.start, statement.end, together([*kept, *right], statement))]
