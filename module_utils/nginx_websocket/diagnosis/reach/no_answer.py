"""nginx got no answer of the backend to pass on: nobody is there, silence, another protocol."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from ... import codes
from ...behaviour.upgrade.hops import own_hops
from ...exchange.result import NOBODY, Probe
from ..backend.answers import is_this_nginx, said
from ..capacity.limits import socket_limits
from ..capacity.timing import read_timeout, timeout_evidence
from ..evidence import place
from ..evidence.errorlog import LogLine
from ..evidence.facts import BackendFacts, Facts
from ..evidence.host_state import covering
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, all_certain, at, certain_cause, evidence_of


def unreachable_backend(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """502, 504 or silence: nginx did not get an answer it could pass on."""
    settled = (codes.WRONG_PASS_DIRECTIVE, codes.PROXY_PROTOCOL_MISMATCH, codes.PROXY_LOOP)
    other = facts.route is not None and facts.route.answer.kind == "pass"  # FastCGI and its like
    certain = all_certain(suspects)
    for found in certain:
        if found.code in settled or (other and found.meant is not None):
            return [found]  # Whatever became of it, no answer on that way could have been an upgrade.
    line = upstream_line(facts.log)
    logged = [line.evidence()] if line is not None else []
    code = line.code if line is not None else ""
    if code == codes.UPSTREAM_HOST_NOT_FOUND:
        return [_unresolved(facts, logged)]
    if code in (
        codes.UPSTREAM_HEADER_TOO_BIG,
        codes.UPSTREAM_PERMISSION_DENIED,
        codes.RESOLVER_MISSING,
        codes.HTTP2_UPSTREAM,
    ):
        return [Finding(code, evidence=[*evidence_of(suspects, code), *logged])]
    if code == codes.UPSTREAM_MARKED_DOWN:
        return [_no_live(facts, logged)]
    if code == codes.UPSTREAM_SNI_MISSING and not _named_in_vain(facts):
        return [Finding(code, evidence=logged)]
    for backend in facts.backends:
        broken = _broken(facts, backend, logged, line)
        if broken is not None:
            return [broken]
    among = (codes.RESOLVER_MISSING, codes.HTTP2_UPSTREAM, codes.UPGRADE_HARDCODED_NO_TUNNEL)
    return certain_cause(suspects, among) or ([Finding(code, evidence=logged)] if code else [])


def _named_in_vain(facts: Facts) -> bool:
    """Whether a backend refused TLS with a server name as well: alert 40 has many reasons."""
    asked = [backend.as_sent for backend in facts.backends if backend.as_sent is not None]
    if any("certificate required" in probe.error for probe in asked):
        return True
    named = [backend.with_name for backend in facts.backends if backend.with_name is not None]
    return bool(named) and all(not probe.opened and probe.status is None for probe in named)


def behind_own_hop(facts: Facts, probe: Probe) -> List[Finding]:
    """The backend is this nginx again, and what that server passes on to is what broke, by the log."""
    if probe.status not in (502, 504) or facts.route is None:
        return []
    line = upstream_line(facts.log)
    if line is None or not any(is_this_nginx(facts, backend) for backend in facts.backends):
        return []
    inner = [hop.upstream.directive for hop in own_hops(facts.route) if hop.upstream is not None][1:]
    where = at(inner[-1], "a second hop, in this configuration too, passes it on") if inner else []
    return [Finding(line.code, evidence=[line.evidence(), *where])]


def upstream_line(log: Sequence[LogLine]) -> Optional[LogLine]:
    """The log line about the upstream; "no live upstreams" only when nothing says why."""
    names = (codes.RESOLVER_MISSING, codes.UPSTREAM_HOST_NOT_FOUND)
    lines = [line for line in log if "upstream" in line.text or line.code in names]
    lines = [line for line in lines if line.code and line.code != codes.LOCATION_WITHOUT_HANDLER]
    return next(
        (line for line in lines if line.code != codes.UPSTREAM_MARKED_DOWN), lines[0] if lines else None
    )


def _no_live(facts: Facts, logged: List[Evidence]) -> Finding:
    limit = next((limit for limit in socket_limits(facts) if limit.code == codes.UPSTREAM_MAX_CONNS), None)
    asked = [(backend, backend.as_sent) for backend in facts.backends if backend.as_sent is not None]
    answering = any(answer.opened for _, answer in asked)
    if limit is not None and limit.directive is not None and answering:
        return Finding(codes.UPSTREAM_MAX_CONNS, evidence=[*at(limit.directive, limit.words), *logged])
    evidence = logged + [said(f"{backend.server}, asked directly", answer) for backend, answer in asked]
    down = [backend for backend, answer in asked if answer.error_kind in NOBODY]
    if down and len(down) == len(facts.backends):
        return _nobody_there(down[0], evidence)
    return Finding(codes.UPSTREAM_MARKED_DOWN, evidence=evidence)


def _unresolved(facts: Facts, evidence: List[Evidence]) -> Finding:
    """nginx runs, so it did take the configuration: the name is looked up at each request."""
    upstream = facts.upstream
    if facts.level is None or upstream is None or not upstream.resolver_needed:
        return Finding(codes.UPSTREAM_HOST_NOT_FOUND, evidence=evidence)
    detail = "nginx cannot resolve the name of the backend when a request comes, and answers 502"
    lines = facts.in_force(b"resolver")
    if not lines:
        return Finding(codes.UPSTREAM_HOST_NOT_FOUND, evidence=evidence, detail=detail)
    asked = " ".join(argument.decode("utf-8", "replace") for argument in lines[-1].args)
    words = f"nginx asks the name server {asked}, not /etc/hosts nor the host's own resolver"
    shown = [*evidence, *at(lines[-1], words)]
    known = place.resolve(facts, upstream.host)
    silent = any(re.search(r"timed out|refused", item.text) for item in evidence)
    if silent:
        detail = f"the name server that nginx asks for the backend's name ({asked}) does not answer"
    elif known:
        detail = "the name of the backend is known to this host, and not to the name server that nginx asks"
    fix = "name a resolver that answers and knows the name, or correct the name"
    if known:
        shown.append(Evidence("socket", f"this host itself resolves {upstream.host} to {', '.join(known)}"))
        fix = (
            "name the backend in an upstream block, or in proxy_pass without a variable: nginx then looks it "
            "up as this host does, when it starts; or name a resolver that knows it"
        )
    return Finding(codes.UPSTREAM_HOST_NOT_FOUND, evidence=shown, detail=detail, fix=fix)


def _broken(
    facts: Facts, backend: BackendFacts, logged: List[Evidence], line: Optional[LogLine]
) -> Optional[Finding]:
    """Why this backend's address gives nginx no answer."""
    stale = _stale_address(backend, line)
    if stale is not None:
        stale.evidence += logged
        return stale
    if backend.address is None:
        if backend.search is None and backend.plain is None and not backend.server.startswith("unix:"):
            unknown = Evidence("socket", f"{backend.server} does not resolve on this host")
            return _unresolved(facts, [unknown, *logged])
        return None
    direct = backend.as_sent or backend.plain
    if direct is None:
        return None
    evidence = [*logged, said(f"{backend.server}, asked directly", direct)]
    asked = Asked(facts, backend, direct, line.code if line is not None else "", evidence)
    rule = BY_ERROR.get(direct.error_kind, _logged_only)
    return rule(asked)


