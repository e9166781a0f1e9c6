"""Guards: what a request has to pass before it is answered, and in which order.

Rules of ``ngx_http_core_access_phase`` (``satisfy``), ``ngx_http_access_handler``,
``ngx_http_auth_basic_handler``, ``ngx_http_auth_request_handler``, ``ngx_http_limit_req_handler`` and
``ngx_http_limit_conn_handler``.  nginx asks once rewriting has ended, at the location that the request is
in then, and again after every internal redirect (``index``, ``try_files``, ``error_page``, ``@name``);
a location that a rewrite or a ``return`` leaves is never asked.
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Sequence, Tuple

from ...conf.tree import Directive, printable
from ..effective import Level
from ..regex import CannotDecide
from ..variables import Exchange
from .addresses import UNIX, client_address, decide

ADDRESS = "address"
PASSWORD = "password"
AUTH_REQUEST = "auth_request"
METHOD = "method"
CLIENT_CERTIFICATE = "client-certificate"
LIMIT_REQ = "limit_req"
LIMIT_CONN = "limit_conn"
CONDITION = "condition"
INTERNAL = "internal"
OTHER = "other"
"""A guard of a module whose decisions are not known here (``auth_jwt``, ``access_by_lua`` …)."""

JOINED = (ADDRESS, METHOD, PASSWORD, AUTH_REQUEST, OTHER)
"""Kinds of the access phase, which ``satisfy`` joins."""

_OTHERS = (b"auth_jwt", b"auth_oidc", b"auth_pam", b"auth_digest", b"access_by_lua_block",
           b"access_by_lua_file", b"access_by_lua", b"js_access")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Guard:
    """One guard on the way of a request.

    Two are equal when they ask the same and decide the same for their request; the place does not count.
    """

    kind: str
    """One of the kinds of this module."""
    rule: Tuple[str, ...]
    """The directives that make it, as words: ``("allow 10.0.0.0/8", "deny all")``."""
    passes: Optional[bool]
    """Whether this request passes; None where configuration and request do not tell."""
    status: int
    """What a client gets that does not pass: 403, 401, 404, 503, 400; 444 for a closed connection."""
    satisfy: str = "all"
    """"any": one guard of the access phase at this place that lets the client pass is enough."""
    reason: str = dataclasses.field(default="", compare=False)
    """Why it passes, does not pass, or cannot be told."""
    abstains: bool = False
    """It neither refuses nor lets in (no rule fits): ``satisfy any`` goes by the other guards."""
    place: str = dataclasses.field(default="", compare=False)
    """Where it holds: ``location /admin/``."""
    directive: Optional[Directive] = dataclasses.field(default=None, compare=False, repr=False)
    """The decisive directive."""


def words(directive: Directive) -> str:
    """A directive as one line, without its block."""
    return printable(b" ".join((directive.name, *directive.args)))


def guards_at(exchange: Exchange, level: Level, place: str, limited: Sequence[str] = ()) -> List[Guard]:
    """The guards of the preaccess and access phases at one level, in nginx's order.

    Args:
        exchange: the request as it is when it gets there.
        level: the level in force (a ``limit_except`` where that applies).
        place: its name, for the guards.
        limited: kinds of limits that an earlier location has counted already: they count once a request.
    """
    found: List[Guard] = []
    for kind, status_name in ((LIMIT_REQ, b"limit_req_status"), (LIMIT_CONN, b"limit_conn_status")):
        lines = level.nearest(kind.encode())[1]
        if lines and kind not in limited:
            status = int(level.value(status_name, b"503"))
            reason = "depends on how many others ask at the same time"
            rule = tuple(map(words, lines))
            found.append(Guard(kind, rule, None, status, reason=reason, place=place, directive=lines[0]))
    satisfy = level.value(b"satisfy", b"all").decode("ascii", "replace")
    for guard in (_address(exchange, level), _password(exchange, level), _auth_request(level)):
        if guard is not None:
            found.append(dataclasses.replace(guard, satisfy=satisfy, place=place))
    for name in _OTHERS:
        lines = level.nearest(name)[1]
        if lines and lines[-1].args[:1] != (b"off",):
            reason = f"{name.decode()} decides while nginx runs"
            guard = Guard(OTHER, (words(lines[-1]),), None, 403, satisfy, reason)
            found.append(dataclasses.replace(guard, place=place, directive=lines[-1]))
    return found


def certificate_guard(server: Level, tls: bool) -> Optional[Guard]:
    """``ssl_verify_client on``, which ``ngx_http_process_request`` asks before any phase."""
    line = server.nearest(b"ssl_verify_client")[1][-1:]
    if not line or not tls or line[-1].args[:1] != (b"on",):
        return None
    authorities = server.nearest(b"ssl_client_certificate", b"ssl_trusted_certificate")[1]
    rule = tuple(map(words, (line[-1], *authorities)))
    reason = "the request brings no client certificate"
    guard = Guard(CLIENT_CERTIFICATE, rule, False, 400, reason=reason, place="server")
    return dataclasses.replace(guard, directive=line[-1])


def refusal(guards: Sequence[Guard]) -> Optional[Guard]:
    """The guard that certainly refuses the request; None when it passes, or nobody can tell.

    Args:
        guards: those of one place, in nginx's order.
    """
    for guard in guards:
        if guard.kind not in JOINED and guard.passes is False:
            return guard
    voters = [guard for guard in guards if guard.kind in JOINED and not guard.abstains]
    refusing = [guard for guard in voters if guard.passes is False]
    if not refusing:
        return None
    if voters[0].satisfy != "any":
        return refusing[0]
    if len(refusing) < len(voters):
        return None
    # ngx_http_core_access_phase keeps a 401 before a 403, else the last refusal
    return next((guard for guard in refusing if guard.status == 401), refusing[-1])


def let_in(guards: Sequence[Guard]) -> Optional[bool]:
    """Whether the guards of one place let the request pass; None where nobody can tell."""
    if refusal(guards) is not None:
        return False
    voters = [guard for guard in guards if guard.kind in JOINED and not guard.abstains]
    if voters and voters[0].satisfy == "any" and any(guard.passes for guard in voters):
        guards = [guard for guard in guards if guard.kind not in JOINED]
    return None if any(guard.passes is None for guard in guards) else True


def _address(exchange: Exchange, level: Level) -> Optional[Guard]:
    """``allow`` and ``deny``; inside ``limit_except`` they are the guard of the method.

    Where no rule fits, nginx neither refuses nor lets in (NGX_DECLINED).
    """
    found, rules = level.nearest(b"allow", b"deny")
    if found is None or not rules:
        return None
    remote, why = client_address(exchange)
    passes, decisive = decide(rules, remote)
    if passes is None:
        reason = why or "whether the client is let in depends on its address"
    else:
        who = "a client of a unix socket" if remote == UNIX else remote or "every client"
        reason = f"{words(decisive)} decides for {who}" if decisive else f"no rule fits {who}"
    kind, texts = ADDRESS, tuple(map(words, rules))
    if found.kind == "limit_except" and found.directive is not None:
        kind, texts = METHOD, (words(found.directive), *texts)
    abstains = passes is True and decisive is None
    if abstains and not remote and level.value(b"satisfy", b"all") == b"any":
        passes, abstains = None, False
    guard = Guard(kind, texts, passes, 403, reason=reason, directive=decisive or rules[-1])
    return dataclasses.replace(guard, abstains=abstains)


def _asks(level: Level, name: bytes) -> Optional[Directive]:
    """The directive in force, unless it says ``off``."""
    found = level.nearest(name)[1]
    return found[-1] if found and found[-1].args and found[-1].args[0] != b"off" else None


def _password(exchange: Exchange, level: Level) -> Optional[Guard]:
    directive = _asks(level, b"auth_basic")
    if directive is None:
        return None
    files = level.nearest(b"auth_basic_user_file")[1]
    rule = tuple(map(words, (directive, *files[-1:])))
    passes: Optional[bool] = False
    reason = "the request brings no Authorization: Basic"
    given = exchange.header(b"authorization")
    try:
        realm = exchange.evaluate(directive.args[0])
    except CannotDecide as error:
        return Guard(PASSWORD, rule, None, 401, reason=str(error), directive=directive)
    if realm == b"off":
        return None
    if given is not None and given[:6].lower() == b"basic ":
        passes, reason = None, "whether the password is right stands in the file of users"
    return Guard(PASSWORD, rule, passes, 401, reason=reason, directive=directive)


def _auth_request(level: Level) -> Optional[Guard]:
    directive = _asks(level, b"auth_request")
    if directive is None:
        return None
    reason = "the answer of a subrequest decides"
    return Guard(AUTH_REQUEST, (words(directive),), None, 403, reason=reason, directive=directive)
