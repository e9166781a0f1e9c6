"""The property of nginx's request for which the backend refuses it, found by experiment."""

from __future__ import annotations

import re
from typing import List, Optional, Sequence

from ... import codes
from ...behaviour.upgrade.request import handshake_header, no_name, path_change, rewrite_before
from ...conf.tree import Directive
from ...edit.changes.change import edited, replace
from ...edit.changes.headers import header_change, header_lines
from ..evidence.facts import BackendFacts, Facts
from ..experiments.search import WITH_SLASH, Request
from ..words.findings import Evidence, Finding
from ..words.suspect import HEADER_FAULTS, Suspect, all_certain, at, finding_of, suspected
from .answers import said

HOP_CODES = (
    *HEADER_FAULTS,
    codes.OUTER_PROXY_STRIPS_UPGRADE,
    codes.UPGRADE_HARDCODED_NO_TUNNEL,
    codes.WRONG_LOCATION,
    codes.SHADOWED_BY_PREFIX_CARET,
    codes.REGEX_SHADOWS_PREFIX,
    codes.REGEX_ORDER,
    codes.REWRITE_RELOCATES,
    codes.DEFAULT_SERVER_CAPTURED,
    codes.DUPLICATE_SERVER_NAME,
    codes.LISTEN_ADDRESS_CAPTURED,
    codes.WS_MISSING_IN_TLS_SERVER,
    codes.NOT_INCLUDED_FILE,
)
HOP_HEADERS = {"Upgrade": codes.NO_UPGRADE_HEADER, "Connection": codes.CONNECTION_HEADER_WRONG}
NAMED = (
    "Host",
    "Origin",
    "X-Forwarded-Host",
    "X-Forwarded-Server",
    "X-Original-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Proto",
    "X-Forwarded-Scheme",
    "Forwarded",
)
"""Headers by which applications know who asks, and by which name."""
BY_PROPERTY = {
    "method": codes.METHOD_CHANGED,
    "version": codes.HTTP10_UPSTREAM,
    "Sec-WebSocket-Key": codes.REQUEST_HEADERS_NOT_PASSED,
    "Sec-WebSocket-Version": codes.REQUEST_HEADERS_NOT_PASSED,
    "hosts": codes.DUPLICATE_HOST_HEADER,
    "Host": codes.HOST_HEADER_WRONG,
    "query": codes.QUERY_STRING_LOST,
    "X-Forwarded-For": codes.BACKEND_UNTRUSTED_PROXY,
    "X-Forwarded-Host": codes.HOST_HEADER_WRONG,
    "X-Forwarded-Server": codes.HOST_HEADER_WRONG,
    "X-Original-Host": codes.HOST_HEADER_WRONG,
    "X-Forwarded-Port": codes.HOST_HEADER_WRONG,
    "X-Forwarded-Scheme": codes.FORWARDED_PROTO_MISSING,
    "Forwarded": codes.HOST_HEADER_WRONG,
    "X-Forwarded-Proto": codes.FORWARDED_PROTO_MISSING,
    "Origin": codes.ORIGIN_REJECTED,
    "Sec-WebSocket-Protocol": codes.SUBPROTOCOL_STRIPPED,
}


def for_property(
    facts: Facts, suspects: Sequence[Suspect], backend: BackendFacts, name: str
) -> Optional[Finding]:
    """The finding for a property of nginx's request that breaks it.

    Args:
        facts: all that was seen.
        suspects: what the configuration says.
        backend: the one that opens without this property as nginx sends it.
        name: of the property, or of a header.

    Returns:
        None where the property has no code.
    """
    search = backend.search
    assert search is not None and search.opening_probe is not None
    evidence = [
        said(f"nginx's own request, sent to {backend.server}", search.as_sent),
        said(f"the same, {search.tried[-1 - _after_opening(backend)][0]}", search.opening_probe),
    ]
    finding: Optional[Finding]
    if name in HOP_HEADERS and not _said_twice(facts, backend, name):
        finding = _hop_header(suspects, name)
    else:
        finding = _of_request(facts, suspects, backend, name)
    if name in NAMED:
        evidence += _sent_header(facts, backend, name)
    if finding is not None:
        finding.evidence = finding.evidence + evidence
    return finding


