"""``stream {}`` in front: a connection that nginx passes on before any HTTP is read.

Rules of ``ngx_stream_core_module``, ``ngx_stream_ssl_preread_module`` and ``ngx_stream_proxy_module``.
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Tuple

from ..conf.tree import Configuration, Directive, printable
from .access.addresses import UNIX
from .access.guards import words
from .built_in import built_in
from .content.upstream import servers_of
from .effective import Level, Version
from .regex import CannotDecide
from .request import Request
from .server.listen import ListenGroup, groups_for, listen_groups, target_of
from .server.names import VirtualNames
from .variables import Exchange, maps_of


@dataclasses.dataclass(frozen=True)
class Passage:
    """A ``stream`` server that a connection goes through."""

    listen: str
    target: Optional[str]
    """What ``proxy_pass`` says, variables filled in; None where it cannot be told."""
    servers: Tuple[str, ...]
    """Addresses of its ``upstream`` block, or the one address."""
    tls: str
    """"passed" (as it comes), "ended" (decrypted here), "begun" (encrypted here) or "renewed" (both)."""
    proxy_line: bool
    """Whether a PROXY line is sent ahead."""
    allow: Tuple[str, ...] = ()
    """``allow`` and ``deny`` of this server."""
    reason: str = dataclasses.field(default="", compare=False)
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)
    idle: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)
    """The ``proxy_timeout`` in force, after which a silent connection is closed; None for the default."""


@dataclasses.dataclass
class _Stream:
    level: Level
    groups: List[ListenGroup]


def passage(configuration: Configuration, request: Request, version: Version) -> Optional[Passage]:
    """The ``stream`` server that takes the connection of a request; None when none listens there.

    Args:
        configuration: a loaded configuration.
        request: whose address (or host and port) the connection reaches.
        version: of the nginx.
    """
    block = next((d for d in configuration.root if d.name == b"stream" and d.block is not None), None)
    if block is None:
        return None
    stream = _Stream(Level("stream", block, None), [])
    servers = [Level("server", d, stream.level) for d in stream.level.own(b"server") if d.block is not None]
    stream.groups = [g for g in listen_groups(servers) if not any(item.has("udp") for item in g.listens)]
    host, port = request.local_address()
    groups = groups_for(stream.groups, host, port)
    if not groups:
        return None
    return _through(stream, groups[0], request, version)


def _through(stream: _Stream, group: ListenGroup, request: Request, version: Version) -> Passage:
    sni = request.server_name().encode()
    server = _server(group, sni, version)
    ends = group.ssl and request.tls
    exchange = Exchange(version, stream.level, server, server, built_in)
    exchange.maps, exchange.opaque = stream.level.once(maps_of)
    exchange.remote, exchange.proxied, exchange.tls = request.remote, request.proxy_line, request.tls
    seen = server.on(b"ssl_preread", False) and request.tls
    exchange.values[b"ssl_preread_server_name"] = sni if seen else b""
    exchange.values[b"ssl_preread_alpn_protocols"] = b"http/1.1" if seen else b""
    exchange.values[b"protocol"] = b"TCP"
    exchange.server_port = request.local_address()[1]
    begins = server.on(b"proxy_ssl", False)
    tls = {(False, False): "passed", (True, False): "ended", (False, True): "begun", (True, True): "renewed"}
    rules = tuple(map(words, server.nearest(b"allow", b"deny")[1]))
    idle = server.nearest(b"proxy_timeout")[1]
    result = Passage(
        str(group.address),
        None,
        (),
        tls[ends, begins],
        server.on(b"proxy_protocol", False),
        rules,
        idle=idle[-1] if idle else None,
    )
    found = server.own(b"proxy_pass")
    if not found or not found[-1].args:
        return dataclasses.replace(result, reason="no proxy_pass", directive=server.directive)
    try:
        target = printable(exchange.evaluate(found[-1].args[0]))
    except CannotDecide as error:
        return dataclasses.replace(result, reason=str(error), directive=found[-1])
    servers = servers_of(stream.level, target)
    return dataclasses.replace(result, target=target, servers=servers, directive=found[-1])


def _server(group: ListenGroup, sni: bytes, version: Version) -> Level:
    """Since 1.25.5 several stream servers share an address by ``server_name``."""
    assert group.default is not None
    if version < (1, 25, 5) or len(group.servers) == 1 or not sni:
        return group.default
    match = VirtualNames(group, version).lookup(sni.lower())
    return match.server if match is not None else group.default


def behind(request: Request, passed: Passage, groups: List[ListenGroup]) -> Optional[Request]:
    """The request as the http part of the same configuration gets it; None when it goes elsewhere.

    Args:
        request: the client's.
        passed: the stream server that it goes through.
        groups: the listen groups of the http part.
    """
    for server in passed.servers:
        host, port, address = target_of(server)
        if not groups_for(groups, host, port):
            continue
        scheme = request.scheme
        if passed.tls == "ended":
            scheme = {"wss": "ws", "https": "http"}.get(scheme, scheme)
        elif passed.tls == "begun":
            scheme = {"ws": "wss", "http": "https"}.get(scheme, scheme)
        # a connection to an address of this host comes from that address; one to a socket has none
        remote = UNIX if host.startswith(UNIX) else host
        line: Optional[str] = None
        if passed.proxy_line:
            line = request.proxy_line or request.remote
        return dataclasses.replace(
            request,
            url=scheme + "://" + request.url.partition("://")[2],
            target=request.raw_target(),
            headers=request.header_list(),
            exact_headers=True,
            address=address,
            sni=request.server_name() if request.tls else request.sni,
            remote=remote,
            proxy_line=line,
        )
    return None
