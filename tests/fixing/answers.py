"""What the socket's page and everybody else get from nginx, and where that parts."""

from __future__ import annotations

import http.client
import re
import ssl
from typing import Any, Dict, List, Tuple

from module_utils.nginx_websocket.exchange.probe import probe

from .faults import Fault
from .nginx import PATIENCE
from .site import NAME, Site

REFUSED = ConnectionRefusedError.__name__
PATHS = (
    "/", "/index.html", "/app.js", "/api/x?a=1", "/.env", "/.git/config", "/index.php", "/other/deep/path",
    "/wsx", "/a/ws/", "/mqtt", "/notes/", "/desk/x", "/desk/assets/a.png", "/room/42/live", "/room/abc",
    "/a%20b//c", "/health",
)  # fmt: skip
HOSTS = (NAME, f"www.{NAME}", "blog.example.test", "x.shop.test", "nobody.test")
PASSING = ("Date", "ETag", "Last-Modified", "Connection")
"""Headers of an answer that say nothing of what is configured for the request."""
BROKEN = ((500,), (502,), (504,))
HOP_LINES = re.compile(r"(?mi)^(?:connection|upgrade): .*\n?|HTTP/1\.[01]$")


def opens(site: Site) -> bool:
    """A handshake and a pong, as a page has them."""
    tls = site.url.startswith("wss")
    seen = probe(
        site.url,
        address=("127.0.0.1", 443 if tls else 80),
        origin=f"http{'s' * tls}://{NAME}",
        verify=False,
        timeout=PATIENCE,
    )
    return seen.opened and bool(seen.pong)


Answer = Tuple[Any, ...]


def answers(site: Site) -> Dict[Tuple[str, str, str], Answer]:
    """What nginx says to everybody else, and what the applications get."""
    own = site.own.rstrip("/")
    paths = [*PATHS, *site.paths, f"{own}/", f"{own}/admin/x", f"{own}/x"]
    found = {}
    for scheme in ("http", "https"):
        connection = _connection(scheme)
        closed = _answer(connection, NAME, "/") == (REFUSED,)  # Nobody listens, whatever the request.
        for host in HOSTS:
            for path in paths:
                found[scheme, host, path] = (REFUSED,) if closed else _answer(connection, host, path)
        connection.close()
    return found


def _connection(scheme: str) -> http.client.HTTPConnection:
    """One that opens itself again where nginx closed it."""
    if scheme == "http":
        return http.client.HTTPConnection("127.0.0.1", 80, timeout=PATIENCE)
    context = ssl._create_unverified_context()
    return http.client.HTTPSConnection("127.0.0.1", 443, timeout=PATIENCE, context=context)


def _answer(connection: http.client.HTTPConnection, host: str, path: str) -> Answer:
    try:
        connection.request("GET", path, headers={"Host": host, "Accept-Encoding": "identity"})
        reply = connection.getresponse()
        body = reply.read().decode("latin-1")
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return (type(error).__name__,)
    headers = sorted((key, value) for key, value in reply.getheaders() if key not in PASSING)
    return reply.status, headers, body


def parted(
    site: Site,
    fault: Fault,
    before: Dict[Tuple[str, str, str], Answer],
    after: Dict[Tuple[str, str, str], Answer],
) -> List[str]:
    """Requests that get something else, though they are not the socket's."""
    wrong = []
    for key, was in before.items():
        now = after[key]
        if was == now:
            continue
        below = key[2].startswith(site.own) or key[2] + "/" == site.own
        own = below and (key[1].endswith(NAME) or site.name != "several")
        if own and (fault.moves or fault.names or fault.stale):
            continue
        if own and was[:1] in ((426,), (400,)) and now[:1] == was[:1]:
            continue
        if (own and was[:1] in BROKEN) or (fault.heals and was[0] in (404, 502)):
            continue  # nginx itself had no answer but an error
        if fault.names and key[1] == NAME:
            continue
        if fault.whole and (was == (REFUSED,) or key[0] == "https" or key[1] in (NAME, f"www.{NAME}")):
            continue
        alike = len(was) == 3 == len(now) and was[0] == now[0]
        if own and alike and HOP_LINES.sub("", was[2]).strip() == HOP_LINES.sub("", now[2]).strip():
            continue  # The lines of the cure are sent with every request of that location.
        wrong.append(f"{key}: {str(was)[:160]} -> {str(now)[:160]}")
    return wrong[:4]
