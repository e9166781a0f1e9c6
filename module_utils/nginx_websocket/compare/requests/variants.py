"""The ways to ask for a path: plainly, as a page opens a WebSocket, with what a server looks at."""

from __future__ import annotations

import dataclasses
from typing import Iterator, List, Optional, Tuple

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


def variants(traits: Traits, origin: str, *, proxied: bool) -> Iterator[Variant]:
    """The other ways to ask for a path that has been asked for plainly.

    Args:
        traits: of both servers.
        origin: the site's own.
        proxied: whether a tree passes the plain request on, or a handshake could matter for another reason.
    """
    if proxied or traits.asks_upgrade:
        yield Variant("a WebSocket without Origin", upgrade=True)
        for value in dict.fromkeys((origin, FOREIGN, *traits.origins)):
            yield Variant(_from("a WebSocket", value, origin), upgrade=True, origin=value)
    if traits.asks_origin:
        for value in dict.fromkeys((origin, FOREIGN, *traits.origins)):
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


def _from(what: str, value: str, own: str) -> str:
    whose = "the site's own pages" if value == own else "pages of others" if value == FOREIGN else value
    return f"{what} from {whose}"
