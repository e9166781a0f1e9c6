"""Every request that the suite makes from outside, by its purpose, and the crowd that makes them all at once.

A host that is far away costs its round trips once, not once a test: the crowd starts all requests together,
and each test reads the answer to its own.
"""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Dict, List, Tuple, Union

from module_utils.nginx_websocket.exchange.result import Probe
from verify.as_user.endpoints import Ask, Endpoint, Handshake
from verify.as_user.outside import Answer, Tls, User
from verify.sites import STRANGE_ORIGIN, UNKNOWN_NAME, Route, Site
from verify.targets import Target


def front_pages(site: Site) -> List[Ask]:
    """Return the requests for ``/`` by every name, behind every endpoint where the site is served."""
    return [Ask(endpoint, "/") for name in site.names for endpoint in site.endpoints(name)]


def redirected(site: Site) -> List[Ask]:
    """Return the plain HTTP requests that must be sent to HTTPS."""
    if site.http_mode != "redirect":
        return []
    return [Ask(site.plain_endpoint(name), "/path?query=1") for name in site.names]


def www_pages(site: Site) -> List[Ask]:
    """Return the requests by the ``www.`` name that must be sent to the site's name."""
    if not site.www:
        return []
    return [Ask(endpoint, "/path?query=1") for endpoint in site.all_endpoints(site.www)]


def acme_challenges(site: Site) -> List[Ask]:
    """Return the request of a certificate authority (RFC 8555 section 8.3), for a challenge of nobody."""
    if site.http_mode == "none":
        return []
    return [Ask(site.plain_endpoint(), f"/.well-known/acme-challenge/{UNKNOWN_NAME}")]


def release_spies(site: Site, release: str) -> List[Ask]:
    """Return the requests for the release location that must get no answer from outside."""
    return [Ask(endpoint, f"/.well-known/nginx-websocket/{release}") for endpoint in site.all_endpoints()]


def preflights(site: Site, api: Dict[str, Any]) -> List[Ask]:
    """Return the CORS preflights (Fetch standard, 3.2.2) that nginx answers for an API route."""
    cors = api.get("cors") or {}
    origins = [STRANGE_ORIGIN if origin == "*" else origin for origin in cors.get("origins") or []]
    return [
        Ask(
            endpoint,
            api["path"],
            "OPTIONS",
            (("Origin", origin), ("Access-Control-Request-Method", "GET")),
        )
        for origin in origins
        for endpoint in site.endpoints()
    ]


def api_calls(site: Site, api: Dict[str, Any]) -> List[Ask]:
    """Return plain requests to an API route."""
    return [Ask(endpoint, api["path"]) for endpoint in site.endpoints()]


def intruders(site: Site, route: Route) -> List[Handshake]:
    """Return the handshakes from a page that may not open the route."""
    if route.open_to_all:
        return []
    return [
        Handshake(endpoint, route.path, STRANGE_ORIGIN, route.subprotocols) for endpoint in site.endpoints()
    ]


def certificates(site: Site) -> List[Endpoint]:
    """Return the endpoints whose certificate must hold: HTTPS, by every name."""
    if not site.has_tls:
        return []
    return [site.tls_endpoint(name) for name in (*site.names, *([site.www] if site.www else []))]


Request = Union[Ask, Handshake, Endpoint]


def all_of(site: Site) -> List[Request]:
    """Return every request for a site that is known beforehand."""
    requests: List[Request] = [
        *certificates(site),
        *front_pages(site),
        *redirected(site),
        *www_pages(site),
        *acme_challenges(site),
    ]
    for route in site.routes:
        requests += [*site.handshakes(route), *intruders(site, route)]
    for api in site.api:
        requests += [*api_calls(site, api), *preflights(site, api)]
    return requests


class Crowd:
    """Many users at once. The same request is made once, whoever asks for its answer."""

    def __init__(self, user: User, pool: ThreadPoolExecutor) -> None:
        """Use the pool's threads for the user's requests."""
        self._user = user
        self._pool = pool
        self._futures: Dict[Request, Future[Any]] = {}
        self._names: Dict[str, Future[Tuple[str, ...]]] = {}

    def start(self, targets: List[Target]) -> None:
        """Start every request that is known beforehand."""
        for target in targets:
            for site in target.sites:
                for request in all_of(site):
                    self._future(request)
                for name in site.names:
                    self._lookup(name)

    def _future(self, request: Request) -> Future[Any]:
        if request not in self._futures:
            if isinstance(request, Endpoint):
                self._futures[request] = self._pool.submit(self._user.handshake, request)
            elif isinstance(request, Handshake):
                self._futures[request] = self._pool.submit(self._user.open, request)
            else:
                self._futures[request] = self._pool.submit(self._user.ask, request)
        return self._futures[request]

    def ask(self, request: Ask) -> Answer:
        """Return the answer to an HTTP request."""
        answer: Answer = self._future(request).result()
        return answer

    def open(self, request: Handshake) -> Probe:
        """Return what became of a WebSocket."""
        probe: Probe = self._future(request).result()
        return probe

    def handshake(self, endpoint: Endpoint) -> Tls:
        """Return what became of a TLS handshake."""
        tls: Tls = self._future(endpoint).result()
        return tls

    def _lookup(self, name: str) -> Future[Tuple[str, ...]]:
        if name not in self._names:
            future: Future[Tuple[str, ...]] = Future()
            self._names[name] = future
            # Not in the pool: a resolver that never answers must hold up nobody, the end of the run included.
            threading.Thread(target=lambda: future.set_result(addresses(name)), daemon=True).start()
        return self._names[name]

    def addresses(self, name: str, timeout: float) -> Tuple[str, ...]:
        """Return the addresses that DNS gives for a name; none when it gives none in time."""
        try:
            return self._lookup(name).result(timeout)
        except TimeoutError:
            return ()


def addresses(name: str) -> Tuple[str, ...]:
    """Return the addresses of a name or an address, none when there are none."""
    try:
        return tuple(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None)}))
    except OSError:
        return ()
