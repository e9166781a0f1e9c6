"""A missing semicolon that nginx takes: the next directive becomes arguments of the one before."""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from ... import codes
from ...behaviour.effective import Level
from ...conf.regular import read_file
from ...conf.tree import Configuration, Directive
from ...edit.changes.change import Change
from ..evidence.facts import Facts
from ..words.findings import Evidence, Finding
from ..words.suspect import at

# Directives that take any number of arguments, so that nginx sees nothing wrong (ngx_http_core_commands).
GREEDY = (b"server_name", b"index", b"try_files", b"valid_referers", b"ssl_protocols", b"proxy_next_upstream",
          b"gzip_types", b"proxy_cache_bypass", b"proxy_no_cache", b"access_log", b"env")  # fmt: skip
_NEXT = re.compile(
    rb"([ \t]*(?:#[^\n]*)?)\r?\n\s*(proxy_\w+|location|listen|root|ssl_\w+|client_\w+|return|rewrite|"
    rb"underscores_in_headers|auth_\w+|include|set|server_name|index)\s"
)
WANTED_BY: Dict[str, Tuple[bytes, ...]] = {
    codes.HTTP10_UPSTREAM: (b"proxy_http_version",),
    codes.TIMEOUT_SHORT: (b"proxy_read_timeout",),
    codes.NO_UPGRADE_HEADER: (b"proxy_set_header", b"include"),
    codes.UPGRADE_HEADER_WRONG_VALUE: (b"proxy_set_header", b"include"),
    codes.CONNECTION_HEADER_WRONG: (b"proxy_set_header", b"include"),
    codes.HOST_HEADER_WRONG: (b"proxy_set_header", b"include"),
    codes.FORWARDED_PROTO_MISSING: (b"proxy_set_header", b"include"),
    codes.LOCATION_WITHOUT_HANDLER: (b"proxy_pass", b"include", b"location"),
    codes.HEADER_UNDERSCORE_DROPPED: (b"underscores_in_headers",),
    codes.CERT_INVALID: (b"ssl_certificate",),
}


def swallowed(level: Optional[Level]) -> Dict[bytes, Tuple[Directive, int]]:
    """Names of directives that became arguments, each with the directive that took it.

    Returns:
        By name: the directive, and the offset in its file at which the semicolon is missing.
    """
    found: Dict[bytes, Tuple[Directive, int]] = {}
    for outer in level.chain() if level is not None else []:
        for directive in outer.own(*GREEDY):
            raw = directive.source.data[directive.start : directive.end]
            for match in _NEXT.finditer(raw):
                found.setdefault(match.group(2), (directive, directive.start + match.start()))
    return found


def in_refused(
    configuration: Optional[Configuration], message: str, file: str, line: int
) -> Optional[Finding]:
    """The semicolon for whose absence nginx refuses a file, from the place that its message names.

    Args:
        configuration: the tree, where it can be read.
        message: of nginx: too many arguments, or a brace where none may stand.
        file: that the message names.
        line: the one on which nginx noticed it.
    """
    if 'unexpected "}"' in message:
        return _before_brace(file, line)
    if "number of arguments in" not in message:
        return None
    for directive in configuration.walk() if configuration is not None else ():
        raw = directive.source.data[directive.start : directive.end]
        if directive.file != file or directive.block is not None or b"\n" not in raw:
            continue
        match = _NEXT.search(raw)
        if match is not None and directive.line <= line <= directive.line + raw.count(b"\n"):
            return _missing(directive, directive.start + match.start(), match.group(2))
    return None


def _before_brace(file: str, line: int) -> Optional[Finding]:
    """The last line with words before a brace, where nothing ends it."""
    try:
        lines = read_file(file).decode("utf-8", "replace").split("\n")[: max(0, line - 1)]
    except OSError:
        return None
    for number in range(len(lines), 0, -1):
        words = re.sub(r"\s#.*", "", lines[number - 1]).strip()
        if words and not words.startswith("#"):
            if words.endswith((";", "{", "}")):
                return None
            text = f"no semicolon ends this line, and nginx meets the brace of line {line}"
            return Finding(
                codes.SEMICOLON_MISSING,
                evidence=[Evidence("configuration", text, file, number)],
                detail=f"a semicolon is missing at the end of line {number}",
            )
    return None


def explained(facts: Facts, findings: List[Finding]) -> List[Finding]:
    """The findings, with the missing semicolon before the first that it explains."""
    route = facts.route
    taken = swallowed(route.level or route.server) if route is not None else {}
    for index, finding in enumerate(findings):
        name = next((name for name in WANTED_BY.get(finding.code, ()) if name in taken), None)
        if name is not None:
            earlier = _missing(*taken[name], name)
            earlier.is_cause, earlier.weight = finding.is_cause, finding.weight + 1
            return [*findings[:index], earlier, *findings[index:]]
    return findings


def _missing(directive: Directive, offset: int, name: bytes) -> Finding:
    data = directive.source.data
    begin, end = data.rfind(b"\n", 0, offset) + 1, data.find(b"\n", offset)
    line = data.count(b"\n", 0, begin) + 1
    old = data[begin:end].decode("utf-8", "replace").rstrip("\r")
    at_column = len(data[begin:offset].decode("utf-8", "replace"))
    took, taken = directive.name.decode(), name.decode()
    words = f"no semicolon ends this {took}, so {taken} of the next line is taken for "
    return Finding(
        codes.SEMICOLON_MISSING,
        evidence=at(directive, words + "one of its arguments"),
        detail=f"a semicolon is missing after {took}: {taken} in the next line has no effect",
        change=Change(directive.file, line, [old], [old[:at_column] + ";" + old[at_column:]]),
    )
