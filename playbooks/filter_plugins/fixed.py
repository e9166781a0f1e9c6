"""Shows what nginx_fix did."""

from __future__ import annotations

import os
import sys
from typing import Callable, Dict

# The package that does the work stands in the checkout; Ansible loads plugins by their path.
_CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
if _CHECKOUT not in sys.path:
    sys.path.append(_CHECKOUT)

from module_utils.nginx_websocket.report.fixed import fixed_text  # noqa: E402


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> Dict[str, Callable[..., object]]:
        """The filters by name."""
        return {"fixed_text": fixed_text}
