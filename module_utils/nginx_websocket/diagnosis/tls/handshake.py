"""The connection stands, and no HTTP comes about on it: TLS, HTTP/2, a PROXY line."""

from __future__ import annotations

import re
from typing import List, Optional, Sequence

from ... import codes
from ...behaviour.route import index_of
from ...behaviour.server.names import server_names
from ...behaviour.variables import has_variables
from ..access.logged import refused_by_guard
from ..capacity.open_socket import alpn_refused
from ..evidence.facts import Facts, Hop
from ..evidence.probes import answered
from ..location.other_server import not_served, other_site, unknown_name
from ..reach.proxy_line import waits_for_line
from ..reload.on_disk import only_reload_missing
from ..reload.stale import stale
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, at, certain_cause, words_of
from .issuer import certificate_fault


def no_tls(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """The TLS handshake fails."""
    if hop is None or hop.probe.error_kind != "tls":
        return []
    problem = str(hop.probe.tls.get("verify_error", ""))
    if problem and facts.question.verify:
        certificate = _certificate_finding(facts, hop, problem)
        other = other_site(facts, suspects) if "it is for " in certificate.detail else []
        return [*other, certificate]
    # nginx takes the client's hello for the line that it waits for, and hangs up.
    asked = [suspect.finding for suspect in suspects if suspect.code == codes.PROXY_PROTOCOL_MISMATCH]
    mismatch = waits_for_line(facts, suspects) or asked[:1]
    if mismatch:
        return mismatch
    static = certain_cause(suspects, (codes.TLS_NOT_ENABLED,))
    if static:
        _name_tls_port(facts, static[0])
        return static
    if "does not speak TLS" in hop.probe.error:
        return stale(facts) or [Finding(codes.TLS_NOT_ENABLED, evidence=[answered(hop)])]
    if _rejects(facts) and unknown_name(facts):
        return [not_served(facts)]
    return _no_certificate(facts) or [Finding(codes.TLS_HANDSHAKE_FAILED, evidence=[answered(hop)])]


def _no_certificate(facts: Facts) -> List[Finding]:
    """A certificate whose name has a variable, and whose file nginx cannot load for this client's name.

    Such files are looked for at each handshake, and nginx -t knows nothing of them.
    """
    for line in facts.log:
        failed = re.match(r'cannot load certificate(?: key)? "([^"]+)": ([^(,]*)', line.text)
        if failed is None:
            continue
        server = facts.server
        named = [
            item
            for name in (b"ssl_certificate", b"ssl_certificate_key")
            for item in (server.nearest(name)[1] if server is not None else [])
            if item.args and has_variables(item.args[0])
        ]
        where = at(named[0], words_of(named[0])) if named else []
        return [
            Finding(
                codes.TLS_HANDSHAKE_FAILED,
                evidence=[*where, line.evidence()],
                detail=f"nginx has no certificate for this name: it cannot load {failed.group(1)}",
                fix="put certificate and key where ssl_certificate says for this name, readable for nginx's "
                "workers, or name files that are there",
            )
        ]
    return []


def _rejects(facts: Facts) -> bool:
    """Whether the server that answers refuses TLS by intent (ssl_reject_handshake)."""
    server = facts.server
    return server is not None and server.on(b"ssl_reject_handshake", False)


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


def _certificate_finding(facts: Facts, hop: Hop, problem: str) -> Finding:
    """The finding for a certificate that does not verify."""
    tls = hop.probe.tls
    problem = certificate_fault(hop.probe, facts.question.url) or problem
    shown = ", ".join(
        f"{key} {tls[key]}" for key in ("subject", "issuer", "names", "not_after") if tls.get(key)
    )
    found = Finding(
        codes.CERT_INVALID,
        evidence=[answered(hop), Evidence("probe", f"certificate: {problem}; {shown}")],
        detail=f"the certificate is not valid: {problem}; clients give up without asking",
    )
    only_reload_missing(facts, found)
    return found


def no_http(facts: Facts, suspects: Sequence[Suspect], hop: Optional[Hop]) -> List[Finding]:
    """What comes back is no HTTP/1.1 answer."""
    refused = alpn_refused(facts)
    if refused:
        return refused
    if hop is None:
        return []
    kind = hop.probe.error_kind
    if kind == "not-http":
        static = certain_cause(suspects, (codes.H2C_ON_PLAIN_PORT, codes.HTTP2_ONLY))
        if static:
            return static
        if "HTTP/2" in hop.probe.error:
            return [Finding(codes.H2C_ON_PLAIN_PORT, evidence=[answered(hop)])]
        return []
    if kind != "closed-without-answer":
        return []
    mismatch = waits_for_line(facts, suspects)
    if mismatch:
        return mismatch
    for code in (codes.WORKER_CONNECTIONS, codes.OPEN_FILE_LIMIT):
        line = facts.logged(code)
        if line is not None:
            return [Finding(code, evidence=[line.evidence()])]
    return refused_by_guard(facts, suspects) or certain_cause(
        suspects,
        (
            codes.RETURN_STATUS,
            codes.ORIGIN_REJECTED,
            codes.DEFAULT_SERVER_CAPTURED,
            codes.DUPLICATE_SERVER_NAME,
            codes.LISTEN_ADDRESS_CAPTURED,
            codes.WRONG_LOCATION,
            codes.REGEX_ORDER,
            codes.REGEX_SHADOWS_PREFIX,
        ),
    )
