"""Everything that a user could observe of one request, and why.

``behaviour()`` is the one question; who wants to know what nginx does with a request asks it.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Dict, List, Optional, Sequence, Tuple, Union

from ..conf.tree import Configuration
from .access.conditions import condition_guards
from .access.guards import Guard, certificate_guard, let_in
from .content.content import Answer
from .content.files import FileKind
from .content.gateway import Gateway, gateway
from .content.upstream import Upstream
from .effective import Effective, Level
from .request import Request
from .response import Added, ErrorPage, Log, added_headers, error_pages, hidden_headers, logs
from .rewrite import Step, Undecided, printable
from .route import Route, index_of, route
from .server.names import server_names
from .stream import Passage, behind, passage
from .upgrade.verdict import Verdict, judge


@dataclasses.dataclass(frozen=True)
class Visit:
    """One location that the request entered (or "server", where no location matches).

    Two are equal when the same is asked and limited there; the name of the place does not count.
    """

    guards: Tuple[Guard, ...]
    """In the order in which nginx asks: conditions of the rewrite phase, then the access phase."""
    body_limit: Optional[int]
    """``client_max_body_size`` in bytes, 0 for none; None where the value is not readable."""
    let_in: Optional[bool]
    """Whether the guards of this place let the request pass; None where nobody can tell."""
    checked: bool
    """Whether the access phase ran here; not so where a rewrite or a ``return`` left before it."""
    by: str = dataclasses.field(default="", compare=False)
    """What led here: "request", "rewrite", "index", "try_files", "error_page"."""
    uri: str = dataclasses.field(default="", compare=False)
    place: str = dataclasses.field(default="", compare=False)
    """``location /admin/``."""
    level: Optional[Level] = dataclasses.field(default=None, compare=False, repr=False)


@dataclasses.dataclass
class Behaviour:
    """What nginx does with one request.

    Comparing two behaviours compares what a user could observe.  Where something stands in the files, names
    of places, and words for people are kept beside the values and do not take part.  ``undecided`` does: a
    behaviour that holds anything undecided is unknown in that point, whatever it equals.
    """

    answer: Answer
    """Who answers, and what: kind, status (0 where the backend or a file decides), redirect, file, text."""
    upstream: Optional[Upstream]
    """The request that a proxied backend gets: servers, method, URI, version, every header."""
    route: Route = dataclasses.field(compare=False, repr=False)
    """How it came to that: listen address, server and why, every step and search."""
    gateway: Optional[Gateway] = None
    """The request that a FastCGI, uwsgi, SCGI, gRPC or memcached backend gets."""
    visits: Tuple[Visit, ...] = ()
    """Every location entered, in order, with its guards and its body limit."""
    before: Tuple[Guard, ...] = ()
    """Guards before any location: client certificate, conditions of the server."""
    added: Tuple[Added, ...] = ()
    """Header lines that nginx adds to the answer."""
    hidden: Tuple[str, ...] = ()
    """Headers of the backend that do not reach the client, lower case, sorted; () where none is asked."""
    error_pages: Tuple[ErrorPage, ...] = ()
    """What replaces an answer with one of these codes, at the place that answers."""
    intercepts: bool = False
    """Whether that holds for the backend's answers too (``proxy_intercept_errors`` and its kin)."""
    logs: Tuple[Log, ...] = ()
    settings: Dict[str, Effective] = dataclasses.field(default_factory=dict)
    """Limits and times in force at the place that answers: ``proxy_read_timeout`` …"""
    passage: Optional[Passage] = None
    """The ``stream`` server that the connection goes through first."""
    undecided: Tuple[Undecided, ...] = ()
    """What configuration and request do not tell, with the reason and what was assumed instead."""
    files: Optional[FileKind] = dataclasses.field(default=None, compare=False, repr=False)

    @functools.cached_property
    def upgrade(self) -> Optional[Verdict]:
        """Whether a WebSocket upgrade survives; None for a request that asks for none.

        It follows from what is compared, so it takes no part in that, and is worked out when it is asked for.
        """
        found = self.route
        if not found.request.websocket:
            return None
        if any(guard.passes is False for guard in self.guards):
            # what lies behind a refusal counts as well: the verdict is about the walk as if let in
            found = route(found.configuration, found.request, version=found.version, file_kind=self.files)
        verdict = judge(found)
        if verdict.survives is False and found is not self.route and self.answer.kind == "proxy":
            # An error_page passes on whoever is refused, and that may open.
            other = judge(self.route)
            verdict = verdict if other.survives is False else other
        return verdict

    @property
    def guards(self) -> Tuple[Guard, ...]:
        """Every guard on the way, in nginx's order."""
        return (*self.before, *(guard for visit in self.visits for guard in visit.guards))

    @property
    def body_limit(self) -> Optional[int]:
        """The limit of the place at which the body is read, the last one that was entered."""
        return self.visits[-1].body_limit if self.visits else None

    @property
    def steps(self) -> List[Step]:
        """Rewrites, conditions, redirects, in order."""
        return self.route.steps

    @property
    def listen(self) -> str:
        """The listen address; "" where nothing listens."""
        return str(self.route.listen.address) if self.route.listen is not None else ""

    @property
    def server(self) -> Tuple[str, ...]:
        """The names of the server that takes the request."""
        if self.route.server is None:
            return ()
        return tuple(printable(name) for name in server_names(self.route.server))


