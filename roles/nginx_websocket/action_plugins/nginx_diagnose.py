"""The module nginx_diagnose, whose answer is cut down to what it declares: host_answers/asking.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[3]))

from host_answers import sending
from host_answers.asking import Diagnose as ActionModule

sending.prepare("nginx_diagnose")

__all__ = ["ActionModule"]
