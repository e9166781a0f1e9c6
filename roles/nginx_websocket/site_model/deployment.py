"""What `nginx_deploy` must know of a site beside its content."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from .hosting import endpoint_urls
from .identifiers import all_names, bracketed, upstream

Site = Dict[str, Any]


def deployment(site: Site) -> Dict[str, Any]:
    """Return ``name``, ``server_names``, ``path`` and ``routes`` of a site.

    Args:
        site: A completed site. As long as the port of a backend is to be asked for, its routes have the name
            of the question in place of its address.
    """
    return {
        "name": site["name"],
        "server_names": all_names(site),
        "path": site["file"] or "",
        "routes": [
            {
                "url": url + route["probe_path"],
                "backend": _where(site, route["backend"]),
                "origin": _origin(site, route),
                "subprotocols": route["subprotocols"],
                "server_name": _sni(site, route["backend"]),
            }
            for route in site["websockets"]
            for url in endpoint_urls(site)
        ],
    }


def asked(backend: Mapping[str, Any]) -> bool:
    """Return whether the port of a backend is found by asking; one with TLS cannot be asked."""
    return bool(backend["ports"]) and not backend["tls"]["enabled"]


def _origin(site: Site, route: Mapping[str, Any]) -> str:
    """Return an Origin that the route lets through."""
    concrete = [origin for origin in route["origins"] if "*" not in origin]
    return concrete[0] if concrete else endpoint_urls(site)[0].replace("ws", "http", 1)


def _sni(site: Site, name: str) -> str:
    """Return the name that nginx sends to a backend with TLS, empty for one without."""
    backend = next(backend for backend in site["backends"] if backend["name"] == name)
    return str(backend["tls"]["server_name"]) if backend["tls"]["enabled"] else ""


def _where(site: Site, name: str) -> str:
    """Return where the proof can ask a backend, a space between servers; empty when it is not known."""
    backend = next(backend for backend in site["backends"] if backend["name"] == name)
    scheme = "https" if backend["tls"]["enabled"] else "http"
    if backend["servers"]:
        return " ".join(f"{scheme}://{_server(server)}" for server in backend["servers"])
    if backend["socket"]:
        return f"{scheme}://unix:{backend['socket']}"
    if "address" in backend:
        return f"{scheme}://{backend['address']}"
    return upstream(site["name"], name) if asked(backend) else ""


def _server(server: Mapping[str, Any]) -> str:
    if server["socket"]:
        return f"unix:{server['socket']}"
    return f"{bracketed(server['host'])}:{server['port']}"
