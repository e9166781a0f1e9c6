"""Connection plugin: answers modules with recorded results, so that a run costs the controller's time alone.

Everything on the controller's side is real: variables, templating, building and handing over the module,
forks, results, callbacks. Only the host is missing.
"""

from __future__ import annotations

import json
import os
import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = r"""
name: recorded
short_description: Answers modules with recorded results
description:
  - For measuring a controller. The file that the environment variable NGINX_WEBSOCKET_BENCH_RECORD names has
    the result of each module by the module's name.
options:
  pipelining:
    description: Hand the module over on standard input.
    type: bool
    default: true
    vars: [{name: ansible_pipelining}]
"""

#: As Ansible packs a module, and as ours are sent without that (host_answers/sending.py).
MODULE = re.compile(rb"^ansible_module='(?:[a-z_]+\.)*([a-z_]+)'|^\{\"module\": \"([a-z_]+)\"", re.MULTILINE)


@lru_cache(maxsize=1)
def record() -> Dict[str, Any]:
    """Return the recorded results."""
    recorded: Dict[str, Any] = json.loads(Path(os.environ["NGINX_WEBSOCKET_BENCH_RECORD"]).read_text())
    return recorded


class Connection(ConnectionBase):
    """A host that answers at once."""

    transport = "recorded"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(
        self, cmd: str, in_data: Optional[bytes] = None, sudoable: bool = True
    ) -> Tuple[int, bytes, bytes]:
        """Answer with what is recorded for the module in ``in_data``."""
        found = MODULE.search(in_data or b"")
        name = (found.group(1) or found.group(2)).decode() if found else ""
        if name not in record():
            return 1, b"", f"nothing is recorded for module {name!r}".encode()
        return 0, json.dumps(record()[name]).encode(), b""

    def put_file(self, in_path: str, out_path: str) -> None:
        """Files go nowhere."""

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """There is nothing to fetch."""

    def close(self) -> None:
        """There is nothing to close."""
        self._connected = False
