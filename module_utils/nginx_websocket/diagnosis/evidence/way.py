"""The way of the request: what happens at each station, why, and where that is written."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Optional, Sequence

from ...behaviour.rewrite import Step as RouteStep
from ...behaviour.rewrite import printable
from ...behaviour.route import Route
from ...behaviour.secret_values import head, secret_value
from ...conf.tree import Directive
from ...exchange.masking import MASK, masked_headers, masked_url
from ..words.discreet import discreet
from .facts import Facts
from .probes import outcome, probes_of

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
        text = f"{facts.owner.address}:{facts.owner.port}, {facts.owner.describe()}"
        more = [facts.nginx_choice] if facts.inside is not None else []
        found.append(_step("listen", text, state="ok" if facts.owner_is_nginx else "bad", more=more))
    elif facts.live:
        found.append(_step("listen", f"nothing listens on port {facts.question.endpoint.port}", state="bad"))
    hop = facts.main_hop
    if hop is not None and hop.probe.tls:
        tls = hop.probe.tls
        words = [str(tls.get(key)) for key in ("version", "cipher", "subject") if tls.get(key)]
        error = str(tls.get("verify_error", ""))
        alpn = tls.get("alpn") or "none chosen"
        text = f"SNI {facts.question.endpoint.host}, ALPN {alpn}: {', '.join(words)}"
        text += f"; {error}" if error else ""
        found.append(_step("tls", text, state="bad" if error else "ok"))
    return found


def _server(route: Route) -> List[Step]:
    if route.server is None:
        return [_step("server", route.answer.reason or route.answer.kind, state="bad")]
    chosen = next((item for item in route.candidates if item.chosen), None)
    others = [
        f"{' '.join(item.names)} ({item.server.where()}): {item.reason}"
        for item in route.candidates
        if not item.chosen
    ]
    reason = chosen.reason if chosen is not None else ""
    names = " ".join(chosen.names if chosen is not None else []) or "without a name"
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
    if route.location is not None:
        losers = [
            f"{loser.location.title()} ({loser.location.where()}): {loser.reason}" for loser in route.losers
        ]
        answers = f"{route.location.title()} answers"
        last = _step("location", answers, route.location.directive, more=losers)
        if found and (found[-1].station, found[-1].line) == (last.station, last.line):
            found.pop()
        found.append(last)
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
        words = answer.kind + (f" {answer.status}" if answer.status else "")
        text = f"nginx answers by itself: {words} {answer.reason}".rstrip()
        return [_step("answer", text, answer.directive, state="bad")]
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
            text = f"direct to the backend ({words}): {outcome(probe)}"
            found.append(_step("answer", text, state="ok" if probe.opened else "bad"))
    for hop in facts.hops:
        text = f"{hop.words}: {outcome(hop.probe)}"
        found.append(_step("answer", text, state="ok" if hop.opened else "bad"))
    return found
