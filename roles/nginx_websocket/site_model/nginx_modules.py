"""Which of nginx's modules a site needs, and what becomes of one that the host's nginx is built without."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Mapping, Tuple

from .refusal import Refusal

Site = Dict[str, Any]

WITHOUT_BACKENDS = "Install an nginx that has it; every route to a backend needs it."


def with_modules(
    site: Site, place: str, nginx: Mapping[str, Any], refusals: List[Refusal], warnings: List[str]
) -> Site:
    """Refuse what this nginx cannot do; leave HTTP/2 out where it is only the default of every site.

    ``nginx -t`` would refuse the file too, by the name of a directive; this says which variable asks for it.

    Args:
        site: A completed site.
        place: The variable that holds it.
        nginx: What `nginx_facts` says of nginx.
        refusals: Gets what cannot be had.
        warnings: Gets what is left out.

    Returns:
        The site, without HTTP/2 where there is none.
    """
    if "modules" not in nginx:
        return site
    loaded = {os.path.basename(path) for path in nginx.get("loaded_modules") or []}
    for module, key, value, fix in needed(site):
        if module not in nginx["modules"] and f"ngx_{module}_module.so" not in loaded:
            which = f"{nginx.get('binary')} {nginx.get('version', '')}".rstrip()
            expected = f"an nginx with the module ngx_{module}_module, which {which} is built without"
            refusals.append(Refusal(f"{place}.{key}", value, expected, fix))
    if site["tls"]["enabled"] and site["tls"]["http2"] and "http_v2" not in nginx["modules"]:
        warnings.append(
            f"{place}.tls.http2: {nginx.get('binary')} is built without the module ngx_http_v2_module; the "
            "site is served by HTTP/1.1, which is all that WebSockets need."
        )
        return {**site, "tls": {**site["tls"], "http2": False}}
    return site


def needed(site: Site) -> List[Tuple[str, str, object, str]]:
    """Return the modules that a site's file needs: module, variable, its value, what to do without."""
    found: List[Tuple[str, str, object, str]] = []
    if site["tls"]["enabled"]:
        found.append(("http_ssl", "tls.enabled", True, "Set it to false, or install an nginx that has it."))
    if site["backends"]:
        for module in ("http_proxy", "http_rewrite", "http_map"):
            found.append((module, "backends", len(site["backends"]), WITHOUT_BACKENDS))
    for index, backend in enumerate(site["backends"]):
        if backend["keepalive"]:
            key = f"backends[{index}].keepalive"
            found.append(("http_upstream_keepalive", key, backend["keepalive"], "Set it to 0."))
        if backend["tls"]["enabled"] and not site["tls"]["enabled"]:
            key = f"backends[{index}].tls.enabled"
            found.append(("http_ssl", key, True, "Set it to false, or install an nginx that has it."))
    limits = site.get("limits") or {}
    for key, module in (
        ("sockets", "http_limit_conn"),
        ("handshakes_per_minute", "http_limit_req"),
        ("requests_per_second", "http_limit_req"),
    ):
        if limits.get(key):
            found.append((module, f"limits.{key}", limits[key], "Leave it out."))
    return found
