"""A guard of nginx that refused this very handshake, by nginx's own log."""

from __future__ import annotations

import os
import re
from typing import List, Sequence

from ... import codes
from ..evidence.facts import Facts
from ..words.findings import Finding
from ..words.suspect import Suspect, at, evidence_of, words_of

GUARDS = (codes.LIMIT_REQ, codes.LIMIT_CONN, codes.AUTH_REQUEST)


def refused_by_guard(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The guard of which the log got a line; what the client sees of it, an error_page may have chosen."""
    line = next((line for line in facts.log if line.code in GUARDS), None)
    if line is None:
        return []
    return [Finding(line.code, evidence=[*evidence_of(suspects, line.code), line.evidence()])]


def password_file(facts: Facts) -> List[Finding]:
    """The file of passwords that nginx cannot open: then it lets nobody in (ngx_http_auth_basic_handler)."""
    level, nginx = facts.level, facts.nginx
    lines = facts.in_force(b"auth_basic_user_file")
    if level is None or nginx is None or not lines or level.value(b"auth_basic", b"off") == b"off":
        return []
    # A relative name is below the folder of the main file (ngx_http_auth_basic_user_file).
    named = os.path.join(os.path.dirname(nginx.conf_path), os.fsdecode(lines[-1].args[0]))
    for line in facts.log:
        failed = re.match(r'open\(\) "([^"]+)" failed \(\d+: ([^)]+)\)', line.text)
        if failed is not None and os.path.normpath(failed.group(1)) == os.path.normpath(named):
            return [
                Finding(
                    codes.AUTH_BASIC,
                    evidence=[*at(lines[-1], words_of(lines[-1])), line.evidence()],
                    detail=f"nginx cannot open the file of passwords {named} ({failed.group(2)}): it lets "
                    "nobody in, whatever the password is",
                    fix="name the file of passwords that is there, readable for nginx's workers, in "
                    "auth_basic_user_file",
                )
            ]
    return []
