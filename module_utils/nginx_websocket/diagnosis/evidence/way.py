"""The way of the request as data: what happens at each hop, why, and where that is written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence, Tuple

from ...behaviour.effective import Level
from ...behaviour.location import Location
from ...behaviour.rewrite import Step as RouteStep
from ...behaviour.rewrite import printable
from ...behaviour.route import Route
from ...behaviour.secret_values import SecretValues, head, secret_value
from ...behaviour.upgrade.meant import titled
from ...conf.tree import Directive
from ...exchange.masking import MASK, masked_headers, masked_url
from ..words.discreet import discreet
from ..words.findings import Evidence, Finding
from .facts import BackendFacts, Facts, Hop

if TYPE_CHECKING:
    from ...exchange.result import Probe

AROUND = 3
SHOWN = (
    "proxy_http_version",
    "proxy_read_timeout",
    "proxy_send_timeout",
    "proxy_connect_timeout",
    "proxy_buffering",
)


@dataclasses.dataclass
class Step:
    """One station of the way."""

    station: str
    """"name", "listen", "tls", "server", "rewrite", "location", "directives", "headers", "backend",
    "answer"."""
    text: str
    file: str = ""
    line: int = 0
    state: str = ""
    """"ok", "bad" or "" where it is neither."""
    more: List[str] = dataclasses.field(default_factory=list)

    def as_data(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)


def _step(
    station: str, text: str, directive: Optional[Directive] = None, state: str = "", more: Sequence[str] = ()
) -> Step:
    if directive is None:
        return Step(station, text, state=state, more=list(more))
    return Step(station, text, directive.file, directive.line, state, list(more))


def way_of(facts: Facts) -> List[Step]:
    """The stations in the order in which the request meets them."""
    steps = _name(facts) + _listen(facts)
    if facts.route is not None:
        steps += _server(facts.route) + _inside(facts.route) + _request(facts.route)
    return steps + _backend(facts) + _answers(facts)


def _name(facts: Facts) -> List[Step]:
    endpoint = facts.question.endpoint
    if not facts.live:
        return [_step("name", f"{endpoint.host} port {endpoint.port} (not resolved: no host was asked)")]
    if not facts.resolved:
        return [_step("name", f"{endpoint.host} does not resolve on this host", state="bad")]
    words = [f"{address}{' (this host)' if address in facts.local else ''}" for address in facts.resolved]
    return [_step("name", f"{endpoint.host} → {', '.join(words)}")]


def _listen(facts: Facts) -> List[Step]:
    found: List[Step] = []
    if facts.owner is not None:
        found.append(
            _step(
                "listen",
                f"{facts.owner.address}:{facts.owner.port}, {facts.owner.describe()}",
                state="ok" if facts.owner_is_nginx else "bad",
            )
        )
    elif facts.live:
        found.append(_step("listen", f"nothing listens on port {facts.question.endpoint.port}", state="bad"))
    hop = facts.main_hop
    if hop is not None and hop.probe.tls:
        tls = hop.probe.tls
        words = [str(tls.get(key)) for key in ("version", "cipher", "subject") if tls.get(key)]
        error = str(tls.get("verify_error", ""))
        alpn = tls.get("alpn") or "none chosen"
        found.append(
            _step(
                "tls",
                f"SNI {facts.question.endpoint.host}, ALPN {alpn}: {', '.join(words)}"
                + (f"; {error}" if error else ""),
                state="bad" if error else "ok",
            )
        )
    return found


def _server(route: Route) -> List[Step]:
    if route.server is None:
        return [_step("server", route.answer.reason or route.answer.kind, state="bad")]
    chosen = next((item for item in route.candidates if item.chosen), None)
    others = [
        f"{' '.join(item.names)} ({item.server.directive.where() if item.server.directive else '-'}): "
        f"{item.reason}"
        for item in route.candidates
        if not item.chosen
    ]
    reason = chosen.reason if chosen is not None else ""
    names = " ".join(name for name in (chosen.names if chosen else [])) or "without a name"
    listen = f", {route.listen_reason}" if route.listen_reason else ""
    return [_step("server", f"server {names}: {reason}{listen}", route.server.directive, more=others[:20])]


def _inside(route: Route) -> List[Step]:
    found = [
        _step(
            "location" if step.kind == "location" else "rewrite",
            f"{step.kind}: {_said(step)}",
            step.directive,
        )
        for step in route.steps
    ]
    if (
        found
        and found[-1].station == "location"
        and route.location is not None
        and (found[-1].line == (route.location.directive.line if route.location.directive is not None else 0))
    ):
        found.pop()
    if route.location is not None:
        losers = [
            f"{loser.location.title()} "
            f"({loser.location.directive.where() if loser.location.directive else '-'}"
            f"): {loser.reason}"
            for loser in route.losers
        ]
        found.append(
            _step("location", f"{route.location.title()} answers", route.location.directive, more=losers)
        )
    return found


def _said(step: RouteStep) -> str:
    """What a step of the route did, without the secrets that its directive sets or compares with."""
    directive, text = step.directive, step.text
    if directive is None:
        return text
    if step.kind == "set":
        name, _, value = text.partition(" = ")
        return f"{name} = {MASK}" if secret_value(name.encode(), value.strip('"').encode()) else text
    written = " ".join(printable(word) for word in (b"if", *directive.args))
    return text.replace(written, head(directive)) if step.kind == "if" else text


def _request(route: Route) -> List[Step]:
    upstream = route.upstream
    if upstream is None:
        answer = route.answer
        words = f"{answer.kind}" + (f" {answer.status}" if answer.status else "")
        return [
            _step(
                "answer",
                f"nginx answers by itself: {words} {answer.reason}".rstrip(),
                answer.directive,
                state="bad",
            )
        ]
    lines = [
        f"{item.name} {item.value} ({item.source})"
        for item in (route.effective[name] for name in SHOWN if name in route.effective)
    ]
    request = [f"{upstream.method} {masked_url(upstream.uri)} HTTP/{upstream.version}"]
    values = [
        (header.name, header.value if header.value is not None else f"(unknown: {header.reason})")
        for header in upstream.headers
    ]
    for (name, value), header in zip(masked_headers(values), upstream.headers):
        request.append(f"{name}: {value}  [{header.source}]")
    return [
        _step("directives", f"passed on to {discreet(upstream.url)}", upstream.directive, more=lines),
        _step("headers", "the request as the backend gets it", more=request),
    ]


def _backend(facts: Facts) -> List[Step]:
    found = []
    for backend in facts.backends:
        words = [f"{item.address}:{item.port}: {item.describe()}" for item in backend.listeners]
        name = f"{backend.server}" + (f" → {', '.join(backend.resolved)}" if backend.resolved else "")
        found.append(
            _step("backend", name, more=words, state="" if words or not backend.listeners else "bad")
        )
    return found


def _answers(facts: Facts) -> List[Step]:
    found = []
    for words, probe in probes_of(facts.backends):
        if "as nginx sends it" in words or "right handshake" in words:
            found.append(
                _step(
                    "answer",
                    f"direct to the backend ({words}): {outcome(probe)}",
                    state="ok" if probe.opened else "bad",
                )
            )
    for hop in facts.hops:
        found.append(
            _step("answer", f"{hop.words}: {outcome(hop.probe)}", state="ok" if hop.opened else "bad")
        )
    return found


def told(hop: Hop) -> Evidence:
    """A hop's result as evidence."""
    probe = hop.probe
    if probe.opened and not probe.error:
        text = "101, the WebSocket opens"
    elif probe.status is not None and probe.error_kind == "http-status":
        location = probe.header("Location")
        text = f"{probe.status} {probe.reason}" + (f" to {location}" if location else "")
    else:
        text = probe.error or probe.error_kind
    where = f" at {probe.address}" if probe.address else ""
    return Evidence("probe", f"{hop.words}{where}: {text}")


