"""Lines of a configuration, shown to people: what looks like a secret is masked."""

from __future__ import annotations

import difflib
import re
from typing import List

_LINE_LIMIT = 160
_DIFF_LIMIT = 80
_NAMED = re.compile(
    r"(?i)((?:^|[\s\"'_$-])(?:authorization|cookie|[\w-]*(?:token|secret|passw(?:or)?d|api[-_]?key|credential)[\w-]*)"
    r"[\"']?\s+)(?!\$)(\"[^\"]*\"|'[^']*'|[^\s;]+)"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_IN_URL = re.compile(r"(://[^/\s:@]+:)[^/\s@]+@")


def masked_line(line: str, limit: int = _LINE_LIMIT) -> str:
    """One line, its secrets replaced by ``***``, cut where it is long.

    Values of headers and variables whose names speak of tokens, keys or passwords, credentials after
    ``Bearer`` and ``Basic``, and passwords in URLs are secrets; variables (``$http_authorization``) are not.

    Args:
        line: as it stands in its file.
        limit: so many characters are kept.
    """
    line = _NAMED.sub(r"\1***", line)
    line = _BEARER.sub(r"\1 ***", line)
    return _IN_URL.sub(r"\1***@", line)[:limit]


def hand_edit(release: bytes, live: bytes, path: str) -> str:
    """What a person changed in a release, as a unified diff.

    Args:
        release: the file as we wrote it.
        live: the file as it is.
        path: for the head of the diff.
    """
    lines: List[str] = list(
        difflib.unified_diff(
            release.decode("utf-8", "replace").splitlines(),
            live.decode("utf-8", "replace").splitlines(),
            f"{path} (release)",
            f"{path} (now)",
            lineterm="",
            n=1,
        )
    )
    shown = [masked_line(line) for line in lines[:_DIFF_LIMIT]]
    if len(lines) > _DIFF_LIMIT:
        shown.append(f"… {len(lines) - _DIFF_LIMIT} more lines")
    return "\n".join(shown)
