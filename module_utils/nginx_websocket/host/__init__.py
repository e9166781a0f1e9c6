"""What the host says: running nginx masters, binary, version, layout, workers, sockets, backends.

Everything comes from /proc, the binary and the configuration that the running master reads; no tool
is needed on the host.
"""

from __future__ import annotations

from .backend import Backend, Candidate, detect_backend
from .binary import Binary, NginxError, find_binary, inspect_binary
from .certificates import Certificate, check_certificate
from .describe import Nginx, describe
from .layout import Layout, LayoutError, find_layout
from .listeners import Listener, listeners, ports_of
from .masters import Choice, Master, Worker, choose, masters, serving_since, without_master, workers_of
from .processes.proc import Proc
from .sites import ServerBlock, server_blocks
from .survey import Survey, survey

__all__ = [
    "Backend",
    "Binary",
    "Candidate",
    "Certificate",
    "Choice",
    "Layout",
    "LayoutError",
    "Listener",
    "Master",
    "Nginx",
    "NginxError",
    "Proc",
    "ServerBlock",
    "Survey",
    "Worker",
    "check_certificate",
    "choose",
    "describe",
    "detect_backend",
    "find_binary",
    "find_layout",
    "inspect_binary",
    "listeners",
    "masters",
    "ports_of",
    "server_blocks",
    "serving_since",
    "survey",
    "without_master",
    "workers_of",
]
