"""The backend got the request and refused: because of what nginx made of it, or by itself."""

from __future__ import annotations

import re
from typing import List, Optional, Sequence

from ...behaviour.upgrade.request import handshake_header, path_change, rewrite_before
from ...exchange.result import Probe
from ..asking import elsewhere
from ..cures.changes import header_change, header_line
from ..evidence.facts import BackendFacts, Facts
from ..evidence.host_state import master_of
from ..experiments.search import WITH_SLASH
from ..words.findings import Evidence, Finding
from ..words.suspect import HEADER_FAULTS, Suspect, at, finding_of, with_those_behind, words_of

HOP_CODES = (
    *HEADER_FAULTS,
    "outer-proxy-strips-upgrade",
    "upgrade-hardcoded-no-tunnel",
    "wrong-location",
    "shadowed-by-prefix-caret",
    "regex-shadows-prefix",
    "regex-order",
    "rewrite-relocates",
    "default-server-captured",
    "duplicate-server-name",
    "listen-address-captured",
    "ws-missing-in-tls-server",
    "not-included-file",
)
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
TO_HTTPS_PORT = "plain HTTP request was sent to HTTPS port"
BY_PROPERTY = {
    "method": "method-changed",
    "version": "http10-upstream",
    "Sec-WebSocket-Key": "request-headers-not-passed",
    "Sec-WebSocket-Version": "request-headers-not-passed",
    "hosts": "duplicate-host-header",
    "Host": "host-header-wrong",
    "query": "query-string-lost",
    "X-Forwarded-For": "backend-untrusted-proxy",
    "X-Forwarded-Host": "host-header-wrong",
    "X-Forwarded-Server": "host-header-wrong",
    "X-Original-Host": "host-header-wrong",
    "X-Forwarded-Port": "host-header-wrong",
    "X-Forwarded-Scheme": "forwarded-proto-missing",
    "Forwarded": "host-header-wrong",
    "X-Forwarded-Proto": "forwarded-proto-missing",
    "Origin": "origin-rejected",
    "Sec-WebSocket-Protocol": "subprotocol-stripped",
}


def said(words: str, probe: Probe) -> Evidence:
    """A direct answer as evidence."""
    if probe.opened:
        closed = f", and closes after {probe.closed_after:.1f} s" if probe.closed_after is not None else ""
        text = f"101, the WebSocket opens{closed}"
    elif probe.status is not None:
        body = " ".join(probe.body.split())[:100]
        text = f"{probe.status} {probe.reason}" + (f" ({body})" if body else "")
    else:
        text = probe.error
    return Evidence("probe", f"{words}: {text}")


# ---------------------------------------------------------------------------------------- the backend refuses