class Asked(NamedTuple):
    """A backend that was asked directly and gave no answer that opens the socket."""

    facts: Facts
    backend: BackendFacts
    direct: Probe
    logged: str
    """The code of what nginx's log says of it; "" for nothing."""
    evidence: List[Evidence]


def _refused(asked: Asked) -> Finding:
    if asked.logged == codes.UPSTREAM_PERMISSION_DENIED:
        return Finding(codes.UPSTREAM_PERMISSION_DENIED, evidence=asked.evidence)
    found = _nobody_there(asked.backend, asked.evidence)
    if isinstance(asked.backend.address, str) and "Not a directory" in asked.direct.error:
        found.detail = "nginx looks for a socket below a file: the colon that ends its path is missing"
        found.fix = "proxy_pass http://unix:/path/of.sock:/uri, or no URI at all"
    return found


def _no_connection(asked: Asked) -> Finding:
    return Finding(codes.BACKEND_CONNECT_TIMEOUT, evidence=asked.evidence)


def _no_word(asked: Asked) -> Finding:
    return _other_scheme(asked) or _silent(asked.facts, asked.evidence)


def _no_tls(asked: Asked) -> Finding:
    named = asked.backend.with_name
    if named is not None and (named.opened or named.status):
        return Finding(
            codes.UPSTREAM_SNI_MISSING, evidence=[*asked.evidence, said("with a server name", named)]
        )
    other = _other_scheme(asked)
    if other is not None:
        return other
    found = Finding(codes.UPSTREAM_TLS_FAILED, evidence=asked.evidence)
    own = asked.facts.in_force(b"proxy_ssl_certificate")
    if "certificate required" in asked.direct.error and not own:
        found.detail = "the backend wants a certificate of its client, and nginx sends it none"
        found.fix = (
            "proxy_ssl_certificate and proxy_ssl_certificate_key, with a pair that the backend accepts"
        )
    return found


def _no_http(asked: Asked) -> Finding:
    lined = asked.backend.with_line
    if lined is not None and (lined.opened or lined.status is not None):
        # ngx_http_proxy_module cannot send one; ngx_stream_proxy_module can.
        return Finding(
            codes.PROXY_PROTOCOL_MISMATCH,
            evidence=[*asked.evidence, said("behind a line of the PROXY protocol", lined)],
            detail="the backend waits for a line of the PROXY protocol, which proxy_pass of http never sends",
            fix="switch the PROXY protocol off for this listener of the application",
        )
    return _other_scheme(asked) or Finding(codes.WRONG_BACKEND_PROTOCOL, evidence=asked.evidence)


