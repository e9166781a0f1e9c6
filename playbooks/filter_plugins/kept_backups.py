"""Shows what is kept on a host as a table, for ``rollback.yml --tags list``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Callable, Dict

# The package that does the work stands in the checkout; Ansible loads plugins by their path.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from module_utils.nginx_websocket.report.kept import kept_table


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> Dict[str, Callable[..., object]]:
        """The filters by name."""
        return {"kept_table": kept_table}
