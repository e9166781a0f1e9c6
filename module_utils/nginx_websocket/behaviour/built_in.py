"""The variables that nginx's own modules define, as far as request and configuration determine them.

Rules of ``ngx_http_variables.c``.  What only the running host knows raises ``CannotDecide``.
"""

from __future__ import annotations

import base64
import binascii
from typing import Callable, Dict, Optional, Tuple

from .access.addresses import client_address
from .content.files import document_root, map_uri_to_path
from .effective import version_text
from .regex import CannotDecide, compiled
from .server.names import primary_name
from .variables import Exchange


def built_in(exchange: Exchange, name: bytes) -> Optional[bytes]:
    """The value of a built-in variable; None where the name is none of them.

    Raises:
        CannotDecide: only the running host knows it.
    """
    builtin = BUILT_IN.get(name)
    if builtin is not None:
        return builtin(exchange)
    for prefix, function in _PREFIXES:
        if name.startswith(prefix) and len(name) > len(prefix):
            return function(exchange, name[len(prefix) :])
    return b"" if name in _ASSIGNED_LATER else None


def _argument(exchange: Exchange, name: bytes) -> bytes:
    """``ngx_http_arg``: name compared without case, value as it stands, first one wins."""
    for pair in exchange.args.split(b"&"):
        key, equals, value = pair.partition(b"=")
        if equals and key.lower() == name.lower():
            return value
    return b""


def _cookie(exchange: Exchange, name: bytes) -> bytes:
    """``$cookie_name``: name compared without case."""
    for value in (v for k, v in exchange.headers if k.lower() == b"cookie"):
        for pair in value.split(b";"):
            key, equals, text = pair.strip(b" ").partition(b"=")
            if equals and key.strip(b" ").lower() == name.lower():
                return text.strip(b" ")
    return b""


def _remote_addr(exchange: Exchange) -> bytes:
    address, reason = client_address(exchange)
    if reason:
        raise CannotDecide(reason)
    return address.encode()


def _proxied(exchange: Exchange) -> bytes:
    if exchange.proxied is None:
        raise CannotDecide("the PROXY line is not given")
    return exchange.proxied.encode()


def _forwarded_for(exchange: Exchange) -> bytes:
    found = exchange.header_variable(b"x_forwarded_for")
    address = _remote_addr(exchange)
    return found + b", " + address if found else address


def _remote_user(exchange: Exchange) -> bytes:
    value = exchange.header(b"authorization")
    if value is None or value[:6].lower() != b"basic ":
        return b""
    try:
        return base64.b64decode(value[6:].strip(b" ")).partition(b":")[0]
    except (binascii.Error, ValueError):
        return b""


def _server_addr(exchange: Exchange) -> bytes:
    if not exchange.server_address:
        raise CannotDecide("the local address of the connection is not given")
    return exchange.server_address.encode()


def _invalid_referer(exchange: Exchange) -> bytes:
    """``ngx_http_referer_variable``, as far as the absence of the header decides it."""
    rules = exchange.level.nearest(b"valid_referers")[1]
    arguments = [argument for rule in rules for argument in rule.args]
    if not [argument for argument in arguments if argument not in (b"none", b"blocked")]:
        return b""
    if exchange.header(b"referer") is None:
        return b"" if b"none" in arguments else b"1"
    raise CannotDecide("$invalid_referer depends on the Referer header")


def _split_path(exchange: Exchange) -> Tuple[bytes, bytes]:
    """``ngx_http_fastcgi_split``: script name and path info."""
    found = exchange.level.nearest(b"fastcgi_split_path_info")[1]
    if found and found[-1].args:
        match = compiled(found[-1].args[0], False, exchange.version).match(exchange.uri)
        if match is not None and len(match.groups) > 2:
            return match.groups[1], match.groups[2]
    return exchange.uri, b""


def _script_name(exchange: Exchange) -> bytes:
    name = _split_path(exchange)[0]
    return name + exchange.level.value(b"fastcgi_index", b"") if name.endswith(b"/") else name


BUILT_IN: Dict[bytes, Callable[[Exchange], bytes]] = {
    b"uri": lambda e: e.uri,
    b"document_uri": lambda e: e.uri,
    b"args": lambda e: e.args,
    b"query_string": lambda e: e.args,
    b"is_args": lambda e: b"?" if e.args else b"",
    b"request_uri": lambda e: e.unparsed,
    b"request_method": lambda e: e.method,
    b"request": lambda e: e.line,
    b"host": lambda e: e.host or primary_name(e.server),
    b"server_name": lambda e: primary_name(e.server),
    b"server_port": lambda e: str(e.server_port).encode(),
    b"server_addr": _server_addr,
    b"server_protocol": lambda e: e.protocol,
    b"scheme": lambda e: b"https" if e.tls else b"http",
    b"https": lambda e: b"on" if e.tls else b"",
    b"http2": lambda e: b"",
    b"http3": lambda e: b"",
    b"ssl_server_name": lambda e: e.sni,
    b"content_type": lambda e: e.header(b"content-type") or b"",
    b"content_length": lambda e: e.header(b"content-length") or b"",
    b"remote_addr": _remote_addr,
    b"proxy_protocol_addr": _proxied,
    b"remote_user": _remote_user,
    b"proxy_add_x_forwarded_for": _forwarded_for,
    b"proxy_host": lambda e: e.proxy_host or b"",
    b"proxy_port": lambda e: e.proxy_port,
    b"invalid_referer": _invalid_referer,
    b"document_root": document_root,
    b"request_filename": map_uri_to_path,
    b"fastcgi_script_name": _script_name,
    b"fastcgi_path_info": lambda e: _split_path(e)[1],
    b"nginx_version": lambda e: version_text(e.version).encode(),
    b"limit_rate": lambda e: b"0",
    b"pipe": lambda e: b".",
}

_PREFIXES: Tuple[Tuple[bytes, Callable[[Exchange, bytes], bytes]], ...] = (
    (b"http_", lambda e, name: e.header_variable(name)),
    (b"arg_", _argument),
    (b"cookie_", _cookie),
    (b"upstream_", lambda e, name: b""),
    (b"sent_http_", lambda e, name: b""),
)

_ASSIGNED_LATER = frozenset((b"proxy_internal_body_length", b"proxy_internal_chunked"))
