"""Cures by which the backend gets the path that it knows."""

from __future__ import annotations

import re
from typing import Iterator

from ..behaviour.location import Location
from ..behaviour.route import Route
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive
from .fault import Edits, Fault, replace_head, text_of


def path(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Another proxy_pass, location or rewrite, such that the backend gets the path that it knows."""
    upstream, location = route.upstream, route.location
    if upstream is None or not upstream.directive.args:
        return
    for step in route.steps:
        if step.kind == "rewrite" and step.directive is not None and len(step.directive.args) >= 2:
            yield from _rewrites(step.directive)
    line = upstream.directive
    written = text_of(line.args[0])
    if re.search(r"://[^/$]+\$(document_)?uri\b", written):
        # $uri is decoded; $request_uri is what the client sent, its query included.
        yield [_passing(line, re.sub(r"\$(document_)?uri\b(\$is_args\$args)?$", "$request_uri", written))]
    if isinstance(location, Location) and location.modifier == b"~*":
        for rewrite in location.own(b"rewrite"):
            if len(rewrite.args) > 1 and not rewrite.args[0].startswith(b"(?i)"):
                yield [splice.set_argument(rewrite, 0, b"(?i)" + rewrite.args[0])]
    if "$" in written or (isinstance(location, Location) and location.regex):
        yield from _stripped(route, fault, line)
    unix = re.match(r"(https?://unix:[^:]+)(?::(/.*)?)?$", written)
    match = unix or re.match(r"(https?://[^/]+)(/.*)?$", written)
    base, uri = (match.group(1), match.group(2) or "") if match is not None else ("", "")
    base += ":" if unix is not None else ""  # it ends the path of the socket
    if base:
        yield from _uri_parts(route, fault, line, base, uri)
    if isinstance(location, Location):
        heads = _slashes(location, line, base)
        yield next(heads, [])
        if uri == "/" and not location.name.endswith(b"/"):
            yield from _stripped(route, fault, line)  # other paths begin with that name, too
        yield from heads


def socket_ended(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The colon that ends the path of a unix socket, where nginx says that a part of it is no directory."""
    line = route.upstream.directive if route.upstream is not None else None
    written = text_of(line.args[0]) if line is not None and line.args else ""
    match = re.match(r"(https?://unix:[^:$]+\.sock(?:et)?)(/[^:]*)$", written)
    if line is not None and match is not None and "Not a directory" in fault.message:
        yield [_passing(line, f"{match.group(1)}:{match.group(2)}")]


def _passing(line: Directive, text: str) -> Edit:
    return splice.set_argument(line, 0, text.encode("utf-8", "surrogateescape"))


def _uri_parts(route: Route, fault: Fault, line: Directive, base: str, uri: str) -> Iterator[Edits]:
    """proxy_pass with another URI part, or with none."""
    rewritten = any(step.kind == "rewrite" for step in route.steps)
    # What a rewrite makes of other paths is wanted by somebody.
    as_it_came = [] if rewritten else [base + "$request_uri"]
    known = [base + part for part in _known_part(route, fault)]
    ended = base + uri.rstrip("/")
    for new in dict.fromkeys((base, base + "/", ended, ended + "/", *known, *as_it_came)):
        if new != base + uri:
            yield [_passing(line, new)]
    if "?" not in uri:
        yield [_passing(line, base + uri + "$is_args$args")]


def _known_part(route: Route, fault: Fault) -> Iterator[str]:
    """The URI part that makes of the client's path the one with which the backend opened the socket."""
    location, target = route.location, fault.target.split("?")[0]
    if not isinstance(location, Location) or location.regex or location.named or not target:
        return
    client, name = text_of(route.first_uri), text_of(location.name)
    rest = client[len(name) :] if client.startswith(name) else ""
    if client == name:
        yield target
    elif rest and target.endswith(rest) and target[: -len(rest)].startswith("/"):
        yield target[: -len(rest)]


def _slashes(location: Location, line: Directive, base: str) -> Iterator[Edits]:
    """The location with a slash more or less at its end, alone and with another URI part."""
    name = location.name
    if location.directive is None or location.regex or location.exact or location.named or not base:
        return
    other = name.rstrip(b"/") if name.endswith(b"/") else name + b"/"
    caret = b"^~ " if location.noregex else b""
    head = replace_head(location.directive, caret + splice.quote(other or b"/"))
    yield [head]
    yield [head, _passing(line, base + "/")]
    yield [head, _passing(line, base)]


def _stripped(route: Route, fault: Fault, line: Directive) -> Iterator[Edits]:
    """Where no URI part can do it: the capture without a slash too many, or a rewrite that strips a prefix.

    A regex location and a proxy_pass with variables replace no prefix (ngx_http_proxy_module).
    """
    written = text_of(line.args[0])
    match = re.match(r"([\w$]+://[^/]+)(/.*)?$", written)
    if match is None:
        return
    base, uri = match.group(1), match.group(2) or ""
    if uri.startswith("/$"):
        yield [splice.set_argument(line, 0, (base + uri[1:]).encode("utf-8", "surrogateescape"))]
    known = fault.target.split("?")[0]
    client = text_of(route.first_uri)
    prefix = client[: -len(known)] if known.startswith("/") and client.endswith(known) else ""
    if not re.match(r"^/[\w/-]+$", prefix):
        return
    rewrite = splice.insert_before(line, f"rewrite ^{prefix}(/.*)$ $1 break;".encode())
    if "$" not in written:
        yield [rewrite]  # What is rewritten goes out without the URI part, and all else as before.
    if uri:
        yield [rewrite, _passing(line, base)]
    elif "$" in written:
        yield [rewrite]


def _rewrites(directive: Directive) -> Iterator[Edits]:
    """A rewrite whose replacement has no slash too many, keeps the query, or strips a prefix as meant."""
    regex, new = directive.args[0], directive.args[1]
    if new.endswith(b"?"):
        yield [splice.set_argument(directive, 1, new[:-1])]
    if new.startswith(b"//"):
        yield [splice.set_argument(directive, 1, new[1:])]
    if new.startswith(b"/$"):
        yield [splice.set_argument(directive, 1, new[1:])]
    for number in range(1, 1 + regex.count(b"(")):
        other = re.sub(rb"\$\d", b"$%d" % number, new)
        if other != new and len(re.findall(rb"\$\d", new)) == 1:
            yield [splice.set_argument(directive, 1, other)]
    if re.match(rb"\^?/[^()]*\(\.\*\)\$?$", regex) and new == b"/$1":
        yield [splice.set_argument(directive, 0, regex.replace(b"(", b"/?(", 1))]
    if directive.parent is not None and directive.parent.name == b"location":
        yield [splice.delete(directive)]  # One of the server is there for other requests as well.
