"""nginx before nginx: a backend that is another server of the same configuration."""

from __future__ import annotations

from typing import Iterator, Optional

from ..behaviour.request import Request
from ..behaviour.route import Route, index_of
from ..behaviour.route import route as follow_route
from ..behaviour.server.listen import groups_for

MOST_HOPS = 6


def own_hops(route: Route) -> Iterator[Route]:
    """A route, then those of nginx's own requests, as long as they end in servers of this configuration."""
    hop: Optional[Route] = route
    for _ in range(MOST_HOPS):
        if hop is None:
            return
        yield hop
        hop = next_hop(hop)


def next_hop(route: Route) -> Optional[Route]:
    """The route of nginx's own request, when the backend is another server of this configuration."""
    upstream = route.upstream
    if upstream is None or upstream.unix or len(upstream.servers) != 1:
        return None
    server = upstream.servers[0]
    host, _, port = server.rpartition(":")
    host = {"localhost": "127.0.0.1"}.get(host, host).strip("[]")
    if not port.isdigit() or not groups_for(index_of(route.configuration).groups, host, int(port)):
        return None
    if host.replace(".", "").isalpha():
        return None
    headers = [(header.name, header.value) for header in upstream.headers if header.value is not None]
    request = Request(
        url=f"{upstream.scheme}://{server}/",
        headers=headers,
        method=upstream.method,
        target=upstream.raw_uri,
        exact_headers=True,
        http_version="1.0" if upstream.version == "1.0" else "1.1",
        remote="127.0.0.1",
        address=server,
    )
    inner = follow_route(route.configuration, request, version=route.version)
    return inner if inner.upstream is not None or inner.server is not None else None
