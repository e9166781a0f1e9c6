"""What client and backend must agree on in the 101, and what of it nginx spoils."""

from __future__ import annotations

from typing import Iterator, List

from ... import codes
from ...conf.tree import Directive
from ..content.upstream import Upstream
from ..route import Route
from .obstacle import Obstacle, at, header_of

NEEDED = (b"upgrade", b"connection", b"sec-websocket-accept")
"""Headers of the 101 that the client must see."""


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


def answer_headers(route: Route) -> Iterator[Obstacle]:
    """What spoils the 101 on its way back (ngx_http_{proxy,ssi_filter}_module, ngx_http_send_header)."""
    if route.level is None:
        return
    if route.answer.err_status:
        step = next((step for step in reversed(route.steps) if step.kind == "error_page"), None)
        text = f"error_page without = makes a {route.answer.err_status} of the backend's 101"
        facts = at(step.directive if step is not None else None, text)
        yield Obstacle(codes.ERROR_PAGE_INTERCEPT, True, facts, (route.answer.err_status,))
    for line in route.level.nearest(b"proxy_hide_header")[1]:
        name = line.args[0].lower() if line.args else b""
        text = f"{name.decode('latin-1')} of the 101 is hidden from the client"
        if name in NEEDED:
            yield Obstacle(codes.RESPONSE_HEADER_HIDDEN, True, at(line, text))
        elif name == b"sec-websocket-protocol" and header_of(route.request, "Sec-WebSocket-Protocol"):
            # A client that offered subprotocols gives up where none is chosen; another one misses nothing.
            yield Obstacle(codes.RESPONSE_HEADER_HIDDEN, True, at(line, text))
    if route.level.on(b"ssi", False):
        text = "ssi is on: a 101 that names a type of ssi_types (text/html is always one) never gets out"
        line = route.level.nearest(b"ssi")[1][-1]
        yield Obstacle(codes.SSI_HOLDS_UPGRADE, False, at(line, text), weight=25)
