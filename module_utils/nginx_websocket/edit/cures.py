"""Edits that may cure a fault, the best first.  Which of them is fit, ``judge`` says.

A cure never takes a guard away, and changes as little as it can: one argument, one line, one location.
"""

from __future__ import annotations

from typing import Dict, Iterator, List

from .. import codes
from ..behaviour.route import Route
from ..conf.tree import Configuration
from . import copies, lines, loadable, paths, places, redirects, unpassed, upstreams
from .fault import Edits, Fault, Maker
from .refused.by_message import by_message

__all__ = ["Fault", "curable", "cures"]


def cures(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
    """Candidates for a fault.

    Args:
        configuration: as it is.
        route: of the handshake through it.
        fault: what is wrong.
    """
    make = _BY_CODE.get(fault.code)
    if make is not None:
        yield from (_once(edits) for edits in make(configuration, route, fault) if edits)


def _once(edits: Edits) -> Edits:
    """Each edit once: a file that two servers include is in the tree twice."""
    return list({(edit.source.name, edit.start, edit.end, edit.text): edit for edit in edits}.values())


def _either(*makers: Maker) -> Maker:
    """The candidates of one maker, then those of the next."""

    def make(configuration: Configuration, route: Route, fault: Fault) -> Iterator[Edits]:
        for maker in makers:
            yield from maker(configuration, route, fault)

    return make


_BY_CODE: Dict[str, Maker] = {
    codes.MISSING_MAP: loadable.map_missing,
    codes.MAP_WRONG_CONTEXT: loadable.map_misplaced,
    codes.PROXY_PASS_WS_SCHEME: loadable.scheme,
    codes.PROXY_PASS_URI_IN_REGEX: loadable.uri_in_regex,
    codes.HTTP2_UPSTREAM: loadable.http2_to_backend,
    codes.BACKEND_DOWN: _either(
        paths.socket_ended, places.other_port, upstreams.map_in_front, upstreams.other_entry
    ),
    codes.WRONG_BACKEND: _either(
        lines.right_case, upstreams.chosen_by_map, upstreams.only_value, places.other_port
    ),
    codes.WRONG_LOCATION: _either(redirects.past_rewrites, places.other_location),
    codes.SHADOWED_BY_PREFIX_CARET: places.other_location,
    codes.REGEX_ORDER: places.other_location,
    codes.REGEX_SHADOWS_PREFIX: places.other_location,
    codes.LOCATION_WITHOUT_HANDLER: unpassed.rewritten_away,
    codes.TRY_FILES_SPA_FALLBACK: places.other_location,
    codes.TRY_FILES_BEFORE_PROXY: unpassed.try_files_before,
    codes.REWRITE_RELOCATES: _either(redirects.past_rewrites, unpassed.rewrite_stays),
    codes.RETURN_STATUS: _either(lines.right_case, unpassed.answered_by_nginx),
    codes.RETURN_OR_REWRITE_REDIRECT: _either(lines.right_case, redirects.let_through),
    codes.LISTEN_ADDRESS_CAPTURED: places.same_address,
    codes.H2C_ON_PLAIN_PORT: lines.without_http2,
    codes.NO_UPGRADE_HEADER: lines.beside_include,
    codes.HTTP10_UPSTREAM: lines.beside_include,
    codes.CONNECTION_HEADER_WRONG: _either(lines.own_headers, lines.wrong_twins, lines.beside_include),
    codes.UPGRADE_HEADER_WRONG_VALUE: _either(lines.own_headers, lines.wrong_twins, lines.beside_include),
    codes.TRAILING_SLASH_REDIRECT: places.other_location,
    codes.DEFAULT_SERVER_CAPTURED: _either(places.served_name, upstreams.map_in_front),
    codes.PORT_NOT_LISTENING: places.listen,
    codes.LISTEN_IPV6_MISSING: places.listen,
    codes.PROXY_PASS_KEEPS_PREFIX: paths.path,
    codes.PROXY_PASS_STRIPS_PREFIX: paths.path,
    codes.PROXY_PASS_DOUBLE_SLASH: paths.path,
    codes.PROXY_PASS_NORMALIZES_PATH: paths.path,
    codes.PROXY_PASS_VARIABLE_URI: paths.path,
    codes.REWRITE_CHANGES_PATH: paths.path,
    codes.QUERY_STRING_LOST: paths.path,
    codes.NO_STICKY_SESSION: lines.line("ip_hash;", block=True),
    codes.UPSTREAM_SNI_MISSING: upstreams.tls_name,
    codes.UPSTREAM_TLS_FAILED: _either(upstreams.trusted, upstreams.tls_name),
    codes.UPSTREAM_MAX_CONNS: upstreams.more_sockets,
    codes.UPSTREAM_MARKED_DOWN: upstreams.marked_up,
    codes.IF_IS_EVIL: upstreams.set_before,
    codes.HEADER_UNDERSCORE_DROPPED: lines.underscores,
    codes.REQUEST_HEADER_TOO_LARGE: lines.buffers,
    codes.WORKER_CONNECTIONS: lines.connections,
    codes.UPSTREAM_HEADER_TOO_BIG: lines.answer_buffers,
    codes.INPUT_HEADER_CLEARED: lines.delete_named,
    codes.RESPONSE_HEADER_ADDED: lines.delete_named,
    codes.PROXY_BIND_FAILED: lines.delete_named,
    codes.MIRROR_UPGRADED: copies.no_upgrade_of_a_copy,
    codes.TLS_HANDSHAKE_FAILED: _either(lines.newer_tls, lines.more_ciphers),
    codes.NGINX_CONFIG_INVALID: _either(
        loadable.variable_misspelt, loadable.named_line, upstreams.trusted, by_message
    ),
    codes.SSI_HOLDS_UPGRADE: lines.line("ssi off;"),
    codes.PROXY_PROTOCOL_MISMATCH: lines.without_proxy_line,
    codes.WRONG_PASS_DIRECTIVE: places.other_pass,
    codes.BACKEND_IPV6_LOCALHOST: lines.localhost,
    codes.UPSTREAM_SERVERS_DIFFER: lines.localhost,
    codes.UPSTREAM_HOST_NOT_FOUND: lines.known_name,
    codes.RESOLVER_MISSING: lines.literal_name,
    codes.CAPTURE_LOST: lines.name_capture,
}


def curable() -> List[str]:
    """The codes for which there are cures, in the order of docs/findings.md."""
    return list(_BY_CODE)
