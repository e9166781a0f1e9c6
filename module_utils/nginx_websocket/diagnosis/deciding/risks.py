"""What will bite later: never the cause, each with its evidence."""

from __future__ import annotations

import time
from typing import Dict, Iterator, List, Sequence

from ... import codes
from ...behaviour.route import index_of, virtual_names
from ...behaviour.upgrade.obstacle import is_ip
from ...behaviour.variables import variable_names
from ...conf.globbing import is_pattern
from ...conf.tree import Directive
from ...conf.units import seconds_of
from ..capacity.limits import socket_limits
from ..capacity.timing import silence
from ..evidence.facts import Facts
from ..evidence.host_state import BACKUP
from ..reload import refused_tree
from ..reload.stale import refused_since, since
from ..words.findings import Evidence, Finding
from ..words.suspect import Suspect, at

CERT_DAYS = 14
OLD_TLS = (b"SSLv2", b"SSLv3", b"TLSv1", b"TLSv1.1")
REFUTED = (
    codes.DUPLICATE_HEADER,
    codes.DUPLICATE_HOST_HEADER,
    codes.REWRITE_CHANGES_PATH,
    codes.PROXY_PASS_DOUBLE_SLASH,
    codes.PROXY_PASS_VARIABLE_URI,
    codes.PROXY_PASS_NORMALIZES_PATH,
    codes.PROXY_PASS_STRIPS_PREFIX,
    codes.SSI_HOLDS_UPGRADE,
)
"""What a backend may mind of this very request: it has opened, so it does not."""
CAPACITY = {codes.UPSTREAM_MAX_CONNS: (75, 100), codes.LIMIT_CONN: (55, 10), codes.LIMIT_REQ: (56, 2)}
"""Weight of a limit, and the number of sockets from which on it is worth no word."""
IDLE_LIMIT = 120.0
"""A proxy_read_timeout below this is worth a word: applications often ping once a minute, or not at all."""


def risks(facts: Facts, suspects: Sequence[Suspect]) -> List[Finding]:
    """Everything that is worth saying and is not the cause."""
    found: List[Finding] = []
    hop = facts.main_hop
    for suspect in suspects:
        if hop is not None and hop.opened and suspect.code in REFUTED:
            continue
        finding = suspect.finding
        finding.weight = finding.weight or (70 if suspect.certain else 40)
        if suspect.code != codes.PROXY_PROTOCOL_MISMATCH or not facts.live:
            found.append(finding)
    for rule in (
        _idle,
        _unasked,
        _reload,
        _capacity,
        _files,
        _names,
        _headers,
        _stale,
        _tls,
        _socket,
        _configuration,
    ):
        found += rule(facts)
    return found


def _idle(facts: Facts) -> Iterator[Finding]:
    route, limit = facts.route, silence(facts)
    if route is None or route.upstream is None or limit is None or limit.seconds >= IDLE_LIMIT:
        return
    timeout, where = limit.seconds, limit.source if limit.directive is None else ""
    if 0 < facts.question.ping_interval < timeout:
        return  # The application says something in time.
    yield Finding(
        codes.TIMEOUT_SHORT,
        weight=50 if timeout >= 60 else 60,
        brief=f"nginx closes a socket after {timeout:g} s of silence" if timeout >= 60 else "",
        evidence=at(limit.directive, f"{limit.name} {limit.value}" + (f" ({where})" if where else "")),
        detail=f"after {timeout:g} s without a byte in either direction nginx closes the socket "
        f"({limit.name}): the application must ping more often",
    )


