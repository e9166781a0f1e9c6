"""Whether a WebSocket upgrade survives a route, and the one directive that decides it.

nginx opens the tunnel when the backend answers 101 and the client asked for an upgrade
(``ngx_http_upstream_process_header``, ``ngx_http_upstream_upgrade``); so what counts is that the request
reaches a ``proxy_pass`` and that the backend receives the handshake.  ``cause`` is a code of
docs/findings.md.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, List, Optional

from ...conf.tree import Directive
from ..effective import Level
from ..rewrite import Undecided
from .access import judge_access
from .blame import blame

if TYPE_CHECKING:
    from ..content.upstream import Header, Upstream
    from ..route import Route


@dataclasses.dataclass
class Upgrade:
    """The verdict: True, False, or None where the configuration alone cannot tell.

    ``directive`` is the decisive one; ``reason`` says in one sentence what happens.
    """

    survives: Optional[bool]
    cause: str
    reason: str
    directive: Optional[Directive] = None


HOPS = 4
"""Proxies of the same configuration that are followed behind each other."""


def judge(route: Route, hops: int = HOPS) -> Upgrade:
    """Judge a route.

    Args:
        route: where the request goes; its request should be an opening handshake.
        hops: how many further servers of the same nginx to follow when the target is one of them.

    Returns:
        The verdict.  HTTP/1.0 towards the backend is None: some backends accept it.
    """
    if route.upstream is None:
        verdict = _answered(route)
    else:
        verdict = judge_access(route) or _proxied(route, route.upstream)
    if verdict.survives is False:
        verdict = blame(route, verdict)
    if route.upstream is not None and hops > 0:
        verdict = _next_hop(route, route.upstream, verdict, hops)
    if verdict.survives is True:
        verdict = _doubts(route) or verdict
    return verdict


# -- nginx answers by itself ------------------------------------------------------------------------


def _answered(route: Route) -> Upgrade:
    answer = route.answer
    directive = answer.directive or (route.level.directive if route.level else None)
    if answer.kind == "undecided":
        return Upgrade(None, "wrong-location", f"the route cannot be decided: {answer.reason}", directive)
    simple = _SIMPLE.get(answer.code) or _SIMPLE.get(answer.kind)
    if answer.kind == "redirect" and answer.code in ("rewrite", "error-page"):
        return _redirected(route, directive)
    if answer.code == "try_files":
        return _try_files(route, directive)
    if answer.kind == "return" and _inside_referer_check(directive):
        return Upgrade(False, "referer-check", f"a request without Referer gets {answer.status}", directive)
    if simple is not None:
        return Upgrade(False, simple[0], simple[1].replace("%s", answer.reason), directive)
    if answer.kind in ("static", "not-found", "forbidden", "autoindex"):
        return _static(route, directive)
    return _plain(route, directive)


_SIMPLE = {
    "auto-redirect": ("trailing-slash-redirect", "nginx answers 301: %s; browsers do not follow it"),
    "internal": ("internal-location", "%s"),
    "pass": ("wrong-pass-directive", "%s, and that protocol carries no upgrade"),
    "plain-http-to-tls-port": ("plain-http-to-tls-port", "%s, the client speaks plain HTTP"),
    "tls-not-enabled": ("tls-not-enabled", "%s"),
    "not-listening": ("not-included-file", "%s in the configuration that was read"),
}


def _plain(route: Route, directive: Optional[Directive]) -> Upgrade:
    answer = route.answer
    if (
        directive is not None
        and directive.name == b"proxy_pass"
        and directive.args
        and directive.args[0].lower().startswith((b"ws:", b"wss:"))
    ):
        return Upgrade(False, "proxy-pass-ws-scheme", "proxy_pass takes http:// or https:// only", directive)
    words = {"closed": "nginx closes the connection", "handler": answer.reason}
    text = words.get(answer.kind, f"nginx itself answers {answer.status}")
    return Upgrade(False, "wrong-location", f"{text}; the request never reaches a backend", directive)


def _redirected(route: Route, directive: Optional[Directive]) -> Upgrade:
    answer = route.answer
    target = (answer.redirect_target or b"").decode("utf-8", "replace")
    shown = f" to {target}" if target else ""
    text = f"nginx answers {answer.status}{shown}, and browsers do not follow it"
    host = route.host.decode("utf-8", "replace")
    if not route.request.tls and target.startswith("https://" + host):
        return Upgrade(False, "http-to-https-301", text, directive)
    return Upgrade(False, "return-or-rewrite-redirect", text, directive)


def _inside_referer_check(directive: Optional[Directive]) -> bool:
    block = directive.parent if directive is not None else None
    return block is not None and block.name == b"if" and any(b"$invalid_referer" in arg for arg in block.args)


def _try_files(route: Route, directive: Optional[Directive]) -> Upgrade:
    if route.level is not None and route.level.own(b"proxy_pass"):
        text = f"try_files answers {route.answer.status} before proxy_pass is reached"
        return Upgrade(False, "try-files-before-proxy", text, directive)
    text = f"try_files answers {route.answer.status}"
    return Upgrade(False, "try_files-spa-fallback", text, directive)


def _static(route: Route, directive: Optional[Directive]) -> Upgrade:
    """A file (or its absence) answers; say which of the usual reasons led there."""
    level = route.level
    fallback = next((step for step in reversed(route.steps) if step.kind == "try_files"), None)
    outer = level
    while outer is not None and outer.kind == "if":
        outer = outer.parent
    if level is not None and level.kind == "if" and outer is not None and outer.own(b"try_files"):
        text = "the if block takes over and has no try_files, so nginx looks for a file"
        return Upgrade(False, "if-is-evil", text, level.directive)
    if fallback is not None:
        text = f"try_files falls back to {route.uri}, a file that nginx sends"
        return Upgrade(False, "try_files-spa-fallback", text, fallback.directive)
    above = [parent for parent in (level.chain()[1:] if level else []) if parent.own(b"proxy_pass")]
    if above and level is not None:
        text = "proxy_pass is not inherited by a nested location; nginx looks for a file"
        return Upgrade(False, "location-without-handler", text, level.directive)
    text = "nginx looks for a file instead of passing the request on"
    return Upgrade(False, "wrong-location", text, level.directive if level else directive)


# -- the request goes to a backend ------------------------------------------------------------------


def _proxied(route: Route, upstream: Upstream) -> Upgrade:
    for test in (_target, _protocol, _headers, _answer_side):
        verdict = test(route, upstream)
        if verdict is not None:
            return verdict
    text = f"the backend receives {upstream.uri} with Upgrade and Connection over HTTP/{upstream.version}"
    if upstream.version == "1.0":
        text = "the backend is asked over HTTP/1.0: many refuse the upgrade, some accept it"
        return Upgrade(None, "http10-upstream", text, upstream.version_directive or upstream.directive)
    return Upgrade(True, "ok", text, upstream.directive)


def _target(route: Route, upstream: Upstream) -> Optional[Upgrade]:
    level = route.level
    group = route.listen
    if group is not None and group.proxy_protocol:
        text = "the listen address expects the PROXY protocol: a client without it is cut off"
        return Upgrade(None, "proxy-protocol-mismatch", text, group.listens[0].directive)
    if group is not None and group.http2 and not group.ssl and route.version < (1, 25, 1):
        listen = next((item for item in group.listens if item.has("http2")), group.listens[0])
        text = "http2 without TLS makes the port speak HTTP/2 only before nginx 1.25.1"
        return Upgrade(False, "h2c-on-plain-port", text, listen.directive)
    if level is None:
        return None
    if _uri_in_wrong_place(upstream):
        text = "nginx refuses a URI part in proxy_pass here"
        return Upgrade(False, "proxy-pass-uri-in-regex", text, upstream.directive)
    if upstream.resolver_needed and not level.nearest(b"resolver")[1]:
        text = "proxy_pass has variables and a host name, but no resolver is set: 502"
        return Upgrade(False, "resolver-missing", text, upstream.directive)
    return None


def _uri_in_wrong_place(upstream: Upstream) -> bool:
    """``proxy_pass http://x/uri`` in a regex or named location, ``if`` or ``limit_except``."""
    directive, block = upstream.directive, upstream.directive.parent
    value = directive.args[0]
    if block is None or b"$" in value or b"/" not in value.partition(b"://")[2]:
        return False
    if value.lower().startswith((b"http://unix:", b"https://unix:")):
        return False
    if block.name in (b"if", b"limit_except"):
        return True
    first = block.args[0] if block.args else b""
    return block.name == b"location" and first.startswith((b"~", b"@"))


