"""The module nginx_confirm, as in the role: fix.yml does without the role."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from host_answers.asking import Module as ActionModule

__all__ = ["ActionModule"]