def _unasked(facts: Facts) -> Iterator[Finding]:
    """What applications often mind, where no application was asked."""
    upstream = facts.upstream
    if facts.live or upstream is None or facts.route is None:
        return
    sent = {header.name.lower(): header for header in upstream.headers}
    host, line = sent.get("host"), upstream.directive
    if host is not None and host.directive is None and host.value:
        yield Finding(
            codes.HOST_HEADER_WRONG,
            weight=38,
            evidence=at(line, f"Host: {host.value}, as no proxy_set_header names another"),
            detail=f"the backend gets the Host {host.value}: one that compares it with the Origin refuses",
        )
    if facts.question.endpoint.tls and upstream.scheme == "http" and "x-forwarded-proto" not in sent:
        yield Finding(
            codes.FORWARDED_PROTO_MISSING,
            weight=36,
            evidence=at(line, "no X-Forwarded-Proto goes to the backend, which is spoken to without TLS"),
        )
    level = facts.route.level
    named = upstream.scheme == "https" and not is_ip(upstream.host.strip("[]"))
    if named and level is not None and not level.on(b"proxy_ssl_server_name", False):
        yield Finding(
            codes.UPSTREAM_SNI_MISSING,
            weight=42,
            evidence=at(line, f"TLS to {upstream.host} without its name (proxy_ssl_server_name is off)"),
        )


def _reload(facts: Facts) -> Iterator[Finding]:
    if facts.configuration is not None:
        for directive in facts.configuration.root:
            if directive.name == b"worker_shutdown_timeout" and directive.args:
                text = directive.args[0].decode("utf-8", "replace")
                seconds = seconds_of(text)
                yield Finding(
                    codes.RELOAD_CLOSES_SOCKETS,
                    weight=65 if seconds is None or seconds < 300 else 25,
                    evidence=at(directive, f"worker_shutdown_timeout {text}"),
                    detail=f"every reload closes all open sockets after {text} (worker_shutdown_timeout)",
                )
    if facts.old_workers:
        words = f"{facts.old_workers} worker(s) from before the last reload are still shutting down"
        evidence = [Evidence("process", words)]
        yield Finding(codes.RELOAD_OLD_SOCKETS_OLD_CONFIG, weight=64, evidence=evidence)


def _capacity(facts: Facts) -> Iterator[Finding]:
    if facts.route is None or facts.route.upstream is None:
        return
    for limit in socket_limits(facts):
        weight, bound = CAPACITY.get(limit.code, (0, 1000))
        if limit.sockets >= bound:
            continue
        few = limit.sockets < 16
        usual = limit.code == codes.WORKER_CONNECTIONS and not few
        yield Finding(
            limit.code,
            weight=max(weight + 10, 70) if few else max(weight, 20),
            brief=f"{limit.words} allows {limit.sockets} sockets" if usual else "",
            evidence=at(limit.directive, limit.words),
            detail=f"{limit.words} allows {limit.sockets} socket(s) at a time",
        )


def _files(facts: Facts) -> Iterator[Finding]:
    if facts.configuration is None:
        return
    for include in facts.configuration.includes:
        for path in include.files:
            if is_pattern(include.pattern) and BACKUP.search(path):
                yield Finding(
                    codes.BACKUP_FILE_INCLUDED,
                    weight=45,
                    evidence=[Evidence("file", f"include {include.pattern} takes it", path, 1)],
                    fix=f"move {path} out of the included directory, then reload",
                )
    seen: Dict[bytes, Directive] = {}
    for directive in index_of(facts.configuration).http.own(b"map"):
        name = directive.args[-1] if directive.args else b""
        if name in seen and b"upgrade" in name:
            yield Finding(
                codes.DUPLICATE_MAP,
                weight=15,
                evidence=at(seen[name], "first " + name.decode("utf-8", "replace"))
                + at(directive, "and again; this one holds"),
            )
        seen[name] = directive


def _names(facts: Facts) -> Iterator[Finding]:
    route = facts.route
    if route is None or route.listen is None or facts.configuration is None:
        return
    names = virtual_names(index_of(facts.configuration), route.listen, route.version)
    for name, server in names.conflicts[:3]:
        words = f"{name.decode('utf-8', 'replace')} on {route.listen.address} is ignored here"
        yield Finding(codes.DUPLICATE_SERVER_NAME, weight=30, evidence=at(server.directive, words))


