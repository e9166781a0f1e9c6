"""A failure that no rule explains: what was seen that may explain it, and what contradicts what.

None of it is a cause.  It is what somebody who knows the host should look at first.
"""

from __future__ import annotations

from typing import Iterator, List, Tuple

from ... import codes
from ...behaviour.upgrade.conditions import IF_FIX
from ...conf.tree import Directive
from ...exchange.result import Probe
from ..evidence.errorlog import LogLine
from ..evidence.facts import Facts
from ..words.discreet import discreet
from ..words.findings import Evidence, Finding
from ..words.suspect import at, words_of

MOST_LINES = 3
LEVELS = ("error", "crit", "alert", "emerg")
REDIRECTS = {b"redirect": 302, b"permanent": 301}
WEIGHT = 96


def may_explain(facts: Facts) -> List[Finding]:
    """Conditions that only the running nginx can decide and whose answer is the one that came."""
    hop = facts.main_hop
    if hop is None or hop.opened or facts.route is None:
        return []
    evidence: List[Evidence] = []
    names: List[str] = []
    for item in facts.route.undecided:
        condition = item.directive
        if condition is None or condition.name != b"if":
            continue
        fits, answer = _leads_to(condition, hop.probe)
        if fits:
            names.append(words_of(condition))
            evidence += at(
                condition, f"{words_of(condition)}{answer and f' leads to {answer}'}: {item.reason}"
            )
    if not names:
        return []
    return [
        Finding(
            "undecided",
            weight=WEIGHT,
            evidence=evidence,
            detail=f"{names[0]} may explain it, and only the running nginx knows whether it holds",
            fix="see which value the variable of this condition has for the client (in a log_format, say)",
        )
    ]


def proven(facts: Facts, by_nginx: bool) -> List[Finding]:
    """The one condition that can have made nginx's own answer, where nothing else of the files can have.

    nginx answers by itself only what a directive says; the route of this URL leads to a backend that opens
    the socket when nginx's own request is sent to it.  So the one ``if`` whose value nobody else knows, and
    whose block answers as was seen, held.

    Args:
        facts: all that was seen.
        by_nginx: whether nginx made the answer, and not the backend.
    """
    hop, route = facts.main_hop, facts.route
    if hop is None or hop.opened or route is None or not by_nginx or route.answer.kind != "proxy":
        return []
    if not any(backend.as_sent is not None and backend.as_sent.opened for backend in facts.backends):
        return []
    found = [item.directive for item in route.undecided if item.directive is not None]
    found = [item for item in found if item.name == b"if" and _leads_to(item, hop.probe)[1]]
    if len(found) != 1:
        return []
    condition, answer = found[0], _leads_to(found[0], hop.probe)[1]
    words = words_of(condition)
    code, fix = codes.RETURN_STATUS, IF_FIX
    if hop.probe.status in REDIRECTS.values() or hop.probe.header("Location"):
        code = codes.RETURN_OR_REWRITE_REDIRECT
    if b"ssl_client" in b" ".join(condition.args):
        code, fix = codes.CLIENT_CERTIFICATE_REQUIRED, ""
    detail = f"{words} held for this handshake, and {answer} answers before any backend is asked"
    evidence = at(condition, f"{words} leads to {answer}; nothing else of this URL's way answers so")
    return [Finding(code, is_cause=True, evidence=evidence, detail=detail, fix=fix)]


def _leads_to(condition: Directive, probe: Probe) -> Tuple[bool, str]:
    """Whether the block of an ``if`` may have made this answer, and its directive that did."""
    answers = list(_answers(condition))
    came = 444 if probe.error_kind == "closed-without-answer" else probe.status
    for directive, status in answers:
        if status == came:
            return True, words_of(directive)
    # Without an answer of its own it changes what comes after it.
    return not answers, ""


def _answers(block: Directive) -> Iterator[Tuple[Directive, int]]:
    """The directives of a block that end a request, each with its status."""
    for directive in block.block or ():
        if directive.name == b"return" and directive.args:
            yield directive, int(directive.args[0]) if directive.args[0].isdigit() else 302
        elif directive.name == b"rewrite" and directive.args[-1] in REDIRECTS:
            yield directive, REDIRECTS[directive.args[-1]]
        yield from _answers(directive)


def log_lines(facts: Facts) -> List[LogLine]:
    """What the error log got for this very request and no rule knows, each message once."""
    found: List[LogLine] = []
    for line in facts.log:
        known = line.code or line.level not in LEVELS or 'request: "' not in line.text
        if not known and message(line) not in [message(other) for other in found]:
            found.append(line)
    return found[:MOST_LINES]


def message(line: LogLine) -> str:
    """A line's own words, without the request that they are about."""
    return f"[{line.level}] {line.text.split(', client: ')[0]}"


def with_log(facts: Facts, findings: List[Finding]) -> List[Finding]:
    """The log's own words, as evidence of the first finding, or as a finding where there is none."""
    lines = log_lines(facts)
    hop = facts.main_hop
    if not lines or hop is None or hop.opened:
        return findings
    words = discreet(f"nginx's error log has words for it: {message(lines[0])}")
    fix = "look at what the line of the error log speaks of: it is nginx's own reason"
    evidence = [line.evidence() for line in lines]
    if not findings:
        return [Finding("undecided", weight=WEIGHT, evidence=evidence, detail=words, fix=fix)]
    first = findings[0]
    first.evidence += evidence
    if not first.detail:
        first.detail, first.fix, first.weight = words, fix, WEIGHT
    return findings
