"""What differs from client to client, where the configuration looks at it."""

from __future__ import annotations

from typing import List

from ... import codes
from ...edit.changes.locations import replace_head
from ..asking.browsers_view import connection_conditions
from ..evidence.facts import Facts
from ..evidence.probes import answered
from ..words.findings import Finding
from ..words.suspect import at, words_of


def clients_differ(facts: Facts) -> List[Finding]:
    """One spelling of the client's Connection header opens the socket, and the other does not."""
    hop, other = facts.hop("loopback"), facts.hop("other client")
    if hop is None or other is None or hop.opened == other.opened or facts.configuration is None:
        return []
    conditions = connection_conditions(facts.configuration)
    directive = next((item for item in conditions if item.name == b"if"), conditions[0])
    finding = Finding(
        codes.CONNECTION_HEADER_WRONG,
        is_cause=True,
        evidence=[*at(directive, words_of(directive)), answered(hop), answered(other)],
        detail="a condition compares the whole Connection header, which differs from browser to browser",
        fix='look at Upgrade, which is the same everywhere: if ($http_upgrade ~* "^websocket$")',
    )
    # Behind a quoted value the closing bracket is a word of its own.
    if directive.name == b"if" and len(directive.args) in (3, 4) and directive.args[1] == b"=":
        finding.change = replace_head(
            facts.configuration, directive, 'if ($http_upgrade ~* "^websocket$")', b"if"
        )
    return [finding]
