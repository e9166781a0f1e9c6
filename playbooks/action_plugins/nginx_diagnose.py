"""The module nginx_diagnose, as in the role: diagnose.yml does without the role."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))

from host_answers import sending
from host_answers.asking import Diagnose as ActionModule

sending.prepare("nginx_diagnose")

__all__ = ["ActionModule"]
