"""A completed site, as the role's filter returns it, seen with a visitor's eyes: endpoints, routes, origins.

The role's variables are documented in roles/nginx_websocket/meta/argument_specs.yml, and checked by the role.
This file only reads them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from verify.as_user.endpoints import Endpoint, Handshake
from verify.as_user.way import LOOPBACK

#: An origin that no allow-list holds: .invalid can never be registered (RFC 2606 section 2).
STRANGE_ORIGIN = "https://nginx-websocket-verify.invalid"
#: A path of which nothing on the host knows.
UNKNOWN_NAME = "nginx-websocket-verify"

#: Host and port, or the path of a unix socket and 0.
Place = Tuple[str, int]

# nginx: ngx_parse_time(); a bare number is seconds.
_UNITS = {
    "": 1,
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86400,
    "w": 604800,
    "M": 2592000,
    "y": 31536000,
}
_TIME = re.compile(r"(\d+)\s*(ms|[smhdwMy]?)")


def seconds(value: str) -> float:
    """Return nginx's time notation (``1h 30m``, ``3600s``, ``500ms``) in seconds."""
    return sum(int(number) * _UNITS[unit] for number, unit in _TIME.findall(str(value)))


@dataclass(frozen=True)
class Route:
    """One WebSocket route of a site and the path on which it is tried."""

    shown: str
    path: str
    backend: str
    timeout: float
    origins: Tuple[str, ...]
    subprotocols: Tuple[str, ...] = ()

    @property
    def open_to_all(self) -> bool:
        """Whether every Origin may open it."""
        return "*" in self.origins

    @property
    def named_origins(self) -> Tuple[str, ...]:
        """The allowed origins that are spelled out, so that a page of them can be imitated."""
        return tuple(origin for origin in self.origins if "://" in origin and "*" not in origin)


@dataclass(frozen=True)
class Site:
    """One site of one host.

    Attributes:
        name: Name of the site, which is its first server name.
        address: Address at which the controller reaches the host.
        variables: The completed site.
        release: The release id that the transaction reported; empty when this run deployed nothing.
        direct: Whether the address is the host's own, rather than that of a load balancer in front.
        kept: A hand edit was kept in place of what the variables say, so a difference is no failure.
        relays: Directory of the sockets through which the host is seen; empty where its address is dialled.
    """

    name: str
    address: str
    variables: Dict[str, Any]
    release: str = ""
    direct: bool = True
    kept: bool = False
    relays: str = ""

    @property
    def names(self) -> Tuple[str, ...]:
        """Every server name, a wildcard as one name that it covers."""
        given = self.variables.get("server_names") or [self.name]
        return tuple(dict.fromkeys(name.replace("*", UNKNOWN_NAME).lstrip(".") for name in given))

    @property
    def http(self) -> Dict[str, Any]:
        """The plain HTTP side."""
        return self.variables.get("http") or {}

    @property
    def tls(self) -> Dict[str, Any]:
        """The HTTPS side."""
        return self.variables.get("tls") or {}

    @property
    def has_tls(self) -> bool:
        """Whether the site serves HTTPS."""
        return bool(self.tls.get("enabled", True))

    @property
    def http_mode(self) -> str:
        """What plain HTTP does: redirect, serve or none."""
        return self.http.get("mode") or ("redirect" if self.has_tls else "serve")

    def _endpoint(self, port: int, name: str, tls: bool) -> Endpoint:
        listen = self.variables.get("listen") or {}
        proxied = self.direct and bool(listen.get("proxy_protocol"))
        address, relay = self.address, ""
        if self.relays:
            # From the host itself, which its own address may not lead back to.
            address = str((listen.get("addresses") or [LOOPBACK])[0]).strip("[]")
            relay = f"{self.relays}/{address}-{port}"
        return Endpoint(address, port, name or self.names[0], tls=tls, proxy_protocol=proxied, relay=relay)

    def plain_endpoint(self, name: str = "") -> Endpoint:
        """Return the plain HTTP entrance."""
        return self._endpoint(int(self.http.get("port", 80)), name, tls=False)

    def tls_endpoint(self, name: str = "") -> Endpoint:
        """Return the HTTPS entrance."""
        return self._endpoint(int(self.tls.get("port", 443)), name, tls=True)

    def endpoints(self, name: str = "") -> List[Endpoint]:
        """Return the entrances behind which the site itself is served, the safest first."""
        endpoints = [self.tls_endpoint(name)] if self.has_tls else []
        if self.http_mode == "serve":
            endpoints.append(self.plain_endpoint(name))
        return endpoints

    def all_endpoints(self, name: str = "") -> List[Endpoint]:
        """Return every entrance of a name, of the site's first by default, the redirecting one included."""
        endpoints = [self.tls_endpoint(name)] if self.has_tls else []
        return endpoints if self.http_mode == "none" else [*endpoints, self.plain_endpoint(name)]

    def possible_endpoints(self) -> List[Endpoint]:
        """Return every entrance that any check may use."""
        return [self.tls_endpoint(), self.plain_endpoint()]

    @property
    def www(self) -> Optional[str]:
        """The ``www.`` name that redirects here, if there is one."""
        return f"www.{self.name}" if self.variables.get("redirect_www") else None

    @property
    def routes(self) -> List[Route]:
        """The WebSocket routes."""
        found = []
        for route in self.variables.get("websockets") or []:
            path = route.get("path") or ""
            shown = path or route.get("regex") or ""
            found.append(
                Route(
                    shown=shown,
                    path=route.get("probe_path") or (path + "probe" if path.endswith("/") else path),
                    backend=self._backend_name(route),
                    timeout=seconds(route.get("timeout") or "3600s"),
                    origins=tuple(self._origins(route)),
                    subprotocols=tuple(route.get("subprotocols") or ()),
                )
            )
        return found

    def _origins(self, route: Dict[str, Any]) -> List[str]:
        """Return who may open a route: its own list, else the site's, else the pages of the site's names."""
        for given in (route.get("origins"), self.variables.get("origins")):
            if given is not None:
                return list(given)
        return [endpoint.origin for name in self.names for endpoint in self.endpoints(name)]

    @property
    def api(self) -> List[Dict[str, Any]]:
        """The plain HTTP routes to backends."""
        return list(self.variables.get("api") or [])

    def _backend_name(self, route: Dict[str, Any]) -> str:
        backends = self.variables.get("backends") or []
        return str(route.get("backend") or (backends[0]["name"] if backends else ""))

    def backend_addresses(self, name: str) -> List[Place]:
        """Return where a backend's servers are, in its own order; nothing where TLS keeps us out."""
        for backend in self.variables.get("backends") or []:
            if backend["name"] != name or (backend.get("tls") or {}).get("enabled"):
                continue
            port = backend.get("port") or (backend.get("ports") or [0])[0]
            one = {"host": backend.get("host"), "port": port, "socket": backend.get("socket")}
            places: List[Place] = [
                (str(server["socket"]), 0)
                if server.get("socket")
                else (str(server.get("host") or "127.0.0.1"), int(server["port"]))
                for server in backend.get("servers") or [one]
                if server.get("socket") or server.get("port")
            ]
            return list(dict.fromkeys(places))
        return []

    def handshakes(self, route: Route) -> List[Handshake]:
        """Return every handshake that must open this route: without Origin, and from each page that may."""
        return [
            Handshake(endpoint, route.path, origin, route.subprotocols)
            for endpoint in self.endpoints()
            for origin in ("", *route.named_origins)
        ]