def _protocol(route: Route, upstream: Upstream) -> Optional[Upgrade]:
    if upstream.version.startswith("2"):
        text = "proxy_http_version 2 carries no upgrade"
        return Upgrade(False, "http2-upstream", text, upstream.version_directive)
    if upstream.method != "GET" and route.request.method == "GET":
        directive = route.level.nearest(b"proxy_method")[1] if route.level else []
        text = f"the backend receives {upstream.method} instead of GET"
        return Upgrade(False, "method-not-allowed", text, directive[-1] if directive else upstream.directive)
    return None


def _headers(route: Route, upstream: Upstream) -> Optional[Upgrade]:
    if not route.request.websocket:
        return None
    level = route.level
    assert level is not None
    passing = level.nearest(b"proxy_pass_request_headers")[1]
    if passing and passing[-1].args[:1] == (b"off",):
        text = "proxy_pass_request_headers off keeps Sec-WebSocket-Key from the backend"
        return Upgrade(False, "request-headers-not-passed", text, passing[-1])
    for verdict in (
        _upgrade_header(route, upstream, level),
        _connection_header(route, upstream, level),
        _handshake_headers(upstream, level),
        _host_header(route, upstream),
    ):
        if verdict is not None:
            return verdict
    return None


def _line(level: Level, name: bytes) -> Optional[Directive]:
    """The ``proxy_set_header`` of that name in the list in force."""
    lines = level.nearest(b"proxy_set_header")[1]
    return next((line for line in lines if line.args and line.args[0].lower() == name.lower()), None)


