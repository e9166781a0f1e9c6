"""What nginx sends to the backend, judged against what an upgrade needs."""

from __future__ import annotations

import itertools
from typing import Iterator, List, Optional, Tuple
from urllib.parse import unquote

from ..behaviour.content.upstream import Upstream
from ..behaviour.effective import Level
from ..behaviour.location import Location
from ..behaviour.route import Route
from ..behaviour.variables import has_variables
from ..conf.tree import Directive
from .changes import UPGRADE_LINES, header_line, with_headers
from .facts import Facts
from .findings import Evidence, Finding
from .intent import Meant, titled
from .location_changes import change_for_location
from .second_hop import next_hop, own_hops

Judged = Tuple[Finding, bool]
NEEDED = (b"upgrade", b"connection", b"sec-websocket-accept", b"sec-websocket-protocol")


def _at(directive: Optional[Directive], text: str) -> List[Evidence]:
    if directive is None:
        return [Evidence("configuration", text)]
    return [Evidence("configuration", text, directive.file, directive.line)]


def upstream_suspects(facts: Facts, route: Route, meant: Optional[Meant]) -> List[Judged]:
    """Everything in nginx's request to the backend that may break the upgrade, the strongest first."""
    upstream = route.upstream
    if upstream is None:
        return []
    found: List[Judged] = []
    found += _method_and_version(upstream)
    found += _hop_headers(route, upstream, meant)
    found += _other_headers(facts, route, upstream)
    found += _answer_headers(route)
    found += _target(facts, route, upstream)
    found += _way(route, upstream)
    return found


def _method_and_version(upstream: Upstream) -> Iterator[Judged]:
    if upstream.method.upper() != "GET":
        yield (
            Finding(
                "method-changed",
                evidence=_at(upstream.directive, f"the backend gets {upstream.method} in place of GET"),
            ),
            True,
        )
    if upstream.version.startswith("2"):
        yield (
            Finding(
                "http2-upstream",
                evidence=_at(
                    upstream.version_directive, "proxy_http_version 2: an HTTP/1.1 upgrade cannot pass"
                ),
            ),
            True,
        )
    elif upstream.version == "1.0":
        where = (
            _at(upstream.version_directive, "proxy_http_version 1.0")
            if upstream.version_directive
            else _at(
                upstream.directive, "no proxy_http_version here, and before nginx 1.29.7 the default is 1.0"
            )
        )
        yield Finding("http10-upstream", evidence=where, weight=60), False


# ---------------------------------------------------------------------------------------- Upgrade and
# Connection


def _hop_headers(route: Route, upstream: Upstream, meant: Optional[Meant]) -> Iterator[Judged]:
    upgrade, connection = upstream.values("Upgrade"), upstream.values("Connection")
    if any(header.value is None for header in upgrade + connection):
        reason = next(header.reason for header in upgrade + connection if header.value is None)
        yield (
            Finding("undecided", evidence=_at(upstream.directive, f"Upgrade or Connection: {reason}")),
            False,
        )
        return
    line = header_line(upstream, b"upgrade")
    value = upgrade[0].value if upgrade else None
    good = value is not None and value.lower() == "websocket"
    tokens = [
        token.strip().lower() for token in ((connection[0].value or "") if connection else "").split(",")
    ]
    if good and "upgrade" in tokens:
        yield from _next_hop(route, upstream)
        return
    if line is None and value is None:
        yield from _missing(route, upstream, meant)
        return
    if not good:
        written = b" ".join(line.args[1:]).decode("utf-8", "replace") if line is not None else ""
        got = f"{value!r}" if value else "no Upgrade at all"
        evidence = _at(line, f"Upgrade is {written or 'empty'}, and the backend gets {got}")
        detail = ""
        if "upgrade" not in tokens:
            sent = f"{connection[0].value!r} as Connection" if connection else "no Connection either"
            evidence += _at(header_line(upstream, b"connection"), f"the backend gets {sent}")
            detail = "neither Upgrade nor Connection reaches the backend with the value that it needs"
        yield Finding("upgrade-header-wrong-value", evidence=evidence, detail=detail), True
        return
    yield _connection_wrong(route, upstream, meant)


