"""nginx before nginx: a backend that is another server of the same configuration."""

from __future__ import annotations

from typing import Iterator, Optional, Tuple

from ..content.upstream import Upstream
from ..request import Request
from ..route import Route, index_of
from ..route import route as follow_route
from ..server.listen import canonical_host, groups_for

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
    if upstream is None or len(upstream.servers) != 1 or upstream.raw_uri is None:
        return None
    host, port, address = _target(upstream)
    if not canonical_host(host)[0] or not groups_for(index_of(route.configuration).groups, host, port):
        return None
    headers = [(header.name, header.value) for header in upstream.headers if header.value is not None]
    request = Request(
        url=f"{upstream.scheme}://{'localhost' if upstream.unix else address}/",
        headers=headers,
        method=upstream.method,
        target=upstream.raw_uri,
        exact_headers=True,
        http_version="1.0" if upstream.version == "1.0" else "1.1",
        remote="" if upstream.unix else "127.0.0.1",
        address=address,
    )
    inner = follow_route(route.configuration, request, version=route.version)
    return inner if inner.upstream is not None or inner.server is not None else None


def _target(upstream: Upstream) -> Tuple[str, int, str]:
    """Host and port of the only server, and the address as a request names it."""
    server = upstream.servers[0]
    if server.startswith("unix:"):
        return server, 0, server
    host, _, port = server.rpartition(":")
    host = {"localhost": "127.0.0.1"}.get(host, host)
    return (host.strip("[]"), int(port), f"{host}:{port}") if port.isdigit() else ("", 0, "")
