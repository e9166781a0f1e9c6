"""What must be asked of a host before its sites can be fitted to it."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Tuple

from .deployment import asked, deployment
from .identifiers import all_names, upstream

Site = Dict[str, Any]

CERTBOT_OPTIONS = "/etc/letsencrypt/options-ssl-nginx.conf"
CERTBOT_DHPARAM = "/etc/letsencrypt/ssl-dhparams.pem"
IPV6_INTERFACES = "/proc/net/if_inet6"


def questions(sites: Sequence[Site], settings: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the arguments of `nginx_facts` that these sites need.

    Args:
        sites: Completed sites.
        settings: The other variables, without their prefix.

    Returns:
        ``backends`` to look for, ``certificates`` to read (one for each site with TLS, in order), ``paths``,
        and ``deployed``: the sites whose releases may stand already.
    """
    backends = []
    certificates = []
    paths = [CERTBOT_OPTIONS, CERTBOT_DHPARAM, IPV6_INTERFACES]
    for site in sites:
        for backend in site["backends"]:
            if asked(backend):
                routes = [route for route in site["websockets"] if route["backend"] == backend["name"]]
                backends.append(
                    {
                        "name": upstream(site["name"], backend["name"]),
                        "host": backend["host"],
                        "ports": backend["ports"],
                        "path": backend["path"],
                        "websocket_path": routes[0]["probe_path"] if routes else backend["path"],
                        "host_header": site["name"],
                        "timeout": settings["detect_timeout"],
                    }
                )
            if backend["tls"]["enabled"] and backend["tls"]["verify"]:
                paths.append(backend["tls"]["ca"])
        if site["tls"]["enabled"]:
            tls = site["tls"]
            names = all_names(site)
            certificates.append(
                {
                    "certificate": tls["certificate"],
                    "key": tls["certificate_key"],
                    "names": names,
                    "carry_over": tls["carry_over"],
                }
            )
            paths += [tls[key] for key in ("options_file", "dhparam") if tls[key] not in ("auto", "none")]
        paths += site["includes"]
        if site["spa"]:
            paths.append(site["spa"]["root"])
    return {
        "backends": backends,
        "certificates": certificates,
        "paths": sorted(set(paths)),
        "deployed": {
            "sites": [deployment(site) for site in sites],
            **{name: settings[name] for name in ("state_dir", "proof_timeout", "max_sockets")},
        },
    }


def looked_for(sites: Sequence[Site]) -> Dict[Tuple[str, str], str]:
    """Return by which name `nginx_facts` looks for a backend's port, by site and backend."""
    return {
        (site["name"], backend["name"]): upstream(site["name"], backend["name"])
        for site in sites
        for backend in site["backends"]
        if asked(backend)
    }


def answering(sites: Sequence[Site], facts: Mapping[str, Any]) -> List[List[str]]:
    """Return the backends that answered when the host was looked at, each as site and name.

    Args:
        sites: Completed sites.
        facts: What `nginx_facts` answered. A backend that it was not asked for is not known to work.
    """
    return [
        [site["name"], backend["name"]]
        for site in sites
        for backend in site["backends"]
        if asked(backend) and facts["backends"][upstream(site["name"], backend["name"])]["answered"]
    ]


def live_files(sites: Sequence[Site], facts: Mapping[str, Any]) -> List[Dict[str, str]]:
    """Return the live files in which the former port of a silent backend may stand.

    Args:
        sites: Completed sites.
        facts: What `nginx_facts` answered.

    Returns:
        ``site`` and ``path``, for each site with a backend that did not answer.
    """
    files = []
    for site in sites:
        silent = any(
            asked(backend) and not facts["backends"][upstream(site["name"], backend["name"])]["answered"]
            for backend in site["backends"]
        )
        live = [
            server["file"] for server in facts["nginx"].get("sites", []) if site["name"] in server["names"]
        ]
        if silent and live:
            files.append({"site": site["name"], "path": live[0]})
    return files
