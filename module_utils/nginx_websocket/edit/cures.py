"""Edits that may cure a fault, the best first.  Which of them is fit, ``judge`` says.

A cure never takes a guard away, and changes as little as it can: one argument, one line, one location.
"""

from __future__ import annotations

from typing import Dict, Iterator, List

from ..behaviour.route import Route
from ..conf.tree import Configuration
from . import lines, loadable, paths, places
from .fault import Edits, Fault, Maker

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
        yield from (edits for edits in make(configuration, route, fault) if edits)


_BY_CODE: Dict[str, Maker] = {
    "missing-map": loadable.map_missing,
    "map-wrong-context": loadable.map_misplaced,
    "proxy-pass-ws-scheme": loadable.scheme,
    "proxy-pass-uri-in-regex": loadable.uri_in_regex,
    "http2-upstream": loadable.http2_to_backend,
    "backend-down": places.other_port,
    "wrong-backend": places.other_port,
    "wrong-location": places.other_location,
    "shadowed-by-prefix-caret": places.other_location,
    "regex-order": places.other_location,
    "regex-shadows-prefix": places.other_location,
    "location-without-handler": places.other_location,
    "try_files-spa-fallback": places.other_location,
    "try-files-before-proxy": places.try_files_before,
    "rewrite-relocates": places.rewrite_stays,
    "return-status": places.no_try_files,
    "listen-address-captured": places.same_address,
    "h2c-on-plain-port": lines.without_http2,
    "connection-header-wrong": lines.own_headers,
    "upgrade-header-wrong-value": lines.own_headers,
    "trailing-slash-redirect": places.other_location,
    "default-server-captured": places.served_name,
    "port-not-listening": places.listen,
    "listen-ipv6-missing": places.listen,
    "proxy-pass-keeps-prefix": paths.path,
    "proxy-pass-strips-prefix": paths.path,
    "proxy-pass-double-slash": paths.path,
    "proxy-pass-normalizes-path": paths.path,
    "proxy-pass-variable-uri": paths.path,
    "rewrite-changes-path": paths.path,
    "query-string-lost": paths.path,
    "no-sticky-session": lines.line("ip_hash;", block=True),
    "upstream-sni-missing": lines.server_name,
    "header-underscore-dropped": lines.underscores,
    "request-header-too-large": lines.buffers,
    "worker-connections": lines.connections,
    "upstream-header-too-big": lines.answer_buffers,
    "input-header-cleared": lines.delete_named,
    "proxy-bind-failed": lines.delete_named,
    "ssi-holds-upgrade": lines.line("ssi off;"),
    "proxy-protocol-mismatch": lines.without_proxy_line,
    "wrong-pass-directive": places.other_pass,
    "backend-ipv6-localhost": lines.localhost,
    "upstream-servers-differ": lines.localhost,
    "upstream-host-not-found": lines.literal_name,
    "resolver-missing": lines.literal_name,
    "capture-lost": lines.name_capture,
}


def curable() -> List[str]:
    """The codes for which there are cures, in the order of docs/findings.md."""
    return list(_BY_CODE)
