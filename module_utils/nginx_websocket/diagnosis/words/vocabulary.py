"""The codes that a finding can have: one sentence, the cure, and where the rule is written down.

docs/findings.md says for each code at length what it means and how it is recognised; a test keeps both in
step.
A code never changes its meaning once released: other tools may look for it.
"""

from __future__ import annotations

from typing import Dict

from .entry import (
    CONTROL,
    CORE,
    DOCS,
    HTTPS,
    MAIN,
    PROXY,
    REQUESTS,
    REWRITE,
    SOURCE,
    WEBSOCKET,
    Entry,
)
from .vocabulary_backend import BACKEND_CODES

NGINX_CODES: Dict[str, Entry] = {
    # ---- the configuration cannot be loaded
    "map-wrong-context": Entry(
        "the map block stands outside http, so nginx refuses the configuration",
        "move the map into http { } (the top of a file included there is right, the top of nginx.conf "
        "is not)",
        DOCS + "http/ngx_http_map_module.html",
    ),
    "missing-map": Entry(
        "a variable is used that no map, set or module defines, so nginx refuses the configuration",
        "define the variable, for example map $http_upgrade $connection_upgrade at http level",
        WEBSOCKET,
    ),
    "proxy-pass-uri-in-regex": Entry(
        "proxy_pass has a URI part where nginx cannot replace a prefix, so it refuses the configuration",
        "drop the URI part from proxy_pass (rewrite ... break can change the path)",
        PROXY + "#proxy_pass",
    ),
    "proxy-pass-ws-scheme": Entry(
        "proxy_pass has a scheme nginx does not know, so it refuses the configuration",
        "proxy_pass http://... (https:// for a backend that speaks TLS): a WebSocket starts as HTTP",
        PROXY + "#proxy_pass",
    ),
    "upstream-host-not-found": Entry(
        "the name of the backend does not resolve, so nginx refuses the configuration",
        "correct the name or its DNS entry, or resolve at run time (a variable and resolver)",
        PROXY + "#proxy_pass",
    ),
    "nginx-config-invalid": Entry(
        "nginx -t refuses the configuration on disk",
        "correct the line that nginx -t names, test again, reload",
        CONTROL,
    ),
    # ---- who answers on the port
    "nginx-not-running": Entry(
        "no nginx is running on this host",
        "start nginx, and read why it stopped: systemctl status nginx, journalctl -u nginx",
        CONTROL,
    ),
    "port-not-listening": Entry(
        "nothing listens on the port of the URL",
        "add a listen directive for the port, or use the port that nginx listens on",
        CORE + "#listen",
    ),
    "other-process-on-port": Entry(
        "the port of the URL belongs to a process that is not this nginx",
        "stop the other process, or give one of the two another port",
        CORE + "#listen",
    ),
    "listen-ipv6-missing": Entry(
        "the name has an IPv6 address, and nginx does not listen on IPv6 there",
        "add listen [::]:PORT, or drop the AAAA record",
        CORE + "#listen",
    ),
    "name-not-resolved": Entry(
        "the name in the URL does not resolve",
        "add the DNS record, or correct the name in the client",
        "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    ),
    "address-unreachable": Entry(
        "the address of the name does not take connections",
        "open the port in the firewall or security group, and check that the DNS record names this host",
        "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    ),
    "front-differs": Entry(
        "nginx on this host opens the socket, but the public name does not: something in front answers",
        "look at what the name points to (load balancer, CDN, another host), and forward Upgrade there",
        WEBSOCKET,
    ),
    "reload-failed": Entry(
        "the last reload failed: the workers still run the configuration from before it",
        "remove the reason that the error log names, reload, and read the error log again",
        CONTROL,
    ),
    "stale-config-not-reloaded": Entry(
        "the configuration on disk is newer than the one the workers run",
        "reload nginx, then compare the workers' start time with the file's",
        CONTROL,
    ),
    "reload-old-sockets-old-config": Entry(
        "sockets opened before the last reload still live on old workers with the old configuration",
        "reconnect the clients (worker_shutdown_timeout ends old workers after a while)",
        CONTROL,
    ),
    "reload-closes-sockets": Entry(
        "every reload closes all open sockets after worker_shutdown_timeout",
        "a longer worker_shutdown_timeout, fewer reloads, clients that reconnect with jitter",
        MAIN + "#worker_shutdown_timeout",
    ),
    "not-included-file": Entry(
        "the file with the WebSocket location is not part of the configuration",
        "name the file so that the include pattern takes it (or link it into sites-enabled), then reload",
        MAIN + "#include",
    ),
    # ---- TLS and protocol
    "cert-invalid": Entry(
        "the certificate is not valid for this name and time; clients give up without asking",
        "install a certificate for the name in the URL from a CA that clients trust, then reload",
        HTTPS,
    ),
    "cert-unknown-issuer": Entry(
        "the certificate's issuer is not known to this host; clients that do not know it give up too",
        "install the issuer on the clients, or use a certificate of a public CA with its whole chain",
        HTTPS + "#chains",
    ),
    "tls-handshake-failed": Entry(
        "the TLS handshake with nginx fails",
        "compare ssl_protocols, ssl_ciphers and the certificate with what the client offers",
        HTTPS,
    ),
    "plain-http-to-tls-port": Entry(
        "the client speaks plain ws:// to a port that expects TLS", "open wss:// in the client", HTTPS
    ),
    "client-certificate-required": Entry(
        "nginx asks for a certificate of the client, and the handshake carried none that it accepts",
        "ssl_verify_client optional or off where clients without one shall connect; else install one there",
        DOCS + "http/ngx_http_ssl_module.html#ssl_verify_client",
    ),
    "tls-not-enabled": Entry(
        "the client speaks TLS (wss://) to a port that does not",
        "add ssl to the listen directive with a certificate, or open ws://",
        CORE + "#listen",
    ),
    "http2-only": Entry(
        "the client negotiates HTTP/2, over which nginx opens no WebSocket",
        "let the client offer http/1.1 alone in ALPN for sockets, as browsers do",
        DOCS + "http/ngx_http_v2_module.html",
    ),
    "h2c-on-plain-port": Entry(
        "the plain port speaks HTTP/2 only, because listen has http2 without ssl on this nginx",
        "remove http2 from the plain listen (from nginx 1.25.1 on the port speaks HTTP/1.1 as well)",
        DOCS + "http/ngx_http_v2_module.html",
    ),
    "proxy-protocol-mismatch": Entry(
        "listen expects the PROXY protocol, and the client does not send it",
        "drop proxy_protocol from listen, or let only the balancer that sends it connect there",
        CORE + "#listen",
    ),
    # ---- which server
    "default-server-captured": Entry(
        "no server block has this name, so the default server answers",
        "add the name that the client uses to the server_name of the right block",
        REQUESTS,
    ),
    "duplicate-server-name": Entry(
        "another server block has the same name and address and stands first; nginx ignores the second",
        "keep one server block for a name and address (move backups out of included directories)",
        DOCS + "http/server_names.html",
    ),
    "listen-address-captured": Entry(
        "a server that listens on the exact address hides those that listen on every address",
        "use the same address in both listen directives",
        REQUESTS,
    ),
    "ws-missing-in-tls-server": Entry(
        "the WebSocket location stands in another server block than the one for this scheme and port",
        "pass the upgrade in this server block as well: in the location that takes this URL here, or in one "
        "like that of the other server",
        WEBSOCKET,
    ),
    # ---- which location
    "wrong-location": Entry(
        "the WebSocket location does not match this path, so another location answers",
        "make the WebSocket location match the client's path",
        CORE + "#location",
    ),
    "shadowed-by-prefix-caret": Entry(
        "a ^~ prefix ends the search, so the regex location of the WebSocket is never tried",
        "make the WebSocket location a longer prefix instead of a regex",
        CORE + "#location",
    ),
    "regex-shadows-prefix": Entry(
        "a regex location takes the path before the prefix location of the WebSocket",
        "mark the WebSocket prefix with ^~",
        CORE + "#location",
    ),
    "regex-order": Entry(
        "an earlier regex location takes the path",
        "put the narrower regex first, or use a prefix location with ^~",
        CORE + "#location",
    ),
    "rewrite-relocates": Entry(
        "a rewrite moves the request out of the WebSocket location into another",
        "rewrite ... break instead of last, or put the headers where the rewrite lands",
        REWRITE + "#rewrite",
    ),
    "location-without-handler": Entry(
        "the location that wins passes the request to no backend: nginx looks for a file",
        "give the location its own proxy_pass; it is not inherited",
        PROXY + "#proxy_pass",
    ),
    "try_files-spa-fallback": Entry(
        "no location passes this path to the backend: the fallback of try_files answers with a page",
        "add a location with proxy_pass for the path of the WebSocket",
        CORE + "#try_files",
    ),
    "try-files-before-proxy": Entry(
        "try_files in the location answers before proxy_pass gets its turn",
        "remove try_files from the WebSocket location, or end it in a named location that proxies",
        CORE + "#try_files",
    ),
    "if-is-evil": Entry(
        "an if block in the location takes effect as a location of its own, without try_files or handler",
        "no if in a location except for return or rewrite ... last",
        "https://github.com/nginxinc/nginx-wiki/blob/master/source/start/topics/depth/ifisevil.rst",
    ),
    "internal-location": Entry(
        "the location is internal: nginx answers 404 to every client",
        "remove internal from the WebSocket location",
        CORE + "#internal",
    ),
    # ---- nginx answers by itself
    "http-to-https-301": Entry(
        "the plain port redirects to https, and a WebSocket client does not follow redirects",
        "open wss:// in the client (or proxy the WebSocket path on the plain port too)",
        REWRITE + "#return",
    ),
    "trailing-slash-redirect": Entry(
        "nginx redirects to the same path with a slash, and a WebSocket client does not follow redirects",
        "add location = PATH without the slash, or drop the slash from the location, or use it in the client",
        CORE + "#location",
    ),
    "return-or-rewrite-redirect": Entry(
        "nginx answers with a redirect, and a WebSocket client does not follow redirects",
        "exempt the WebSocket path from the redirect, or open the address it leads to",
        REWRITE + "#return",
    ),
    "return-status": Entry(
        "a return directive answers this request before any backend is asked",
        "exempt the WebSocket path from the return",
        REWRITE + "#return",
    ),
    "semicolon-missing": Entry(
        "a semicolon is missing, and nginx takes the next directive for more arguments of this one",
        "end the directive with a semicolon, so that the next line is a directive of its own",
        DOCS + "beginners_guide.html#conf_structure",
    ),
    "modsecurity": Entry(
        "a ModSecurity rule of this host refuses the handshake",
        "exclude the WebSocket path from the rule that the error log names (SecRuleRemoveById), for this "
        "location only",
        "https://github.com/owasp-modsecurity/ModSecurity/wiki",
    ),
    "input-header-cleared": Entry(
        "the headers-more module takes a header of the handshake away before the request is passed on",
        "leave Upgrade, Connection and Sec-WebSocket-* out of more_clear_input_headers",
        "https://github.com/openresty/headers-more-nginx-module#more_clear_input_headers",
    ),
    "bad-request-uri": Entry(
        "nginx refuses the request line or the Host before it looks for a server",
        "correct the path or the Host that the client sends",
        SOURCE + "http/ngx_http_parse.c",
    ),
    "request-header-too-large": Entry(
        "the request's headers are larger than nginx takes",
        "large_client_header_buffers 4 32k in the server that owns the address; smaller cookies",
        CORE + "#large_client_header_buffers",
    ),
    "auth-basic": Entry(
        "auth_basic asks for a password that WebSocket clients do not send",
        "auth_basic off on the WebSocket path, and authenticate by cookie or token",
        DOCS + "http/ngx_http_auth_basic_module.html",
    ),
    "auth-request": Entry(
        "the auth_request subrequest refuses the handshake",
        "send the session cookie with the handshake, or exempt the path; the subrequest must not be upgraded",
        DOCS + "http/ngx_http_auth_request_module.html",
    ),
    "access-denied": Entry(
        "allow/deny rules refuse the client's address",
        "allow the client's address (mind real_ip behind a balancer)",
        DOCS + "http/ngx_http_access_module.html",
    ),
    "referer-check": Entry(
        "valid_referers refuses requests without Referer, and a WebSocket handshake carries none",
        "check $http_origin instead, or add none to valid_referers",
        DOCS + "http/ngx_http_referer_module.html",
    ),
    "method-not-allowed": Entry(
        "limit_except refuses GET, and the handshake is a GET",
        "allow GET on the WebSocket path",
        CORE + "#limit_except",
    ),
    "limit-req": Entry(
        "limit_req refuses handshakes that follow each other quickly",
        "burst=N nodelay, or no limit on the WebSocket path; let clients back off",
        DOCS + "http/ngx_http_limit_req_module.html",
    ),
    "limit-conn": Entry(
        "limit_conn refuses further sockets: each counts as long as it is open",
        "a higher or a separate limit for the WebSocket path",
        DOCS + "http/ngx_http_limit_conn_module.html",
    ),
    "error-page-intercept": Entry(
        "error_page hides the backend's refusal behind a page of nginx",
        "proxy_intercept_errors off on the WebSocket path, then look at the backend's own answer",
        PROXY + "#proxy_intercept_errors",
    ),
    "cache": Entry(
        "nginx answers from its cache, the backend sees nothing of the handshake",
        "proxy_cache off on the WebSocket path",
        PROXY + "#proxy_cache",
    ),
    "ssi-holds-upgrade": Entry(
        "nginx's SSI filter holds the 101 back: the backend gave it a Content-Type that SSI takes",
        "ssi off in the WebSocket location",
        DOCS + "http/ngx_http_ssi_module.html#ssi",
    ),
    "worker-connections": Entry(
        "worker_connections are used up: each socket takes two",
        "worker_connections above twice the sockets a worker carries, and worker_rlimit_nofile above that",
        MAIN + "#worker_connections",
    ),
    "open-file-limit": Entry(
        "the workers run out of file descriptors: each socket takes two",
        "raise worker_rlimit_nofile (and LimitNOFILE=) above twice the sockets a worker carries",
        MAIN + "#worker_rlimit_nofile",
    ),
    # ---- what nginx sends to the backend
    "no-upgrade-header": Entry(
        "the location that wins does not pass Upgrade and Connection to the backend",
        "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
        'proxy_set_header Connection "upgrade"; in that location',
        WEBSOCKET,
    ),
    "hop-header-inheritance": Entry(
        "the location has a proxy_set_header of its own and so loses the inherited Upgrade and Connection",
        "repeat the Upgrade and Connection lines inside the location",
        PROXY + "#proxy_set_header",
    ),
    "add-header-not-proxy-set-header": Entry(
        "add_header puts Upgrade on the answer to the browser, not on the request to the backend",
        "use proxy_set_header in place of add_header",
        PROXY + "#proxy_set_header",
    ),
    "upgrade-header-wrong-value": Entry(
        "the Upgrade header reaches the backend with a wrong value or not at all",
        "proxy_set_header Upgrade $http_upgrade",
        WEBSOCKET,
    ),
    "connection-header-wrong": Entry(
        "the Connection header reaches the backend without the word upgrade",
        'proxy_set_header Connection "upgrade", or $connection_upgrade from a map',
        WEBSOCKET,
    ),
    "http10-upstream": Entry(
        "nginx speaks HTTP/1.0 to the backend, in which many servers refuse a WebSocket",
        "add proxy_http_version 1.1 (it is the default only since nginx 1.29.7)",
        PROXY + "#proxy_http_version",
    ),
    "http2-upstream": Entry(
        "nginx speaks HTTP/2 to the backend, over which it opens no WebSocket",
        "proxy_http_version 1.1 on the WebSocket path",
        PROXY + "#proxy_http_version",
    ),
    "request-headers-not-passed": Entry(
        "proxy_pass_request_headers off drops the handshake's own headers",
        "remove proxy_pass_request_headers off",
        PROXY + "#proxy_pass_request_headers",
    ),
    "response-header-hidden": Entry(
        "proxy_hide_header removes a header of the 101 that the client needs",
        "do not hide Upgrade, Connection or Sec-WebSocket-* on the WebSocket path",
        PROXY + "#proxy_hide_header",
    ),
    "method-changed": Entry(
        "proxy_method turns the handshake into another method",
        "remove proxy_method from the WebSocket path",
        PROXY + "#proxy_method",
    ),
    "subprotocol-stripped": Entry(
        "Sec-WebSocket-Protocol does not reach the backend, so no subprotocol is agreed and the client "
        "gives up",
        "do not blank Sec-WebSocket-Protocol",
        PROXY + "#proxy_set_header",
    ),
    "duplicate-host-header": Entry(
        "nginx sends two Host lines, which many backends refuse",
        "keep one proxy_set_header Host",
        PROXY + "#proxy_set_header",
    ),
    "host-header-wrong": Entry(
        "the backend gets another Host than the client's and refuses it or the Origin",
        "proxy_set_header Host $http_host",
        PROXY + "#proxy_set_header",
    ),
    "forwarded-proto-missing": Entry(
        "the backend does not learn that the client used TLS and refuses the https Origin",
        "proxy_set_header X-Forwarded-Proto $scheme",
        PROXY + "#proxy_set_header",
    ),
    "header-underscore-dropped": Entry(
        "nginx drops the client's header because its name has an underscore",
        "underscores_in_headers on in the default server of the listen address, or rename the header",
        CORE + "#underscores_in_headers",
    ),
    "query-string-lost": Entry(
        "the query string does not reach the backend",
        "append $is_args$args to proxy_pass",
        PROXY + "#proxy_pass",
    ),
    "proxy-pass-strips-prefix": Entry(
        "the URI part of proxy_pass takes the location's prefix away, and the backend does not know "
        "what is left",
        "drop the URI part from proxy_pass",
        PROXY + "#proxy_pass",
    ),
    "rewrite-changes-path": Entry(
        "a rewrite changes the path, and the backend does not know what is left of it",
        "except the WebSocket path from the rewrite",
        REWRITE + "#rewrite",
    ),
    "proxy-pass-keeps-prefix": Entry(
        "the backend gets the path with the location's prefix, which it does not know",
        "proxy_pass http://.../ with a URI part, or serve the application from the sub-path",
        PROXY + "#proxy_pass",
    ),
    "proxy-pass-double-slash": Entry(
        "location and proxy_pass differ in their trailing slash, so the backend gets a path with // or "
        "without /",
        "give location and proxy_pass the same trailing slash",
        PROXY + "#proxy_pass",
    ),
    "proxy-pass-normalizes-path": Entry(
        "the URI part of proxy_pass makes nginx decode and merge the path before it passes it on",
        "give proxy_pass no URI part: then the client's own bytes are passed",
        PROXY + "#proxy_pass",
    ),
    "proxy-pass-variable-uri": Entry(
        "proxy_pass with variables has a URI of its own, which replaces the client's path",
        "with variables give no URI at all, or build it with $request_uri",
        PROXY + "#proxy_pass",
    ),
    "wrong-pass-directive": Entry(
        "the location speaks another protocol than HTTP to the backend",
        "proxy_pass http://... in place of the other pass directive",
        WEBSOCKET,
    ),
    "outer-proxy-strips-upgrade": Entry(
        "a proxy in front of the last one does not forward Upgrade and Connection",
        "forward Upgrade and Connection at every hop",
        WEBSOCKET,
    ),
    "upgrade-hardcoded-no-tunnel": Entry(
        "Upgrade is a literal while the client's own was lost: the backend says 101, nginx opens no tunnel",
        "proxy_set_header Upgrade $http_upgrade, and forward it at the outer hop",
        SOURCE + "http/modules/ngx_http_proxy_module.c",
    ),
}
"""The first half: nginx's configuration, its ports, TLS, server, location, and what it sends on."""

CODES: Dict[str, Entry] = {**NGINX_CODES, **BACKEND_CODES}
"""The whole vocabulary."""