def outcome(probe: Probe) -> str:
    """What came of a probe, in a few words."""
    if probe.opened:
        pong = ", pong" if probe.pong else ""
        closed = f", closed after {probe.closed_after:.1f} s" if probe.closed_after is not None else ""
        return f"101, open{pong}{closed}"
    if probe.status is not None and probe.error_kind == "http-status":
        return f"{probe.status} {probe.reason}"
    if probe.status is not None and not probe.error:
        return f"{probe.status} {probe.reason}"
    return str(probe.error or probe.error_kind)


def probes_of(found: Sequence[BackendFacts]) -> List[Tuple[str, Probe]]:
    """Every experiment with its words, for the report."""
    result: List[Tuple[str, Probe]] = []
    for backend in found:
        if backend.search is not None:
            result += [(f"{backend.server}, {words}", probe) for words, probe in backend.search.tried]
        for words, probe in (
            ("held open", backend.held),
            ("an ordinary request", backend.plain),
            ("in the other scheme", backend.other_scheme),
            ("with a server name in TLS", backend.with_name),
            ("with Socket.IO's session", backend.session),
        ):
            if probe is not None:
                result.append((f"{backend.server}, {words}", probe))
    return result


# ---------------------------------------------------------------------------------------- data


def route_data(facts: Facts) -> Optional[Dict[str, Any]]:
    """The static route as plain data; None when there is none."""
    route = facts.route
    if route is None:
        return None
    upstream = route.upstream
    return {
        "listen": str(route.listen.address) if route.listen is not None else "",
        "server": _place(route.server),
        "server_reason": next((item.reason for item in route.candidates if item.chosen), ""),
        "candidates": [
            {"names": item.names, "reason": item.reason, "chosen": item.chosen, "where": _where(item.server)}
            for item in route.candidates[:50]
        ],
        "location": _place(route.location),
        "losers": [
            {"location": titled(loser.location), "where": _where(loser.location), "reason": loser.reason}
            for loser in route.losers[:50]
        ],
        "uri": masked_url(route.uri),
        "answer": {"kind": route.answer.kind, "status": route.answer.status, "reason": route.answer.reason},
        "upstream": None
        if upstream is None
        else {
            "proxy_pass": discreet(upstream.url),
            "where": upstream.directive.where(),
            "servers": upstream.servers,
            "http_version": upstream.version,
            "method": upstream.method,
            "uri": masked_url(upstream.uri),
            "headers": [
                {"name": name, "value": value, "source": header.source}
                for (name, value), header in zip(
                    masked_headers([(h.name, h.value or "") for h in upstream.headers]), upstream.headers
                )
            ],
        },
        "directives": {
            name: {"value": item.value, "source": item.source} for name, item in route.effective.items()
        },
        "undecided": [item.reason for item in route.undecided],
    }