def _unknown(headers: List[Header], name: str) -> Optional[Upgrade]:
    header = next((item for item in headers if item.value is None), None)
    if header is None:
        return None
    text = f"the value of {name} cannot be told: {header.reason}"
    return Upgrade(None, "missing-map", text, header.directive)


def _upgrade_header(route: Route, upstream: Upstream, level: Level) -> Optional[Upgrade]:
    headers = upstream.values("Upgrade")
    line = _line(level, b"Upgrade")
    if not headers and line is None:
        return _lost(route, upstream, level)
    if not headers:
        text = "the value of Upgrade is empty for this request, so it is not sent"
        return Upgrade(False, "upgrade-header-wrong-value", text, line)
    unknown = _unknown(headers, "Upgrade")
    if unknown is not None:
        return unknown
    if not any("websocket" in (item.value or "").lower() for item in headers):
        text = f"the backend receives Upgrade: {headers[0].value} instead of websocket"
        return Upgrade(False, "upgrade-header-wrong-value", text, headers[0].directive or line)
    return None


def _connection_header(route: Route, upstream: Upstream, level: Level) -> Optional[Upgrade]:
    headers = upstream.values("Connection")
    line = _line(level, b"Connection")
    unknown = _unknown(headers, "Connection")
    if unknown is not None:
        return unknown
    tokens = [token.strip().lower() for item in headers for token in (item.value or "").split(",")]
    if "upgrade" in tokens:
        return None
    shown = headers[0].value if headers else "no Connection header"
    text = f"the backend receives Connection: {shown}; it must hold upgrade"
    if not headers:
        text = "the backend receives no Connection header; it must hold upgrade"
    line = line or _line(level, b"Upgrade")
    return Upgrade(False, "connection-header-wrong", text, line or upstream.directive)


def _lost(route: Route, upstream: Upstream, level: Level) -> Upgrade:
    """No ``proxy_set_header Upgrade`` in the list in force: say where it got lost."""
    near, lines = level.nearest(b"proxy_set_header")
    outer = near.parent if near is not None else None
    while outer is not None:
        above = [d for d in outer.own(b"proxy_set_header") if d.args and d.args[0].lower() == b"upgrade"]
        if above:
            text = f"one proxy_set_header on this level drops the whole list with {above[0].where()}"
            return Upgrade(False, "hop-header-inheritance", text, lines[0])
        outer = outer.parent
    added = [d for d in level.nearest(b"add_header")[1] if d.args and d.args[0].lower() == b"upgrade"]
    if added:
        text = "add_header changes the answer to the browser, not the request to the backend"
        return Upgrade(False, "add-header-not-proxy-set-header", text, added[0])
    text = "nginx does not pass Upgrade on unless proxy_set_header says so"
    return Upgrade(False, "no-upgrade-header", text, upstream.directive)


