"""The change of the files that cures a cause, by the code of the cause."""

from __future__ import annotations

from typing import Callable, Dict, NamedTuple, Optional

from ... import codes
from ...behaviour.content.upstream import Upstream
from ...behaviour.effective import Level
from ...behaviour.route import Route
from ...conf import splice
from ..style import upgrade_lines
from .change import Change, insert_after, replace
from .headers import mended_headers, with_headers


class Hop(NamedTuple):
    """What a change of a hop looks at."""

    route: Route
    upstream: Upstream
    level: Level


Maker = Callable[[str, Hop], Optional[Change]]
HEADER_CURES = {
    codes.HOST_HEADER_WRONG: (b"host", "proxy_set_header Host $http_host;"),
    codes.FORWARDED_PROTO_MISSING: (b"x-forwarded-proto", "proxy_set_header X-Forwarded-Proto $scheme;"),
}
LINES_TO_ADD = {
    codes.HTTP10_UPSTREAM: ["proxy_http_version 1.1;"],
    codes.TIMEOUT_SHORT: ["proxy_read_timeout 1h;"],
    codes.UPSTREAM_HEADER_TOO_BIG: [
        "proxy_buffer_size 16k;",
        "proxy_buffers 8 16k;",
        "proxy_busy_buffers_size 32k;",
    ],
    codes.CACHE: ["proxy_cache off;"],
}
HANDSHAKE_HEADERS = (b"sec-websocket-key", b"sec-websocket-version")
DIRECTIVES_TO_DROP = {
    codes.REQUEST_HEADERS_NOT_PASSED: b"proxy_pass_request_headers",
    codes.RESPONSE_HEADER_HIDDEN: b"proxy_hide_header",
    codes.METHOD_CHANGED: b"proxy_method",
}
HEADERS_TO_DROP = {
    codes.SUBPROTOCOL_STRIPPED: b"sec-websocket-protocol",
    codes.DUPLICATE_HOST_HEADER: b"host",
}


def change_for(code: str, route: Route) -> Optional[Change]:
    """The change that cures a cause in the configuration.

    Args:
        code: of docs/findings.md.
        route: of the request that fails.

    Returns:
        None where no single change cures it.
    """
    if code == codes.INTERNAL_LOCATION:
        answer = route.answer.directive
        return (
            replace(route.configuration, answer)
            if answer is not None and answer.name == b"internal"
            else None
        )
    maker = BY_CODE.get(code)
    if maker is None or route.upstream is None or route.level is None:
        return None
    return maker(code, Hop(route, route.upstream, route.level))


def _upgrade_lines(code: str, hop: Hop) -> Optional[Change]:
    """The lines for the upgrade that the level in force lacks; a wrong one that stands there gives way."""
    level = hop.upstream.header_level
    here = level is not None and level.directive is hop.upstream.directive.parent
    if here and hop.upstream.line(b"connection") is not None:
        mended = mended_headers(code, hop.route, hop.upstream)
        if mended is not None:
            return mended
    own = hop.upstream.header_level if code == codes.HOP_HEADER_INHERITANCE else None
    known = {line.args[0].lower() for line in (own.own(b"proxy_set_header") if own else ()) if line.args}
    if any("upgrade" in (header.value or "").lower() for header in hop.upstream.values("Connection")):
        known.add(b"connection")  # it is right as it is
    wanted = [
        line
        for line in upgrade_lines(hop.route)[0 if hop.upstream.version == "1.0" else 1 :]
        if not line.startswith("proxy_set_header") or line.split()[1].lower().encode() not in known
    ]
    return with_headers(hop.route, hop.upstream, wanted)


def _wrong_headers(code: str, hop: Hop) -> Optional[Change]:
    return mended_headers(code, hop.route, hop.upstream)


def _header(code: str, hop: Hop) -> Optional[Change]:
    """Another value of one header."""
    name, cure = HEADER_CURES[code]
    line = hop.upstream.line(name)
    if line is None:
        return with_headers(hop.route, hop.upstream, [cure])
    return replace(hop.route.configuration, line, cure)


def _added(code: str, hop: Hop) -> Optional[Change]:
    """Lines that are missing; several of them only where the location has none yet."""
    lines = LINES_TO_ADD[code]
    own = next(iter(hop.level.own(lines[0].split()[0].encode())), None)
    if own is None:
        return insert_after(hop.route.configuration, hop.upstream.directive, *lines)
    return replace(hop.route.configuration, own, *lines) if len(lines) == 1 else None


