"""What nginx sends to the backend, judged against what an upgrade needs."""

from __future__ import annotations

import dataclasses
import itertools
import re
from typing import Iterator, List, Optional
from urllib.parse import unquote

from ... import codes
from ...conf.globbing import is_pattern
from ...conf.tree import Directive
from ..content.upstream import Header, Upstream
from ..location import Location
from ..route import Route
from ..variables import has_variables, variable_names
from .hops import next_hop, own_hops, own_server
from .meant import Fact, Meant, titled
from .negotiated import answer_headers, other_subprotocol
from .obstacle import Obstacle, at, header_of


def request_obstacles(route: Route, meant: Optional[Meant]) -> List[Obstacle]:
    """Everything in nginx's request to the backend that may break the upgrade, the strongest first."""
    upstream = route.upstream
    if upstream is None:
        return []
    found: List[Obstacle] = []
    found += own_server(route, upstream)
    found += _method_and_version(upstream)
    found += _hop_headers(route, upstream, meant)
    found += _other_headers(route, upstream)
    found += answer_headers(route)
    found += _target(route, upstream)
    found += _way(route, upstream)
    return found


def _method_and_version(upstream: Upstream) -> Iterator[Obstacle]:
    if upstream.method.upper() != "GET":
        text = f"the backend gets {upstream.method} in place of GET"
        yield Obstacle(codes.METHOD_CHANGED, True, at(upstream.directive, text))
    if upstream.version.startswith("2"):
        text = "proxy_http_version 2: an HTTP/1.1 upgrade cannot pass"
        yield Obstacle(codes.HTTP2_UPSTREAM, True, at(upstream.version_directive, text))
    elif upstream.version == "1.0":
        text = "no proxy_http_version here, and before nginx 1.29.7 the default is 1.0"
        facts = at(upstream.directive, text)
        if upstream.version_directive is not None:
            facts = at(upstream.version_directive, "proxy_http_version 1.0")
        yield Obstacle(codes.HTTP10_UPSTREAM, False, facts, weight=60)


# -- Upgrade and Connection -------------------------------------------------------------------------


def _hop_headers(route: Route, upstream: Upstream, meant: Optional[Meant]) -> Iterator[Obstacle]:
    upgrade, connection = upstream.values("Upgrade"), upstream.values("Connection")
    if any(header.value is None for header in upgrade + connection):
        reason = next(header.reason for header in upgrade + connection if header.value is None)
        yield Obstacle(codes.UNDECIDED, False, at(upstream.directive, f"Upgrade or Connection: {reason}"))
        return
    colon = _named_with_colon(upstream)
    if colon is not None:
        yield colon
        return
    line = upstream.line(b"upgrade")
    value = upgrade[0].value if upgrade else None
    good = any(map(_is_websocket, upgrade))
    if good and any(map(_asks_upgrade, connection)):
        yield from _mixed(upgrade, connection)
        yield from _next_hop(route)
        return
    if line is None and value is None:
        yield from _missing(route, upstream, meant)
        return
    if not good:
        written = b" ".join(line.args[1:]).decode("utf-8", "replace") if line is not None else ""
        got = f"{value!r}" if value else "no Upgrade at all"
        facts = at(line, f"Upgrade is {written or 'empty'}, and the backend gets {got}")
        detail = ""
        if not any(map(_asks_upgrade, connection)):
            sent = f"{connection[0].value!r} as Connection" if connection else "no Connection either"
            facts += at(upstream.line(b"connection"), f"the backend gets {sent}")
            detail = "neither Upgrade nor Connection reaches the backend with the value that it needs"
        yield Obstacle(codes.UPGRADE_HEADER_WRONG_VALUE, True, facts, detail=detail)
        return
    yield _connection_wrong(upstream, meant)


