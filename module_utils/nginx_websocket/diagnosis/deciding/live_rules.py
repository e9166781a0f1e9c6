"""From what the probes, the log and the host showed to the cause.

The hops are walked in the client's order: name, connection, TLS, nginx's own answer, the request to the
backend,
the backend, the open socket.  The first that explains the failure is the cause.
"""

from __future__ import annotations

import os
from typing import Callable, List, Optional, Sequence

from ...behaviour.request import guessed_host
from ...behaviour.route import index_of
from ...behaviour.server.names import server_names
from ...behaviour.upgrade.obstacle import is_ip
from ...exchange.result import Probe
from ...host.listeners import Listener
from ..access import client_differences
from ..backend import refusals
from ..capacity.open_socket import (
    CONNECT_KINDS,
    after_open,
    alpn_refused,
    certain_cause,
    closed,
    front_differs,
)
from ..evidence.errorlog import LogLine
from ..evidence.facts import Facts, Hop
from ..evidence.way import told
from ..location import error_pages
from ..reach import no_answer
from ..reload import refused_tree
from ..reload.stale import other_upstream, stale
from ..tls.issuer import certificate_fault
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, at, words_of

PLAIN_ANSWERS = ("return-status", "location-without-handler", "try_files-spa-fallback")
NGINX_PAGES = ("<center>nginx", "<center>openresty", "<center>tengine", "<center>angie", "<center>freenginx")

# ngx_http_special_response.c, for 495 and 496, which clients see as 400.
NO_CLIENT_CERTIFICATE = ("No required SSL certificate was sent", "The SSL certificate error")