def behaviour(
    configuration: Configuration,
    request: Union[Request, str],
    *,
    version: Sequence[int] = (1, 22, 1),
    files: Optional[FileKind] = None,
    admitted: bool = False,
) -> Behaviour:
    """What nginx does with one request, and why.

    Args:
        configuration: a loaded configuration.
        request: the request, or just its URL.
        version: version of the nginx that runs it; defaults differ between versions.
        files: tells what is at a path ("file", "directory", ""), as ``content.files.local_files`` does on
            the host; without it everything that depends on files is undecided.
        admitted: as if every guard and body limit let the request pass.  So one sees what lies behind a
            password; the guards are told with their verdict for this request all the same.

    Returns:
        The behaviour.  Where a guard certainly refuses the request (and ``admitted`` is false),
        ``answer`` is that refusal, after ``error_page``.

    Raises:
        ValueError: the URL of the request is not usable.
    """
    if isinstance(request, str):
        request = Request(request)
    number = tuple(version)
    passed = passage(configuration, request, number)
    inner: Optional[Request] = request
    if passed is not None:
        inner = behind(request, passed, index_of(configuration).groups)
    found = route(configuration, inner or request, version=number, file_kind=files, admitted=admitted)
    if passed is not None and inner is None:
        found = _elsewhere(found, passed)
    elif passed is not None:
        _compare_proxy_lines(found, passed)
    return _told(found, passed, files)


def _elsewhere(found: Route, passed: Passage) -> Route:
    """The stream server passes the connection to somebody else: no http server of ours sees it."""
    result = Route(found.configuration, found.request, found.version)
    target = passed.target or "an address that cannot be told"
    result.answer = Answer("stream", directive=passed.directive, reason=f"passed on to {target}")
    if passed.target is None:
        result.undecided.append(Undecided(passed.reason, passed.directive))
    return result


def _compare_proxy_lines(found: Route, passed: Passage) -> None:
    """A PROXY line that is not expected, or is expected and does not come, ends the connection."""
    group = found.listen
    if group is None or group.proxy_protocol == passed.proxy_line:
        return
    sent = "sends" if passed.proxy_line else "sends no"
    wants = "expects one" if group.proxy_protocol else "expects none"
    reason = f"the stream server {sent} PROXY line, and {group.address} {wants}"
    kind, status = ("closed", 0) if group.proxy_protocol or group.ssl else ("bad-request", 400)
    found.answer = Answer(kind, status, directive=passed.directive, reason=reason, code="proxy-line")
    found.upstream = None


def _told(found: Route, passed: Optional[Passage], files: Optional[FileKind]) -> Behaviour:
    level, exchange, answer = found.level, found.exchange, found.answer
    undecided = list(found.undecided)
    if passed is not None and len(passed.servers) > 1:
        undecided.append(Undecided("which server of the stream upstream is taken", passed.directive))
    undecided += _proxy_line(found)
    result = Behaviour(
        answer=answer,
        upstream=found.upstream if answer.kind == "proxy" else None,
        route=found,
        visits=_visits(found),
        before=_before(found),
        settings=found.effective,
        passage=passed,
        files=files,
    )
    if level is not None and exchange is not None:
        result.added = added_headers(exchange, level, found.version)
        result.error_pages = error_pages(level)
        result.logs = logs(level)
        protocol = _protocol(answer)
        if answer.kind == "pass" and answer.directive is not None:
            result.gateway = gateway(exchange, level, answer.directive)
        if protocol:
            result.hidden = hidden_headers(level, protocol)
            result.intercepts = level.on(protocol + b"_intercept_errors", False)
    for guard in result.guards:
        if guard.passes is None:
            text = f"{guard.rule[0]}: {guard.reason}"
            undecided.append(Undecided(text, guard.directive, "the client is let in"))
    result.undecided = tuple(undecided)
    return result


def _protocol(answer: Answer) -> bytes:
    """First word of the directives of the module that asks the backend; b"" where none is asked."""
    if answer.kind not in ("proxy", "pass") or answer.directive is None:
        return b""
    return answer.directive.name[: -len(b"_pass")]


def _proxy_line(found: Route) -> List[Undecided]:
    group = found.listen
    if group is None or not group.proxy_protocol or found.request.proxy_line is not None:
        return []
    reason = f"{group.address} expects a PROXY line, which only a proxy in front sends"
    return [Undecided(reason, group.listens[0].directive, "it is sent")]


def _before(found: Route) -> Tuple[Guard, ...]:
    server = found.server
    if server is None:
        return ()
    certificate = certificate_guard(server, found.request.tls)
    guards = () if certificate is None else (certificate,)
    end = found.entered[0].step if found.entered else len(found.steps)
    return (*guards, *condition_guards(found.steps[:end], "server", server))


def _visits(found: Route) -> Tuple[Visit, ...]:
    result: List[Visit] = []
    ends = [entered.step for entered in found.entered[1:]] + [len(found.steps)]
    for entered, end in zip(found.entered, ends):
        conditions = condition_guards(found.steps[entered.step : end], entered.place, entered.level)
        guards = (*conditions, *entered.guards)
        result.append(
            Visit(
                guards,
                entered.body_limit,
                let_in(guards),
                entered.checked,
                entered.by,
                printable(entered.uri),
                entered.place,
                entered.level,
            )
        )
    return tuple(result)
