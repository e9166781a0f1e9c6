"""Which container publishes a port, by what the container engine keeps on disk."""

from __future__ import annotations

import os
import re
from typing import Any, Dict, List

from ...conf import foreign_json
from ...conf.regular import open_regular

DOCKER = "/var/lib/docker/containers"
"""A directory for each container of docker (its data root is this one unless daemon.json says otherwise)."""
MOST_BYTES = 1 << 20
MOST = 500
_NAME = re.compile(r"^[A-Za-z0-9][\w.-]{0,127}$")


def container_publishing(port: int, directory: str = DOCKER) -> str:
    """The name of the running container that publishes a port of this host.

    Args:
        port: of the host.
        directory: that holds the engine's files; root alone can read it.

    Returns:
        "" where none is found, and where more than one is.
    """
    try:
        known = sorted(os.listdir(directory))[:MOST]
    except OSError:
        return ""
    found: List[str] = []
    for each in known:
        state = _read(os.path.join(directory, each, "config.v2.json"))
        bound = _read(os.path.join(directory, each, "hostconfig.json"))
        name = str(state.get("Name", "")).lstrip("/")
        running = isinstance(state.get("State"), dict) and state["State"].get("Running") is True
        if running and _NAME.match(name) and str(port) in _ports(bound.get("PortBindings")):
            found.append(name)
    return found[0] if len(found) == 1 else ""


def log_of(ident: str, directory: str = DOCKER) -> str:
    """Path of the file in which docker keeps what a container writes to its standard output and error."""
    return os.path.join(directory, ident, f"{ident}-json.log")


def name_of(ident: str, directory: str = DOCKER) -> str:
    """The name of a container of docker's.

    Args:
        ident: its id, 64 hexadecimal digits.
        directory: that holds the engine's files.

    Returns:
        "" where docker has none of that id, or its files cannot be read.
    """
    name = str(_read(os.path.join(directory, ident, "config.v2.json")).get("Name", "")).lstrip("/")
    return name if _NAME.match(name) else ""


def _ports(bindings: Any) -> List[str]:  # noqa: ANN401  somebody's JSON
    """Ports of the host over TCP, out of docker's PortBindings."""
    found: List[str] = []
    for inner, outer in bindings.items() if isinstance(bindings, dict) else ():
        if str(inner).endswith("/tcp") and isinstance(outer, list):
            found += [str(item.get("HostPort")) for item in outer if isinstance(item, dict)]
    return found


def _read(path: str) -> Dict[str, Any]:
    try:
        with open_regular(path) as file:
            data = foreign_json.loads(file.read(MOST_BYTES).decode("utf-8", "replace"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
