"""nginx made the answer itself: which directive, or which failure of the way to the backend.

One rule a cause, in the order in which they are sure: what nginx's own page says, what broke, what the log
says, what the configuration says.
"""

from __future__ import annotations

from typing import Callable, List, Sequence

from ... import codes
from ...behaviour.upgrade.empty_backend import empty_backend
from ..access.logged import password_file, refused_by_guard
from ..backend.answers import TO_HTTPS_PORT
from ..evidence.errorlog import LogLine
from ..evidence.facts import Facts, Hop
from ..evidence.probes import answered
from ..location import error_pages
from ..location.other_server import not_served, unserved
from ..reach import muted_log, no_answer
from ..reload.stale import other_upstream, stale
from ..words.findings import Finding
from ..words.suspect import Suspect, at, certain_cause, finding_of, words_of

SETTLED = {
    codes.MODSECURITY: b"modsecurity",
    codes.CAPTURE_LOST: b"proxy_pass",
    codes.PROXY_BIND_FAILED: b"proxy_bind",
}
"""What the log alone settles, and the directive that it is about."""
PLAIN_ANSWERS = (codes.RETURN_STATUS, codes.LOCATION_WITHOUT_HANDLER, codes.TRY_FILES_SPA_FALLBACK)

# ngx_http_special_response.c, for 495 and 496, which clients see as 400.
NO_CLIENT_CERTIFICATE = ("No required SSL certificate was sent", "The SSL certificate error")
NO_REFUSAL = (200, 301, 302, 303, 307, 308, 404)
"""Statuses that no guard answers with."""


def by_nginx(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """The cause of an answer that nginx made itself; empty when nothing explains it."""
    return next((found for rule in RULES for found in (rule(facts, suspects, hop),) if found), [])


def _plain_http(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """The port speaks TLS, and the client does not."""
    if hop.probe.status != 400 or TO_HTTPS_PORT not in hop.probe.body:
        return []
    known = certain_cause(suspects, (codes.PLAIN_HTTP_TO_TLS_PORT,))
    return known or [Finding(codes.PLAIN_HTTP_TO_TLS_PORT, evidence=[answered(hop)])]


def _client_certificate(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    server = facts.server
    asked = server.nearest(b"ssl_verify_client")[1] if server is not None else []
    where = at(asked[-1], words_of(asked[-1])) if asked else []
    found = Finding(codes.CLIENT_CERTIFICATE_REQUIRED, evidence=[*where, answered(hop)])
    if hop.probe.status == 421 and asked:  # ngx_http_set_virtual_server
        host, name = facts.question.host_header, facts.question.endpoint.host
        found.detail = f"the server of Host {host} asks for certificates, and the name in TLS was {name}"
        found.fix = "open the URL with the name of that server: in TLS it must be the same"
        return [found]
    if hop.probe.status != 400 or not any(words in hop.probe.body for words in NO_CLIENT_CERTIFICATE):
        return []
    return [found]


def _large_header(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    status = hop.probe.status
    if status in (414, 431, 494) or (status == 400 and "Header Or Cookie Too Large" in hop.probe.body):
        level, listen = facts.server, facts.route.listen if facts.route is not None else None
        if status == 414 and listen is not None and not facts.question.endpoint.tls:
            level = listen.default  # The line of a request is read before its Host.
        lines = level.nearest(b"large_client_header_buffers")[1] if level is not None else []
        where = at(lines[-1], words_of(lines[-1])) if lines else []
        return [Finding(codes.REQUEST_HEADER_TOO_LARGE, evidence=[answered(hop), *where])]
    return []


def _backend_failed(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """Not the configuration's own answer: the way to the backend broke."""
    if hop.probe.status not in (502, 504):
        return []
    return other_upstream(facts) or no_answer.unreachable_backend(facts, suspects)


def _settled_by_log(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    for code in SETTLED:
        logged = facts.logged(code)
        if logged is not None:
            return [_by_log(facts, code, logged)]
    return []


def _muted_log(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    return muted_log.unsaid(facts, suspects, hop.probe)


def _guard_in_log(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    return [] if hop.probe.status in NO_REFUSAL else password_file(facts) or refused_by_guard(facts, suspects)


def _plain_answer_of_other(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """What another server answers says nothing of the one that was meant."""
    if not suspects or suspects[0].code not in PLAIN_ANSWERS:
        return []
    return _other_server(facts, suspects, hop)


def _by_status(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """The suspect that answers with this status, or whose page this is."""
    for suspect in suspects:
        shown = hop.probe.status in suspect.answers or error_pages.shown_as(facts, suspect.answers, hop.probe)
        if shown and (suspect.certain or _supported(facts, suspect)):
            return [suspect.finding]
    return []


def _other_server(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    return (stale(facts) or [not_served(facts)]) if unserved(facts) else []


def _certain(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """An old configuration; what is certain without a status; what the log says; the first certain one."""
    old = stale(facts)
    if old:
        return old
    certain = [suspect.finding for suspect in suspects if suspect.certain and not suspect.answers]
    if facts.route is not None and facts.route.answer.kind == "proxy" and not certain:
        return no_answer.by_status_of_nginx(facts)
    return certain or certain_cause(suspects)


def _by_log(facts: Facts, code: str, line: LogLine) -> Finding:
    """What nginx's own words settle, with the directive that they are about."""
    route = facts.route
    empty = empty_backend(route) if code == codes.CAPTURE_LOST and route is not None else None
    if empty is not None:
        found = finding_of(empty)
        found.evidence.append(line.evidence())
        return found
    where = [item for line in facts.in_force(SETTLED[code])[-1:] for item in at(line, words_of(line))]
    return Finding(code, evidence=[*where, line.evidence()])


def _supported(facts: Facts, suspect: Suspect) -> bool:
    """Whether the log or the nature of the rule confirms a suspect that the configuration leaves open."""
    if suspect.code in (codes.ACCESS_DENIED, codes.METHOD_NOT_ALLOWED):
        return facts.logged(codes.ACCESS_DENIED) is not None or not facts.log_readable
    return (
        suspect.code in (codes.AUTH_REQUEST, codes.AUTH_BASIC)
        or facts.logged(suspect.code) is not None
        or (suspect.code not in ("undecided", codes.CACHE, codes.ERROR_PAGE_INTERCEPT))
    )


Rule = Callable[[Facts, Sequence[Suspect], Hop], List[Finding]]
RULES: Sequence[Rule] = (
    _plain_http,
    _client_certificate,
    _large_header,
    _backend_failed,
    _settled_by_log,
    _guard_in_log,
    _muted_log,
    _plain_answer_of_other,
    _by_status,
    _other_server,
    _certain,
)
"""The first that finds something has the cause."""
