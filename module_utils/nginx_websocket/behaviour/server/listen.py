"""``listen`` directives and the groups that connections arrive in.

Rules of ``ngx_http_core_listen``, ``ngx_parse_url``, ``ngx_http_add_listen`` and
``ngx_http_init_connection``: the local address and port of a connection pick the group; an exact
address hides the wildcard of the same port.
"""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
from typing import Dict, List, Optional, Sequence, Tuple

from ...conf.tree import Directive
from ..effective import Level

WILDCARD4 = "0.0.0.0"  # nosec B104 # a name of nginx, nothing is bound
WILDCARD6 = "::"


class ListenError(Exception):
    """A ``listen`` value that nginx refuses."""


@dataclasses.dataclass(frozen=True)
class Address:
    """One socket address: family "inet", "inet6" or "unix"."""

    family: str
    host: str
    port: int

    @property
    def wildcard(self) -> bool:
        """True for ``*:port`` and ``[::]:port``."""
        return self.host in (WILDCARD4, WILDCARD6)

    def __str__(self) -> str:
        """As it stands in a configuration."""
        if self.family == "unix":
            return "unix:" + self.host
        if self.family == "inet6":
            return f"[{self.host}]:{self.port}"
        host = "*" if self.host == WILDCARD4 else self.host
        return f"{host}:{self.port}"


@dataclasses.dataclass
class Listen:
    """One ``listen`` directive (or the implied one) of a server."""

    addresses: List[Address]
    options: Tuple[str, ...]
    directive: Optional[Directive]
    """None for a server without ``listen``."""

    def has(self, option: str) -> bool:
        """Whether the parameter is written."""
        return option in self.options


@dataclasses.dataclass
class ListenGroup:
    """All servers of one address and port."""

    address: Address
    servers: List[Level] = dataclasses.field(default_factory=list)
    listens: List[Listen] = dataclasses.field(default_factory=list)
    default: Optional[Level] = None
    default_explicit: bool = False
    ssl: bool = False
    http2: bool = False
    quic: bool = False
    proxy_protocol: bool = False
    ipv6only: bool = True


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65535:
        raise ListenError("invalid port")
    return int(text)


def _ports(text: str) -> List[int]:
    """A port or a range ``first-last`` (since 1.15.10)."""
    first, dash, last = text.partition("-")
    if not dash:
        return [_port(first)]
    low, high = _port(first), _port(last)
    if low > high:
        raise ListenError("invalid port range")
    return list(range(low, high + 1))


def parse_address(value: str) -> List[Address]:
    """Addresses that one ``listen`` value stands for (``ngx_parse_url`` with ``listen``).

    Args:
        value: ``8080``, ``*:8080``, ``127.0.0.1``, ``[::]:80``, ``localhost:80``, ``unix:/path``.

    Returns:
        One address a port; a host name other than ``localhost`` stays as it is written (only the
        resolver of the host could tell).

    Raises:
        ListenError: nginx would refuse the value.
    """
    if value.lower().startswith("unix:"):
        return [Address("unix", value[5:], 0)]
    if value.startswith("["):
        host, bracket, rest = value[1:].partition("]")
        if not bracket:
            raise ListenError("invalid host")
        if rest and not rest.startswith(":"):
            raise ListenError("invalid host")
        ports = _ports(rest[1:]) if rest else [80]
        try:
            text = str(ipaddress.IPv6Address(host))
        except ValueError as error:
            raise ListenError("invalid IPv6 address") from error
        return [Address("inet6", text, port) for port in ports]
    host, colon, rest = value.partition(":")
    if not colon and host.replace("-", "", 1).isdigit() and host[:1] != "-" and host[-1:] != "-":
        return [Address("inet", WILDCARD4, port) for port in _ports(host)]
    if not host:
        raise ListenError("no host")
    ports = _ports(rest) if colon else [80]
    if host == "*":
        host = WILDCARD4
    elif host == "localhost":
        host = "127.0.0.1"
    return [Address("inet", host, port) for port in ports]