def _headers(facts: Facts) -> Iterator[Finding]:
    route = facts.route
    if route is None or route.upstream is None or route.upstream.header_level is None:
        return
    for line in route.upstream.header_level.own(b"proxy_set_header"):
        if len(line.args) != 2 or line.args[0].lower() != b"connection":
            continue
        if line.args[1].lower() == b"upgrade":
            yield Finding(
                codes.CONNECTION_HARDCODED,
                weight=8,
                brief="ordinary requests say Connection: upgrade too",
                evidence=at(line, "Connection is always upgrade"),
            )
        elif route.upstream.block is not None and any(
            child.name == b"keepalive" for child in route.upstream.block.block or ()
        ):
            yield from _closing_map(facts, line)


def _closing_map(facts: Facts, line: Directive) -> Iterator[Finding]:
    assert facts.configuration is not None
    wanted = variable_names(line.args[1])
    for directive in index_of(facts.configuration).http.own(b"map"):
        for entry in directive.block or () if directive.args and directive.args[-1][1:] in wanted else ():
            if entry.name == b"" and entry.args and entry.args[0].lower() == b"close":
                yield Finding(codes.KEEPALIVE_DISABLED_BY_MAP, weight=12, evidence=at(entry, "'' close"))


def _stale(facts: Facts) -> Iterator[Finding]:
    changed = [item for item in facts.newer_files if item.content]
    if not changed:
        return
    reasons = refused_since(facts, changed[0].changed)
    evidence = reasons + [
        Evidence("file", f"changed {since(facts, item):.0f} s after the workers started", item.path)
        for item in changed[:3]
    ]
    if reasons:
        yield Finding(codes.RELOAD_FAILED, weight=85, evidence=evidence)
    else:
        yield Finding(codes.STALE_CONFIG_NOT_RELOADED, weight=62, evidence=evidence)


def _tls(facts: Facts) -> Iterator[Finding]:
    hop = facts.main_hop
    tls = hop.probe.tls if hop is not None else {}
    issuer = facts.hop("unknown issuer")
    if issuer is not None:
        yield Finding(codes.CERT_UNKNOWN_ISSUER, weight=58, evidence=[Evidence("probe", issuer.probe.error)])
    ends = str(tls.get("not_after", ""))
    if ends:
        try:
            left = (
                time.mktime(time.strptime(ends, "%Y-%m-%dT%H:%M:%SZ")) - time.mktime(time.gmtime())
            ) / 86400
        except (ValueError, OverflowError):
            left = float("inf")
        if left < CERT_DAYS:
            yield Finding(
                codes.TLS_WEAK,
                weight=48,
                evidence=[Evidence("probe", f"the certificate ends {ends}")],
                detail=f"the certificate ends in {max(0, int(left))} days",
                fix="renew the certificate",
            )
    server = facts.server
    for directive in server.nearest(b"ssl_protocols")[1] if server and facts.question.endpoint.tls else ():
        old = " ".join(arg.decode() for arg in directive.args if arg in OLD_TLS)
        modern = any(arg in (b"TLSv1.2", b"TLSv1.3") for arg in directive.args)
        if old and not modern:
            yield Finding(codes.TLS_WEAK, weight=48, evidence=at(directive, f"only {old}"))
        elif old:
            yield Finding(codes.TLS_WEAK, weight=18, evidence=at(directive, f"{old} is still offered"))


def _socket(facts: Facts) -> Iterator[Finding]:
    hop = facts.main_hop
    foreign = facts.hop("foreign origin")
    if foreign is not None and foreign.probe.opened:
        words = "a handshake with Origin https://origin-check.invalid opens as well"
        brief = "pages of any other site may open sockets"
        yield Finding(codes.ORIGIN_OPEN, weight=15, brief=brief, evidence=[Evidence("probe", words)])
    if hop is not None and hop.opened and hop.probe.error_kind == "pong-timeout":
        yield Finding(codes.NO_PONG, weight=5, evidence=[Evidence("probe", hop.probe.error)])


def _configuration(facts: Facts) -> Iterator[Finding]:
    finding = refused_tree.refused(facts)
    if finding is not None:
        words = "the next reload fails, and a restart leaves the site down"
        finding.evidence.append(Evidence("process", words))
        yield finding