def _connection_wrong(route: Route, upstream: Upstream, meant: Optional[Meant]) -> Judged:
    line = header_line(upstream, b"connection")
    values = upstream.values("Connection")
    got = f"{values[0].value!r}" if values else "no Connection at all"
    where = line or header_line(upstream, b"upgrade")
    if meant is not None:
        return Finding(
            meant.code, evidence=[meant.evidence(), *_at(where, f"here the backend gets {got}")]
        ), True
    return Finding(
        "connection-header-wrong",
        evidence=_at(where, f"the backend gets {got} as Connection, and needs the word upgrade"),
    ), True


def _missing(route: Route, upstream: Upstream, meant: Optional[Meant]) -> Iterator[Judged]:
    """No line for Upgrade is in force: why not?"""
    level = route.level
    assert level is not None
    lost = _lost_by_inheritance(upstream)
    added = [
        line for line in level.nearest(b"add_header")[1] if line.args and line.args[0].lower() == b"upgrade"
    ]
    behind = next_hop(route)
    plain = _at(upstream.directive, f"{titled(level)} sends no Upgrade header")
    if lost is not None:
        own = upstream.header_level.own(b"proxy_set_header")[0] if upstream.header_level is not None else None
        yield (
            Finding(
                "hop-header-inheritance",
                evidence=_at(lost, "Upgrade is set here, at an outer level")
                + _at(own, "this proxy_set_header of the inner level replaces the whole inherited list"),
            ),
            True,
        )
    elif added:
        yield (
            Finding(
                "add-header-not-proxy-set-header",
                evidence=_at(added[0], "add_header Upgrade goes to the browser") + plain,
            ),
            True,
        )
    elif behind is not None:
        yield _stripped_before(route, upstream, behind)
    elif meant is not None:
        change = change_for_location(route, meant.code, meant.location)
        if change is None and meant.code == "ws-missing-in-tls-server":
            change = with_headers(route, upstream, UPGRADE_LINES)
        yield Finding(meant.code, evidence=[meant.evidence(), *plain], change=change), True
    else:
        empty = _empty_include(route)
        if empty is not None:
            yield (
                Finding(
                    "not-included-file",
                    weight=90,
                    evidence=_at(empty, "this include of the server matches no file"),
                ),
                not route_is_live(route),
            )
        yield Finding("no-upgrade-header", evidence=plain), True


def route_is_live(route: Route) -> bool:
    """Whether files of this host could be looked at: then an empty include alone proves nothing."""
    return bool(route.configuration.prefix)


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
        if include.files or not any(char in include.pattern for char in "*?["):
            continue
        parent = include.directive.parent
        while parent is not None:
            if parent is route.server.directive:
                return include.directive
            parent = parent.parent
    return None


# ---------------------------------------------------------------------------------------- a second hop


def _stripped_before(route: Route, upstream: Upstream, inner: Route) -> Judged:
    """The next hop is ours and would carry an upgrade, but no longer gets one."""
    evidence = _at(upstream.directive, "this hop passes the request on without Upgrade")
    following = inner.upstream
    if following is not None:
        evidence += _at(following.directive, "and this one sends it to the backend")
        values = following.values("Upgrade")
        if values and (values[0].value or "").lower() == "websocket":
            literal = header_line(following, b"upgrade")
            if literal is not None and not has_variables(literal.args[1]):
                return Finding(
                    "upgrade-hardcoded-no-tunnel",
                    evidence=_at(literal, "Upgrade is a literal here, while the client's own never arrives")
                    + evidence,
                ), True
        line = header_line(following, b"upgrade")
        if line is not None:
            return Finding("outer-proxy-strips-upgrade", evidence=evidence), True
    return Finding("no-upgrade-header", evidence=evidence), True