def _named_with_colon(upstream: Upstream) -> Optional[Obstacle]:
    """A line whose header's name was written with a colon: what goes out is "Upgrade:: websocket"."""
    for line in upstream.set_headers:
        name = line.args[0].lower() if line.args else b""
        if name in (b"upgrade:", b"connection:") and not upstream.values(name[:-1].decode().title()):
            written = line.args[0].decode("latin-1")
            facts = at(line, f"the header's name is written with a colon: {written}")
            detail = f"the name {written} holds a colon, and so no {written[:-1]} header reaches the backend"
            fix = f"proxy_set_header {written[:-1]} without the colon"
            return Obstacle(codes.UPGRADE_HEADER_WRONG_VALUE, True, facts, detail=detail, fix=fix)
    return None


def _asks_upgrade(header: Header) -> bool:
    """Whether a Connection line holds the word upgrade."""
    return "upgrade" in [word.strip().lower() for word in (header.value or "").split(",")]


def _is_websocket(header: Header) -> bool:
    return (header.value or "").lower() == "websocket"


def _mixed(upgrade: List[Header], connection: List[Header]) -> Iterator[Obstacle]:
    """One line of a name is right and another is not: backends take the first, the last, or join them."""
    for name, code, headers, right in (
        ("Upgrade", codes.UPGRADE_HEADER_WRONG_VALUE, upgrade, _is_websocket),
        ("Connection", codes.CONNECTION_HEADER_WRONG, connection, _asks_upgrade),
    ):
        wrong = next((header for header in headers if not right(header)), None)
        if wrong is not None:
            text = f"one of {len(headers)} {name} lines is {wrong.value!r}"
            yield Obstacle(code, False, at(wrong.directive, text), weight=70)


def _connection_wrong(upstream: Upstream, meant: Optional[Meant]) -> Obstacle:
    line = upstream.line(b"connection")
    values = upstream.values("Connection")
    got = f"{values[0].value!r}" if values else "no Connection at all"
    where = line or upstream.line(b"upgrade")
    if meant is not None and meant.code != codes.WS_MISSING_IN_TLS_SERVER:  # here is one, with a wrong line
        facts = [meant.fact(), *at(where, f"here the backend gets {got}")]
        return Obstacle(meant.code, True, facts)
    text = f"the backend gets {got} as Connection, and needs the word upgrade"
    return Obstacle(codes.CONNECTION_HEADER_WRONG, True, at(where, text))


def _missing(route: Route, upstream: Upstream, meant: Optional[Meant]) -> Iterator[Obstacle]:
    """No line for Upgrade is in force: why not?"""
    level = route.level
    assert level is not None
    lost = _lost_by_inheritance(upstream)
    added = [
        line for line in level.nearest(b"add_header")[1] if line.args and line.args[0].lower() == b"upgrade"
    ]
    behind = next_hop(route)
    plain = at(upstream.directive, f"{titled(level)} sends no Upgrade header")
    if lost is not None:
        facts = at(lost, "Upgrade is set here, at an outer level")
        replacing = "this proxy_set_header of the inner level replaces the whole inherited list"
        facts += at(upstream.set_headers[0], replacing)
        yield Obstacle(codes.HOP_HEADER_INHERITANCE, True, facts)
    elif added:
        facts = at(added[0], "add_header Upgrade goes to the browser") + plain
        yield Obstacle(codes.ADD_HEADER_NOT_PROXY_SET_HEADER, True, facts)
    elif behind is not None:
        yield _stripped_before(upstream, behind)
    elif meant is not None:
        yield Obstacle(meant.code, True, [meant.fact(), *plain], meant=meant)
    else:
        empty = _empty_include(route) if not route.configuration.alone else None
        if empty is not None:
            # Where files can be looked at, an empty include alone proves nothing.
            certain = not route.configuration.prefix
            facts = at(empty, "this include of the server matches no file")
            yield Obstacle(codes.NOT_INCLUDED_FILE, certain, facts, weight=90)
        yield Obstacle(codes.NO_UPGRADE_HEADER, True, plain)


def _lost_by_inheritance(upstream: Upstream) -> Optional[Directive]:
    """An outer Upgrade line that the list in force hides."""
    if upstream.header_level is None or upstream.header_level.parent is None:
        return None
    for level in upstream.header_level.parent.chain():
        for line in level.own(b"proxy_set_header"):
            if line.args and line.args[0].lower() == b"upgrade":
                return line
    return None


