"""Shows what nginx_fix did."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, Dict

# The package that does the work stands in the checkout; Ansible loads plugins by their path.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from module_utils.nginx_websocket.report.fixed import fixed_text


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> Dict[str, Callable[..., object]]:
        """The filters by name."""
        return {
            "fixed_text": fixed_text,
        }
