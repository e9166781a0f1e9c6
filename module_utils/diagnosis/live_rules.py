"""From what the probes, the log and the host showed to the cause.

The hops are walked in the client's order: name, connection, TLS, nginx's own answer, the request to the backend,
the backend, the open socket.  The first that explains the failure is the cause.
"""

from __future__ import annotations

from typing import Callable, List, Optional, Sequence

from ..websocket.result import Probe
from . import backend_rules, config_rules
from .capacity import socket_limits
from .facts import Facts, Hop
from .findings import Evidence, Finding
from .observe import certificate_fault
from .static_rules import Suspect
from .timing import read_timeout
from .way import told

CONNECT_KINDS = ("dns", "connect-refused", "connect-timeout", "connect-failed")
NGINX_PAGES = ("<center>nginx", "<center>openresty", "<center>tengine", "<center>angie", "<center>freenginx")


def causes(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The cause first, then whatever else would keep it from opening; empty when none is known."""
    hop = facts.main_hop
    if hop is not None and hop.opened:
        return _after_open(facts, suspects)
    for step in STEPS:
        found = step(facts, suspects, hop)
        if found:
            for finding in found:
                finding.is_cause = True
            if hop is not None and not any(item.kind == "probe" for item in found[0].evidence):
                found[0].evidence.append(told(hop))
            return found
    return []


# ---------------------------------------------------------------------------------------- nginx and its port


def _configuration(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    finding = config_rules.refused(facts)
    if finding is None:
        return []
    running = facts.nginx is not None and facts.nginx.master is not None
    words = (
        "nginx goes on with the configuration that it loaded before"
        if running
        else "nginx does not start with it"
    )
    finding.evidence.append(Evidence("process", words))
    return [finding]


def _running(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    if facts.owner is not None and not facts.owner_is_nginx:
        return [
            Finding(
                "other-process-on-port",
                evidence=[
                    Evidence(
                        "process",
                        f"port {facts.owner.port} on {facts.owner.address}: {facts.owner.describe()}",
                    )
                ],
            )
        ]
    if facts.nginx is None or facts.nginx.master is None:
        return [
            Finding(
                "nginx-not-running", evidence=[Evidence("process", facts.nginx_choice or "no nginx master")]
            )
        ]
    return []


def _connection(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    if hop is None or hop.probe.error_kind not in CONNECT_KINDS:
        return []
    if hop.probe.error_kind == "dns":
        return [Finding("name-not-resolved", evidence=[told(hop)])]
    static = _certain(suspects, ("listen-ipv6-missing", "port-not-listening"))
    if static:
        stale = _stale(facts) if facts.newer_files else []
        return stale or static
    address = facts.route.request.local_address()[0] if facts.route is not None else ""
    if hop.probe.error_kind == "connect-refused":
        stale = _stale(facts)
        if stale:
            return stale
        if ":" in address and facts.listeners:
            return [Finding("listen-ipv6-missing", evidence=[told(hop)])]
        return [Finding("port-not-listening", evidence=[told(hop)])]
    evidence = [told(hop)] + [Evidence("firewall", line) for line in facts.firewall]
    return [Finding("address-unreachable", evidence=evidence)]


# ---------------------------------------------------------------------------------------- TLS and protocol


def _tls(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    if hop is None or hop.probe.error_kind != "tls":
        return []
    problem = str(hop.probe.tls.get("verify_error", ""))
    if problem:
        return [certificate_finding(facts, hop, problem)]
    static = _certain(suspects, ("tls-not-enabled",))
    if static:
        return static
    if "does not speak TLS" in hop.probe.error:
        return _stale(facts) or [Finding("tls-not-enabled", evidence=[told(hop)])]
    return [Finding("tls-handshake-failed", evidence=[told(hop)])]


def certificate_finding(facts: Facts, hop: Hop, problem: str) -> Finding:
    """The finding for a certificate that does not verify."""
    tls = hop.probe.tls
    problem = certificate_fault(hop.probe, facts.question.url) or problem
    shown = ", ".join(
        f"{key} {tls[key]}" for key in ("subject", "issuer", "names", "not_after") if tls.get(key)
    )
    return Finding(
        "cert-invalid",
        evidence=[told(hop), Evidence("probe", f"certificate: {problem}; {shown}")],
        detail=f"the certificate is not valid: {problem}; clients give up without asking",
    )


def _protocol(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    alpn = facts.hop("alpn")
    if alpn is not None and not alpn.probe.opened and alpn.probe.tls.get("alpn") == "h2":
        return [Finding("http2-only", evidence=[told(alpn)])]
    if hop is None:
        return []
    kind = hop.probe.error_kind
    if kind == "not-http":
        static = _certain(suspects, ("h2c-on-plain-port", "http2-only"))
        if static:
            return static
        if "HTTP/2" in hop.probe.error:
            return [Finding("h2c-on-plain-port", evidence=[told(hop)])]
        return []
    if kind != "closed-without-answer":
        return []
    proxied = facts.hop("with PROXY")
    line = facts.logged("proxy-protocol-mismatch")
    # A server that does not expect the line takes it for a bad request.
    helped = proxied is not None and (proxied.probe.opened or proxied.probe.status not in (None, 400))
    if line is not None or helped:
        evidence = [line.evidence()] if line is not None else []
        evidence += [told(proxied)] if proxied is not None else []
        static_evidence = next(
            (s.finding.evidence for s in suspects if s.code == "proxy-protocol-mismatch"), []
        )
        return [Finding("proxy-protocol-mismatch", evidence=[*static_evidence, *evidence])]
    for code in ("worker-connections", "open-file-limit"):
        line = facts.logged(code)
        if line is not None:
            return [Finding(code, evidence=[line.evidence()])]
    return _certain(
        suspects,
        (
            "return-status",
            "default-server-captured",
            "duplicate-server-name",
            "listen-address-captured",
            "wrong-location",
            "regex-order",
            "regex-shadows-prefix",
        ),
    )


# ---------------------------------------------------------------------------------------- the answer


def answered_by(facts: Facts, probe: Probe) -> str:
    """Who made the answer: "nginx" or "backend".

    nginx writes its own Server over a backend's, so the header does not tell; the same request asked directly does.
    """
    for backend in facts.backends:
        direct = backend.search.as_sent if backend.search is not None else backend.plain
        if direct is not None and direct.status == probe.status and direct.body == probe.body:
            return "backend"
    if any(mark in probe.body for mark in NGINX_PAGES):
        return "nginx"
    route = facts.route
    if route is None:
        return "nginx" if not probe.body else "backend"
    if route.answer.kind in ("proxy", "pass", "handler", "undecided"):
        return "backend"
    return "nginx"


def _answer(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    if hop is None or hop.probe.status is None or hop.probe.status == 101:
        return []
    probe = hop.probe
    hidden = _hidden_refusal(facts, suspects, probe)
    if hidden:
        return hidden
    if answered_by(facts, probe) == "nginx":
        return _by_nginx(facts, suspects, hop)
    if _contradicts(facts, suspects, from_backend=True):
        stale = _stale(facts)
        if stale:
            return stale
    return backend_rules.refused_by_backend(facts, suspects, probe)


def _contradicts(facts: Facts, suspects: Sequence[Suspect], from_backend: bool) -> bool:
    """Whether the backend's answer cannot come from the configuration on disk."""
    route = facts.route
    if route is None:
        return False
    if route.answer.kind not in ("proxy", "pass", "handler", "undecided"):
        return from_backend
    if any(suspect.certain for suspect in suspects):
        return False
    # What disk would send opens when it is sent directly: then something else was sent.
    return any(
        backend.search is not None
        and backend.search.as_sent.opened
        and backend.search.as_sent.closed_after is None
        for backend in facts.backends
    )


def _stale(facts: Facts) -> List[Finding]:
    """The workers run another configuration than the one on disk: why."""
    if not facts.newer_files:
        return []
    newest = facts.newer_files[0]
    evidence = [
        Evidence(
            "file",
            f"{item.path} changed {item.changed - facts.workers_started:.0f} s after the workers started",
            item.path,
            0,
        )
        for item in facts.newer_files[:3]
    ]
    reasons = [line for line in facts.emergencies if line.time >= int(newest.changed) - 1]
    if reasons:
        return [Finding("reload-failed", evidence=[line.evidence() for line in reasons[:3]] + evidence)]
    return [Finding("stale-config-not-reloaded", evidence=evidence)]


def _by_nginx(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """nginx made the answer itself: which directive, or which failure of the way to the backend."""
    probe, status = hop.probe, hop.probe.status
    text = probe.body
    if status == 400 and "plain HTTP request was sent to HTTPS port" in text:
        return _certain(suspects, ("plain-http-to-tls-port",)) or [
            Finding("plain-http-to-tls-port", evidence=[told(hop)])
        ]
    if status in (400, 414, 431, 494) and ("Header Or Cookie Too Large" in text or status in (414, 431, 494)):
        return [Finding("request-header-too-large", evidence=[told(hop)])]
    if status in (502, 504):
        # Not the configuration's own answer: the way to the backend broke.
        found = backend_rules.unreachable_backend(facts, suspects, probe)
        if found:
            return found
    line = next(
        (line for line in facts.log if line.code in ("limit-req", "limit-conn", "auth-request")), None
    )
    if line is not None and status not in (200, 301, 302, 303, 307, 308, 404):
        return [Finding(line.code, evidence=[*_evidence(suspects, line.code), line.evidence()])]
    for suspect in suspects:
        if status in suspect.answers and (suspect.certain or _supported(facts, suspect)):
            return [suspect.finding]
    certain = [suspect.finding for suspect in suspects if suspect.certain and not suspect.answers]
    stale = _stale(facts)
    if stale:
        return stale
    if facts.route is not None and facts.route.answer.kind == "proxy" and not certain:
        return backend_rules.by_status_of_nginx(facts, suspects, hop.probe)
    return certain or [suspect.finding for suspect in suspects if suspect.certain][:1]


def _supported(facts: Facts, suspect: Suspect) -> bool:
    """Whether the log or the nature of the rule confirms a suspect that the configuration leaves open."""
    if suspect.code in ("access-denied", "method-not-allowed"):
        return facts.logged("access-denied") is not None or not facts.log_readable
    return (
        suspect.code in ("auth-request", "auth-basic")
        or facts.logged(suspect.code) is not None
        or (suspect.code not in ("undecided", "cache", "error-page-intercept"))
    )


def _evidence(suspects: Sequence[Suspect], code: str) -> List[Evidence]:
    return next((suspect.finding.evidence for suspect in suspects if suspect.code == code), [])


def _hidden_refusal(facts: Facts, suspects: Sequence[Suspect], probe: Probe) -> List[Finding]:
    """``proxy_intercept_errors``: the client sees a page, the backend said something else."""
    suspect = next((suspect for suspect in suspects if suspect.code == "error-page-intercept"), None)
    if suspect is None:
        return []
    for backend in facts.backends:
        direct = backend.search.as_sent if backend.search is not None else None
        if (
            direct is not None
            and direct.status is not None
            and direct.status >= 300
            and (direct.status, direct.body) != (probe.status, probe.body)
        ):
            own = backend_rules.refused_by_backend(facts, suspects, direct)
            evidence = [
                *suspect.finding.evidence,
                Evidence("probe", f"the backend itself, asked the same: {direct.status} {direct.reason}"),
            ]
            return [Finding("error-page-intercept", evidence=evidence), *own]
    return []


def _hanging(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    if hop is None or hop.probe.error_kind != "answer-timeout":
        return []
    certain = _certain(suspects)
    if certain:
        return certain
    line = facts.logged("open-file-limit")
    if line is not None:
        return [Finding("open-file-limit", evidence=[line.evidence()])]
    return backend_rules.unreachable_backend(facts, suspects, hop.probe)


def _handshake(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """A 101 that a client refuses, or a socket that ended while it was looked at."""
    if hop is None or hop.probe.status != 101:
        return []
    if hop.probe.error_kind == "bad-handshake":
        codes = ("response-header-hidden", "subprotocol-stripped", "upgrade-hardcoded-no-tunnel")
        return _certain(suspects, codes) or backend_rules.refused_by_backend(facts, suspects, hop.probe)
    if hop.probe.closed_after is not None:
        return _closed(facts, suspects, hop)
    return []


def _closed(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """An open socket was closed by the other side."""
    certain = _certain(suspects)
    if certain:
        return certain
    after = hop.probe.closed_after or 0.0
    timeout = read_timeout(facts.route)
    direct = [
        backend.held or (backend.search.as_sent if backend.search is not None else None)
        for backend in facts.backends
    ]
    stays = any(probe is not None and probe.opened and probe.closed_after is None for probe in direct)
    closes = any(probe is not None and probe.closed_after is not None for probe in direct)
    if timeout is not None and abs(after - timeout) < max(0.7, timeout * 0.02) and not closes:
        return [timeout_finding(facts, timeout, [told(hop)])]
    if any(backend.search is not None and backend.search.fatal for backend in facts.backends):
        return backend_rules.refused_by_backend(facts, suspects, hop.probe)
    if closes or not stays:
        code = f" with close code {hop.probe.close_code}" if hop.probe.close_code else ""
        return [
            Finding(
                "backend-closed",
                evidence=[
                    told(hop),
                    Evidence(
                        "probe",
                        "asked directly, the backend closes as well"
                        if closes
                        else "the backend could not be compared",
                    ),
                ],
                detail=f"the backend closes the socket {after:.1f} s after opening it{code}",
            )
        ]
    return []


def timeout_finding(facts: Facts, timeout: float, evidence: List[Evidence]) -> Finding:
    """The finding for a proxy_read_timeout that is too short."""
    effective = facts.route.effective.get("proxy_read_timeout") if facts.route is not None else None
    if effective is not None:
        directive = effective.directive
        words = f"proxy_read_timeout is {effective.value} ({'set here' if directive else effective.source})"
        evidence.insert(
            0,
            Evidence(
                "configuration",
                words,
                directive.file if directive else "",
                directive.line if directive else 0,
            ),
        )
    return Finding(
        "timeout-short",
        evidence=evidence,
        detail=f"nginx closes the socket after {timeout:g} s of silence (proxy_read_timeout)",
    )


# ---------------------------------------------------------------------------------------- it opens, but


def _after_open(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """One socket opens.  Does a second, does it last, does the client get what it needs?"""
    found: List[Finding] = []
    found += _protocol(facts, suspects, None)
    found += _refused_together(facts)
    held = facts.hop("held")
    if held is not None and held.probe.closed_after is not None:
        found += _closed(facts, [], held)
    timeout = read_timeout(facts.route)
    if timeout is not None and facts.question.ping_interval > timeout:
        found.append(
            timeout_finding(
                facts,
                timeout,
                [
                    Evidence(
                        "probe", f"the application is silent for up to {facts.question.ping_interval:g} s"
                    )
                ],
            )
        )
    front = facts.hop("public")
    local = facts.hop("loopback")
    reached = front is not None and front.probe.error_kind not in CONNECT_KINDS
    if front is not None and reached and local is not None and local.opened and not front.opened:
        found.append(Finding("front-differs", evidence=[told(local), told(front)]))
    for finding in found:
        finding.is_cause = True
    return found


def _refused_together(facts: Facts) -> List[Finding]:
    """Of several sockets at a time some were refused: by which limit?"""
    refused = [probe for probe in facts.many if not probe.opened]
    if not refused:
        return []
    opened = len(facts.many) - len(refused)
    limits = socket_limits(facts)
    codes = [line.code for line in facts.log]
    if "upstream-marked-down" in codes and any(limit.code == "upstream-max-conns" for limit in limits):
        codes.insert(0, "upstream-max-conns")
    known = {limit.code: limit for limit in limits}
    code = next((code for code in codes if code in known), "")
    if not code and limits and limits[0].sockets <= len(facts.many):
        code = limits[0].code
    if not code:
        return []
    limit = known[code]
    line = facts.logged("upstream-marked-down" if code == "upstream-max-conns" else code)
    directive = limit.directive
    evidence = [
        Evidence(
            "configuration",
            limit.words,
            directive.file if directive else "",
            directive.line if directive else 0,
        ),
        Evidence(
            "probe",
            f"of {len(facts.many)} sockets opened together {opened} opened, the others got "
            + _outcome(refused[0]),
        ),
    ]
    return [Finding(code, evidence=evidence + ([line.evidence()] if line is not None else []))]


def _outcome(probe: Probe) -> str:
    return f"{probe.status} {probe.reason}" if probe.status is not None else probe.error


def _certain(suspects: Sequence[Suspect], codes: Sequence[str] = ()) -> List[Finding]:
    """The first suspect that is certain (and has one of the codes)."""
    for suspect in suspects:
        if suspect.certain and (not codes or suspect.code in codes):
            return [suspect.finding]
    return []


Step = Callable[[Facts, Sequence[Suspect], Optional[Hop]], List[Finding]]
STEPS: Sequence[Step] = (
    _configuration,
    _running,
    _connection,
    _tls,
    _protocol,
    _answer,
    _hanging,
    _handshake,
)


def unreached(facts: Facts) -> List[Finding]:
    """Ways to this host that nobody could walk: never a cause while nginx itself opens the socket."""
    found: List[Finding] = []
    hop, public, other = facts.main_hop, facts.hop("public"), facts.hop("other address")
    if hop is None or not hop.opened:
        return found
    if public is not None and public.probe.error_kind in CONNECT_KINDS:
        code = "name-not-resolved" if public.probe.error_kind == "dns" else "address-unreachable"
        found.append(
            Finding(
                code,
                weight=97,
                evidence=[told(public), told(hop)],
                detail=(
                    "nginx on this host opens the socket, but this host does not reach the name's address: a firewall, a wrong "
                    "record, or a router that does not turn a host's own traffic back to it"
                ),
                fix="ask from outside; -e address=IP asks nginx on this host alone",
            )
        )
    if other is not None and other.probe.error_kind == "connect-refused" and "[" in other.probe.error:
        found.append(Finding("listen-ipv6-missing", weight=80, evidence=[told(other)]))
    return found


def disagreement(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """What nginx does is not what the files lead to, and nothing that was looked at says why."""
    hop = facts.main_hop
    if hop is None or facts.route is None or facts.nginx is None or facts.nginx.master is None:
        return []
    predicted = next((suspect for suspect in suspects if suspect.certain and suspect.answers), None)
    if hop.opened and predicted is not None:
        words = f"by the files it should be {predicted.code}"
    elif (
        hop.probe.status is not None
        and not hop.opened
        and _contradicts(facts, suspects, answered_by(facts, hop.probe) == "backend")
    ):
        words = "by the files the handshake should open"
    else:
        return []
    return [
        Finding("static-live-disagree", weight=95, evidence=[told(hop), Evidence("configuration", words)])
    ]
