"""Prints a report on the terminal line by line, whatever the callback makes of a task's result."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Dict, Optional

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# The package that does the work stands in the checkout; Ansible loads plugins by their path.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from rollout.medium import terminal


class ActionModule(ActionBase):
    """``show_report: text=…``; nothing runs on the host."""

    _requires_connection = False
    TRANSFERS_FILES = False

    def run(self, tmp: Optional[str] = None, task_vars: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
        """Show the text."""
        super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({"text": {"type": "str", "required": True}})
        Display().display("\n" + terminal(arguments["text"], lines=True))
        return {"changed": False}