def _where(level: Optional[Level]) -> str:
    return level.directive.where() if level is not None and level.directive is not None else ""


def _place(level: Optional[Level]) -> Optional[Dict[str, Any]]:
    if level is None:
        return None
    return {
        "text": titled(level),
        "where": _where(level),
        "kind": "location" if isinstance(level, Location) else level.kind,
    }


def probe_data(facts: Facts) -> List[Dict[str, Any]]:
    """Every probe and experiment, in order."""
    found = [{"hop": hop.name, "words": hop.words, **hop.probe.to_dict()} for hop in facts.hops]
    found += [
        {"hop": "direct", "words": words, **probe.to_dict()} for words, probe in probes_of(facts.backends)
    ]
    found += [{"hop": "together", "words": facts.many_reason, **probe.to_dict()} for probe in facts.many]
    return found


def nginx_data(facts: Facts) -> Dict[str, Any]:
    """Which nginx it is."""
    data: Dict[str, Any] = {"version": ".".join(str(number) for number in facts.version), "live": facts.live}
    if facts.nginx is not None:
        data.update(
            binary=facts.nginx.binary.path,
            conf_path=facts.nginx.conf_path,
            choice=facts.nginx_choice,
            pid=facts.nginx.master.pid if facts.nginx.master else None,
        )
    if facts.test is not None:
        data["test"] = {
            "valid": facts.test.valid,
            "messages": [discreet(text) for text in facts.test.messages[:10]],
        }
    return data


def excerpts(facts: Facts, findings: Sequence[Finding], secrets: SecretValues) -> List[Dict[str, Any]]:
    """Lines of the configuration around the evidence of each finding, the decisive ones marked.

    Args:
        facts: with the configuration.
        findings: whose evidence is shown.
        secrets: of that configuration.
    """
    if facts.configuration is None:
        return []
    wanted: Dict[str, Dict[int, str]] = {}
    for finding in findings:
        for item in finding.evidence:
            if item.file and item.line:
                wanted.setdefault(item.file, {}).setdefault(item.line, finding.code)
    route = facts.route
    if route is not None and route.location is not None and route.location.directive is not None:
        directive = route.location.directive
        wanted.setdefault(directive.file, {}).setdefault(directive.line, "")
    found = []
    for file, marks in wanted.items():
        data = facts.configuration.files.get(file)
        if data is None:
            continue
        lines = secrets.lines(file, data)
        keep = sorted(
            {
                number
                for mark in marks
                for number in range(mark - AROUND, mark + AROUND + 1)
                if 0 < number <= len(lines)
            }
        )
        found.append(
            {
                "file": file,
                "lines": [
                    {
                        "number": number,
                        "text": discreet(lines[number - 1].rstrip("\r")[:300]),
                        "code": marks.get(number, ""),
                        "marked": number in marks,
                    }
                    for number in keep[:120]
                ],
            }
        )
    return found
