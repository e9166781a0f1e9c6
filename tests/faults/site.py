"""The site that the faults happen to: two servers, a map and a WebSocket, each part naming its release.

Every answer names the release twice, once from the map and once from the server, so that a mixture of two
releases cannot look whole.
"""

from __future__ import annotations

import re
from typing import Tuple

from module_utils.nginx_websocket.transaction.site.model import RouteCheck, Site

NAME = "fault.test"
PORTS = (80, 8081)
WEBSOCKET = "/api/mqtt/ws/hints/session-fault"
BACKEND = "http://127.0.0.1:8000"
PATH = "/etc/nginx/sites-available/fault.conf"
LINK = "/etc/nginx/sites-enabled/fault.conf"

_PASS = (
    "location /api/ { proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1; proxy_set_header Host $host; "
    "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $fault_connection; }"
)
_MARK = (
    "location = /.well-known/nginx-websocket/@RELEASE@ { if ($remote_addr != $server_addr) { return 404; } "
    "default_type text/plain; return 200 @RELEASE@; }"
)
_WHOLE = re.compile(r"\A(\S+) (\S+)\n?\Z")


def content(revision: str, extra: str = "") -> str:
    """The file of one revision, with ``@RELEASE@`` in it."""
    servers = "".join(
        f"server {{\n    listen {port};\n    server_name {NAME};\n    {_MARK}\n    {_PASS}\n"
        f'    location / {{ default_type text/plain; return 200 "$fault_part {revision}\\n"; }}\n}}\n'
        for port in PORTS
    )
    return (
        f"# revision {revision}, release @RELEASE@\n"
        "map $http_upgrade $fault_connection { default upgrade; '' ''; }\n"
        f"map $host $fault_part {{ default {revision}; }}\n{servers}{extra}"
    )


def candidate(revision: str, extra: str = "") -> Site:
    """The same as the transaction takes it."""
    routes = (RouteCheck(f"ws://{NAME}{WEBSOCKET}", BACKEND),)
    return Site("fault", content(revision, extra).encode(), (NAME,), routes)


def by_hand(port: int, revision: str, first: bool) -> str:
    """A hand-written file with one of the servers, as stands on hosts before the first deployment."""
    maps = (
        "map $http_upgrade $fault_connection { default upgrade; '' ''; }\n"
        f"map $host $fault_part {{ default {revision}; }}\n"
        if first
        else ""
    )
    return (
        f"{maps}server {{\n    listen {port};\n    server_name {NAME};\n    {_PASS}\n"
        f'    location / {{ default_type text/plain; return 200 "$fault_part {revision}\\n"; }}\n}}\n'
    )


def revision_of(answer: str) -> str:
    """The revision that an answer names; "" when it is no whole answer of one release."""
    found = _WHOLE.match(answer)
    return found.group(1) if found and found.group(1) == found.group(2) else ""


def revisions(answers: Tuple[str, ...]) -> str:
    """The one revision that all answers name; "" when they are a mixture or something else."""
    named = {revision_of(answer) for answer in answers}
    return named.pop() if len(named) == 1 else ""
