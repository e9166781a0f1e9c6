"""Cures that are commands."""

from __future__ import annotations

from typing import List

from ..evidence.facts import Facts


def commands_for(code: str, facts: Facts) -> List[str]:
    """What to type on the host, where a command cures (or shows what to cure)."""
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
        "stale-config-not-reloaded": [f"{binary} -t", reload],
        "reload-failed": [f"{binary} -t", reload],
        "not-included-file": [f"{binary} -T | grep '^# configuration file'", reload],
        "nginx-not-running": [f"{binary} -t", f"systemctl start {unit or 'nginx.service'}"],
        "stale-upstream-dns": [reload],
        "cert-invalid": [reload],
        "backend-down": start,
        "other-process-on-port": [f"ss -ltnp 'sport = :{facts.question.endpoint.port}'"],
        "backend-ipv6-localhost": [f"ss -ltnp 'sport = :{port}'"] if port else ["ss -ltnp"],
        "backend-connect-timeout": ["ss -ltn", "nft list ruleset"],
    }.get(code, [])
