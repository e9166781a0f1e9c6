"""Is what an edit changes for users what it is meant to change?  The comparison of both trees tells."""

from __future__ import annotations

import re
from typing import Container, List, Sequence, Tuple

from ..compare import differences as kinds
from ..compare.differences import GAIN, Comparison, Difference
from ..edit.cures import scope
from ..exchange.endpoint import parse_url

_URL = re.compile(r"\w+://(?P<host>\[[^\]]*\]|[^/:\s]+)(?::\d+)?(?P<path>/[^?#\s]*)?")
_NEVER = frozenset((kinds.GUARD_LOST, kinds.SOURCE_SERVED, kinds.FILE_LOST, kinds.UPGRADE_LOST))
"""What no fix may do, wherever it is."""
_BY_THE_LINE = frozenset((kinds.BACKEND_HEADERS, kinds.PATH_CHANGED, kinds.BACKEND_MOVED, kinds.LESS))
"""What an edited line may change for every request that it is in force for."""
_EVERYBODY = frozenset((kinds.BACKEND_HEADERS,))
"""What a line of an include may change for the other sites that read it; they are listed."""


def unintended(result: Comparison, urls: Sequence[str], files: Container[str]) -> List[Difference]:
    """Differences that the edit was not made for.

    Args:
        result: of the live tree and the edited one.
        urls: the WebSockets that shall open.
        files: those that the edit changes, as nginx names them.
    """
    scopes = []
    for url in urls:
        endpoint = parse_url(url)
        scopes.append((endpoint.host.strip("[]").lower(), scope(endpoint.target.split("?")[0])))
    found = []
    for one in result.differences:
        if one.weight == GAIN:
            continue
        if one.parting.kind not in _NEVER and _below(one.examples, scopes):
            continue
        if _by_the_line(one) and one.parting.now_at.rpartition(":")[0] in files:
            continue
        found.append(one)
    return found


def _below(examples: Sequence[str], scopes: Sequence[Tuple[str, str]]) -> bool:
    """Whether all these requests are for a WebSocket that shall open, or stand beside it in its directory."""
    for example in examples:
        match = _URL.search(example)
        if match is None:
            return False
        host, path = match.group("host").strip("[]").lower(), match.group("path") or "/"
        if not any(host == one and (path + "/").startswith(name.rstrip("/") + "/") for one, name in scopes):
            return False
    return bool(examples)


def _by_the_line(one: Difference) -> bool:
    """Whether an edited line may do that to every request that it is in force for.

    Which locations that is, the judgement of the edit has seen to.
    """
    if one.parting.name == "proxy_http_version":
        return True
    return one.parting.kind in (_EVERYBODY if one.whose else _BY_THE_LINE)
