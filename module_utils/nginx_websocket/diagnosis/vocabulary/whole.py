"""The codes that a finding can have: one sentence, the cure, and where the rule is written down.

Each family has its own part beside its rules.  docs/findings.md says for each code at length what it means
and how it is recognised; a test keeps both in step.
A code never changes its meaning once released: other tools may look for it.
"""

from __future__ import annotations

from typing import Dict

from ..access import vocabulary as access
from ..backend import vocabulary as backend
from ..capacity import vocabulary as capacity
from ..deciding import vocabulary as deciding
from ..headers import vocabulary as headers
from ..location import vocabulary as location
from ..reach import vocabulary as reach
from ..reload import vocabulary as reload
from ..tls import vocabulary as tls
from .entry import Entry

FAMILIES = (headers, location, reach, access, tls, capacity, reload, backend, deciding)
CODES: Dict[str, Entry] = {code: entry for family in FAMILIES for code, entry in family.ENTRIES.items()}
