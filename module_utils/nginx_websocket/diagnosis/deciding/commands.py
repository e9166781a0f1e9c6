"""Cures that are commands."""

from __future__ import annotations

from typing import List

from ... import codes
from ..evidence.facts import Facts


def commands_for(code: str, facts: Facts) -> List[str]:
    """What to type on the host, where a command cures (or shows what to cure)."""
    if facts.inside is not None:
        from . import in_container

        return in_container.commands(code, facts, facts.inside)
    nginx = facts.nginx
    unit = nginx.master.unit if nginx is not None and nginx.master is not None else "nginx.service"
    binary = nginx.binary.path if nginx is not None else "nginx"
    reload = (
        f"systemctl reload {unit}" if unit else f"{binary} -s reload -c {nginx.conf_path if nginx else ''}"
    )
    port = next((str(item.listeners[0].port) for item in facts.backends if item.listeners), "")
    stopped = next((item.unit.name for item in facts.backends if item.unit is not None), "")
    start = [f"systemctl start {stopped}", f"journalctl -u {stopped} -n 50"] if stopped else ["ss -ltnp"]
    return {
        codes.STALE_CONFIG_NOT_RELOADED: [f"{binary} -t", reload],
        codes.RELOAD_FAILED: [f"{binary} -t", reload],
        codes.NOT_INCLUDED_FILE: [f"{binary} -T | grep '^# configuration file'", reload],
        codes.NGINX_NOT_RUNNING: [f"{binary} -t", f"systemctl start {unit or 'nginx.service'}"],
        codes.STALE_UPSTREAM_DNS: [reload],
        codes.CERT_INVALID: [reload],
        codes.BACKEND_DOWN: start,
        codes.OTHER_PROCESS_ON_PORT: [f"ss -ltnp 'sport = :{facts.question.endpoint.port}'"],
        codes.BACKEND_IPV6_LOCALHOST: [f"ss -ltnp 'sport = :{port}'"] if port else ["ss -ltnp"],
        codes.BACKEND_CONNECT_TIMEOUT: ["ss -ltn", "nft list ruleset"],
    }.get(code, [])
