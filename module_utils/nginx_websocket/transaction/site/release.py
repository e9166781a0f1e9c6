"""The release id: a digest of a site's content, written into the content itself.

The id is the first 32 hexadecimal digits of the SHA-256 of the content with the literal
``@RELEASE@``; the literal is then replaced by the id.  A live file therefore proves by itself
whether a person edited it: put the literal back and compare.
"""

from __future__ import annotations

import hashlib
import re
from typing import Optional

LITERAL = b"@RELEASE@"
LOCATION = "/.well-known/nginx-websocket/"
"""Below this path each server of a site answers with its release id, to the host itself only."""

_MARK = re.compile(re.escape(LOCATION.encode()) + rb"([0-9a-f]{32})(?![0-9a-f])")


def release_id(content: bytes) -> str:
    """The id of a candidate.

    Args:
        content: the candidate with the literal ``@RELEASE@`` in it.
    """
    return hashlib.sha256(content).hexdigest()[:32]


def stamped(content: bytes) -> bytes:
    """The candidate as it goes to the disk: the literal replaced by the id."""
    return content.replace(LITERAL, release_id(content).encode())


def claimed(content: bytes) -> Optional[str]:
    """The release id that a live file says it is; None when the file was not made by us."""
    found = _MARK.search(content)
    return found.group(1).decode() if found else None


def pristine(content: bytes) -> bool:
    """Whether a live file is a release exactly as we wrote it."""
    mark = claimed(content)
    if mark is None:
        return False
    return release_id(content.replace(mark.encode(), LITERAL)) == mark
