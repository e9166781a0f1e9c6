"""What a configuration is that carries a WebSocket, and the words that all of them share."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Mapping, Optional, Tuple

NAME = "chat.example.test"
AVAILABLE = f"sites-available/{NAME}"
SNAKEOIL = "ssl_certificate /etc/nginx/tls/cert.pem;\n    ssl_certificate_key /etc/nginx/tls/key.pem;"
SOCKET = 9001
OTHER = 9100
"""Where another application listens, which knows no WebSocket."""
HOP = (
    "proxy_http_version 1.1;\n        proxy_set_header Upgrade $http_upgrade;\n"
    '        proxy_set_header Connection "upgrade";'
)
FORWARD = "proxy_set_header Host $host;\n        proxy_set_header X-Real-IP $remote_addr;"
MAP = "map $http_upgrade $connection_upgrade {\n    default upgrade;\n    '' close;\n}\n"


@dataclasses.dataclass(frozen=True)
class Site:
    """One configuration that works."""

    name: str
    files: Dict[str, str]
    """Below /etc/nginx; an absolute path stands for itself."""
    url: str
    head: str
    """How the location begins that carries the socket."""
    own: str = "/ws/"
    """Requests below this path meet the same location as the socket."""
    backend: str = f"127.0.0.1:{SOCKET}"
    """Where the application listens."""
    knows: str = "/ws/"
    """What path the application opens the socket below."""
    links: Tuple[str, ...] = ()
    """Below sites-enabled, to the file of the same name in sites-available."""
    shut: Tuple[str, ...] = ()
    """Faults after which a password stands before the socket, which no fix takes away."""
    managed: bool = False
    """Another tool owns the file, so that the fix must be told to edit it."""
    lines: int = 0
    """Lines that a cure may need beyond what the fault says."""
    paths: Tuple[str, ...] = ()
    """Requests beside the usual ones that must be answered as before."""
    faults: Optional[Mapping[str, Any]] = None
    """Its own faults; None for those of ``faults.FAULTS``."""


def available(text: str, **more: str) -> Dict[str, object]:
    """A site of Debian's layout, with its link."""
    return {"files": {AVAILABLE: text, **more}, "links": (NAME,)}
