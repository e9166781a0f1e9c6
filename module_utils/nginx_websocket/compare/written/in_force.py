"""Directives that no other comparison speaks of, as far as they are in force where a request ends.

Filters of the answer, caches, mirrors, types, cookies, modules of others: nobody models all of them.  So each
directive in force at one end is held against that of the other, by what is written, and what differs is told.
What is compared by its effect elsewhere (`_TOLD_ELSEWHERE`), and what no user could observe (`_UNSEEN`), is
left out.  Nothing that is not known here is left out.
"""

from __future__ import annotations

import re
from typing import Dict, FrozenSet, Iterator, List, Optional, Tuple

from ...behaviour.effective import Level
from ...behaviour.secret_values import head
from ...conf.tree import Directive
from ..differences import ELSEWHERE, GUARD_LOST, SETTINGS, Parting
from .shape import Line, shape

Lines = Tuple[Line, ...]
"""The lines of one directive, each with its arguments and its block."""

_BLOCKS = frozenset((b"server", b"location", b"if", b"limit_except", b"upstream", b"map", b"geo", b"include"))
_TOLD_ELSEWHERE = _BLOCKS | frozenset(
    b"""access_log add_header alias allow auth_basic auth_basic_user_file auth_request
    autoindex break client_max_body_size deny error_log error_page expires fastcgi_param fastcgi_pass
    grpc_pass grpc_set_header gzip http2 index internal limit_conn limit_req listen log_format memcached_pass
    perl_set
    proxy_buffering proxy_hide_header proxy_http_version proxy_method proxy_pass proxy_pass_header
    proxy_pass_request_body proxy_pass_request_headers proxy_read_timeout proxy_request_buffering
    proxy_send_timeout proxy_set_header return rewrite root satisfy scgi_param scgi_pass
    server_name set split_clients try_files uwsgi_param uwsgi_pass stub_status empty_gif js_import
    js_set""".split()
)
_UNSEEN = frozenset(
    b"""aio client_body_buffer_size client_body_in_single_buffer client_body_temp_path connection_pool_size
    directio keepalive_disable keepalive_requests keepalive_time keepalive_timeout limit_conn_log_level
    limit_req_log_level log_not_found log_subrequest lua_package_path output_buffers postpone_output
    proxy_busy_buffers_size proxy_headers_hash_bucket_size proxy_headers_hash_max_size
    proxy_max_temp_file_size proxy_temp_file_write_size proxy_temp_path read_ahead request_pool_size
    reset_timedout_connection resolver resolver_timeout rewrite_log send_lowat sendfile sendfile_max_chunk
    ssl_buffer_size ssl_certificate_key ssl_password_file ssl_session_cache ssl_session_ticket_key
    ssl_session_timeout tcp_nodelay tcp_nopush uninitialized_variable_warn""".split()
)
_UNSEEN_LIKE = re.compile(
    rb"http[23]_|quic_|open_file_cache|types_hash_|variables_hash_|server_names_hash_|map_hash_|lingering_|msie_"
    rb"|.*_zone\Z|.*_cache_path\Z|.*_temp_path\Z|.*_busy_buffers_size\Z|.*_temp_file_write_size\Z"
)
_MODULE = re.compile(rb"(proxy|fastcgi|uwsgi|scgi|grpc|memcached)_")
"""Directives that count only where that module asks the backend."""
_FOR = {b"gzip_": "gzip", b"brotli_": "brotli", b"autoindex_": "autoindex", b"sub_filter_": "sub_filter"}
"""Families that count only where the directive that switches them on is set."""
_DEFAULTS: Dict[bytes, bytes] = {
    line.split()[0]: b" ".join(line.split()[1:])
    for line in b"""absolute_redirect on
    charset off
    chunked_transfer_encoding on
    client_body_timeout 60s
    client_header_timeout 60s
    default_type text/plain
    etag on
    gzip_static off
    if_modified_since exact
    large_client_header_buffers 4 8k
    limit_rate 0
    merge_slashes on
    port_in_redirect on
    proxy_cache off
    proxy_connect_timeout 60s
    proxy_cookie_domain off
    proxy_cookie_flags off
    proxy_cookie_path off
    proxy_ignore_client_abort off
    proxy_intercept_errors off
    proxy_next_upstream error timeout
    proxy_redirect default
    proxy_ssl_server_name off
    proxy_ssl_verify off
    recursive_error_pages off
    send_timeout 60s
    server_name_in_redirect off
    server_tokens on
    ssi off
    ssl_ecdh_curve auto
    ssl_prefer_server_ciphers off
    ssl_session_tickets on
    ssl_stapling off
    ssl_stapling_verify off
    ssl_verify_client off
    sub_filter_once on
    underscores_in_headers off""".splitlines()
}
"""What nginx does where nothing is written, of directives that are often written so."""
_ANSWERS = frozenset(
    b"""content_by_lua content_by_lua_block content_by_lua_file dav_methods dav_ext_methods flv hls
    image_filter js_content mp4 njs perl random_index upload_pass xslt_stylesheet""".split()
)
"""What makes the answer: without it, something else answers."""
_GUARDS = frozenset(
    b"""modsecurity SecRulesEnabled naxsi rewrite_by_lua rewrite_by_lua_block rewrite_by_lua_file""".split()
)
"""What refuses requests by rules of its own; secure_link and valid_referers only set variables."""