def listens_of(server: Level) -> List[Listen]:
    """The ``listen`` directives of a server; without any ``*:80``, since a master is root."""
    result: List[Listen] = []
    for directive in server.own(b"listen"):
        if not directive.args:
            continue
        value = directive.args[0].decode("utf-8", "replace")
        options = tuple(arg.decode("utf-8", "replace") for arg in directive.args[1:])
        try:
            addresses = parse_address(value)
        except ListenError:
            continue
        result.append(Listen(addresses, options, directive))
    if not server.own(b"listen"):
        result.append(Listen([Address("inet", WILDCARD4, 80)], (), None))
    return result


def listen_groups(servers: Sequence[Level]) -> List[ListenGroup]:
    """Group servers by address and port, in the order nginx meets them (``ngx_http_add_listen``)."""
    groups: Dict[Tuple[Address, bool], ListenGroup] = {}
    for server in servers:
        for listen in listens_of(server):
            quic = listen.has("quic")
            for address in listen.addresses:
                group = groups.get((address, quic))
                if group is None:
                    group = groups[(address, quic)] = ListenGroup(address, default=server, quic=quic)
                if server not in group.servers:
                    group.servers.append(server)
                group.listens.append(listen)
                if listen.has("default_server") or listen.has("default"):
                    if not group.default_explicit:
                        group.default = server
                    group.default_explicit = True
                group.ssl = group.ssl or listen.has("ssl")
                group.http2 = group.http2 or listen.has("http2")
                group.proxy_protocol = group.proxy_protocol or listen.has("proxy_protocol")
                group.ipv6only = group.ipv6only and not listen.has("ipv6only=off")
    return list(groups.values())


@functools.lru_cache(maxsize=1024)
def canonical_host(host: str) -> Tuple[str, str]:
    """Family and canonical text of an IP literal or a socket path; ("", host) for a name."""
    if host.startswith("unix:"):
        return "unix", host[5:]
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return "", host
    return ("inet" if address.version == 4 else "inet6"), str(address)


def reached(host: str) -> str:
    """The address at which a host itself reaches what listens there: loopback where that is everywhere."""
    return {WILDCARD4: "127.0.0.1", WILDCARD6: "::1"}.get(host, host)


def target_of(server: str) -> Tuple[str, int, str]:
    """Host and port of what ``proxy_pass`` leads to, and the address as a request names it.

    Returns:
        Port 0 for a unix socket, -1 for what is no address of this host's kind, such as a name.
    """
    if server.lower().startswith("unix:"):
        return server, 0, server
    host, _colon, port = server.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host
    if not port.isdigit() or not canonical_host(host)[0]:
        return server, -1, server
    return host.strip("[]"), int(port), f"{host}:{port}"


def groups_for(groups: Sequence[ListenGroup], host: str, port: int) -> List[ListenGroup]:
    """Groups that a connection to this local address may arrive in, the one nginx picks first.

    Args:
        groups: all groups of the configuration.
        host: local address (IP literal or ``unix:/path``); "" or a name when it is not known.
        port: local port.

    Returns:
        At most one group for a known address (``ngx_http_init_connection``); every group of the
        port when the address is not known.
    """
    family, text = canonical_host(host)
    candidates = [group for group in groups if not group.quic]
    if family == "unix":
        return [g for g in candidates if g.address.family == "unix" and g.address.host == text]
    candidates = [g for g in candidates if g.address.family != "unix" and g.address.port == port]
    if not family:
        return candidates
    for group in candidates:
        if group.address.family == family and group.address.host == text:
            return [group]
    for group in candidates:
        if group.address.family == family and group.address.wildcard:
            return [group]
    if family == "inet":
        for group in candidates:
            if group.address.host == WILDCARD6 and not group.ipv6only:
                return [group]
    return []
