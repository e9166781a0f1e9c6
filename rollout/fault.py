"""At which station of a request's path a cause lies, for the report of a diagnosis."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

#: Codes of causes by the station where the request fails. A cause that is not here lies at the station whose
#: file and line its evidence names, else at the last one that was reached.
STATIONS = {
    "name": ("name-not-resolved address-unreachable front-differs outer-proxy-strips-upgrade"),
    "listen": (
        "nginx-not-running port-not-listening other-process-on-port listen-ipv6-missing reload- "
        "failed stale-config-not-reloaded reload-old-sockets-old-config nginx-config-invalid "
        "upstream-host-not-found map-wrong-context missing-map duplicate-map not-included-file "
        "proxy-protocol-mismatch plain-http-to-tls-port h2c-on-plain-port http2-only worker- "
        "connections open-file-limit"
    ),
    "tls": (
        "cert-invalid cert-unknown-issuer tls-handshake-failed client-certificate-required tls-not- enabled"
    ),
    "server": (
        "default-server-captured duplicate-server-name listen-address-captured ws-missing-in-tls- "
        "server http-to-https-301 bad-request-uri request-header-too-large"
    ),
    "rewrite": ("rewrite-relocates return-or-rewrite-redirect"),
    "location": (
        "wrong-location shadowed-by-prefix-caret regex-shadows-prefix regex-order try_files-spa- "
        "fallback try-files-before-proxy location-without-handler if-is-evil internal-location "
        "trailing-slash-redirect return-status auth-basic auth-request access-denied referer-check "
        "method-not-allowed limit-req limit-conn cache error-page-intercept"
    ),
    "directives": (
        "wrong-pass-directive proxy-pass-ws-scheme proxy-pass-uri-in-regex upstream-scheme-mismatch "
        "upstream-sni-missing resolver-missing wrong-backend"
    ),
    "headers": (
        "no-upgrade-header hop-header-inheritance add-header-not-proxy-set-header upgrade-header- "
        "wrong-value connection-header-wrong http10-upstream http2-upstream request-headers-not- "
        "passed method-changed duplicate-host-header host-header-wrong forwarded-proto-missing "
        "header-underscore-dropped query-string-lost proxy-pass-strips-prefix rewrite-changes-path "
        "proxy-pass-keeps-prefix proxy-pass-double-slash proxy-pass-normalizes-path proxy-pass- "
        "variable-uri connection-hardcoded"
    ),
    "backend": (
        "backend-down backend-ipv6-localhost backend-connect-timeout backend-hang backend-closed "
        "backend-no-websocket backend-auth backend-error backend-untrusted-proxy origin-rejected "
        "wrong-backend-protocol upstream-tls-failed upstream-permission-denied upstream-marked-down "
        "upstream-max-conns stale-upstream-dns no-sticky-session"
    ),
    "answer": (
        "response-header-hidden subprotocol-stripped upstream-header-too-big timeout-short upgrade- "
        "hardcoded-no-tunnel reload-closes-sockets no-pong"
    ),
}
_STATION_OF = {code: station for station, codes in STATIONS.items() for code in codes.split()}


def station_at_fault(path: Sequence[Mapping[str, Any]], causes: Sequence[Mapping[str, Any]]) -> Optional[int]:
    """Return which station of the path is at fault; None where there is no cause or no path.

    Args:
        path: The stations, each with ``station``, ``file``, ``line`` and ``state``.
        causes: The causes, the first one first, each with ``code`` and ``evidence``.
    """
    if not causes or not path:
        return None
    wanted = _STATION_OF.get(str(causes[0]["code"]))
    places = {(item["file"], item["line"]) for item in causes[0]["evidence"] if item["file"]}
    tests = (
        lambda step: step["station"] == wanted,
        lambda step: step["state"] == "bad",
        lambda step: (step["file"], step["line"]) in places,
    )
    for test in tests:
        found = [number for number, step in enumerate(path) if test(step)]
        if found:
            return found[-1]
    return len(path) - 1
