"""Names of files that were kept aside."""

from __future__ import annotations

import re

BACKUP = re.compile(
    r"(?i)(\.(bak|backup|old|orig|save|swp|tmp|rpmsave|rpmnew)|~|\.dpkg-\w+|\.\d{6,}"
    r"|[-_.](bak|backup|old|copy)\b[^/]*)$"
)
"""Names that editors, package managers and people give to what they keep aside."""