def _empty_include(route: Route) -> Optional[Directive]:
    """An include with a pattern, inside the server that answers, that brought in nothing."""
    if route.server is None or route.server.directive is None:
        return None
    for include in route.configuration.includes:
        if include.files or not is_pattern(include.pattern):
            continue
        parent = include.directive.parent
        while parent is not None:
            if parent is route.server.directive:
                return include.directive
            parent = parent.parent
    return None


# -- a second hop -----------------------------------------------------------------------------------


def _stripped_before(upstream: Upstream, inner: Route) -> Obstacle:
    """The next hop is ours and would carry an upgrade, but no longer gets one."""
    facts = at(upstream.directive, "this hop passes the request on without Upgrade")
    following = inner.upstream
    if following is not None:
        facts += at(following.directive, "and this one sends it to the backend")
        line = following.line(b"upgrade")
        values = following.values("Upgrade")
        literal = line is not None and not has_variables(line.args[1])
        if literal and values and (values[0].value or "").lower() == "websocket":
            text = "Upgrade is a literal here, while the client's own never arrives"
            return Obstacle(codes.UPGRADE_HARDCODED_NO_TUNNEL, True, at(line, text) + facts)
        if line is not None:
            return Obstacle(codes.OUTER_PROXY_STRIPS_UPGRADE, True, facts)
    return Obstacle(codes.NO_UPGRADE_HEADER, True, facts)


def _next_hop(route: Route) -> Iterator[Obstacle]:
    """This hop passes the upgrade on; a second one of this configuration may not."""
    for inner in itertools.islice(own_hops(route), 1, None):
        if inner.upstream is None:
            return
        upgrade = inner.upstream.values("Upgrade")
        if not upgrade or (upgrade[0].value or "").lower() != "websocket":
            text = "the second hop, in this configuration too, sends no Upgrade"
            detail = (
                "this nginx passes the handshake on to another server of its own, and that one does "
                "not pass Upgrade and Connection to the backend"
            )
            facts = at(inner.upstream.directive, text)
            yield Obstacle(codes.NO_UPGRADE_HEADER, True, facts, detail=detail, hop=inner)
            return


# -- the rest ---------------------------------------------------------------------------------------


def _other_headers(route: Route, upstream: Upstream) -> Iterator[Obstacle]:
    if not upstream.values("Sec-WebSocket-Key"):
        level = route.level
        found = level.nearest(b"proxy_pass_request_headers")[1] if level is not None else []
        if found and found[-1].args and found[-1].args[0] == b"off":
            facts = at(found[-1], "the backend gets no Sec-WebSocket-Key")
            yield Obstacle(codes.REQUEST_HEADERS_NOT_PASSED, True, facts)
        else:
            line = upstream.line(b"sec-websocket-key")
            yield handshake_header("Sec-WebSocket-Key", line, line is not None)
    else:
        key = upstream.line(b"sec-websocket-key")
        if key is not None and not has_variables(key.args[-1]):
            yield _constant_key(key)
    version = upstream.line(b"sec-websocket-version")
    sent = [header.value for header in upstream.values("Sec-WebSocket-Version")]
    if version is not None and sent != ["13"] and None not in sent:
        # 13 is the only version that RFC 6455 knows; some backends do not look at it.
        yield handshake_header("Sec-WebSocket-Version", version, False)
    protocol = upstream.line(b"sec-websocket-protocol")
    if protocol is not None and not upstream.values("Sec-WebSocket-Protocol"):
        text = "the subprotocols that the client offers do not reach the backend"
        offered = bool(header_of(route.request, "Sec-WebSocket-Protocol"))
        yield Obstacle(codes.SUBPROTOCOL_STRIPPED, offered, at(protocol, text), weight=66)
    elif protocol is not None:
        yield from other_subprotocol(route, upstream, protocol)
    if len(upstream.values("Host")) > 1 and route.version < (1, 31, 4):
        yield Obstacle(codes.DUPLICATE_HOST_HEADER, False, _lines_of(upstream, "Host"), weight=70)
    upgrade = [(header.value or "").lower() for header in upstream.values("Upgrade")]
    if len(upgrade) > 1 and set(upgrade) == {"websocket"}:
        # Servers that join the lines read "websocket, websocket", which is no protocol they know.
        detail = "nginx sends Upgrade twice, and many backends refuse that"
        facts = _lines_of(upstream, "Upgrade")
        yield Obstacle(codes.DUPLICATE_HEADER, False, facts, detail=detail, weight=69)
    yield from _dropped_headers(route, upstream)