def refused_by_backend(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """The backend got the request and refused: because of what nginx made of it, or by itself."""
    certain = [suspect.finding for suspect in suspects if suspect.certain]
    cached = next((suspect.finding for suspect in suspects if suspect.code == "cache"), None)
    opens = [b.search.as_sent for b in facts.backends if b.search is not None and b.search.as_sent.opened]
    if cached is not None and opens and opens[0].closed_after is None and probe.status != 101:
        cached.evidence.append(said("nginx's own request, sent to the backend directly", opens[0]))
        return [cached]
    for backend in facts.backends:
        if backend.session is not None and backend.session.opened and _session_lost(facts):
            return [_not_sticky(facts, suspects, backend)]
        if backend.search is None or backend.search.opening is None:
            continue
        found: List[Finding] = []
        for name in backend.search.fatal:
            # The lines for Upgrade and Connection bring HTTP/1.1 with them, and behind another fault than
            # theirs (another location, another server) everything else differs as well.
            if found and (name == "version" or found[0].code not in HEADER_FAULTS):
                continue
            finding = _for_property(facts, suspects, backend, name)
            if finding is not None and all(finding.code != other.code for other in found):
                found.append(finding)
        if found:
            behind = with_those_behind([found[0], *certain])[1:] if found[0] in certain else []
            return found + [item for item in behind if all(item.code != other.code for other in found)]
    better = _other_location(facts)
    if better is not None:
        for finding in [finding for finding in certain if finding.code in HEADER_FAULTS][:1]:
            better.evidence += finding.evidence
        return [better]
    if certain:
        own = [finding for finding in _own_refusal(facts, probe) if finding.code not in ("backend-error",)]
        confirmed = any(
            backend.search is not None and not is_this_nginx(facts, backend) for backend in facts.backends
        )
        return with_those_behind(certain) + (own if confirmed else [])
    passing = [suspect.finding for suspect in suspects if suspect.code == "wrong-pass-directive"]
    return passing or _own_refusal(facts, probe)


def _other_location(facts: Facts) -> Optional[Finding]:
    """No request opens at this backend, and it opens at another one to which this configuration leads."""
    named = elsewhere.named_ports(facts.configuration)
    for backend in facts.backends:
        if backend.other_port is None or backend.other_port[0].port not in named:
            continue
        if backend.search is None or is_this_nginx(facts, backend):
            continue
        listener, answer = backend.other_port
        evidence = [
            said(f"a right handshake, sent to {backend.server}", _right(backend)),
            said(f"and to port {listener.port}, to which this configuration leads as well", answer),
        ]
        place = elsewhere.leading_to(facts.configuration, listener.port)
        where = at(place, f"{words_of(place)} leads there") if place is not None else []
        return Finding(
            "wrong-location",
            evidence=[*where, *evidence],
            detail=f"the location that answers passes this path to {backend.server}, which opens no "
            f"WebSocket; port {listener.port} does, to which another one leads",
            fix=f"a location for this path with proxy_pass to port {listener.port} and the upgrade headers",
        )
    return None


def _right(backend: BackendFacts) -> Probe:
    """The answer to a right handshake, else to nginx's own request."""
    assert backend.search is not None
    tried = backend.search.tried
    return next(
        (probe for words, probe in tried if words == "with a right handshake"), backend.search.as_sent
    )


def is_this_nginx(facts: Facts, backend: BackendFacts) -> bool:
    """Whether nginx passes on to itself: then its answer there follows from the same configuration."""
    master = facts.nginx.master if facts.nginx is not None else None
    return master is not None and any(
        master_of(listener, [master]) is not None for listener in backend.listeners
    )


def _session_lost(facts: Facts) -> bool:
    """Whether a session that was opened by polling was unknown when it was upgraded."""
    return bool(facts.session) and not facts.session[-1].opened


def _not_sticky(facts: Facts, suspects: Sequence[Suspect], backend: BackendFacts) -> Finding:
    known = next(
        (suspect.finding.evidence for suspect in suspects if suspect.code == "no-sticky-session"), []
    )
    answer = facts.session[-1]
    return Finding(
        "no-sticky-session",
        evidence=[
            *known,
            said("a session opened by polling through nginx, then upgraded through nginx", answer),
            said(f"the same straight to {backend.server}", backend.session or answer),
        ],
    )


def _for_property(
    facts: Facts, suspects: Sequence[Suspect], backend: BackendFacts, name: str
) -> Optional[Finding]:
    """The finding for a property of nginx's request that breaks it."""
    search = backend.search
    assert search is not None and search.opening is not None and search.opening_probe is not None
    sent = backend.sent
    evidence = [
        said(f"nginx's own request, sent to {backend.server}", search.as_sent),
        said(f"the same, {search.tried[-1 - _after_opening(backend)][0]}", search.opening_probe),
    ]
    certain = {suspect.code: suspect.finding for suspect in suspects if suspect.certain}
    code = BY_PROPERTY.get(name, "")
    if name in ("Upgrade", "Connection"):
        known = next((certain[code] for code in certain if code in HOP_CODES), None)
        if known is None:
            known = next((finding for finding in certain.values()), None)
        code = "no-upgrade-header" if name == "Upgrade" else "connection-header-wrong"
        finding = known or Finding(code)
        finding.evidence = finding.evidence + evidence
        return finding
    if name == "path":
        code = _path_code(facts, backend)
    elif not code:
        code = "header-underscore-dropped" if "_" in name else ""
    if not code:
        return None
    known = next((suspect.finding for suspect in suspects if suspect.code == code), None)
    value = sent.value(name) if sent is not None and name[0].isupper() else None
    finding = known or Finding(code)
    if name in NAMED:
        evidence += _sent_header(facts, name, value)
        _mend_header(facts, backend, finding, name)
    if code == "request-headers-not-passed":
        upstream = facts.route.upstream if facts.route is not None else None
        line = header_line(upstream, name.lower().encode()) if upstream is not None else None
        finding = finding_of(handshake_header(name, line)) if line is not None else finding
    finding.evidence = finding.evidence + evidence
    return finding


def _sent_header(facts: Facts, name: str, value: Optional[str]) -> List[Evidence]:
    """What nginx sends as a header, with the line that says so."""
    upstream = facts.route.upstream if facts.route is not None else None
    line = header_line(upstream, name.lower().encode()) if upstream is not None else None
    words = f"nginx sends {name}: {value}" if value is not None else f"nginx sends no {name}"
    where = line or (upstream.directive if upstream is not None else None)
    return at(where, words)


def _mend_header(facts: Facts, backend: BackendFacts, finding: Finding, name: str) -> None:
    """The header with the value that opened, written as nginx's variables have it."""
    route = facts.route
    if backend.search is None or backend.search.opening is None or route is None or route.upstream is None:
        return
    value = backend.search.opening.value(name)
    if finding.code == "host-header-wrong" and name != "Host":
        sent = backend.sent.value(name) if backend.sent is not None else ""
        finding.detail = (
            f"the backend goes by {name}, and nginx sends {sent} there, which is not the page's host"
        )
    text = expression(facts, backend, name, value)
    if text is None:
        return
    finding.fix = f"proxy_set_header {name} {text}" if text else f"leave proxy_set_header {name} out"
    finding.change = header_change(route, route.upstream, name, text)


def expression(facts: Facts, backend: BackendFacts, name: str, value: Optional[str]) -> Optional[str]:
    """How nginx writes a value that opened the socket; "" for none at all, None where it cannot say it."""
    question, upstream = facts.question, facts.route.upstream if facts.route is not None else None
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
        return "rewrite-changes-path"
    opening, sent, client = backend.search.opening.path, backend.sent.path, backend.client.path
    if any(
        words == WITH_SLASH and probe is backend.search.opening_probe for words, probe in backend.search.tried
    ):
        return "proxy-pass-double-slash"
    if opening == client and route is not None and route.upstream is not None:
        return path_change(route, route.upstream, client) or "proxy-pass-strips-prefix"
    if sent.endswith(opening) or len(opening) < len(sent):
        return "proxy-pass-keeps-prefix"
    return "proxy-pass-strips-prefix"


def _own_refusal(facts: Facts, probe: Probe) -> List[Finding]:
    """No request that nginx could send opens: the backend itself."""
    if not facts.backends:
        return []
    backend = facts.backends[0]
    other_port = next((item.other_port for item in facts.backends if item.other_port is not None), None)
    direct = backend.search.as_sent if backend.search is not None else backend.plain
    tried = backend.search.tried if backend.search is not None else []
    asked = next((answer for words, answer in tried if words == "with a right handshake"), direct)
    if asked is None:
        return []
    if asked.opened and asked.closed_after is None:
        return []  # It opens when it is asked directly: the backend is not what refuses.
    evidence = [said(f"a right handshake, sent to {backend.server}", asked)]
    evidence += [
        Evidence("process", f"{item.address}:{item.port}: {item.describe()}")
        for item in backend.listeners[:2]
    ]
    other = backend.other_scheme
    if other is not None and (other.opened or TO_HTTPS_PORT in asked.body):
        return [Finding("upstream-scheme-mismatch", evidence=[*evidence, said("in the other scheme", other)])]
    if other_port is not None:
        listener, answer = other_port
        evidence.append(said(f"port {listener.port} of this host ({listener.describe()})", answer))
        return [
            Finding(
                "wrong-backend",
                evidence=evidence,
                detail=(
                    f"another application answers at {backend.server}; the WebSocket opens on port "
                    f"{listener.port}"
                ),
                fix=f"proxy_pass to port {listener.port}",
            )
        ]
    if asked.closed_after is not None:
        return [Finding("backend-closed", evidence=evidence)]
    status = asked.status or probe.status or 0
    if status in (401, 407):
        return [Finding("backend-auth", evidence=evidence)]
    if status == 403:
        return [
            Finding(
                "backend-auth",
                evidence=evidence,
                detail=(
                    "the backend refuses the handshake (403), whatever the Host and Origin: a token or "
                    "cookie is missing, "
                    "or the application has no WebSocket on this path"
                ),
            )
        ]
    if status >= 500:
        return [Finding("backend-error", evidence=evidence, detail=f"the backend answers {status} by itself")]
    if status in (301, 302, 303, 307, 308):
        return [
            Finding(
                "backend-error",
                evidence=evidence,
                detail=(f"the backend itself redirects ({status} to {asked.header('Location')})"),
            )
        ]
    plain = backend.plain
    if 200 <= status < 300 and plain is not None and plain.status == status:
        evidence.append(said("an ordinary request there", plain))
        return [
            Finding(
                "backend-no-websocket",
                evidence=evidence,
                detail=(
                    "the backend answers the handshake like any other request: it ignores upgrades, or "
                    "it is another "
                    "application"
                ),
            )
        ]
    return [Finding("backend-no-websocket", evidence=evidence)]
