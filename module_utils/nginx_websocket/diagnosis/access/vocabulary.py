"""The family's codes in words: who is let in."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import CORE, DOCS, Entry

ENTRIES: Dict[str, Entry] = {
    codes.AUTH_BASIC: Entry(
        "auth_basic asks for a password that WebSocket clients do not send",
        "auth_basic off on the WebSocket path, and authenticate by cookie or token",
        DOCS + "http/ngx_http_auth_basic_module.html",
    ),
    codes.AUTH_REQUEST: Entry(
        "the auth_request subrequest refuses the handshake",
        "send the session cookie with the handshake, or exempt the path; the subrequest must not be upgraded",
        DOCS + "http/ngx_http_auth_request_module.html",
    ),
    codes.ACCESS_DENIED: Entry(
        "allow/deny rules refuse the client's address",
        "allow the client's address (mind real_ip behind a balancer)",
        DOCS + "http/ngx_http_access_module.html",
    ),
    codes.REFERER_CHECK: Entry(
        "valid_referers refuses requests without Referer, and a WebSocket handshake carries none",
        "check $http_origin instead, or add none to valid_referers",
        DOCS + "http/ngx_http_referer_module.html",
    ),
    codes.METHOD_NOT_ALLOWED: Entry(
        "limit_except refuses GET, and the handshake is a GET",
        "allow GET on the WebSocket path",
        CORE + "#limit_except",
    ),
    codes.MODSECURITY: Entry(
        "a ModSecurity rule of this host refuses the handshake",
        "exclude the WebSocket path from the rule that the error log names (SecRuleRemoveById), for this "
        "location only",
        "https://github.com/owasp-modsecurity/ModSecurity/wiki",
    ),
    codes.ORIGIN_OPEN: Entry(
        "no Origin is refused: any web site can open this socket in its visitors' browsers",
        "check the Origin in the application, or in nginx with a map on $http_origin",
        "https://www.rfc-editor.org/rfc/rfc6455#section-10.2",
    ),
}
