"""The family's codes in words: the way to nginx, and from nginx to the backend."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import CONTROL, CORE, PROXY, UPSTREAM, WEBSOCKET, Entry

ENTRIES: Dict[str, Entry] = {
    codes.NGINX_NOT_RUNNING: Entry(
        "no nginx is running on this host",
        "start nginx, and read why it stopped: systemctl status nginx, journalctl -u nginx",
        CONTROL,
    ),
    codes.PORT_NOT_LISTENING: Entry(
        "nothing listens on the port of the URL",
        "add a listen directive for the port, or use the port that nginx listens on",
        CORE + "#listen",
    ),
    codes.OTHER_PROCESS_ON_PORT: Entry(
        "the port of the URL belongs to a process that is not this nginx",
        "stop the other process, or give one of the two another port",
        CORE + "#listen",
    ),
    codes.LISTEN_IPV6_MISSING: Entry(
        "the name has an IPv6 address, and nginx does not listen on IPv6 there",
        "add listen [::]:PORT, or drop the AAAA record",
        CORE + "#listen",
    ),
    codes.NAME_NOT_RESOLVED: Entry(
        "the name in the URL does not resolve",
        "add the DNS record, or correct the name in the client",
        "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    ),
    codes.ADDRESS_UNREACHABLE: Entry(
        "the address of the name does not take connections",
        "open the port in the firewall or security group, and check that the DNS record names this host",
        "https://www.rfc-editor.org/rfc/rfc6455#section-4.1",
    ),
    codes.FRONT_DIFFERS: Entry(
        "nginx on this host opens the socket, but the public name does not: something in front answers",
        "look at what the name points to (load balancer, CDN, another host), and forward Upgrade there",
        WEBSOCKET,
    ),
    codes.PROXY_PROTOCOL_MISMATCH: Entry(
        "listen expects the PROXY protocol, and the client does not send it",
        "drop proxy_protocol from listen, or let only the balancer that sends it connect there",
        CORE + "#listen",
    ),
    codes.UPSTREAM_HOST_NOT_FOUND: Entry(
        "the name of the backend does not resolve, so nginx refuses the configuration",
        "correct the name or its DNS entry, or resolve at run time (a variable and resolver)",
        PROXY + "#proxy_pass",
    ),
    codes.BACKEND_DOWN: Entry(
        "nothing listens where nginx looks for the backend",
        "start the backend, or correct the port in proxy_pass",
        PROXY + "#proxy_pass",
    ),
    codes.BACKEND_IPV6_LOCALHOST: Entry(
        "the backend listens on the other IP version than the one nginx uses",
        "bind the backend to the address in proxy_pass, or name its real address there",
        PROXY + "#proxy_pass",
    ),
    codes.BACKEND_CONNECT_TIMEOUT: Entry(
        "the backend's address takes no connection: its queue is full or a firewall drops it",
        "free the backend, check firewall DROP rules",
        PROXY + "#proxy_connect_timeout",
    ),
    codes.BACKEND_HANG: Entry(
        "the backend takes the connection and does not answer",
        "unblock the backend (event loop, number of workers)",
        PROXY + "#proxy_read_timeout",
    ),
    codes.WRONG_BACKEND_PROTOCOL: Entry(
        "what listens at the backend's port does not speak HTTP",
        "point proxy_pass at the WebSocket listener",
        PROXY + "#proxy_pass",
    ),
    codes.UPSTREAM_SCHEME_MISMATCH: Entry(
        "nginx and the backend do not agree on TLS",
        "proxy_pass https:// for a backend that speaks TLS, http:// for one that does not",
        PROXY + "#proxy_pass",
    ),
    codes.UPSTREAM_SNI_MISSING: Entry(
        "the backend refuses TLS without a server name",
        "proxy_ssl_server_name on; proxy_ssl_name NAME",
        PROXY + "#proxy_ssl_server_name",
    ),
    codes.UPSTREAM_TLS_FAILED: Entry(
        "the TLS handshake between nginx and the backend fails",
        "read the error log line; compare proxy_ssl_* with the backend's certificate",
        PROXY + "#proxy_ssl_verify",
    ),
    codes.UPSTREAM_PERMISSION_DENIED: Entry(
        "the workers may not connect to the backend's socket",
        "give the worker's user access to the socket (on SELinux hosts: setsebool "
        "httpd_can_network_connect on)",
        UPSTREAM + "#server",
    ),
    codes.UPSTREAM_HEADER_TOO_BIG: Entry(
        "the backend's answer has more header bytes than proxy_buffer_size",
        "raise proxy_buffer_size (and proxy_buffers, proxy_busy_buffers_size with it)",
        PROXY + "#proxy_buffer_size",
    ),
    codes.UPSTREAM_MARKED_DOWN: Entry(
        "nginx has taken every backend out of service after failures, for fail_timeout",
        "a shorter fail_timeout, or max_fails=0 with a single backend",
        UPSTREAM + "#max_fails",
    ),
    codes.PROXY_LOOP: Entry(
        "proxy_pass leads back to nginx itself, to the very location that it stands in",
        "the port on which the application listens, in proxy_pass",
        PROXY + "#proxy_pass",
    ),
    codes.PROXY_BIND_FAILED: Entry(
        "nginx cannot send from the address that proxy_bind names: this host does not have it",
        "an address of this host in proxy_bind, or no proxy_bind",
        PROXY + "#proxy_bind",
    ),
    codes.RESOLVER_MISSING: Entry(
        "proxy_pass holds a name in a variable, and no resolver is configured",
        "add resolver, or use an address or an upstream block",
        CORE + "#resolver",
    ),
    codes.STALE_UPSTREAM_DNS: Entry(
        "nginx still uses the address that the backend's name had when it was started",
        "reload nginx after the move, or use resolver and a variable",
        UPSTREAM + "#resolve",
    ),
}
