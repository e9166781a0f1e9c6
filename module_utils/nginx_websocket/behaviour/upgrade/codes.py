"""What may keep a WebSocket from opening, by the configuration: one word for each, as in docs/findings.md."""

from __future__ import annotations

# the connection
PORT_NOT_LISTENING = "port-not-listening"
LISTEN_IPV6_MISSING = "listen-ipv6-missing"
TLS_NOT_ENABLED = "tls-not-enabled"
PLAIN_HTTP_TO_TLS_PORT = "plain-http-to-tls-port"
PROXY_PROTOCOL_MISMATCH = "proxy-protocol-mismatch"
H2C_ON_PLAIN_PORT = "h2c-on-plain-port"
HTTP2_ONLY = "http2-only"
BAD_REQUEST_URI = "bad-request-uri"

# another place was meant
DEFAULT_SERVER_CAPTURED = "default-server-captured"
DUPLICATE_SERVER_NAME = "duplicate-server-name"
LISTEN_ADDRESS_CAPTURED = "listen-address-captured"
WS_MISSING_IN_TLS_SERVER = "ws-missing-in-tls-server"
REGEX_ORDER = "regex-order"
REGEX_SHADOWS_PREFIX = "regex-shadows-prefix"
SHADOWED_BY_PREFIX_CARET = "shadowed-by-prefix-caret"
REWRITE_RELOCATES = "rewrite-relocates"
WRONG_LOCATION = "wrong-location"
NOT_INCLUDED_FILE = "not-included-file"

# guards
ACCESS_DENIED = "access-denied"
METHOD_NOT_ALLOWED = "method-not-allowed"
AUTH_BASIC = "auth-basic"
AUTH_REQUEST = "auth-request"
INTERNAL_LOCATION = "internal-location"
REFERER_CHECK = "referer-check"
ORIGIN_REJECTED = "origin-rejected"

# nginx answers by itself
TRAILING_SLASH_REDIRECT = "trailing-slash-redirect"
HTTP_TO_HTTPS_301 = "http-to-https-301"
RETURN_OR_REWRITE_REDIRECT = "return-or-rewrite-redirect"
RETURN_STATUS = "return-status"
PROXY_PASS_WS_SCHEME = "proxy-pass-ws-scheme"
LOCATION_WITHOUT_HANDLER = "location-without-handler"
TRY_FILES_SPA_FALLBACK = "try_files-spa-fallback"
TRY_FILES_BEFORE_PROXY = "try-files-before-proxy"
CAPTURE_LOST = "capture-lost"
IF_IS_EVIL = "if-is-evil"
WRONG_PASS_DIRECTIVE = "wrong-pass-directive"

# the request to the backend
NO_UPGRADE_HEADER = "no-upgrade-header"
HOP_HEADER_INHERITANCE = "hop-header-inheritance"
ADD_HEADER_NOT_PROXY_SET_HEADER = "add-header-not-proxy-set-header"
UPGRADE_HEADER_WRONG_VALUE = "upgrade-header-wrong-value"
CONNECTION_HEADER_WRONG = "connection-header-wrong"
OUTER_PROXY_STRIPS_UPGRADE = "outer-proxy-strips-upgrade"
UPGRADE_HARDCODED_NO_TUNNEL = "upgrade-hardcoded-no-tunnel"
METHOD_CHANGED = "method-changed"
HTTP10_UPSTREAM = "http10-upstream"
HTTP2_UPSTREAM = "http2-upstream"
REQUEST_HEADERS_NOT_PASSED = "request-headers-not-passed"
SUBPROTOCOL_STRIPPED = "subprotocol-stripped"
DUPLICATE_HOST_HEADER = "duplicate-host-header"
HEADER_UNDERSCORE_DROPPED = "header-underscore-dropped"
QUERY_STRING_LOST = "query-string-lost"
REWRITE_CHANGES_PATH = "rewrite-changes-path"
PROXY_PASS_DOUBLE_SLASH = "proxy-pass-double-slash"
PROXY_PASS_VARIABLE_URI = "proxy-pass-variable-uri"
PROXY_PASS_NORMALIZES_PATH = "proxy-pass-normalizes-path"
PROXY_PASS_STRIPS_PREFIX = "proxy-pass-strips-prefix"
RESOLVER_MISSING = "resolver-missing"
PROXY_LOOP = "proxy-loop"
NO_STICKY_SESSION = "no-sticky-session"

# the answer on its way back
RESPONSE_HEADER_HIDDEN = "response-header-hidden"
ERROR_PAGE_INTERCEPT = "error-page-intercept"
SSI_HOLDS_UPGRADE = "ssi-holds-upgrade"
CACHE = "cache"

UNDECIDED = "undecided"

RISKS = frozenset(
    (
        CACHE,
        ERROR_PAGE_INTERCEPT,
        SSI_HOLDS_UPGRADE,
        NO_STICKY_SESSION,
        REWRITE_CHANGES_PATH,
        PROXY_PASS_DOUBLE_SLASH,
        PROXY_PASS_VARIABLE_URI,
        PROXY_PASS_NORMALIZES_PATH,
        PROXY_PASS_STRIPS_PREFIX,
        HEADER_UNDERSCORE_DROPPED,
    )
)
"""What most sites have and mean: where it is not certain, it puts the opening in no question."""