def _dropped(code: str, hop: Hop) -> Optional[Change]:
    """A line in force that has to go."""
    dropped = hop.level.nearest(DIRECTIVES_TO_DROP[code])[1]
    if code == codes.REQUEST_HEADERS_NOT_PASSED and not dropped:
        found = [hop.upstream.line(name) for name in HANDSHAKE_HEADERS]
        dropped = [line for line in found if line is not None]
    return replace(hop.route.configuration, dropped[0]) if dropped else None


def _rewrite(code: str, hop: Hop) -> Optional[Change]:
    """The last rewrite goes; one of the server is there for other requests as well."""
    steps = reversed(hop.route.steps)
    rewrite = next((step.directive for step in steps if step.kind == "rewrite"), None)
    if rewrite is None or hop.level.directive is None or rewrite.parent is not hop.level.directive:
        return None
    return replace(hop.route.configuration, rewrite)


def _header_dropped(code: str, hop: Hop) -> Optional[Change]:
    line = hop.upstream.line(HEADERS_TO_DROP[code])
    return replace(hop.route.configuration, line) if line is not None else None


def _proxy_pass(code: str, hop: Hop) -> Optional[Change]:
    """Another proxy_pass: with or without its URI part, with the query, with the other scheme."""
    written = hop.upstream.directive.args[0].decode("utf-8", "replace")
    scheme, _, rest = written.partition("://")
    server = rest.split("/")[0] if not rest.startswith("unix:") else ""
    new = ""
    if code == codes.UPSTREAM_SCHEME_MISMATCH:
        new = f"{'https' if scheme == 'http' else 'http'}://{rest}"
    elif code == codes.QUERY_STRING_LOST:
        new = f"{written}$is_args$args"
    elif (
        code
        in (codes.PROXY_PASS_STRIPS_PREFIX, codes.PROXY_PASS_NORMALIZES_PATH, codes.PROXY_PASS_VARIABLE_URI)
        and server
    ):
        new = f"{scheme}://{server}"
    elif code == codes.PROXY_PASS_KEEPS_PREFIX and server and "/" not in rest and "$" not in rest:
        location = hop.route.location
        if location is not None and not location.regex and location.name.endswith(b"/"):
            new = f"{scheme}://{server}/"
    if not new or new == written:
        return None
    line = hop.upstream.directive
    edit = splice.set_argument(line, 0, new.encode("utf-8", "surrogateescape"))
    data = line.source.data
    text = data[line.start : edit.start] + edit.text + data[edit.end : line.end]  # blanks and quotes stay
    return replace(hop.route.configuration, line, text.decode("utf-8", "surrogateescape"))


PROXY_PASS = (
    codes.UPSTREAM_SCHEME_MISMATCH,
    codes.QUERY_STRING_LOST,
    codes.PROXY_PASS_STRIPS_PREFIX,
    codes.PROXY_PASS_NORMALIZES_PATH,
    codes.PROXY_PASS_VARIABLE_URI,
    codes.PROXY_PASS_KEEPS_PREFIX,
)
BY_CODE: Dict[str, Maker] = {
    codes.NO_UPGRADE_HEADER: _upgrade_lines,
    codes.HOP_HEADER_INHERITANCE: _upgrade_lines,
    codes.ADD_HEADER_NOT_PROXY_SET_HEADER: _upgrade_lines,
    codes.OUTER_PROXY_STRIPS_UPGRADE: _upgrade_lines,
    codes.UPGRADE_HEADER_WRONG_VALUE: _wrong_headers,
    codes.UPGRADE_HARDCODED_NO_TUNNEL: _wrong_headers,
    codes.CONNECTION_HEADER_WRONG: _wrong_headers,
    codes.REWRITE_CHANGES_PATH: _rewrite,
    **dict.fromkeys(HEADER_CURES, _header),
    **dict.fromkeys(LINES_TO_ADD, _added),
    **dict.fromkeys(DIRECTIVES_TO_DROP, _dropped),
    **dict.fromkeys(HEADERS_TO_DROP, _header_dropped),
    **dict.fromkeys(PROXY_PASS, _proxy_pass),
}
