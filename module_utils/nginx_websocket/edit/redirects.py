"""Cures of redirects, which no WebSocket client follows: pages go on being redirected, sockets pass."""

from __future__ import annotations

import re
from typing import Iterator, List

from ..behaviour.route import Route
from ..conf import splice
from ..conf.splice import Edit
from ..conf.tree import Configuration, Directive
from .fault import Edits, Fault, margin_of, text_of, together
from .places import goals, scope
from .style import upgrade_lines

_INNER = re.compile(
    rb"(?i)(https?://(?:127\.[\d.]+|localhost|\[::1\]|10\.[\d.]+|192\.168\.[\d.]+)(?::\d+)?)((?:/|\$).*)?$"
)
"""An address that no browser of the site could go to: a backend's."""
_HANDSHAKE = '($http_upgrade !~* "^websocket$")'


def let_through(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The handshake past the redirect that answers it.

    A redirect to an address of the inside was meant to pass the request on.  A rewrite leaves the path of the
    WebSocket out, a ``return`` answers what is no handshake.  Under a condition both stand for something
    else, such as the name or the scheme that every client shall use; and who sends a path to another site
    has moved what stood there.
    """
    line = route.answer.directive
    if line is None or line.parent is None or line.parent.name not in (b"server", b"location"):
        return
    if line.name == b"rewrite" and len(line.args) >= 2:
        yield from _passed_on(route, line, line.args[1])
        if not line.args[1].startswith((b"http://", b"https://")):
            yield _left_out(route, line)
    elif line.name == b"return" and len(line.args) == 2 and line.parent.name == b"location":
        yield from _passed_on(route, line, line.args[1])
        if _same_site(route, line.args[1]):
            yield from _for_pages(configuration, route, line, fault)


def _same_site(route: Route, goal: bytes) -> bool:
    """Whether a redirect stays on the site: a path, or a URL of the name that was asked for."""
    _scheme, mark, rest = goal.partition(b"://")
    if not mark:
        return goal.startswith((b"/", b"$uri", b"$request_uri"))
    host = re.split(rb"[/?#:]|(?<=\w)\$", rest, maxsplit=1)[0].lower()
    return host in (route.host, b"$host", b"$http_host", b"$server_name")


def past_rewrites(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """The path of the WebSocket left out of a rewrite of the whole server, which leads it to pages."""
    for step in route.steps:
        line = step.directive
        if step.kind != "rewrite" or line is None or len(line.args) < 2 or line.parent is None:
            continue
        if line.parent.name == b"server":
            yield _left_out(route, line)


def _passed_on(route: Route, line: Directive, goal: bytes) -> Iterator[Edits]:
    """proxy_pass where a redirect leads to the backend's own address."""
    inner = _INNER.match(goal)
    block = line.parent
    if inner is None or block is None or block.name != b"location":
        return
    if line.name == b"return" and inner.group(2) not in (None, b"/", b"$request_uri", b"$uri$is_args$args"):
        return  # Another path than the client's: nobody knows what becomes of longer ones.
    lines: List[str] = []
    if line.name == b"rewrite":
        rewritten = splice.statement(b"rewrite", [line.args[0], inner.group(2) or b"/", b"break"])
        lines.append(text_of(rewritten))
    if not any(block.children(b"proxy_pass")):
        lines += [f"proxy_pass {text_of(splice.quote(inner.group(1)))};", *upgrade_lines(route)]
    if lines:
        yield [Edit(line.source, line.start, line.end, together(lines, line))]
    else:
        yield [splice.delete(line)]


def _left_out(route: Route, line: Directive) -> Edits:
    """The rewrite for every path but that of the WebSocket; its captures keep their numbers."""
    path = scope(text_of(route.first_uri))
    end = "" if path.endswith("/") else "$"
    without = f"^(?!{re.escape(path)}{end})".encode("utf-8", "surrogateescape")
    regex = line.args[0]
    return [splice.set_argument(line, 0, without + (regex[1:] if regex.startswith(b"^") else b".*?" + regex))]


def _for_pages(configuration: Configuration, route: Route, line: Directive, fault: Fault) -> Iterator[Edits]:
    """The return for what is no handshake, and a proxy_pass beside it."""
    block = line.parent
    assert block is not None
    to = goals(configuration, route, fault)
    own = any(block.children(b"proxy_pass"))
    if len(to) != 1 and not own:
        return
    deeper = "\t" if b"\t" in margin_of(line) else "    "
    written = text_of(line.source.data[line.start : line.end])
    lines = [f"if {_HANDSHAKE} {{", deeper + written, "}"]
    if not own:
        lines += [f"proxy_pass {to[0]};", *upgrade_lines(route), "proxy_set_header Host $http_host;"]
    yield [Edit(line.source, line.start, line.end, together(lines, line))]
