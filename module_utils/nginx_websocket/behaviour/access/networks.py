"""Addresses and networks, as ``allow``, ``deny`` and ``geo`` compare them."""

from __future__ import annotations

import ipaddress
from typing import List, Optional, Tuple, Union

_IP = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def ip_of(text: str) -> Optional[_IP]:
    """An IP address, an IPv4 one that is mapped into IPv6 as IPv4; None for what is none."""
    try:
        address = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def network_of(text: str) -> Optional[Network]:
    """A network, or one address as a network of its own; None for what is none."""
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def longest(networks: List[Tuple[Network, bytes]], address: _IP) -> Optional[bytes]:
    """The value of the longest network that holds an address; of two alike the later one counts."""
    best, value = -1, None
    for network, entry in networks:
        if address in network and network.prefixlen >= best:
            best, value = network.prefixlen, entry
    return value
