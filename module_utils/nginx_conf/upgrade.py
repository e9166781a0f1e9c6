"""Whether a WebSocket upgrade survives a route."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Optional

from .tree import Directive

if TYPE_CHECKING:
    from .route import Route


@dataclasses.dataclass
class Upgrade:
    """The verdict: True, False, or None where the configuration alone cannot tell."""

    survives: Optional[bool]
    cause: str
    reason: str
    directive: Optional[Directive] = None


def judge(route: Route) -> Upgrade:
    """Judge a route (first version: the answer kind and the hop headers)."""
    upstream = route.upstream
    if upstream is None:
        return Upgrade(False, "wrong-location", f"{route.answer.kind} answers", route.answer.directive)
    if not upstream.values("Upgrade") or not upstream.values("Connection"):
        return Upgrade(False, "no-upgrade-header", "the backend does not receive Upgrade", upstream.directive)
    if upstream.version == "1.0":
        return Upgrade(None, "http10-upstream", "HTTP/1.0 to the backend", upstream.directive)
    return Upgrade(True, "ok", "the backend receives the upgrade", upstream.directive)
