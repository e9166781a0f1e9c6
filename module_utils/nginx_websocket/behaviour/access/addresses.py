"""The client's address, and the ``allow`` and ``deny`` rules that look at it.

Rules of ``ngx_http_access_handler`` and ``ngx_http_realip_handler``.
"""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from ...conf.tree import Directive
from ..variables import Exchange
from .networks import ip_of, network_of

UNIX = "unix:"
"""The address of a client that comes through a unix socket."""


def fits(value: str, remote: str) -> Optional[bool]:
    """Whether one ``allow``, ``deny`` or ``set_real_ip_from`` value fits the client.

    Args:
        value: "all", "unix:", an address or a network.
        remote: the client's address, ``UNIX`` for a unix socket, "" when it is not known.

    Returns:
        None when the address is not known, or the value is a name that only a resolver knows.
    """
    if value == "all":
        return True
    if not remote:
        return None
    if value == UNIX or remote == UNIX:
        return value == remote
    client, network = ip_of(remote), network_of(value)
    return None if client is None or network is None else client in network


def decide(rules: Sequence[Directive], remote: str) -> Tuple[Optional[bool], Optional[Directive]]:
    """The first rule that fits the client decides (``ngx_http_access_inet``).

    Args:
        rules: the ``allow`` and ``deny`` directives in force, in file order.
        remote: the client's address, ``UNIX``, or "" when it is not known.

    Returns:
        (True or False, the rule); (None, the first rule that may fit) when an unknown address decides;
        (True, None) when no rule fits.
    """
    unknown: Optional[Directive] = None
    for rule in rules:
        if not rule.args:
            continue
        found = fits(rule.args[0].decode("utf-8", "replace"), remote)
        allowed = rule.name == b"allow"
        if found is None:
            if unknown is not None and (unknown.name == b"allow") != allowed:
                return None, unknown
            unknown = unknown or rule
        elif found:
            if unknown is None or (unknown.name == b"allow") == allowed:
                return allowed, rule
            return None, unknown
    if unknown is not None and unknown.name == b"deny":
        return None, unknown
    return True, None


def client_address(exchange: Exchange) -> Tuple[str, str]:
    """The client's address as the access phase sees it, ``set_real_ip_from`` applied.

    Returns:
        The address ("" when it is not known) and, then, the reason.
    """
    if not exchange.remote:
        return "", "the client's address is not given"
    lines = exchange.level.nearest(b"set_real_ip_from")[1]
    trusted = [line.args[0].decode("utf-8", "replace") for line in lines if line.args]
    if not trusted:
        return exchange.remote, ""
    if not _any_fits(trusted, exchange.remote):
        if any(fits(value, exchange.remote) is None for value in trusted):
            return "", "set_real_ip_from has a name, which only a resolver knows"
        return exchange.remote, ""
    field = exchange.level.value(b"real_ip_header", b"X-Real-IP")
    if field.lower() == b"proxy_protocol":
        if exchange.proxied is None:
            return "", "the client's address comes in the PROXY line"
        return exchange.proxied, ""
    if field.lower() == b"x-forwarded-for":
        sent = [value for key, value in exchange.headers if key.lower() == b"x-forwarded-for"]
        chain = [part.strip().decode("latin-1") for value in sent for part in value.split(b",")]
    else:
        only = exchange.header(field)
        chain = [] if only is None else [only.decode("latin-1")]
    recursive = exchange.level.on(b"real_ip_recursive", False)
    return _from_chain(exchange.remote, chain, trusted, recursive), ""


def _any_fits(trusted: Sequence[str], address: str) -> bool:
    return any(fits(value, address) for value in trusted)


def _from_chain(remote: str, chain: Sequence[str], trusted: Sequence[str], recursive: bool) -> str:
    """``ngx_http_get_forwarded_addr``: the last address, or with recursion the last that is not trusted."""
    found = remote
    for text in reversed(chain):
        host = text.rsplit(":", 1)[0] if text.count(":") == 1 or text.startswith("[") else text
        address = ip_of(host)
        if address is None:
            return found
        found = str(address)
        if not recursive or not _any_fits(trusted, found):
            return found
    return found
