"""Requests that go to FastCGI, uwsgi, SCGI, gRPC or memcached: target, servers and parameters.

Rules of ``ngx_http_fastcgi_create_request`` and its kin.
"""

from __future__ import annotations

import dataclasses
from typing import Iterator, Optional, Sequence, Tuple

from ...conf.tree import Directive, printable
from ..effective import Level
from ..variables import Exchange
from .upstream import up_servers, upstream_block

_OF_THE_CONNECTION = frozenset(("host", "connection", "te", "upgrade", "keep-alive", "transfer-encoding"))
"""Headers that nginx never passes to a gRPC backend (``ngx_http_grpc_headers``)."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter as the backend gets it."""

    name: str
    value: Optional[str]
    """Its bytes, as Latin-1; None where configuration and request do not tell."""
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Gateway:
    """A request to a backend that speaks another protocol than HTTP/1."""

    protocol: str
    """"fastcgi", "uwsgi", "scgi", "grpc" or "memcached"."""
    target: Optional[str]
    """Address or name as the directive has it; None where it cannot be told."""
    servers: Tuple[str, ...]
    """Addresses of the ``upstream`` block, or the one address."""
    parameters: Tuple[Parameter, ...]
    """In nginx's order; one that is marked ``if_not_empty`` and is empty is left out."""
    index: str = ""
    """``fastcgi_index``, where the URI ends in a slash."""
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)
    block: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)
    """The ``upstream`` block."""


def gateway(exchange: Exchange, level: Level, directive: Directive) -> Gateway:
    """The request that ``fastcgi_pass`` and its kin send from a level."""
    protocol = directive.name[: -len(b"_pass")]
    target = exchange.told(directive.args[0]) if directive.args else ""
    kind = b"grpc_set_header" if protocol == b"grpc" else protocol + b"_param"
    parameters = []
    lines = [line for line in level.nearest(kind)[1] if len(line.args) > 1]
    for line in lines:
        value = exchange.told(line.args[1])
        if value == "" and (line.args[2:3] == (b"if_not_empty",) or protocol == b"grpc"):
            continue
        parameters.append(Parameter(printable(line.args[0]), value, line))
    if protocol != b"memcached" and level.on(protocol + b"_pass_request_headers", True):
        parameters += _of_the_client(exchange, [printable(line.args[0]) for line in lines], protocol)
    index = ""
    if protocol == b"fastcgi" and exchange.uri.endswith(b"/"):
        index = printable(level.value(b"fastcgi_index", b""))
    name = (target or "").partition("://")[2] or target or ""
    block = upstream_block(exchange.http, name)
    servers = () if target is None else (name,) if block is None else up_servers(block)
    return Gateway(protocol.decode(), target, servers, tuple(parameters), index, directive, block)


def _of_the_client(exchange: Exchange, written: Sequence[str], protocol: bytes) -> Iterator[Parameter]:
    """The client's headers, but for those that a directive writes (``ngx_http_fastcgi_init_params``)."""
    names = {name.lower() for name in written}
    for key, content in exchange.headers:
        name = printable(key)
        if protocol != b"grpc":
            name = "HTTP_" + name.upper().replace("-", "_")
        elif name.lower() in _OF_THE_CONNECTION:
            continue
        if name.lower() not in names:
            yield Parameter(name, content.decode("latin-1"))