def _next_hop(route: Route, upstream: Upstream) -> Iterator[Judged]:
    """This hop passes the upgrade on; a second one of this configuration may not."""
    for inner in itertools.islice(own_hops(route), 1, None):
        if inner.upstream is None:
            return
        upgrade = inner.upstream.values("Upgrade")
        if not upgrade or (upgrade[0].value or "").lower() != "websocket":
            yield (
                Finding(
                    "no-upgrade-header",
                    evidence=_at(
                        inner.upstream.directive,
                        "the second hop, in this configuration too, sends no Upgrade",
                    ),
                    detail=(
                        "this nginx passes the handshake on to another server of its own, and that one does "
                        "not pass Upgrade and Connection to the backend"
                    ),
                    change=with_headers(inner, inner.upstream, UPGRADE_LINES),
                ),
                True,
            )
            return


# ---------------------------------------------------------------------------------------- the rest


def _other_headers(facts: Facts, route: Route, upstream: Upstream) -> Iterator[Judged]:
    if not upstream.values("Sec-WebSocket-Key"):
        level = route.level
        found = level.nearest(b"proxy_pass_request_headers")[1] if level is not None else []
        if found and found[-1].args and found[-1].args[0] == b"off":
            yield (
                Finding(
                    "request-headers-not-passed",
                    evidence=_at(found[-1], "the backend gets no Sec-WebSocket-Key"),
                ),
                True,
            )
        else:
            line = header_line(upstream, b"sec-websocket-key")
            yield handshake_header("Sec-WebSocket-Key", line), line is not None
    version = header_line(upstream, b"sec-websocket-version")
    sent = [header.value for header in upstream.values("Sec-WebSocket-Version")]
    if version is not None and sent != ["13"] and None not in sent:
        # 13 is the only version that RFC 6455 knows; some backends do not look at it.
        yield handshake_header("Sec-WebSocket-Version", version), False
    protocol = header_line(upstream, b"sec-websocket-protocol")
    if protocol is not None and not upstream.values("Sec-WebSocket-Protocol"):
        yield (
            Finding(
                "subprotocol-stripped",
                weight=66,
                evidence=_at(protocol, "the subprotocols that the client offers do not reach the backend"),
            ),
            bool(facts.question.subprotocols),
        )
    hosts = upstream.values("Host")
    if len(hosts) > 1 and route.version < (1, 31, 4):
        lines = [
            line
            for line in (upstream.header_level.own(b"proxy_set_header") if upstream.header_level else [])
            if line.args and line.args[0].lower() == b"host"
        ]
        yield (
            Finding(
                "duplicate-host-header",
                weight=70,
                evidence=[item for line in lines for item in _at(line, "one Host line")],
            ),
            False,
        )
    for name, _ in facts.question.headers:
        if "_" in name and not upstream.values(name):
            server = route.listen.default if route.listen is not None else None
            yield (
                Finding(
                    "header-underscore-dropped",
                    weight=65,
                    evidence=_at(
                        server.directive if server is not None else None,
                        f"underscores_in_headers is off here, so nginx drops {name}",
                    ),
                ),
                False,
            )


def handshake_header(name: str, line: Optional[Directive]) -> Finding:
    """The finding for a header of the handshake that a proxy_set_header line blanks or replaces.

    Args:
        name: of the header.
        line: that sets it; None when it is missing for another reason.
    """
    value = line.args[-1].decode("utf-8", "replace") if line is not None else ""
    done = f"sets {name} to {value}" if value else f"blanks {name}"
    return Finding(
        "request-headers-not-passed",
        weight=66,
        evidence=_at(line, f"proxy_set_header {done}"),
        detail=f"proxy_set_header {done}, and the client's own does not reach the backend",
        fix=f"remove this proxy_set_header {name}: the client's own is passed without it",
    )