def causes(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The cause first, then whatever else would keep it from opening; empty when none is known."""
    hop = facts.main_hop
    differing = client_differences.clients_differ(facts)
    if differing:
        return differing
    if hop is not None and hop.opened:
        return after_open(facts, suspects)
    if front_differs(facts):
        # Nothing of this host explains it: here it opens.
        return front_differs(facts) + after_open(facts, suspects)
    for step in STEPS:
        found = step(facts, suspects, hop)
        if found:
            for finding in found:
                finding.is_cause = True
            if hop is not None and not any(item.kind == "probe" for item in found[0].evidence):
                found[0].evidence.append(told(hop))
            return found
    return _page_refused(facts, hop)


def _page_refused(facts: Facts, hop: Optional[Hop]) -> List[Finding]:
    """A client without Origin gets in, and a page of this very site does not, whoever may say so."""
    bare = facts.hop("no origin")
    if hop is None or bare is None or not bare.opened:
        return []
    return [
        Finding(
            "origin-rejected",
            is_cause=True,
            evidence=[told(hop), told(bare)],
            detail=f"a page of this very site (Origin {facts.question.sent_origin}) is refused, and a client "
            "without Origin gets in",
            fix="allow the Origin of the page that opens the socket; if that is a page of another site, "
            "ask again with its own: -e origin=https://...",
        )
    ]


# ---------------------------------------------------------------------------------------- nginx and its port


def _configuration(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    finding = refused_tree.refused(facts)
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
    unseen = facts.owner is not None and facts.owner.pid is None
    if unseen and os.geteuid() != 0:
        facts.notes.append("without root nobody can see which process holds the port")
    elif facts.owner is not None and not facts.owner_is_nginx and _contained(facts.owner):
        return [_in_container(facts, facts.owner)]
    elif facts.owner is not None and not facts.owner_is_nginx:
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


def _contained(owner: Listener) -> bool:
    """Whether a port is published by a container, or held in another namespace."""
    return owner.pid is None or owner.origin == "container" or owner.exe.endswith("docker-proxy")


def _in_container(facts: Facts, owner: Listener) -> Finding:
    port = facts.question.endpoint.port
    words = f"port {owner.port} on {owner.address}: {owner.describe()}"
    return Finding(
        "other-process-on-port",
        evidence=[Evidence("process", words)],
        detail=f"port {port} belongs to a container: the nginx that answers runs there, with its own files",
        fix=f"see which one publishes it (docker ps --filter publish={port}) and look at its nginx "
        "(docker exec NAME nginx -T, which -e dump=FILE reads)",
    )


def _connection(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    if hop is None or hop.probe.error_kind not in CONNECT_KINDS:
        return []
    if hop.probe.error_kind == "dns":
        return [Finding("name-not-resolved", evidence=[told(hop)])]
    static = certain_cause(suspects, ("listen-ipv6-missing", "port-not-listening"))
    if static:
        return stale(facts) or static
    address = facts.route.request.local_address()[0] if facts.route is not None else ""
    if hop.probe.error_kind == "connect-refused":
        old = stale(facts)
        if old:
            return old
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
    if problem and facts.question.verify:
        certificate = certificate_finding(facts, hop, problem)
        other = _other_site(facts, suspects) if "it is for " in certificate.detail else []
        return [*other, certificate]
    # nginx takes the client's hello for the line that it waits for, and hangs up.
    asked = [suspect.finding for suspect in suspects if suspect.code == "proxy-protocol-mismatch"]
    mismatch = _proxy_line(facts, suspects) or asked[:1]
    if mismatch:
        return mismatch
    static = certain_cause(suspects, ("tls-not-enabled",))
    if static:
        _name_tls_port(facts, static[0])
        return static
    if "does not speak TLS" in hop.probe.error:
        return stale(facts) or [Finding("tls-not-enabled", evidence=[told(hop)])]
    return [Finding("tls-handshake-failed", evidence=[told(hop)])]


def _name_tls_port(facts: Facts, finding: Finding) -> None:
    """Where the same name is served with TLS on another port, that is the port to open."""
    route, endpoint = facts.route, facts.question.endpoint
    if route is None:
        return
    name = endpoint.host.lower().encode()
    for group in index_of(route.configuration).groups:
        if group.ssl and any(name in map(bytes.lower, server_names(server)) for server in group.servers):
            port = group.address.port
            url = f"wss://{endpoint.host}" + ("" if port == 443 else f":{port}")
            finding.detail = (
                f"the client speaks TLS to port {endpoint.port}, and this name has TLS on port {port}"
            )
            finding.fix = f"open {url} in the client; port {endpoint.port} must stay plain"
            return


def _other_site(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The certificate is another site's because another site answers: that comes first."""
    elsewhere = (
        "not-included-file",
        "default-server-captured",
        "duplicate-server-name",
        "listen-address-captured",
    )
    found = certain_cause(suspects, elsewhere)
    return found or ([not_served(facts)] if stranger(facts) else [])


def unserved(facts: Facts) -> bool:
    """Whether another site answers in the place of the one that is asked for, and not by passing it on."""
    route = facts.route
    passed = ("proxy", "pass", "redirect", "undecided")
    return route is not None and route.answer.kind not in passed and stranger(facts)


def stranger(facts: Facts) -> bool:
    """Whether no server has the name, and the one that answers in its place is no catch-all by intent.

    A server without a real name beside no other is meant for every name.
    """
    route = facts.route
    if route is None or route.server is None or route.server_match is None:
        return False
    name = guessed_host(route.request, route.version).decode("utf-8", "replace")
    if route.server_match.how != "default" or not name or is_ip(name.strip("[]")) or name == "localhost":
        return False
    # A server that is alone on its address is not looked for by name: it may well have this one.
    own = [item.lower() for item in server_names(route.server)]
    if name.lower().encode() in own or any(set(item) & set(b"*~") or item.startswith(b".") for item in own):
        return False
    servers = index_of(route.configuration).servers
    return any(b"." in item for server in servers for item in server_names(server))


def not_served(facts: Facts) -> Finding:
    """No server of this nginx has the name."""
    route = facts.route
    server = route.server.directive if route is not None and route.server is not None else None
    name = facts.question.host_header
    words = f"no server_name of this nginx is {name}: this server answers in its place"
    return Finding(
        "default-server-captured",
        evidence=at(server, words),
        detail=f"this nginx does not serve {name}: the default server of the port answers",
    )


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


def _proxy_line(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """The port waits for a line of the PROXY protocol: the log says so, or the line helps."""
    proxied = facts.hop("with PROXY")
    line = facts.logged("proxy-protocol-mismatch")
    # A server that does not expect the line takes it for a bad request.
    helped = proxied is not None and (
        proxied.probe.opened
        or proxied.probe.status not in (None, 400)
        or bool(proxied.probe.tls.get("verify_error"))
    )
    if line is None and not helped:
        return []
    evidence = _evidence(suspects, "proxy-protocol-mismatch")
    evidence = evidence + ([line.evidence()] if line is not None else [])
    evidence += [told(proxied)] if proxied is not None else []
    return [Finding("proxy-protocol-mismatch", evidence=evidence)]


def _protocol(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    refused = alpn_refused(facts)
    if refused:
        return refused
    if hop is None:
        return []
    kind = hop.probe.error_kind
    if kind == "not-http":
        static = certain_cause(suspects, ("h2c-on-plain-port", "http2-only"))
        if static:
            return static
        if "HTTP/2" in hop.probe.error:
            return [Finding("h2c-on-plain-port", evidence=[told(hop)])]
        return []
    if kind != "closed-without-answer":
        return []
    mismatch = _proxy_line(facts, suspects)
    if mismatch:
        return mismatch
    for code in ("worker-connections", "open-file-limit"):
        line = facts.logged(code)
        if line is not None:
            return [Finding(code, evidence=[line.evidence()])]
    return certain_cause(
        suspects,
        (
            "return-status",
            "origin-rejected",
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

    nginx writes its own Server over a backend's, so the header does not tell; the same request asked
    directly does.
    """
    for backend in facts.backends:
        direct = backend.direct
        if direct is not None and direct.status == probe.status and direct.body == probe.body:
            return "backend"
    if error_pages.backend_is_silent(facts):
        return "nginx"  # Who gives no answer did not make this one, whatever the page looks like.
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
    hidden = error_pages.hidden_failure(facts, suspects, probe) or error_pages.hidden_refusal(
        facts, suspects, probe
    )
    if hidden:
        return hidden
    if answered_by(facts, probe) == "nginx":
        return _by_nginx(facts, suspects, hop)
    if _contradicts(facts, suspects, from_backend=True):
        old = stale(facts)
        if old:
            return old
    behind = other_upstream(facts) or no_answer.behind_own_hop(facts, probe)
    return behind or refusals.refused_by_backend(facts, suspects, probe)


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


def _by_nginx(facts: Facts, suspects: Sequence[Suspect], hop: Hop) -> List[Finding]:
    """nginx made the answer itself: which directive, or which failure of the way to the backend."""
    probe, status = hop.probe, hop.probe.status
    text = probe.body
    if status == 400 and refusals.TO_HTTPS_PORT in text:
        return certain_cause(suspects, ("plain-http-to-tls-port",)) or [
            Finding("plain-http-to-tls-port", evidence=[told(hop)])
        ]
    if status == 400 and any(words in text for words in NO_CLIENT_CERTIFICATE):
        server = facts.route.server if facts.route is not None else None
        asked = server.nearest(b"ssl_verify_client")[1] if server is not None else []
        where = at(asked[-1], words_of(asked[-1])) if asked else []
        return [Finding("client-certificate-required", evidence=[*where, told(hop)])]
    if status in (400, 414, 431, 494) and ("Header Or Cookie Too Large" in text or status in (414, 431, 494)):
        return [Finding("request-header-too-large", evidence=[told(hop)])]
    if status in (502, 504):
        # Not the configuration's own answer: the way to the backend broke.
        found = other_upstream(facts) or no_answer.unreachable_backend(facts, suspects, probe)
        if found:
            return found
    for code in ("modsecurity", "capture-lost"):
        logged = facts.logged(code)
        if logged is not None:
            return [_by_log(facts, code, logged)]
    line = next(
        (line for line in facts.log if line.code in ("limit-req", "limit-conn", "auth-request")), None
    )
    if line is not None and status not in (200, 301, 302, 303, 307, 308, 404):
        return [Finding(line.code, evidence=[*_evidence(suspects, line.code), line.evidence()])]
    if unserved(facts) and suspects and suspects[0].code in PLAIN_ANSWERS:
        return stale(facts) or [not_served(facts)]
    for suspect in suspects:
        shown = status in suspect.answers or error_pages.shown_as(facts, suspect.answers, probe)
        if shown and (suspect.certain or _supported(facts, suspect)):
            return [suspect.finding]
    certain = [suspect.finding for suspect in suspects if suspect.certain and not suspect.answers]
    if unserved(facts):
        return stale(facts) or [not_served(facts)]
    old = stale(facts)
    if old:
        return old
    if facts.route is not None and facts.route.answer.kind == "proxy" and not certain:
        return no_answer.by_status_of_nginx(facts, suspects, hop.probe)
    return certain or [suspect.finding for suspect in suspects if suspect.certain][:1]


def _by_log(facts: Facts, code: str, line: LogLine) -> Finding:
    """What nginx's own words settle, with the directive that they are about."""
    route = facts.route
    where: List[Evidence] = []
    if route is not None and route.level is not None:
        name = b"proxy_pass" if code == "capture-lost" else b"modsecurity"
        for directive in route.level.nearest(name)[1][-1:]:
            where = at(directive, words_of(directive))
    return Finding(code, evidence=[*where, line.evidence()])


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


def _hanging(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    if hop is None or hop.probe.error_kind != "answer-timeout":
        return []
    certain = certain_cause(suspects)
    if certain:
        return certain
    line = facts.logged("open-file-limit")
    if line is not None:
        return [Finding("open-file-limit", evidence=[line.evidence()])]
    return other_upstream(facts) or no_answer.unreachable_backend(facts, suspects, hop.probe)


def _handshake(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """A 101 that a client refuses, or a socket that ended while it was looked at."""
    if hop is None or hop.probe.status != 101:
        return []
    if hop.probe.error_kind == "bad-handshake":
        codes = ("response-header-hidden", "subprotocol-stripped", "upgrade-hardcoded-no-tunnel")
        return certain_cause(suspects, codes) or refusals.refused_by_backend(facts, suspects, hop.probe)
    if hop.probe.closed_after is not None:
        return closed(facts, suspects, hop)
    return []


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