def _hop_header(suspects: Sequence[Suspect], name: str) -> Finding:
    """Upgrade or Connection: the certain fault that explains why it does not reach the backend."""
    certain = all_certain(suspects)
    known = [finding for finding in certain if finding.code in HOP_CODES] or certain
    return known[0] if known else Finding(HOP_HEADERS[name])


def _of_request(
    facts: Facts, suspects: Sequence[Suspect], backend: BackendFacts, name: str
) -> Optional[Finding]:
    """Any other property, with the lines of the configuration that make it what it is."""
    code = _code(facts, backend, name)
    if not code:
        return None
    if code == codes.BACKEND_AUTH:
        return _foreign_password(facts)
    if code == codes.DUPLICATE_HEADER:
        return _twice(facts, name)
    finding = suspected(suspects, code) or Finding(code)
    if name in NAMED:
        _mend_header(facts, backend, finding, name)
    if code == codes.REQUEST_HEADERS_NOT_PASSED:
        line = _line_in_force(facts, name)
        finding = finding_of(handshake_header(name, line)) if line is not None else finding
        if line is not None and facts.route is not None and name not in BY_PROPERTY:
            finding.change = replace(facts.route.configuration, line)
    return finding


def _code(facts: Facts, backend: BackendFacts, name: str) -> str:
    """The code of a property; "" where it has none."""
    if name == "path":
        return _path_code(facts, backend)
    sent, opening = backend.sent, backend.search.opening if backend.search is not None else None
    if name != "hosts" and sent is not None and opening is not None and _only_once(sent, opening, name):
        return codes.DUPLICATE_HEADER
    if name == "Authorization" and opening is not None and opening.value(name) is None:
        return codes.BACKEND_AUTH
    if name not in BY_PROPERTY and _line_in_force(facts, name) is not None:
        return codes.REQUEST_HEADERS_NOT_PASSED
    return BY_PROPERTY.get(name) or (codes.HEADER_UNDERSCORE_DROPPED if "_" in name or no_name(name) else "")


def _only_once(sent: Request, opening: Request, name: str) -> bool:
    """Whether nginx sends a header twice, and the backend opens with one of the two lines."""
    twice, once = sent.values(name), opening.values(name)
    return len(twice) > 1 and len(once) == 1 and once[0].lower() in map(str.lower, twice)


def _said_twice(facts: Facts, backend: BackendFacts, name: str) -> bool:
    """Whether the lines for Upgrade or Connection all say the same: else one of them is wrong by itself."""
    said_here = backend.sent.values(name) if backend.sent is not None else []
    same = len({value.lower() for value in said_here}) == 1
    return same and _code(facts, backend, name) == codes.DUPLICATE_HEADER


def _twice(facts: Facts, name: str) -> Finding:
    """The lines that set a header twice: the last one goes, and with it the twin of the other one's."""
    route, upstream = facts.route, facts.upstream
    lines = header_lines(upstream, name.lower().encode()) if upstream is not None else []
    finding = Finding(
        codes.DUPLICATE_HEADER,
        evidence=[item for line in lines for item in at(line, f"one {name} line")],
        detail=f"nginx sends {name} twice, and the backend refuses that",
        fix=f"keep one of the proxy_set_header {name} lines",
    )
    if route is not None and upstream is not None and len(lines) > 1:
        twins = [
            header_lines(upstream, other.lower().encode())
            for other in (HOP_HEADERS if name in HOP_HEADERS else ())
            if other != name
        ]
        last = [lines[-1], *(two[-1] for two in twins if len(two) > 1 and two[-1].file == lines[-1].file)]
        finding.change = edited(route.configuration, [(line, []) for line in last])
    return finding


def _foreign_password(facts: Facts) -> Finding:
    """The backend refuses an Authorization: one that it does not know, or that for nginx's own password."""
    route = facts.route
    own = route is not None and route.level is not None and route.level.value(b"auth_basic", b"off") != b"off"
    if route is None or route.upstream is None or not own:
        return Finding(
            codes.BACKEND_AUTH,
            detail="the backend refuses the Authorization that the client sends, and opens without it",
            fix="send credentials that the application knows, or none",
        )
    return Finding(
        codes.BACKEND_AUTH,
        detail="nginx asks for a password and passes the client's Authorization on: the backend takes it for "
        "its own sign-in, and opens without it",
        fix='proxy_set_header Authorization ""; in this location: nginx has asked for the password already',
        change=header_change(route, route.upstream, "Authorization", '""'),
    )


