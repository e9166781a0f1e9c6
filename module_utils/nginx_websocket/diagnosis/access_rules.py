"""The access phase: allow and deny, auth_basic, auth_request, limit_except.

Rules of ``ngx_http_access_handler``, ``ngx_http_auth_basic_handler``, ``ngx_http_auth_request_handler`` and
``ngx_http_core_access_phase`` (satisfy).
"""

from __future__ import annotations

import ipaddress
from typing import List, Optional, Tuple

from ..behaviour.effective import Level
from ..behaviour.route import Route
from ..conf.tree import Directive
from .facts import Facts
from .findings import Evidence, Finding

Entry = Tuple[Finding, bool, Tuple[int, ...]]


def _at(directive: Directive, text: str) -> List[Evidence]:
    return [Evidence("configuration", text, directive.file, directive.line)]


def access_suspects(facts: Facts, route: Route) -> List[Entry]:
    """Refusals that nginx itself makes before it asks anybody."""
    level = route.level
    if level is None:
        return []
    denied = _allow_deny(level, route.request.remote)
    basic = _auth_basic(level, facts)
    service = _auth_request(level)
    if level.value(b"satisfy", b"all") == b"any":
        # One that lets the client pass is enough; a rule list that is absent does not count as one.
        rules = [rule for rule in (denied, basic, service) if rule is not None]
        if not rules or any(not refuses for _, refuses, _ in rules):
            return []
        return [_entry(rule, sure=all(entry[2] for entry in rules), level=level) for rule in rules]
    return [
        _entry(rule, sure=rule[2], level=level)
        for rule in (denied, basic, service)
        if rule is not None and rule[1]
    ]


# code, directive and words; whether it refuses (may refuse); whether that is sure
Rule = Tuple[Tuple[str, Directive, str], bool, bool]
_ANSWERS = {
    "access-denied": (403,),
    "method-not-allowed": (403,),
    "auth-basic": (401,),
    "auth-request": (401, 403, 500),
}


def _entry(rule: Rule, sure: bool, level: Level) -> Entry:
    (code, directive, words), _, _ = rule
    finding = Finding(code, evidence=_at(directive, words))
    return finding, sure, _ANSWERS[code]


def _allow_deny(level: Level, remote: str) -> Optional[Rule]:
    found, rules = level.nearest(b"allow", b"deny")
    if found is None or not rules:
        return None
    verdict, decisive = decide(rules, remote)
    code = "method-not-allowed" if found.kind == "limit_except" else "access-denied"
    if verdict is True:
        return (
            None if found.kind == "limit_except" else ((code, rules[0], "lets this client pass"), False, True)
        )
    directive = decisive or rules[-1]
    words = directive.name.decode() + " " + b" ".join(directive.args).decode("utf-8", "replace")
    if found.kind == "limit_except" and found.directive is not None:
        methods = b" ".join(found.directive.args).decode("utf-8", "replace")
        words = f"limit_except {methods} lets no other method pass ({words}), and the handshake is a GET"
        return (code, found.directive, words), True, verdict is False
    who = f" (the client is {remote})" if remote else ""
    return (code, directive, f"{words} refuses the client{who}"), True, verdict is False


def decide(rules: List[Directive], remote: str) -> Tuple[Optional[bool], Optional[Directive]]:
    """First match of ``allow`` and ``deny`` in order; nothing matched means allowed.

    Returns:
        True, False, or None where the client's address would decide and is not known; and the rule.
    """
    unknown: Optional[Directive] = None
    for rule in rules:
        value = rule.args[0].decode("utf-8", "replace") if rule.args else ""
        allowed = rule.name == b"allow"
        if value == "all":
            if unknown is not None and (unknown.name == b"allow") != allowed:
                return None, rule
            return allowed, rule
        if value == "unix:":
            continue
        if not remote:
            unknown = unknown or rule
            continue
        try:
            if ipaddress.ip_address(remote) in ipaddress.ip_network(value, strict=False):
                return allowed, rule
        except ValueError:
            unknown = unknown or rule
    if unknown is not None and unknown.name == b"deny":
        return None, unknown
    return True, None


def _auth_basic(level: Level, facts: Facts) -> Optional[Rule]:
    found = level.nearest(b"auth_basic")[1]
    if not found or not found[-1].args or found[-1].args[0] == b"off":
        return None
    sends = any(name.lower() == "authorization" for name, _ in facts.question.headers)
    sure = not sends and b"$" not in found[-1].args[0]
    return (
        ("auth-basic", found[-1], "auth_basic asks for a password, and the handshake brings none"),
        True,
        sure,
    )


def _auth_request(level: Level) -> Optional[Rule]:
    found = level.nearest(b"auth_request")[1]
    if not found or not found[-1].args or found[-1].args[0] == b"off":
        return None
    uri = found[-1].args[0].decode("utf-8", "replace")
    return ("auth-request", found[-1], f"a subrequest to {uri} decides about every handshake"), True, False