def _lines_of(upstream: Upstream, name: str) -> List[Fact]:
    """The lines that send one header."""
    return [fact for line in upstream.lines(name.lower().encode()) for fact in at(line, f"one {name} line")]


def no_name(name: str) -> bool:
    """Whether nginx takes a header for an invalid one by its name alone, whatever underscores are to it."""
    return not re.match(r"[A-Za-z0-9_-]+\Z", name)


def _dropped_headers(route: Route, upstream: Upstream) -> Iterator[Obstacle]:
    """Headers of the client that nginx does not take for any (ngx_http_parse_header_line)."""
    for name, _ in route.request.headers:
        if ("_" in name or no_name(name)) and not upstream.values(name):
            server = route.listen.default if route.listen is not None else None
            text = f"underscores_in_headers is off here, so nginx drops {name}"
            detail = fix = ""
            if no_name(name):
                text = f"ignore_invalid_headers is on here, so nginx drops {name}"
                detail = (
                    f"nginx drops the client's {name}: it takes letters, digits and hyphens in such a name"
                )
                fix = (
                    "ignore_invalid_headers off in the default server of the listen address, or another name"
                )
            facts = at(server.directive if server is not None else None, text)
            yield Obstacle(codes.HEADER_UNDERSCORE_DROPPED, False, facts, detail=detail, fix=fix, weight=65)


def handshake_header(name: str, line: Optional[Directive], certain: bool = False) -> Obstacle:
    """A header of the handshake that a proxy_set_header line blanks or replaces.

    Args:
        name: of the header.
        line: that sets it; None when it is missing for another reason.
        certain: whether no backend can do without it.
    """
    value = line.args[-1].decode("utf-8", "replace") if line is not None else ""
    done = f"sets {name} to {value}" if value else f"blanks {name}"
    detail = f"proxy_set_header {done}, and the client's own does not reach the backend"
    fix = f"remove this proxy_set_header {name}: the client's own is passed without it"
    facts = at(line, f"proxy_set_header {done}")
    return Obstacle(codes.REQUEST_HEADERS_NOT_PASSED, certain, facts, detail=detail, fix=fix, weight=66)


def _constant_key(line: Directive) -> Obstacle:
    """The backend answers a key that no client sent, and every client gives up (RFC 6455, 4.1)."""
    detail = (
        "proxy_set_header sends every client's handshake with one and the same Sec-WebSocket-Key: the answer "
        "fits none of them, and they give up"
    )
    return dataclasses.replace(handshake_header("Sec-WebSocket-Key", line, True), detail=detail)


def _target(route: Route, upstream: Upstream) -> Iterator[Obstacle]:
    """Path and query as the backend gets them; only the backend knows whether they are right."""
    client = route.request.raw_target().decode("utf-8", "surrogateescape")
    if "?" in client and "?" not in upstream.uri:
        text = f"the backend gets {upstream.uri.split('?')[0]} without the query"
        yield Obstacle(codes.QUERY_STRING_LOST, False, at(upstream.directive, text), weight=80)
    code = path_change(route, upstream, client)
    if code:
        rewrite = rewrite_before(route, upstream) if code == codes.REWRITE_CHANGES_PATH else None
        text = f"the backend gets the path {upstream.uri.split('?')[0]}"
        yield Obstacle(code, False, at(rewrite or upstream.directive, text), weight=50)


