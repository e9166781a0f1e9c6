"""The module nginx_fix, whose answer is cut down to what it declares."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from host_answers import sending
from host_answers.asking import Personal as ActionModule

sending.prepare("nginx_fix")

__all__ = ["ActionModule"]
