"""nginx before nginx: a backend that is another server of the same configuration."""

from __future__ import annotations

import itertools
from typing import Iterator, Optional

from ... import codes
from ..content.upstream import Upstream
from ..request import Request
from ..route import Route, index_of
from ..route import route as follow_route
from ..server.listen import groups_for, target_of
from .meant import titled
from .obstacle import Obstacle, at

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
    host, port, address = target_of(upstream.servers[0])
    if not groups_for(index_of(route.configuration).groups, host, port):
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


def own_server(route: Route, upstream: Upstream) -> Iterator[Obstacle]:
    """The backend is a server of this configuration which cannot take the request, or which is this one."""
    inner = next_hop(route)
    if inner is None or inner.listen is None:
        return
    here = at(upstream.directive, "this hop passes the request on to it")
    if inner.listen.proxy_protocol:
        line = next((item.directive for item in inner.listen.listens if item.has("proxy_protocol")), None)
        text = "the inner server waits for a PROXY line, and proxy_pass in http sends none"
        fix = "a listen without proxy_protocol for what nginx itself passes on"
        facts = at(line, "this listen waits for a PROXY line")
        yield Obstacle(codes.PROXY_PROTOCOL_MISMATCH, True, facts + here, (502,), text, fix)
        return
    if route.location is not None and any(
        _again(route, hop) for hop in itertools.islice(own_hops(route), 1, None)
    ):
        text = f"{titled(route.location)} passes the request on to nginx itself, where it comes here again"
        fix = "the port on which the application listens, in proxy_pass"
        yield Obstacle(codes.PROXY_LOOP, True, at(upstream.directive, text), (500, 502, 504), text, fix)


def _again(route: Route, hop: Route) -> bool:
    """Whether a further hop is the first one once more: same location, same request, so without an end."""
    if route.location is None or hop.location is None or route.upstream is None or hop.upstream is None:
        return False
    same = hop.location.directive is route.location.directive and route.location.directive is not None
    return same and (hop.upstream.servers, hop.upstream.uri) == (route.upstream.servers, route.upstream.uri)
