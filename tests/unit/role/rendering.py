"""Render sites as the role does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, List, Optional

from roles.nginx_websocket.site_model import check, fit, render_site
from roles.nginx_websocket.site_model.identifiers import bracketed

ROOT = Path(__file__).resolve().parents[3]

CERTBOT = ["/etc/letsencrypt/options-ssl-nginx.conf", "/etc/letsencrypt/ssl-dhparams.pem"]


def checked(*sites: Dict[str, Any], **settings: Any) -> Dict[str, Any]:
    """Return what the check makes of the role's variables."""
    return check({"nginx_websocket_sites": list(sites), **settings})


def facts(
    plan: Dict[str, Any],
    *,
    http2_form: str = "listen",
    missing: Optional[List[str]] = None,
    ports: Optional[Dict[str, int]] = None,
    realip: bool = True,
) -> Dict[str, Any]:
    """Return what `nginx_facts` would answer on a host where all is well.

    Args:
        plan: What the check returned.
        http2_form: How this host's nginx takes HTTP/2.
        missing: Paths that the host does not have.
        ports: Ports on which backends answer, by the upstream's name; others answer on their first one.
        realip: Whether this host's nginx has the realip module.
    """
    asked = plan["questions"]
    backends = {}
    for backend in asked["backends"]:
        port = (ports or {}).get(backend["name"], backend["ports"][0])
        address = f"{bracketed(backend['host'])}:{port}"
        backends[backend["name"]] = {"answered": True, "port": port, "address": address}
    return {
        "nginx": {
            "found": True,
            "binary": "/usr/sbin/nginx",
            "message": "",
            "http2_form": http2_form,
            "error_logs": ["/var/log/nginx/error.log"],
            "realip": realip,
            "layout_error": "",
            "sites": [],
        },
        "backends": backends,
        "certificates": [
            {**certificate, "usable": True, "problem": "", "missing_names": [], "days_left": 60.0}
            for certificate in asked["certificates"]
        ],
        "paths": {path: {"exists": path not in (missing or [])} for path in asked["paths"]},
    }


def fitted(*sites: Dict[str, Any], **host: Any) -> Dict[str, Any]:
    """Return sites fitted to a host where all is well, but for the facts that `host` changes."""
    plan = checked(*sites)
    assert plan["errors"] == []
    result: Dict[str, Any] = fit(plan["sites"], facts(plan, **host))
    return result


def rendered(*sites: Dict[str, Any], **host: Any) -> List[str]:
    """Return the content of each site's file."""
    return [render(candidate["model"]) for candidate in fitted(*sites, **host)["candidates"]]


def render(model: Dict[str, Any]) -> str:
    """Render one site by the role's template."""
    content: str = render_site(model)
    return content
