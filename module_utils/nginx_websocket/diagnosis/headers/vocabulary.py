"""The family's codes in words: what nginx sends to the backend, and what it passes back."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import CORE, DOCS, HEADERS, PROXY, SOURCE, UPSTREAM, WEBSOCKET, Entry

ENTRIES: Dict[str, Entry] = {
    codes.NO_UPGRADE_HEADER: Entry(
        "the location that wins does not pass Upgrade and Connection to the backend",
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
        'proxy_set_header Connection "upgrade"; in that location',
        WEBSOCKET,
    ),
    codes.HOP_HEADER_INHERITANCE: Entry(
        "the location has a proxy_set_header of its own and so loses the inherited Upgrade and Connection",
        "repeat the Upgrade and Connection lines inside the location",
        PROXY + "#proxy_set_header",
    ),
    codes.ADD_HEADER_NOT_PROXY_SET_HEADER: Entry(
        "add_header puts Upgrade on the answer to the browser, not on the request to the backend",
        "use proxy_set_header in place of add_header",
        PROXY + "#proxy_set_header",
    ),
    codes.UPGRADE_HEADER_WRONG_VALUE: Entry(
        "the Upgrade header reaches the backend with a wrong value or not at all",
        "proxy_set_header Upgrade $http_upgrade",
        WEBSOCKET,
    ),
    codes.CONNECTION_HEADER_WRONG: Entry(
        "the Connection header reaches the backend without the word upgrade",
        'proxy_set_header Connection "upgrade", or $connection_upgrade from a map',
        WEBSOCKET,
    ),
    codes.HTTP10_UPSTREAM: Entry(
        "nginx speaks HTTP/1.0 to the backend, in which many servers refuse a WebSocket",
        "add proxy_http_version 1.1 (it is the default only since nginx 1.29.7)",
        PROXY + "#proxy_http_version",
    ),
    codes.HTTP2_UPSTREAM: Entry(
        "nginx speaks HTTP/2 to the backend, over which it opens no WebSocket",
        "proxy_http_version 1.1 on the WebSocket path",
        PROXY + "#proxy_http_version",
    ),
    codes.REQUEST_HEADERS_NOT_PASSED: Entry(
        "proxy_pass_request_headers off drops the handshake's own headers",
        "remove proxy_pass_request_headers off",
        PROXY + "#proxy_pass_request_headers",
    ),
    codes.RESPONSE_HEADER_HIDDEN: Entry(
        "proxy_hide_header removes a header of the 101 that the client needs",
        "do not hide Upgrade or Sec-WebSocket-* on the WebSocket path",
        PROXY + "#proxy_hide_header",
    ),
    codes.RESPONSE_HEADER_ADDED: Entry(
        "add_header puts a line on the 101 that ends the handshake at the client",
        "no add_header of Upgrade or Sec-WebSocket-* on the WebSocket path",
        HEADERS + "#add_header",
    ),
    codes.METHOD_CHANGED: Entry(
        "proxy_method turns the handshake into another method",
        "remove proxy_method from the WebSocket path",
        PROXY + "#proxy_method",
    ),
    codes.SUBPROTOCOL_STRIPPED: Entry(
        "Sec-WebSocket-Protocol does not reach the backend, so no subprotocol is agreed and the client "
        "gives up",
        "do not blank Sec-WebSocket-Protocol",
        PROXY + "#proxy_set_header",
    ),
    codes.DUPLICATE_HOST_HEADER: Entry(
        "nginx sends two Host lines, which many backends refuse",
        "keep one proxy_set_header Host",
        PROXY + "#proxy_set_header",
    ),
    codes.HOST_HEADER_WRONG: Entry(
        "the backend gets another Host than the client's and refuses it or the Origin",
        "proxy_set_header Host $http_host",
        PROXY + "#proxy_set_header",
    ),
    codes.FORWARDED_PROTO_MISSING: Entry(
        "the backend does not learn that the client used TLS and refuses the https Origin",
        "proxy_set_header X-Forwarded-Proto $scheme",
        PROXY + "#proxy_set_header",
    ),
    codes.HEADER_UNDERSCORE_DROPPED: Entry(
        "nginx drops the client's header because its name has an underscore",
        "underscores_in_headers on in the default server of the listen address, or rename the header",
        CORE + "#underscores_in_headers",
    ),
    codes.INPUT_HEADER_CLEARED: Entry(
        "the headers-more module takes a header of the handshake away before the request is passed on",
        "leave Upgrade, Connection and Sec-WebSocket-* out of more_clear_input_headers",
        "https://github.com/openresty/headers-more-nginx-module#more_clear_input_headers",
    ),
    codes.OUTER_PROXY_STRIPS_UPGRADE: Entry(
        "a proxy in front of the last one does not forward Upgrade and Connection",
        "forward Upgrade and Connection at every hop",
        WEBSOCKET,
    ),
    codes.UPGRADE_HARDCODED_NO_TUNNEL: Entry(
        "Upgrade is a literal while the client's own was lost: the backend says 101, nginx opens no tunnel",
        "proxy_set_header Upgrade $http_upgrade, and forward it at the outer hop",
        SOURCE + "http/modules/ngx_http_proxy_module.c",
    ),
    codes.DUPLICATE_HEADER: Entry(
        "nginx sends a header twice that the backend takes only once",
        "keep one of the two proxy_set_header lines",
        PROXY + "#proxy_set_header",
    ),
    codes.MIRROR_UPGRADED: Entry(
        "the mirrored request is upgraded as well, and nginx then gives the handshake up",
        'proxy_set_header Upgrade ""; proxy_set_header Connection ""; in the location of the mirror',
        "https://nginx.org/en/docs/http/ngx_http_mirror_module.html",
    ),
    codes.SSI_HOLDS_UPGRADE: Entry(
        "nginx's SSI filter holds the 101 back: the backend gave it a Content-Type that SSI takes",
        "ssi off in the WebSocket location",
        DOCS + "http/ngx_http_ssi_module.html#ssi",
    ),
    codes.KEEPALIVE_DISABLED_BY_MAP: Entry(
        "the map sends Connection: close on ordinary requests, which switches the upstream's keepalive off",
        "map '' to '' in place of close",
        UPSTREAM + "#keepalive",
    ),
    codes.CONNECTION_HARDCODED: Entry(
        'Connection "upgrade" goes out on ordinary requests too, which some backends refuse',
        "use a map on $http_upgrade where the location also serves ordinary requests",
        WEBSOCKET,
    ),
}