def _answer_headers(route: Route) -> Iterator[Judged]:
    """Headers of the 101 that the client must see (ngx_http_proxy_module, proxy_hide_header)."""
    if route.level is None:
        return
    for line in route.level.nearest(b"proxy_hide_header")[1]:
        name = line.args[0].lower() if line.args else b""
        if name in NEEDED[:3]:
            yield (
                Finding(
                    "response-header-hidden",
                    evidence=_at(line, f"{name.decode()} of the 101 is hidden from the client"),
                ),
                True,
            )


def _target(facts: Facts, route: Route, upstream: Upstream) -> Iterator[Judged]:
    """Path and query as the backend gets them; only the backend knows whether they are right."""
    client = facts.question.endpoint.target
    if "?" in client and "?" not in upstream.uri:
        yield (
            Finding(
                "query-string-lost",
                weight=80,
                evidence=_at(
                    upstream.directive, f"the backend gets {upstream.uri.split('?')[0]} without the query"
                ),
            ),
            False,
        )
    code = path_change(route, upstream, client)
    if code:
        rewrite = rewrite_before(route, upstream) if code == "rewrite-changes-path" else None
        got = f"the backend gets the path {upstream.uri.split('?')[0]}"
        yield Finding(code, weight=50, evidence=_at(rewrite or upstream.directive, got)), False


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
        return "rewrite-changes-path"
    written = upstream.directive.args[0] if upstream.directive.args else b""
    uri_part = written.split(b"://", 1)[-1].partition(b"/")
    if b"//" in sent.encode() and "//" not in client:
        return "proxy-pass-double-slash"
    if has_variables(written) and uri_part[1] and not has_variables(uri_part[2]):
        return "proxy-pass-variable-uri"
    if (
        route.first_uri.decode("utf-8", "backslashreplace") != client
        and (sent.endswith(route.first_uri.decode("utf-8", "backslashreplace")[-len(sent) :]))
        and len(sent) >= len(client.replace("//", "/")) - 2
    ):
        return "proxy-pass-normalizes-path"
    location = route.location
    if isinstance(location, Location) and not location.regex and uri_part[1]:
        prefix = location.name.decode("utf-8", "backslashreplace")
        # "location /ws { proxy_pass http://b/; }" makes "//x", "location /ws/ { proxy_pass http://b/a; }"
        # makes "/ax".
        if prefix.endswith("/") != written.endswith(b"/"):
            return "proxy-pass-double-slash"
    return "proxy-pass-strips-prefix" if len(sent) < len(client) else "proxy-pass-normalizes-path"


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


def _way(route: Route, upstream: Upstream) -> Iterator[Judged]:
    """How nginx finds the backend."""
    level: Optional[Level] = route.level
    if upstream.resolver_needed and level is not None and not level.nearest(b"resolver")[1]:
        yield (
            Finding(
                "resolver-missing",
                evidence=_at(
                    upstream.directive, f"{upstream.host} is a name in a variable, and no resolver is set"
                ),
            ),
            True,
        )
    if level is not None and level.value(b"proxy_cache", b"off") != b"off":
        line = level.nearest(b"proxy_cache")[1][-1]
        yield (
            Finding("cache", weight=45, evidence=_at(line, "answers of this location may come from a cache")),
            False,
        )
    if level is not None and level.on(b"proxy_intercept_errors", False) and level.nearest(b"error_page")[1]:
        yield (
            Finding(
                "error-page-intercept",
                weight=45,
                evidence=_at(
                    level.nearest(b"error_page")[1][-1], "a refusal of the backend is replaced by this page"
                ),
            ),
            False,
        )
    block = upstream.block
    if (
        block is not None
        and len(upstream.servers) > 1
        and not any(
            child.name in (b"ip_hash", b"hash", b"sticky", b"least_conn_sticky")
            for child in block.block or ()
        )
    ):
        yield (
            Finding(
                "no-sticky-session",
                weight=30,
                evidence=_at(
                    block,
                    f"{len(upstream.servers)} servers without ip_hash, hash or sticky: a session that "
                    f"begins by "
                    "polling may go on at another one",
                ),
            ),
            False,
        )
