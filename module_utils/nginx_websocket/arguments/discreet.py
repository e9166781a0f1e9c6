"""A module whose arguments may hold tokens."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

from ansible.module_utils.basic import AnsibleModule  # type: ignore[import-untyped]

from ..exchange.masking import masked_headers, masked_url


class DiscreetModule(AnsibleModule):  # type: ignore[misc]  # ansible-core has no types
    """Its arguments are not for syslog, and masked in the result."""

    def _log_invocation(self) -> None:
        """Log nothing."""

    def _return_formatted(self, kwargs: Dict[str, Any]) -> None:
        shown = dict(self.params)
        shown["url"] = masked_url(str(shown.get("url") or ""))
        headers = shown.get("headers") or {}
        if isinstance(headers, dict):
            shown["headers"] = dict(masked_headers((str(name), str(headers[name])) for name in headers))
        kwargs["invocation"] = {"module_args": shown}
        super()._return_formatted(kwargs)


def header_pairs(headers: Dict[str, Any]) -> List[Tuple[str, str]]:
    """The argument ``headers`` as pairs of text."""
    return [(str(name), str(value)) for name, value in headers.items()]