def path_change(route: Route, upstream: Upstream, client_target: str) -> str:
    """How nginx's path differs from the client's, as a code; empty when it does not.

    Args:
        route: with its location.
        upstream: nginx's request.
        client_target: the client's request target.
    """
    sent, client = upstream.uri.split("?")[0], client_target.split("?")[0].split("#")[0]
    if sent == client:
        return ""
    if rewrite_before(route, upstream) is not None:
        return codes.REWRITE_CHANGES_PATH
    written = upstream.directive.args[0] if upstream.directive.args else b""
    uri_part = written.split(b"://", 1)[-1].partition(b"/")
    if b"//" in sent.encode() and "//" not in client:
        return codes.PROXY_PASS_DOUBLE_SLASH
    if has_variables(written) and uri_part[1] and not _names_the_path(uri_part[2]):
        return codes.PROXY_PASS_VARIABLE_URI
    if sent.rstrip("/") == client.rstrip("/") and uri_part[1]:
        return codes.PROXY_PASS_DOUBLE_SLASH  # the slash at the end is all that differs
    if (
        route.first_uri.decode("utf-8", "backslashreplace") != client
        and (sent.endswith(route.first_uri.decode("utf-8", "backslashreplace")[-len(sent) :]))
        and len(sent) >= len(client.replace("//", "/")) - 2
    ):
        return codes.PROXY_PASS_NORMALIZES_PATH
    location = route.location
    if isinstance(location, Location) and not location.regex and uri_part[1]:
        prefix = location.name.decode("utf-8", "backslashreplace")
        # "location /ws { proxy_pass http://b/; }" makes "//x", "location /ws/ { proxy_pass http://b/a; }"
        # makes "/ax".
        if len(client) > len(prefix) and prefix.endswith("/") != written.endswith(b"/"):
            return codes.PROXY_PASS_DOUBLE_SLASH
    return codes.PROXY_PASS_STRIPS_PREFIX if len(sent) < len(client) else codes.PROXY_PASS_NORMALIZES_PATH


_OF_THE_QUERY = (b"is_args", b"args", b"query_string")


def _names_the_path(written: bytes) -> bool:
    """Whether a URI part of variables holds more than the query's: what stands for the path, or a capture."""
    return any(name not in _OF_THE_QUERY and not name.startswith(b"arg_") for name in variable_names(written))


def rewrite_before(route: Route, upstream: Upstream) -> Optional[Directive]:
    """The rewrite that made the path which the backend gets; None when no rewrite made it."""
    rewrites = [step.directive for step in route.steps if step.kind == "rewrite"]
    made = rewrites and unquote(upstream.uri.split("?")[0]) == route.uri
    return rewrites[-1] if made else None


def uri_part_of(upstream: Upstream) -> str:
    """The URI part of proxy_pass; empty without one or with variables."""
    written = upstream.directive.args[0].decode("utf-8", "replace") if upstream.directive.args else ""
    rest = written.split("://", 1)[-1]
    if "$" in written or rest.startswith("unix:"):
        return ""
    return rest[rest.find("/") :] if "/" in rest else ""


def _way(route: Route, upstream: Upstream) -> Iterator[Obstacle]:
    """How nginx finds the backend, and what comes between it and the client."""
    level = route.level
    if level is None:
        return
    if upstream.resolver_needed and not level.nearest(b"resolver")[1]:
        text = f"{upstream.host} is a name in a variable, and no resolver is set"
        yield Obstacle(codes.RESOLVER_MISSING, True, at(upstream.directive, text))
    if level.value(b"proxy_cache", b"off") != b"off":
        text = "answers of this location may come from a cache"
        yield Obstacle(codes.CACHE, False, at(level.nearest(b"proxy_cache")[1][-1], text), weight=45)
    pages = level.nearest(b"error_page")[1]
    if level.on(b"proxy_intercept_errors", False) and pages:
        text = "a refusal of the backend is replaced by this page"
        yield Obstacle(codes.ERROR_PAGE_INTERCEPT, False, at(pages[-1], text), weight=45)
    block = upstream.block
    sticky = (b"ip_hash", b"hash", b"sticky", b"least_conn_sticky")
    if block is not None and len(upstream.servers) > 1:
        if any(child.name in sticky for child in block.block or ()):
            return
        text = (
            f"{len(upstream.servers)} servers without ip_hash, hash or sticky: a session that begins by "
            "polling may go on at another one"
        )
        yield Obstacle(codes.NO_STICKY_SESSION, False, at(block, text), weight=30)