def _line_in_force(facts: Facts, name: str) -> Optional[Directive]:
    upstream = facts.upstream
    return upstream.line(name.lower().encode()) if upstream is not None else None


def _sent_header(facts: Facts, backend: BackendFacts, name: str) -> List[Evidence]:
    """What nginx sends as a header, with the line that says so."""
    value = backend.sent.value(name) if backend.sent is not None else None
    upstream = facts.upstream
    line = _line_in_force(facts, name)
    words = f"nginx sends {name}: {value}" if value is not None else f"nginx sends no {name}"
    where = line or (upstream.directive if upstream is not None else None)
    return at(where, words)


def _mend_header(facts: Facts, backend: BackendFacts, finding: Finding, name: str) -> None:
    """The header with the value that opened, written as nginx's variables have it."""
    route, search, sent = facts.route, backend.search, backend.sent
    assert search is not None and search.opening is not None and sent is not None
    assert route is not None and route.upstream is not None
    value = search.opening.value(name)
    if finding.code == codes.HOST_HEADER_WRONG and name != "Host":
        other = f"nginx sends {sent.value(name)} there"
        finding.detail = f"the backend goes by {name}, and {other}, which is not the page's host"
    text = expression(facts, backend, name, value)
    if text is None:
        return
    finding.fix = f"proxy_set_header {name} {text}" if text else f"leave proxy_set_header {name} out"
    finding.change = header_change(route, route.upstream, name, text)


def expression(facts: Facts, backend: BackendFacts, name: str, value: Optional[str]) -> Optional[str]:
    """How nginx writes a value that opened the socket; "" for none at all, None where it cannot say it."""
    question, upstream = facts.question, facts.upstream
    if value is None:
        return ""
    address = backend.address
    port = address[1] if isinstance(address, tuple) else 0
    host = re.sub(r":\d+$", "", question.host_header)
    if name in ("X-Forwarded-Proto", "X-Forwarded-Scheme"):
        if value == ("https" if question.endpoint.tls else "http"):
            return "$scheme"
        given = any(key.lower() == name.lower() for key, _ in question.headers)
        return "$http_" + name.lower().replace("-", "_") if given else value
    if name == "X-Forwarded-Port":
        return "$server_port" if value == str(question.endpoint.port) else value if value.isdigit() else None
    if name == "Origin":
        return "$http_origin" if value == question.sent_origin else None
    if value == question.host_header:
        return "$http_host"
    if value == host:
        return "$host"
    if value == f"{host}:{port}":
        return f"$host:{port}"
    if upstream is not None and value == f"{upstream.host}:{upstream.port}" and upstream.block is None:
        return "$proxy_host"
    return value if re.match(r"^[A-Za-z0-9.:-]+$", value) else None


def _after_opening(backend: BackendFacts) -> int:
    """How many experiments were made after the one that opened."""
    assert backend.search is not None
    for index, (_, probe) in enumerate(reversed(backend.search.tried)):
        if probe is backend.search.opening_probe:
            return index
    return 0


def _path_code(facts: Facts, backend: BackendFacts) -> str:
    assert backend.search is not None and backend.search.opening is not None
    assert backend.sent is not None and backend.client is not None
    route = facts.route
    if route is not None and route.upstream is not None and rewrite_before(route, route.upstream) is not None:
        return codes.REWRITE_CHANGES_PATH
    opening, sent, client = backend.search.opening.path, backend.sent.path, backend.client.path
    if any(
        words == WITH_SLASH and probe is backend.search.opening_probe for words, probe in backend.search.tried
    ):
        return codes.PROXY_PASS_DOUBLE_SLASH
    if re.sub("/+", "/", sent) == opening:
        return codes.PROXY_PASS_DOUBLE_SLASH
    change = path_change(route, route.upstream, client) if route is not None and route.upstream else ""
    if opening == client or change == codes.PROXY_PASS_VARIABLE_URI:
        return change or codes.PROXY_PASS_STRIPS_PREFIX
    if sent.endswith(opening) or len(opening) < len(sent):
        return codes.PROXY_PASS_KEEPS_PREFIX
    return codes.PROXY_PASS_STRIPS_PREFIX
