"""Cures that are commands."""

from __future__ import annotations

import os
import shlex
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
    if code == codes.NOT_INCLUDED_FILE:
        return _taken_in(facts, binary, reload)
    port = next((str(item.listeners[0].port) for item in facts.backends if item.listeners), "")
    stopped = next((item.unit.name for item in facts.backends if item.unit is not None), "")
    start = [f"systemctl start {stopped}", f"journalctl -u {stopped} -n 50"] if stopped else ["ss -ltnp"]
    return {
        codes.STALE_CONFIG_NOT_RELOADED: [f"{binary} -t", reload],
        codes.RELOAD_FAILED: [f"{binary} -t", reload],
        codes.NGINX_NOT_RUNNING: [f"{binary} -t", f"systemctl start {unit or 'nginx.service'}"],
        codes.STALE_UPSTREAM_DNS: [reload],
        codes.CERT_INVALID: [reload],
        codes.BACKEND_DOWN: start,
        codes.OTHER_PROCESS_ON_PORT: [f"ss -ltnp 'sport = :{facts.question.endpoint.port}'"],
        codes.BACKEND_IPV6_LOCALHOST: [f"ss -ltnp 'sport = :{port}'"] if port else ["ss -ltnp"],
        codes.BACKEND_CONNECT_TIMEOUT: ["ss -ltn", "nft list ruleset"],
    }.get(code, [])


def _taken_in(facts: Facts, binary: str, reload: str) -> List[str]:
    """How the file that no include takes is linked, or named so that the pattern beside it takes it."""
    layout = facts.nginx.layout if facts.nginx is not None else None
    path = facts.stray_files[0][0] if facts.stray_files else ""
    directory, name = os.path.split(path)
    shown = [f"{binary} -T | grep '^# configuration file'", reload]
    if layout is None or not path:
        return shown
    if layout.enabled_dir is not None and _same(directory, layout.site_dir):
        link = os.path.join(layout.enabled_dir, name)
        if not layout.includes(link) or os.path.lexists(link):
            return shown
        return [f"ln -s {shlex.quote(path)} {shlex.quote(link)}", f"{binary} -t", reload]
    if _same(directory, os.path.dirname(layout.include)) and layout.suffix:
        stem = name.split(layout.suffix)[0] if layout.suffix in name else os.path.splitext(name)[0]
        right = os.path.join(directory, stem + layout.suffix)
        if layout.includes(right) and not os.path.lexists(right):
            return [f"mv -n {shlex.quote(path)} {shlex.quote(right)}", f"{binary} -t", reload]
    return shown


def _same(left: str, right: str) -> bool:
    return os.path.realpath(left) == os.path.realpath(right)