def in_force(
    before: Optional[Level], after: Optional[Level], protocols: FrozenSet[str], *, tls: bool = True
) -> Iterator[Parting]:
    """Every further directive that is not the same at both ends.

    Args:
        before: the level in force in the live tree; None where no server answers.
        after: that in the staged one.
        protocols: of the backends that are asked, of both sides; directives of other modules do not count.
        tls: whether both ends speak TLS; else its directives do not count.
    """
    if before is None or after is None:
        return
    old, new = before.once(_lines), after.once(_lines)
    if old == new:
        return
    for name in sorted({*old, *new}):
        one, other = old.get(name, ()), new.get(name, ())
        if one == other or not _counts(name, protocols, (old, new)) or (name.startswith(b"ssl_") and not tls):
            continue
        if name in _DEFAULTS and max(len(one), len(other)) < 2 and _value(name, one) == _value(name, other):
            continue
        shown = name.decode("utf-8", "replace")
        written = [level.nearest(name)[1] for level in (before, after)]
        at = [lines[-1].where() if lines else "" for lines in written]
        texts = ["; ".join(map(head, lines)) or f"no {shown}" for lines in written]
        gone = bool(one) and _value(name, one) != b"off" and (not other or _value(name, other) == b"off")
        kind = SETTINGS
        if gone and name in _ANSWERS:
            kind = ELSEWHERE
        elif gone and name in _GUARDS:
            kind = GUARD_LOST
        yield Parting(kind, texts[0], texts[1], at[0], at[1], (repr(one), repr(other)), shown)


def _lines(level: Level) -> Dict[bytes, Lines]:
    """What is in force at a level, by directive: the nearest level that has one supplies all its lines."""
    found: Dict[bytes, Lines] = {}
    for outer in level.chain():
        here: Dict[bytes, List[Directive]] = {}
        for line in outer.body():
            if line.name not in _TOLD_ELSEWHERE and line.name not in _UNSEEN:
                here.setdefault(line.name, []).append(line)
        for name, lines in here.items():
            if name not in found and not _UNSEEN_LIKE.match(name):
                found[name] = tuple(map(shape, lines))
    return found


def _counts(
    name: bytes, protocols: FrozenSet[str], sides: Tuple[Dict[bytes, Lines], Dict[bytes, Lines]]
) -> bool:
    module = _MODULE.match(name)
    if module is not None:
        asked = module.group(1).decode()
        return bool(protocols & ({"http", "https"} if asked == "proxy" else {asked, asked + "s"}))
    for family, switch in _FOR.items():
        if name.startswith(family) and name != b"gzip_static":
            return any(_on(side, switch.encode()) for side in sides) or switch in ("gzip", "autoindex")
    return True


def _on(side: Dict[bytes, Lines], name: bytes) -> bool:
    return bool(side.get(name))


def _value(name: bytes, lines: Lines) -> bytes:
    """The arguments of what is written last; nginx's default where nothing is."""
    return b" ".join(lines[-1][1]) if lines else _DEFAULTS.get(name, b"")
