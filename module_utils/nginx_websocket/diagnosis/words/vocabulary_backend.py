"""The vocabulary's second half: the way to the backend, the backend, the open socket, and what bites
later."""

from __future__ import annotations

from typing import Dict

from .entry import CONTROL, CORE, DOCS, HTTPS, MAIN, PROXY, UPSTREAM, WEBSOCKET, Entry

BACKEND_CODES: Dict[str, Entry] = {
    # ---- the way to the backend
    "backend-down": Entry(
        "nothing listens where nginx looks for the backend",
        "start the backend, or correct the port in proxy_pass",
        PROXY + "#proxy_pass",
    ),
    "backend-ipv6-localhost": Entry(
        "the backend listens on the other IP version than the one nginx uses",
        "bind the backend to the address in proxy_pass, or name its real address there",
        PROXY + "#proxy_pass",
    ),
    "backend-connect-timeout": Entry(
        "the backend's address takes no connection: its queue is full or a firewall drops it",
        "free the backend, check firewall DROP rules",
        PROXY + "#proxy_connect_timeout",
    ),
    "backend-hang": Entry(
        "the backend takes the connection and does not answer",
        "unblock the backend (event loop, number of workers)",
        PROXY + "#proxy_read_timeout",
    ),
    "backend-closed": Entry(
        "the backend closes the socket soon after opening it",
        "read the backend's log: nginx passes the close on unchanged",
        "https://www.rfc-editor.org/rfc/rfc6455#section-7.4",
    ),
    "backend-no-websocket": Entry(
        "the backend itself opens no WebSocket on this path",
        "add the route in the application, or install its WebSocket library (uvicorn[standard])",
        "https://www.uvicorn.org/#quickstart",
    ),
    "backend-auth": Entry(
        "the backend asks for credentials that the handshake does not carry",
        "send the token or cookie the application expects",
        "https://www.rfc-editor.org/rfc/rfc6455#section-10.5",
    ),
    "backend-error": Entry(
        "the backend answers with an error of its own",
        "read the backend's log",
        "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2",
    ),
    "backend-untrusted-proxy": Entry(
        "the backend refuses requests that carry X-Forwarded-For, because it does not trust this proxy",
        "name nginx's address as a trusted proxy in the application",
        PROXY + "#proxy_set_header",
    ),
    "origin-rejected": Entry(
        "the backend refuses this Origin, also when asked directly",
        "allow the Origin in the application",
        "https://www.rfc-editor.org/rfc/rfc6455#section-10.2",
    ),
    "wrong-backend": Entry(
        "another application answers on the port that proxy_pass names",
        "correct the port in proxy_pass",
        PROXY + "#proxy_pass",
    ),
    "upstream-servers-differ": Entry(
        "the servers of one upstream differ: some open the WebSocket, others refuse it",
        "take the servers that know no WebSocket out of this upstream, or give the WebSocket an "
        "upstream of its own",
        UPSTREAM + "#upstream",
    ),
    "capture-lost": Entry(
        "a numbered capture in proxy_pass holds something else by the time it is used: another regex "
        "matched since",
        "name the capture, (?<port>...) and $port: a name is not overwritten by the next regex",
        CORE + "#location",
    ),
    "wrong-backend-protocol": Entry(
        "what listens at the backend's port does not speak HTTP",
        "point proxy_pass at the WebSocket listener",
        PROXY + "#proxy_pass",
    ),
    "upstream-scheme-mismatch": Entry(
        "nginx and the backend do not agree on TLS",
        "proxy_pass https:// for a backend that speaks TLS, http:// for one that does not",
        PROXY + "#proxy_pass",
    ),
    "upstream-sni-missing": Entry(
        "the backend refuses TLS without a server name",
        "proxy_ssl_server_name on; proxy_ssl_name NAME",
        PROXY + "#proxy_ssl_server_name",
    ),
    "upstream-tls-failed": Entry(
        "the TLS handshake between nginx and the backend fails",
        "read the error log line; compare proxy_ssl_* with the backend's certificate",
        PROXY + "#proxy_ssl_verify",
    ),
    "upstream-permission-denied": Entry(
        "the workers may not connect to the backend's socket",
        "give the worker's user access to the socket (on SELinux hosts: setsebool "
        "httpd_can_network_connect on)",
        UPSTREAM + "#server",
    ),
    "upstream-header-too-big": Entry(
        "the backend's answer has more header bytes than proxy_buffer_size",
        "raise proxy_buffer_size (and proxy_buffers, proxy_busy_buffers_size with it)",
        PROXY + "#proxy_buffer_size",
    ),
    "upstream-marked-down": Entry(
        "nginx has taken every backend out of service after failures, for fail_timeout",
        "a shorter fail_timeout, or max_fails=0 with a single backend",
        UPSTREAM + "#max_fails",
    ),
    "upstream-max-conns": Entry(
        "max_conns of the upstream is reached: each open socket counts",
        "raise max_conns to the number of sockets expected",
        UPSTREAM + "#max_conns",
    ),
    "proxy-loop": Entry(
        "proxy_pass leads back to nginx itself, to the very location that it stands in",
        "the port on which the application listens, in proxy_pass",
        PROXY + "#proxy_pass",
    ),
    "proxy-bind-failed": Entry(
        "nginx cannot send from the address that proxy_bind names: this host does not have it",
        "an address of this host in proxy_bind, or no proxy_bind",
        PROXY + "#proxy_bind",
    ),
    "resolver-missing": Entry(
        "proxy_pass holds a name in a variable, and no resolver is configured",
        "add resolver, or use an address or an upstream block",
        CORE + "#resolver",
    ),
    "stale-upstream-dns": Entry(
        "nginx still uses the address that the backend's name had when it was started",
        "reload nginx after the move, or use resolver and a variable",
        UPSTREAM + "#resolve",
    ),
    "no-sticky-session": Entry(
        "the handshake reaches another backend than the one that opened the session",
        "ip_hash (or hash on a cookie) in the upstream, or WebSocket as the only transport",
        UPSTREAM + "#ip_hash",
    ),
    # ---- after the 101
    "timeout-short": Entry(
        "nginx closes the socket after proxy_read_timeout of silence",
        "proxy_read_timeout 1h on the WebSocket location, or pings more often than it",
        WEBSOCKET,
    ),
    # ---- what bites later; never a cause
    "backup-file-included": Entry(
        "a file that looks like a backup lies in an included directory and is part of the configuration",
        "move it out of the included directory",
        MAIN + "#include",
    ),
    "origin-open": Entry(
        "no Origin is refused: any web site can open this socket in its visitors' browsers",
        "check the Origin in the application, or in nginx with a map on $http_origin",
        "https://www.rfc-editor.org/rfc/rfc6455#section-10.2",
    ),
    "tls-weak": Entry(
        "the server offers TLS that browsers refuse, or a certificate that ends soon",
        "ssl_protocols TLSv1.2 TLSv1.3; renew the certificate",
        HTTPS,
    ),
    "keepalive-disabled-by-map": Entry(
        "the map sends Connection: close on ordinary requests, which switches the upstream's keepalive off",
        "map '' to '' in place of close",
        UPSTREAM + "#keepalive",
    ),
    "connection-hardcoded": Entry(
        'Connection "upgrade" goes out on ordinary requests too, which some backends refuse',
        "use a map on $http_upgrade where the location also serves ordinary requests",
        WEBSOCKET,
    ),
    "no-pong": Entry(
        "the socket opens, but nobody answers a ping",
        "check the application: RFC 6455 asks for a pong",
        "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2",
    ),
    "duplicate-map": Entry(
        "two map blocks define the same variable: the last one holds for every site",
        "keep one of them, or give each site a variable of its own",
        DOCS + "http/ngx_http_map_module.html",
    ),
    "static-live-disagree": Entry(
        "the answer is not the one that the configuration on disk leads to",
        "reload nginx, and see which process owns the port",
        CONTROL,
    ),
    "undecided": Entry(
        "the configuration alone does not settle what happens here",
        "run the diagnosis on the host, where it can ask",
        WEBSOCKET,
    ),
}
