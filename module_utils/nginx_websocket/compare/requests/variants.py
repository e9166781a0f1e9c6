"""The ways to ask for a path: plainly, as a page opens a WebSocket, with what a server looks at."""

from __future__ import annotations

import dataclasses
from typing import Iterator, List, Optional, Sequence, Tuple

from ...behaviour.request import HANDSHAKE, Request
from ..scope import Endpoint
from .traits import Traits

FOREIGN = "https://page-of-somebody-else.invalid"
REMOTE = "203.0.113.77"
"""Address of a client from outside (RFC 5737)."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """A way to ask for a path."""

    title: str
    """For people: ``a handshake with the Origin https://…``; "" for a plain GET."""
    method: str = "GET"
    origin: Optional[str] = None
    upgrade: bool = False
    headers: Tuple[Tuple[str, str], ...] = ()
    query: str = ""


PLAIN = Variant("")
_MADE_UP = "of-the-client-"
"""Begins the value of a header, a cookie or an argument that a client has made up; its name ends it."""
_HEADER, _ARGUMENT = "x-websocket-route-check", "websocket-route-check"
"""Such as nobody names: whether they come through at all."""
_SHOWN = 3
"""Names in the title of such a request."""


def request(endpoint: Endpoint, path: str, variant: Variant = PLAIN) -> Request:
    """One request at one endpoint.

    Args:
        endpoint: where.
        path: escaped.
        variant: how.
    """
    sent: List[Tuple[str, str]] = list(variant.headers)
    if variant.upgrade:
        sent += HANDSHAKE
    if variant.origin is not None:
        sent.append(("Origin", variant.origin))
    target = path + (f"?{variant.query}" if variant.query else "")
    return Request(
        f"{endpoint.origin}{target}",
        headers=sent,
        address=endpoint.address,
        method=variant.method,
        remote=REMOTE,
    )


def variants(traits: Traits, own: Sequence[str], *, proxied: bool, passed: bool) -> Iterator[Variant]:
    """The other ways to ask for a path that has been asked for plainly.

    Args:
        traits: of both servers.
        own: origins of the site, that of the port first.
        proxied: whether a tree passes the plain request on, or a handshake could matter for another reason.
        passed: whether a tree passes it on by any protocol.
    """
    origin, origins = own[0], list(dict.fromkeys((*own, FOREIGN, *traits.origins)))
    if proxied or traits.asks_upgrade:
        yield Variant("a WebSocket without Origin", upgrade=True)
        for value in origins:
            yield Variant(_from("a WebSocket", value, origin), upgrade=True, origin=value)
    if traits.asks_origin:
        for value in origins:
            yield Variant(_from("a request", value, origin), origin=value)
            preflight = (("Access-Control-Request-Method", "POST"),)
            yield Variant(
                _from("a preflight", value, origin), method="OPTIONS", origin=value, headers=preflight
            )
    for method in traits.methods:
        yield Variant(f"{method}", method=method)
    for header in traits.headers:
        yield Variant(f"a request with {header[0]}: {header[1]}", headers=(header,))
    for query in traits.queries:
        yield Variant(f"a request with the query {query.partition('=')[0]}", query=query)
    made_up = _made_up(traits, passed)
    if made_up is not None:
        yield made_up


def _made_up(traits: Traits, passed: bool) -> Optional[Variant]:
    """A request in which a client writes itself what the servers look at, or write for a backend."""
    names = dict(traits.own_headers)
    if passed:
        names.update({**traits.written, _HEADER: None})
    headers = [(name, _MADE_UP + name) for name in names]
    if traits.own_cookies:
        headers.append(("cookie", "; ".join(f"{name}={_MADE_UP}{name}" for name in traits.own_cookies)))
    arguments = [*traits.own_arguments, *([_ARGUMENT] if passed or traits.asks_query else ())]
    if not headers and not arguments:
        return None
    made_up = (*names, *traits.own_cookies, *traits.own_arguments)
    shown = ", ".join(made_up[:_SHOWN]) + (" and others" if len(made_up) > _SHOWN else "") or "query"
    query = "&".join(f"{name}={_MADE_UP}{name}" for name in arguments)
    return Variant(f"a request with a client's own {shown}", headers=tuple(headers), query=query)


def _from(what: str, value: str, own: str) -> str:
    whose = "the site's own pages" if value == own else "pages of others" if value == FOREIGN else value
    return f"{what} from {whose}"
