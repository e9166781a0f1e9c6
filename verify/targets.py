"""The suite's input: one JSON document that says which hosts to verify and what to expect of them.

``playbooks/verify.yml`` writes it. It holds no secret: keys and passwords stay with ssh and Ansible.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from verify.sites import Site


@dataclass(frozen=True)
class Connection:
    """How ssh reaches the host, in Ansible's own settings, so that its open master connection is found."""

    address: str
    user: str = ""
    port: int = 0
    key: str = ""
    control_path: str = ""
    args: str = ""


@dataclass
class Target:
    """One host.

    Attributes:
        name: The host's name in the inventory.
        address: Address at which users (and this controller) reach its nginx.
        connection: How ssh reaches it; None when Ansible uses no ssh.
        report: What the host says about itself, when Ansible has already asked it; None when we are to ask.
        nonce: The name of the question that the report answers.
        again: Ask all the same; the report stands for a host that ssh alone cannot ask (a password).
        interpreter: Python on the host.
        nginx: Which nginx is meant: binary, conf_path, unit; empty values mean the one that runs.
        state_dir: Directory of journal and backups.
        sites: The sites to verify.
        findings: What the transaction found, such as a backend that was down.
        local: The controller is this host itself: nothing can be seen from outside.
        through: The command that carries a connection to the host, where none can be dialled
            (verify/as_user/way.py).
        accept: Codes of findings that the user knows and does not want to read.
        told: What a reader of the result must know about the way to the host.
    """

    name: str
    address: str
    connection: Optional[Connection] = None
    report: Optional[Dict[str, Any]] = None
    nonce: str = ""
    again: bool = False
    interpreter: str = "/usr/bin/python3"
    nginx: Dict[str, str] = field(default_factory=dict)
    state_dir: str = "/var/lib/nginx_websocket"
    sites: List[Site] = field(default_factory=list)
    findings: List[Any] = field(default_factory=list)
    local: bool = False
    through: List[str] = field(default_factory=list)
    told: str = ""
    accept: List[str] = field(default_factory=list)


@dataclass
class Targets:
    """Everything that one run verifies.

    Attributes:
        hosts: The hosts.
        ca_file: Authorities trusted for the sites' certificates; empty means the system's.
        timeout: Seconds that each answer may take.
    """

    hosts: List[Target]
    ca_file: str = ""
    timeout: float = 5.0

    def host(self, name: str) -> Target:
        """Return the host of that name."""
        return next(host for host in self.hosts if host.name == name)


def parse(document: Dict[str, Any]) -> Targets:
    """Return the targets of a document.

    Raises:
        KeyError: a key that must be there is missing.
        TypeError: a key that nobody knows is there.
    """
    hosts = []
    for given in document["hosts"]:
        values = dict(given)
        releases = values.pop("releases", None) or {}
        connection = values.pop("connection", None)
        direct = values.pop("direct", True)
        kept = values.pop("kept", None) or []
        sites = [
            Site(
                site["name"],
                values["address"],
                site,
                release=releases.get(site["name"], ""),
                direct=direct,
                kept=site["name"] in kept,
            )
            for site in values.pop("sites", [])
        ]
        hosts.append(
            Target(sites=sites, connection=Connection(**connection) if connection else None, **values)
        )
    return Targets(hosts, **{key: value for key, value in document.items() if key != "hosts"})


def read(path: str) -> Targets:
    """Read the targets from a file."""
    return parse(json.loads(Path(path).read_text(encoding="utf-8")))


def question(target: Target, timeout: float) -> Dict[str, Any]:
    """Return what the host is asked about itself: see `verify.host_report.on_host.main`.

    Each question has a name of its own, which an answer must bear: one of an earlier run is none.
    """
    return {
        "nonce": secrets.token_hex(16),
        "nginx": target.nginx,
        "state_dir": target.state_dir,
        "timeout": timeout,
        "releases": [ask for site in target.sites for ask in release_asks(site)],
        "backends": [ask for site in target.sites for ask in backend_asks(site)],
    }


def release_asks(site: Site) -> List[Dict[str, Any]]:
    """Return the requests by which the host asks its own nginx for the site's release, one an endpoint."""
    listen = site.variables.get("listen") or {}
    addresses: Tuple[str, ...] = tuple(listen.get("addresses") or ()) or ("127.0.0.1",)
    return [
        {
            "site": site.name,
            "release": site.release,
            "file": site.variables.get("file") or "",
            "address": address.strip("[]"),
            "port": endpoint.port,
            "tls": endpoint.tls,
            "sni": endpoint.name,
            "host": endpoint.name,
            "proxy_protocol": bool(listen.get("proxy_protocol")),
        }
        for address in addresses
        for endpoint in site.all_endpoints()
    ]


def backend_asks(site: Site) -> List[Dict[str, Any]]:
    """Return the handshakes that the host sends straight to the backends' servers, one a route and Origin."""
    return [
        {
            "site": site.name,
            "backend": route.backend,
            "route": route.shown,
            "target": route.path,
            "host": site.names[0],
            "origin": origin,
            "address": address,
            "port": port,
        }
        for route in site.routes
        for address, port in site.backend_addresses(route.backend)
        for origin in dict.fromkeys(shake.origin for shake in site.handshakes(route))
    ]
