"""A command on the host, whose answer is cut down to exit code and output: host_answers/asking.py."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, Optional

sys.path.append(str(Path(__file__).resolve().parents[3]))

from host_answers.asking import Asking

DOCUMENTATION = r"""
name: nginx_websocket_command
short_description: Run a command on the host
description:
  - A part of the role nginx_websocket. M(ansible.builtin.command) would let everything into Ansible that a
    host answers, facts among it.
options:
  argv:
    description: The command and its arguments.
    type: list
    elements: str
    required: true
"""


class ActionModule(Asking):
    """``nginx_websocket_command: argv=…``."""

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Run the command."""
        refused = super().run(tmp, task_vars)
        if refused:
            return refused
        options = {"argv": {"type": "list", "elements": "str", "required": True}}
        _, given = self.validate_argument_spec(options)
        return self.ask("ansible.builtin.command", {"argv": given["argv"]}, task_vars or {})
