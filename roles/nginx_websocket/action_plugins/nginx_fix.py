"""The module nginx_fix, whose answer is cut down to what it declares: host_answers/asking.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from host_answers.asking import Module as ActionModule

__all__ = ["ActionModule"]