def _handshake_headers(upstream: Upstream, level: Level) -> Optional[Upgrade]:
    for name in ("Sec-WebSocket-Key", "Sec-WebSocket-Version"):
        if not upstream.values(name):
            text = f"the backend does not receive {name}"
            line = _line(level, name.encode())
            return Upgrade(False, "request-headers-not-passed", text, line or upstream.directive)
    line = _line(level, b"Sec-WebSocket-Protocol")
    if line is not None and line.args[1:] == (b"",):
        text = "Sec-WebSocket-Protocol is blanked: a client that asks for a subprotocol gives up"
        return Upgrade(None, "subprotocol-stripped", text, line)
    return None


def _host_header(route: Route, upstream: Upstream) -> Optional[Upgrade]:
    hosts = upstream.values("Host")
    if len(hosts) > 1 and route.version < (1, 31, 4):
        text = f"the backend receives {len(hosts)} Host lines, and many refuse that with 400"
        return Upgrade(None, "duplicate-host-header", text, hosts[1].directive)
    return None


def _answer_side(route: Route, upstream: Upstream) -> Optional[Upgrade]:
    """Directives that spoil the 101 on its way back."""
    level = route.level
    assert level is not None
    if route.answer.err_status:
        step = next((step for step in reversed(route.steps) if step.kind == "error_page"), None)
        text = f"error_page without = turns the 101 into {route.answer.err_status}"
        return Upgrade(False, "error-page-intercept", text, step.directive if step else None)
    for line in level.nearest(b"proxy_hide_header")[1]:
        name = line.args[0].lower() if line.args else b""
        if name in (b"upgrade", b"sec-websocket-accept"):
            text = "proxy_hide_header takes {} out of the 101".format(line.args[0].decode("utf-8", "replace"))
            return Upgrade(False, "outer-proxy-strips-upgrade", text, line)
    if route.request.target is None and "?" in route.request.url and upstream.raw_uri is not None:
        query = route.request.url.partition("?")[2].partition("#")[0]
        if query and query.encode() not in upstream.raw_uri:
            text = f"the query string does not reach the backend: it sees {upstream.uri}"
            return Upgrade(None, "query-string-lost", text, upstream.directive)
    return None


# -- further hops and doubts ------------------------------------------------------------------------


def _next_hop(route: Route, upstream: Upstream, verdict: Upgrade, hops: int) -> Upgrade:
    """The target is another server of the same nginx: go on there with the headers it receives."""
    from .next_hop import follow

    inner = follow(route, upstream)
    if inner is None or inner.upstream is None:
        return verdict
    if verdict.survives is not False:
        further = judge(inner, hops - 1)
        return further if further.survives is not True else verdict
    line = _line(inner.level, b"Upgrade") if inner.level is not None else None
    if verdict.cause != "no-upgrade-header" or line is None:
        return verdict
    if b"$" not in line.args[1]:
        text = "the outer proxy drops Upgrade, the inner one invents it: nginx opens no tunnel"
        return Upgrade(False, "upgrade-hardcoded-no-tunnel", text, line)
    text = f"the outer proxy ({upstream.directive.where()}) drops Upgrade before {line.where()} gets it"
    return Upgrade(False, "outer-proxy-strips-upgrade", text, upstream.directive)


_DECISIVE = frozenset((b"return", b"rewrite", b"proxy_pass", b"break"))


def _doubts(route: Route) -> Optional[Upgrade]:
    """An ``if`` that could not be decided and would answer by itself."""
    for item in route.undecided:
        if _may_end(item):
            assert item.directive is not None
            inner = next(d for d in item.directive.block or [] if d.name in _DECISIVE)
            refused = bool(inner.args) and inner.args[0].startswith(b"4")
            code = "access-denied" if refused else "return-or-rewrite-redirect"
            return Upgrade(None, code, f"an if cannot be decided: {item.reason}", item.directive)
    return None


def _may_end(item: Undecided) -> bool:
    block = item.directive
    return block is not None and block.name == b"if" and any(d.name in _DECISIVE for d in block.block or [])
