"""Who is let through: ``allow``/``deny``, ``limit_except``, ``auth_basic``, ``auth_request``."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, List, Optional, Tuple

from ...conf.tree import Directive
from ..effective import Level

if TYPE_CHECKING:
    from ..route import Route
    from .upgrade import Upgrade


def access_rule(level: Level, remote: str) -> Tuple[Optional[bool], Optional[Directive]]:
    """The first ``allow``/``deny`` that fits the client (``ngx_http_access_handler``).

    Returns:
        (True, None) without rules; None as the first value when the client's address decides it
        and is not known.
    """
    unknown: Optional[Directive] = None
    for rule in level.nearest(b"allow", b"deny")[1]:
        if not rule.args:
            continue
        fits = _fits(rule.args[0].decode("utf-8", "replace"), remote)
        if fits is None:
            unknown = unknown or rule
        elif fits and unknown is None:
            return rule.name == b"allow", rule
        elif fits:
            return None, unknown
    return (True, None) if unknown is None else (None, unknown)


def _fits(value: str, remote: str) -> Optional[bool]:
    if value == "all":
        return True
    if value == "unix:":
        return False
    if not remote:
        return None
    try:
        return ipaddress.ip_address(remote) in ipaddress.ip_network(value, strict=False)
    except ValueError:
        return False


def judge_access(route: Route) -> Optional[Upgrade]:
    """The verdict of the access phase; None when the request goes on.

    ``return`` and ``rewrite`` run before it, so it counts only for requests that reach a backend.
    """
    from .upgrade import Upgrade

    level = route.level
    if level is None:
        return None
    verdicts: List[Upgrade] = []
    allowed, rule = access_rule(level, route.request.remote)
    if allowed is not True and rule is not None:
        code = "method-not-allowed" if level.kind == "limit_except" else "access-denied"
        text = "this rule answers 403"
        if allowed is None:
            text = "whether the client is let in depends on its address"
        verdicts.append(Upgrade(allowed, code, text, rule))
    basic = level.nearest(b"auth_basic")[1]
    if basic and basic[-1].args[:1] != (b"off",) and not _has(route, "authorization"):
        text = "auth_basic answers 401 to a handshake without Authorization, and browsers send none"
        verdicts.append(Upgrade(None if b"$" in basic[-1].args[0] else False, "auth-basic", text, basic[-1]))
    asked = level.nearest(b"auth_request")[1]
    if asked and asked[-1].args[:1] != (b"off",):
        text = "auth_request asks another server first; its answer decides"
        verdicts.append(Upgrade(None, "auth-request", text, asked[-1]))
    if not verdicts:
        return None
    any_suffices = level.value(b"satisfy", b"all") == b"any"
    checks = len(verdicts) + (1 if allowed is True and rule is not None else 0)
    if any_suffices and (checks > len(verdicts) or any(item.survives is None for item in verdicts)):
        return None if checks > len(verdicts) else verdicts[0]
    return min(verdicts, key=lambda item: item.survives is not False)


def _has(route: Route, name: str) -> bool:
    return any(key.lower() == name for key, _value in route.request.header_list())
