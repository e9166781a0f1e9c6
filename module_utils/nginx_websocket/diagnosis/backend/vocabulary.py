"""The family's codes in words: the application's own answer."""

from __future__ import annotations

from typing import Dict

from ... import codes
from ..vocabulary.entry import PROXY, UPSTREAM, Entry

ENTRIES: Dict[str, Entry] = {
    codes.BACKEND_CLOSED: Entry(
        "the backend closes the socket soon after opening it",
        "read the backend's log: nginx passes the close on unchanged",
        "https://www.rfc-editor.org/rfc/rfc6455#section-7.4",
    ),
    codes.BACKEND_NO_WEBSOCKET: Entry(
        "the backend itself opens no WebSocket on this path",
        "add the route in the application, or install its WebSocket library (uvicorn[standard])",
        "https://www.uvicorn.org/#quickstart",
    ),
    codes.BACKEND_AUTH: Entry(
        "the backend asks for credentials that the handshake does not carry",
        "send the token or cookie the application expects",
        "https://www.rfc-editor.org/rfc/rfc6455#section-10.5",
    ),
    codes.BACKEND_ERROR: Entry(
        "the backend answers with an error of its own",
        "read the backend's log",
        "https://www.rfc-editor.org/rfc/rfc6455#section-4.2.2",
    ),
    codes.BACKEND_UNTRUSTED_PROXY: Entry(
        "the backend refuses requests that carry X-Forwarded-For, because it does not trust this proxy",
        "name nginx's address as a trusted proxy in the application",
        PROXY + "#proxy_set_header",
    ),
    codes.ORIGIN_REJECTED: Entry(
        "the backend refuses this Origin, also when asked directly",
        "allow the Origin in the application",
        "https://www.rfc-editor.org/rfc/rfc6455#section-10.2",
    ),
    codes.WRONG_BACKEND: Entry(
        "another application answers on the port that proxy_pass names",
        "correct the port in proxy_pass",
        PROXY + "#proxy_pass",
    ),
    codes.UPSTREAM_SERVERS_DIFFER: Entry(
        "the servers of one upstream differ: some open the WebSocket, others refuse it",
        "take the servers that know no WebSocket out of this upstream, or give the WebSocket an "
        "upstream of its own",
        UPSTREAM + "#upstream",
    ),
    codes.NO_STICKY_SESSION: Entry(
        "the handshake reaches another backend than the one that opened the session",
        "ip_hash (or hash on a cookie) in the upstream, or WebSocket as the only transport",
        UPSTREAM + "#ip_hash",
    ),
    codes.NO_PONG: Entry(
        "the socket opens, but nobody answers a ping",
        "check the application: RFC 6455 asks for a pong",
        "https://www.rfc-editor.org/rfc/rfc6455#section-5.5.2",
    ),
}