def _other_scheme(asked: Asked) -> Optional[Finding]:
    """The backend answers in TLS where nginx speaks without, or the reverse."""
    other = asked.backend.other_scheme
    if other is None or not (other.opened or other.status is not None):
        return None
    return Finding(
        codes.UPSTREAM_SCHEME_MISMATCH, evidence=[*asked.evidence, said("in the other scheme", other)]
    )


def _logged_only(asked: Asked) -> Optional[Finding]:
    """The backend does answer when it is asked directly: then nginx's log alone has the reason."""
    if asked.logged == codes.BACKEND_CONNECT_TIMEOUT:
        return _no_connection(asked)
    if asked.logged == codes.BACKEND_HANG:
        return _late(asked.facts, asked.direct, asked.evidence) or _silent(asked.facts, asked.evidence)
    return None


BY_ERROR: Dict[str, Callable[[Asked], Optional[Finding]]] = {
    "connect-refused": _refused,
    "connect-failed": _refused,
    "connect-timeout": _no_connection,
    "answer-timeout": _no_word,
    "tls": _no_tls,
    "closed-without-answer": _no_http,
    "not-http": _no_http,
}
"""What became of a direct handshake (``exchange.result.ERROR_KINDS``), and the rule for it."""


def _silent(facts: Facts, evidence: List[Evidence]) -> Finding:
    """The backend says nothing; where nginx gave up on it, the line that says when."""
    hop = facts.main_hop
    gave_up = hop is not None and hop.probe.status == 504
    return Finding(codes.BACKEND_HANG, evidence=evidence + (timeout_evidence(facts.route) if gave_up else []))


def _late(facts: Facts, direct: Probe, evidence: List[Evidence]) -> Optional[Finding]:
    """The backend does answer, but later than nginx waits."""
    timeout = read_timeout(facts.route)
    if timeout is None or direct.status is None or direct.seconds < timeout:
        return None
    return Finding(
        codes.TIMEOUT_SHORT,
        evidence=timeout_evidence(facts.route) + evidence,
        detail=(
            f"the backend answers the handshake after {direct.seconds:.1f} s, and nginx waits {timeout:g} s "
            "(proxy_read_timeout)"
        ),
        fix="a proxy_read_timeout above what the backend needs (1h suits a WebSocket), or a faster backend",
    )


def _stale_address(backend: BackendFacts, line: Optional[LogLine]) -> Optional[Finding]:
    """nginx connects to an address that the backend's name no longer has."""
    if line is None or not backend.resolved or backend.server.replace(".", "").replace(":", "").isdigit():
        return None
    match = re.search(r'upstream: "\w+://(\[[^\]]+\]|[^:/"]+)', line.text)
    used = match.group(1).strip("[]") if match else ""
    if not used or used in backend.resolved or not re.match(r"^[0-9a-f.:]+$", used):
        return None
    return Finding(
        codes.STALE_UPSTREAM_DNS,
        evidence=[
            Evidence(
                "socket", f"nginx uses {used}; {backend.server} resolves to {', '.join(backend.resolved)} now"
            )
        ],
    )


def _nobody_there(backend: BackendFacts, evidence: List[Evidence]) -> Finding:
    """The connection is refused: is the backend on another address, another port, or not there at all?"""
    heard = [
        Evidence("socket", f"{item.address}:{item.port} is open: {item.describe()}")
        for item in backend.listeners
    ]
    address = backend.address
    if isinstance(address, tuple) and backend.listeners and covering(backend.listeners, *address) is None:
        other_family = [item for item in backend.listeners if (item.family == "tcp6") != (":" in address[0])]
        if other_family:
            return Finding(codes.BACKEND_IPV6_LOCALHOST, evidence=evidence + heard)
    if backend.other_port is not None:
        listener, answer = backend.other_port
        place = f"{listener.address}:{listener.port}"
        return Finding(
            codes.BACKEND_DOWN,
            evidence=[*evidence, said(f"{place} of this host", answer)],
            detail=f"nothing listens at {backend.server}; the WebSocket opens at {place}",
            fix=f"proxy_pass to {place}",
        )
    found = Finding(codes.BACKEND_DOWN, evidence=evidence + heard)
    unit = backend.unit
    if unit is not None:
        found.evidence.append(Evidence("process", f"{unit.name} speaks of it, and is {unit.state}"))
        found.evidence += [Evidence("log", f"{unit.name}: {line}") for line in unit.lines]
        found.detail = f"nothing listens at {backend.server}: {unit.name} is {unit.state}"
        found.fix = f"start {unit.name}, and read why it stopped"
    return found


def by_status_of_nginx(facts: Facts) -> List[Finding]:
    """nginx answers by itself in a location that proxies, and no directive of the route says why."""
    line = next((line for line in facts.log if line.code), None)
    if line is None or line.code != codes.ACCESS_DENIED:
        return []
    return [Finding(line.code, evidence=[line.evidence()])]
