"""Ansible callback for bench/controller/measure.py --record: keeps what some modules returned."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict

from ansible.plugins.callback import CallbackBase

if TYPE_CHECKING:
    from ansible.executor.task_result import CallbackTaskResult

DOCUMENTATION = r"""
name: keep_results
type: aggregate
short_description: Keeps what the modules named in NGINX_WEBSOCKET_BENCH_KEEP returned
description: Writes them, by the module's name, to the file that NGINX_WEBSOCKET_BENCH_RECORD names.
"""


class CallbackModule(CallbackBase):
    """Keeps results."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "keep_results"

    def __init__(self) -> None:
        """Begin with the one answer that is known beforehand."""
        super().__init__()
        self._kept: Dict[str, Any] = {"ping": {"ping": "pong", "changed": False}}

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Keep a result without what Ansible adds to it."""
        name = result.task.action
        if name in os.environ["NGINX_WEBSOCKET_BENCH_KEEP"].split(","):
            told = {key: value for key, value in result.result.items() if not key.startswith("_ansible")}
            self._kept[name] = told
            document = json.dumps(self._kept, indent=1, sort_keys=True, default=str)
            Path(os.environ["NGINX_WEBSOCKET_BENCH_RECORD"]).write_text(document + "\n")
