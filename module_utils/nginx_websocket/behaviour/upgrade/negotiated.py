"""What client and backend must agree on in the 101, and what of it nginx spoils."""

from __future__ import annotations

from typing import Iterator, List, Sequence

from ... import codes
from ...conf.tree import Directive
from ..content.upstream import Upstream
from ..effective import Level
from ..response import Added, added_headers, hidden_headers
from ..route import Route
from .obstacle import Obstacle, at, header_of

NEEDED = (b"upgrade", b"sec-websocket-accept")
"""Headers of the backend's 101 that the client must see; its Connection nginx always writes itself."""


def other_subprotocol(route: Route, upstream: Upstream, line: Directive) -> Iterator[Obstacle]:
    """nginx asks the backend for subprotocols of its own, and none of them is one that the client offered."""
    offered = _words(header_of(route.request, "Sec-WebSocket-Protocol"))
    asked = [header.value for header in upstream.values("Sec-WebSocket-Protocol")]
    if not offered or None in asked or any(set(_words(value or "")) & set(offered) for value in asked):
        return
    sent = ", ".join(value or "" for value in asked)
    detail = (
        f"nginx asks the backend for the subprotocol {sent}, and the client offers {', '.join(offered)}: it "
        "gives up whatever the backend chooses"
    )
    fix = "remove this proxy_set_header Sec-WebSocket-Protocol: the client's own is passed without it"
    facts = at(line, f"the backend is asked for {sent}")
    yield Obstacle(codes.SUBPROTOCOL_STRIPPED, True, facts, detail=detail, fix=fix)


def _words(value: str) -> List[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def _added(route: Route, level: Level) -> List[Added]:
    """The lines that ``add_header`` puts on a 101: with ``always`` alone (ngx_http_headers_filter)."""
    if route.exchange is None:
        return []
    return [item for item in added_headers(route.exchange, level, route.version) if item.always]


def _spoilt(route: Route, added: Sequence[Added], hidden: Sequence[str]) -> Iterator[Obstacle]:
    """Lines that ``add_header`` puts on the 101 and that end the handshake at the client (RFC 6455, 4.1)."""
    offered = _words(header_of(route.request, "Sec-WebSocket-Protocol"))
    for item in added:
        name = item.name.lower()
        certain = item.value is not None
        if name == "upgrade":
            if name in hidden and (item.value or "").lower() == "websocket":
                continue
            what = "a second Upgrade line" if name not in hidden else "an Upgrade line that is not websocket"
        elif name == "sec-websocket-accept":
            what = "a Sec-WebSocket-Accept that does not fit the key"
        elif name == "sec-websocket-extensions":
            what = "an extension that nobody agreed on"
        elif name == "sec-websocket-protocol" and item.value not in offered:
            what = "a subprotocol that the client did not offer"
        elif name == "sec-websocket-protocol":
            # Where the backend chooses none this line is what the client waits for.
            what, certain = "a second line for the subprotocol, where the backend chooses one", name in hidden
            if certain:
                continue
        else:
            continue
        detail = f"add_header puts {what} on the 101, and the client gives the handshake up"
        fix = f"no add_header {item.name} where the WebSocket passes"
        facts = at(item.directive, f"the 101 gets {what}: {item.name}: {item.value or '…'}")
        yield Obstacle(codes.RESPONSE_HEADER_ADDED, certain, facts, detail=detail, fix=fix, weight=60)


def answer_headers(route: Route) -> Iterator[Obstacle]:
    """What spoils the 101 on its way back (ngx_http_{proxy,ssi_filter}_module, ngx_http_send_header)."""
    if route.level is None:
        return
    if route.answer.err_status:
        step = next((step for step in reversed(route.steps) if step.kind == "error_page"), None)
        text = f"error_page without = makes a {route.answer.err_status} of the backend's 101"
        facts = at(step.directive if step is not None else None, text)
        yield Obstacle(codes.ERROR_PAGE_INTERCEPT, True, facts, (route.answer.err_status,))
    added = _added(route, route.level)
    written = {item.name.lower() for item in added}
    for line in route.level.nearest(b"proxy_hide_header")[1]:
        name = line.args[0].lower() if line.args else b""
        text = f"{name.decode('latin-1')} of the 101 is hidden from the client"
        if name.decode("latin-1") in written:
            continue  # add_header writes another one in its place
        if name in NEEDED:
            yield Obstacle(codes.RESPONSE_HEADER_HIDDEN, True, at(line, text))
        elif name == b"sec-websocket-protocol" and header_of(route.request, "Sec-WebSocket-Protocol"):
            # A client that offered subprotocols gives up where none is chosen; another one misses nothing.
            yield Obstacle(codes.RESPONSE_HEADER_HIDDEN, True, at(line, text))
    yield from _spoilt(route, added, hidden_headers(route.level))
    if route.level.on(b"ssi", False):
        text = "ssi is on: a 101 that names a type of ssi_types (text/html is always one) never gets out"
        line = route.level.nearest(b"ssi")[1][-1]
        yield Obstacle(codes.SSI_HOLDS_UPGRADE, False, at(line, text), weight=25)
