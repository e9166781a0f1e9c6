"""What nginx reads: bytes of configuration → tokens → tree → route of a URL → effective directives.

Knows nothing of processes, sockets or Ansible.  The rules are nginx's own; each function names the
nginx source function it follows, and a differential test runs both against real nginx.
"""

from __future__ import annotations

from .dump import load_dump
from .load import load, read_file
from .request import Request
from .route import Route, route
from .tree import Configuration, ConfSyntaxError, Directive, Include
from .upgrade import Upgrade

__all__ = [
    "ConfSyntaxError",
    "Configuration",
    "Directive",
    "Include",
    "Request",
    "Route",
    "Upgrade",
    "load",
    "load_dump",
    "read_file",
    "route",
]
