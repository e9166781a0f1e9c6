"""What stands in the way of a handshake before any request is read."""

from __future__ import annotations

import ipaddress
from typing import List, Optional

from ... import codes
from ...conf.tree import Directive
from ..route import Route, index_of
from ..server.listen import ListenGroup
from .obstacle import Client, Obstacle, at, is_ip


def connection_obstacles(route: Route, client: Client) -> List[Obstacle]:
    """Port, TLS, PROXY line and HTTP/2; at most one."""
    kind, group = route.answer.kind, route.listen
    if kind == "not-listening":
        return [_nobody_listens(route)]
    if group is None:
        return []
    directive = next((listen.directive for listen in group.listens if listen.directive is not None), None)
    if route.answer.code == "proxy-line":
        wants = group.proxy_protocol
        fix = "proxy_protocol on; in the stream server" if wants else "no proxy_protocol in the stream server"
        facts = at(route.answer.directive, route.answer.reason) + at(
            directive, f"{group.address} listens here"
        )
        mismatch = codes.PROXY_PROTOCOL_MISMATCH
        return [Obstacle(mismatch, True, facts, (400,), route.answer.reason, fix)]
    if kind == codes.TLS_NOT_ENABLED:
        return [Obstacle(codes.TLS_NOT_ENABLED, True, at(directive, f"{group.address} has no ssl"))]
    if group.proxy_protocol and route.request.proxy_line is None:
        host = route.request.local_address()[0]
        direct = not client.live and is_ip(host) and ipaddress.ip_address(host).is_loopback
        text = "listen asks for the PROXY protocol"
        return [Obstacle(codes.PROXY_PROTOCOL_MISMATCH, direct, at(directive, text))]
    if kind == codes.PLAIN_HTTP_TO_TLS_PORT:
        text = f"{group.address} expects TLS, and the URL is ws://"
        return [Obstacle(codes.PLAIN_HTTP_TO_TLS_PORT, True, at(directive, text), (400,))]
    return _http2(route, group, directive, client)


def _nobody_listens(route: Route) -> Obstacle:
    host, port = route.request.local_address()
    groups = index_of(route.configuration).groups
    other = [group for group in groups if group.address.port == port]
    if ":" in host and any(group.address.family == "inet" for group in other):
        directive = next((listen.directive for group in other for listen in group.listens), None)
        text = f"port {port} has IPv4 listen directives only, and the request goes to {host}"
        return Obstacle(codes.LISTEN_IPV6_MISSING, True, at(directive, text))
    return Obstacle(codes.PORT_NOT_LISTENING, True, at(None, f"no server listens on port {port} of {host}"))


def _http2(
    route: Route, group: ListenGroup, directive: Optional[Directive], client: Client
) -> List[Obstacle]:
    if group.http2 and not group.ssl and not route.request.tls and route.version < (1, 25, 1):
        http2 = next((listen.directive for listen in group.listens if listen.has("http2")), directive)
        text = "listen has http2 without ssl, and before nginx 1.25.1 such a port speaks HTTP/2 only"
        return [Obstacle(codes.H2C_ON_PLAIN_PORT, True, at(http2, text))]
    offers = route.server is not None and (group.http2 or route.server.on(b"http2", False))
    if offers and route.request.tls and "h2" in client.alpn:
        text = "the client offers h2 in ALPN, this listen takes it, and then reads HTTP/2 only"
        return [Obstacle(codes.HTTP2_ONLY, True, at(directive, text))]
    return []
