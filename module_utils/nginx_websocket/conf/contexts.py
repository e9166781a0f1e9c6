"""Where nginx takes a directive, and with how many words (``ngx_conf_handler``).

It says "directive is not allowed here", or "invalid number of arguments". From the ``ngx_command_t`` tables
of nginx's own modules, as they were in 1.18 and are in 1.30. A directive that is not named here may stand
anywhere, with any words: it may be a module's of somebody else.
"""

from __future__ import annotations

from typing import Dict, FrozenSet, Iterator, Tuple

from .tree import Configuration, Directive

HTTP, SERVER, LOCATION, EXCEPT = "http", "server", "location", "limit_except"
SERVER_IF, LOCATION_IF = "if in server", "if in location"
MAIN, EVENTS, UPSTREAM = "main", "events", "upstream"
ORDER = (MAIN, EVENTS, HTTP, UPSTREAM, SERVER, SERVER_IF, LOCATION, LOCATION_IF, EXCEPT)
"""The blocks, outer ones first."""

_EVERY_LEVEL = (HTTP, SERVER, LOCATION)
_GROUPS = (
    (
        _EVERY_LEVEL,
        "proxy_set_header proxy_http_version proxy_read_timeout proxy_send_timeout proxy_connect_timeout "
        "proxy_buffering proxy_request_buffering proxy_buffer_size proxy_buffers proxy_busy_buffers_size "
        "proxy_hide_header proxy_pass_header proxy_intercept_errors proxy_redirect proxy_next_upstream "
        "proxy_ignore_client_abort proxy_pass_request_headers proxy_pass_request_body proxy_method "
        "proxy_set_body proxy_cookie_path proxy_cookie_domain proxy_cache proxy_cache_bypass proxy_no_cache "
        "proxy_ssl_server_name proxy_ssl_name proxy_ssl_verify proxy_ssl_trusted_certificate proxy_bind "
        "client_max_body_size client_body_timeout send_timeout default_type tcp_nodelay "
        "auth_request satisfy index autoindex sub_filter limit_req limit_conn fastcgi_param "
        "uwsgi_param types real_ip_header set_real_ip_from",
    ),
    ((*_EVERY_LEVEL, UPSTREAM), "keepalive_timeout"),
    ((*_EVERY_LEVEL, EXCEPT), "auth_basic auth_basic_user_file allow deny"),
    ((*_EVERY_LEVEL, LOCATION_IF), "root add_header expires error_page gzip sendfile limit_rate"),
    ((*_EVERY_LEVEL, LOCATION_IF, EXCEPT), "access_log"),
    ((LOCATION, LOCATION_IF, EXCEPT), "proxy_pass"),
    ((LOCATION, LOCATION_IF), "fastcgi_pass uwsgi_pass grpc_pass"),
    ((SERVER, SERVER_IF, LOCATION, LOCATION_IF), "return rewrite set break"),
    ((SERVER, LOCATION), "if try_files location"),
    ((LOCATION,), "alias internal limit_except"),
    ((SERVER,), "listen server_name"),
    ((HTTP, UPSTREAM), "server"),
    (
        (HTTP, SERVER),
        "ssl_certificate ssl_certificate_key ssl_protocols ssl_ciphers ssl_session_cache merge_slashes "
        "underscores_in_headers ignore_invalid_headers large_client_header_buffers client_header_timeout",
    ),
    ((HTTP,), "map upstream geo split_clients limit_req_zone limit_conn_zone log_format proxy_cache_path"),
    ((UPSTREAM,), "ip_hash least_conn keepalive"),
    ((EVENTS,), "worker_connections"),
    ((MAIN,), "worker_processes user pid events http"),
)
TAKEN: Dict[bytes, FrozenSet[str]] = {
    name.encode(): frozenset(blocks) for blocks, names in _GROUPS for name in names.split()
}


COUNTS: Dict[bytes, Tuple[int, int]] = {
    **dict.fromkeys(
        b"proxy_read_timeout proxy_send_timeout proxy_connect_timeout proxy_http_version proxy_pass "
        b"proxy_buffering proxy_request_buffering proxy_hide_header proxy_pass_header proxy_buffer_size "
        b"proxy_intercept_errors proxy_ssl_server_name proxy_ssl_name proxy_ssl_verify root alias "
        b"client_max_body_size client_body_timeout send_timeout default_type ssl_certificate "
        b"ssl_certificate_key auth_basic auth_basic_user_file auth_request merge_slashes tcp_nodelay "
        b"underscores_in_headers ignore_invalid_headers".split(),
        (1, 1),
    ),
    b"proxy_set_header": (2, 2),
    b"keepalive_timeout": (1, 2),
    b"proxy_redirect": (1, 2),
    b"return": (1, 2),
    b"rewrite": (2, 3),
    b"add_header": (2, 3),
    b"set": (2, 2),
    b"allow": (1, 1),
    b"deny": (1, 1),
    b"try_files": (2, 1000),
    b"error_page": (2, 1000),
    b"listen": (1, 1000),
    b"server_name": (1, 1000),
}
"""How many arguments a directive takes, at least and at most."""


_AROUND = {
    b"server": (HTTP, MAIN),
    b"upstream": (HTTP, MAIN),
    b"location": (SERVER, LOCATION, MAIN),
    b"limit_except": (LOCATION,),
}
"""The blocks in which a block is one of nginx's ``http``."""


def context_of(directive: Directive) -> str:
    """The block that a directive stands in, by one of the names above; "" for any other block.

    A block at the top is taken for one of a file that an ``http`` or a ``server`` includes. What stands in
    ``stream`` or ``mail`` has blocks of its own, and so have ``map``, ``types`` and the like.
    """
    parent = directive.parent
    if parent is None:
        return MAIN
    outer = parent.parent
    if parent.name in (b"http", b"events"):
        return parent.name.decode() if outer is None else ""
    around = context_of(parent)
    if parent.name == b"if":
        return {SERVER: SERVER_IF, LOCATION: LOCATION_IF}.get(around, "")
    return parent.name.decode() if around in _AROUND.get(parent.name, ()) else ""


def misplaced(configuration: Configuration) -> Iterator[Directive]:
    """Directives that nginx takes in other blocks only, in the files' order.

    A file of sites alone is included by an ``http`` block that is not there: nothing is said of its top.
    """
    whole = any(directive.name == b"http" and directive.block is not None for directive in configuration.root)
    for directive in configuration.walk():
        block = context_of(directive)
        if block and (whole or block != MAIN) and block not in TAKEN.get(directive.name, (block,)):
            yield directive


def miscounted(directive: Directive) -> bool:
    """Whether nginx would count too few or too many arguments."""
    least, most = COUNTS.get(directive.name, (0, 1 << 30))
    asked = directive.block is None and context_of(directive) not in ("", MAIN)
    return asked and not least <= len(directive.args) <= most
