"""The family's codes in words: limits on how many, how large and how long."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import CORE, DOCS, MAIN, UPSTREAM, WEBSOCKET, Entry

ENTRIES: Dict[str, Entry] = {
    codes.REQUEST_HEADER_TOO_LARGE: Entry(
        "the request's headers are larger than nginx takes",
        "large_client_header_buffers 4 32k in the server that owns the address; smaller cookies",
        CORE + "#large_client_header_buffers",
    ),
    codes.LIMIT_REQ: Entry(
        "limit_req refuses handshakes that follow each other quickly",
        "burst=N nodelay, or no limit on the WebSocket path; let clients back off",
        DOCS + "http/ngx_http_limit_req_module.html",
    ),
    codes.LIMIT_CONN: Entry(
        "limit_conn refuses further sockets: each counts as long as it is open",
        "a higher or a separate limit for the WebSocket path",
        DOCS + "http/ngx_http_limit_conn_module.html",
    ),
    codes.WORKER_CONNECTIONS: Entry(
        "worker_connections are used up: each socket takes two",
        "worker_connections above twice the sockets a worker carries, and worker_rlimit_nofile above that",
        MAIN + "#worker_connections",
    ),
    codes.OPEN_FILE_LIMIT: Entry(
        "the workers run out of file descriptors: each socket takes two",
        "raise worker_rlimit_nofile (and LimitNOFILE=) above twice the sockets a worker carries",
        MAIN + "#worker_rlimit_nofile",
    ),
    codes.UPSTREAM_MAX_CONNS: Entry(
        "max_conns of the upstream is reached: each open socket counts",
        "raise max_conns to the number of sockets expected",
        UPSTREAM + "#max_conns",
    ),
    codes.TIMEOUT_SHORT: Entry(
        "nginx closes the socket after proxy_read_timeout of silence",
        "proxy_read_timeout 1h on the WebSocket location, or pings more often than it",
        WEBSOCKET,
    ),
}
