"""The phases of one request: from the server's rewrites to the handler that answers.

Rules of ``ngx_http_core_find_config_phase``, ``ngx_http_core_post_rewrite_phase``,
``ngx_http_try_files_handler``, ``ngx_http_index_handler``, ``ngx_http_internal_redirect``,
``ngx_http_named_location`` and ``ngx_http_special_response_handler``.  The preaccess and access phases run
where rewriting has ended, so a location that a rewrite or a ``return`` leaves is entered, but its guards are
not asked; the body limit is looked at as soon as a location is found (``ngx_http_core_find_config_phase``).
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Set, Union

from ..conf.tree import Directive
from ..conf.units import bytes_of
from .access.guards import INTERNAL, LIMIT_CONN, LIMIT_REQ, Guard, guards_at, refusal, words
from .content.content import (
    HANDLERS,
    Answer,
    absolute_location,
    find_index,
    internal_redirect,
    static_answer,
    try_files,
)
from .content.upstream import BadUpstream, Upstream, build, proxy_pass_of
from .effective import Level
from .location import Found, Location, find_location, locations_of
from .regex import CannotDecide
from .rewrite import Hooks, Outcome, RewriteError, Step, Undecided, printable, run_rewrites
from .uri import escape_redirect
from .variables import Exchange

__all__ = ["Answer", "Entered", "Walker"]

BAD_REQUESTS = (494, 495, 496, 497)
"""nginx's own codes, for ``error_page``; the client gets 400 (``ngx_http_special_response_handler``)."""

CLOSING = (408, 444, 499)
"""Codes that end the connection without an answer (``ngx_http_finalize_request``)."""

BODY_LIMIT = 1 << 20
"""``client_max_body_size`` by default."""


@dataclasses.dataclass
class Entered:
    """One location (or the server itself, where none matches) that the request got to, in order."""

    level: Level
    by: str
    """"request", "rewrite", "error_page", "index", "try_files", or another cause of an internal redirect."""
    uri: bytes
    """The URI that led there."""
    step: int
    """How many steps had been taken before."""
    checked: bool = False
    """Whether nginx asked its guards; not so where a rewrite or a ``return`` left it before."""
    guards: List[Guard] = dataclasses.field(default_factory=list)

    @property
    def place(self) -> str:
        """Its name: ``location /ws/``, or "server"."""
        return self.level.title() if isinstance(self.level, Location) else self.level.kind

    @property
    def body_limit(self) -> Optional[int]:
        """Bytes that a body may have there; 0 for no limit, None where the value is none."""
        found = self.level.nearest(b"client_max_body_size")[1]
        return bytes_of(found[-1].args[0].decode("ascii", "replace")) if found else BODY_LIMIT


class Walker:
    """Walks one request through the phases."""

    def __init__(self, exchange: Exchange, hooks: Hooks, admitted: bool = True) -> None:
        """Start at the server level.

        Args:
            exchange: the request; it is changed on the way.
            hooks: where steps and undecided points go; ``on_if`` is set here.
            admitted: follow the request as if every guard and body limit let it pass; else a certain
                refusal answers.
        """
        self.admitted = admitted
        self.entered: List[Entered] = []
        self.by = "request"
        self.limited: Set[str] = set()
        self.exchange = exchange
        self.hooks = hooks
        self.selections: List[Found] = []
        self.searched = b""
        """The URI of the first search."""
        self.upstream: Optional[Upstream] = None
        self.handler: Optional[Directive] = None
        self.error_page = False
        self.err_status = 0
        hooks.on_if = self._take_handler

    # -- the phases -------------------------------------------------------------------------------

    def run(self, answer: Optional[Answer] = None) -> Answer:
        """Run until something answers.

        Args:
            answer: what nginx answers before the first phase, where it does; ``error_page`` may replace it.
        """
        if answer is None:
            answer = self._try(None)
        while True:
            if answer.next_uri is None:
                answer = self._special_response(answer)
            if answer.next_uri is None:
                return self._finish(answer)
            redirected = self._internal_redirect(answer)
            answer = redirected if isinstance(redirected, Answer) else self._try(redirected)

    def _try(self, named: Optional[Level]) -> Answer:
        try:
            return self._phases(named)
        except RewriteError as error:
            return Answer("error", 500, reason=str(error))

    def _phases(self, named: Optional[Level]) -> Answer:
        exchange = self.exchange
        if named is None:
            exchange.level = exchange.server
            outcome = run_rewrites(exchange, exchange.server, self.hooks, in_location=False)
            if outcome is not None:
                return self._outcome(outcome)
            answer = self._find_config()
        else:
            exchange.level = named
            answer = None
            self._note(named)
            self._enter(named)
        while answer is None:
            if exchange.level is not exchange.server:
                outcome = run_rewrites(exchange, exchange.level, self.hooks, in_location=True)
                if outcome is not None:
                    return self._outcome(outcome)
            if not exchange.uri_changed:
                return self._content()
            exchange.uri_changes -= 1
            if exchange.uri_changes == 0:
                return Answer("error", 500, reason="rewrite or internal redirection cycle")
            exchange.level = exchange.server
            answer = self._find_config()
        return answer

    def _find_config(self) -> Optional[Answer]:
        """Select a location; an answer only when that already settles the request."""
        exchange = self.exchange
        self.handler = None
        if exchange.uri_changed:
            self.by = "rewrite"
        exchange.uri_changed = False
        found = find_location(exchange.server, exchange.uri, exchange.version)
        self.selections.append(found)
        self.searched = self.searched or exchange.uri
        for match in found.matches:
            exchange.keep(match)
        location = found.location
        if location is None:
            text = f"no location matches {printable(exchange.uri)}"
            self._step("location", text, exchange.server.directive)
            self._note(exchange.server)
            self._enter(exchange.server)
            return self._too_large(exchange.server)
        exchange.level = location
        self._step("location", f"{printable(exchange.uri)} → {location.title()}", location.directive)
        self._note(location)
        internal = location.nearest(b"internal")[1]
        if internal:
            passes, place = exchange.internal, location.title()
            guard = Guard(INTERNAL, (words(internal[-1]),), passes, 404, place=place, directive=internal[-1])
            self.entered[-1].guards.append(guard)
            if not passes:
                return self._internal_location(location)
        self._enter(location)
        refused = self._too_large(location)
        if refused is not None:
            return refused
        if found.redirect:
            target = escape_redirect(location.name, exchange.version)
            if exchange.args:
                target += b"?" + exchange.args
            reason = f"{location.title()} ends in / and passes the request on"
            return Answer("redirect", 301, target, location.directive, reason, code="auto-redirect")
        return None

    def _internal_location(self, location: Location) -> Answer:
        directive = location.nearest(b"internal")[1][-1]
        reason = f"{location.title()} is internal: requests from outside get 404"
        return Answer("not-found", 404, None, directive, reason, code="internal")

    def _note(self, level: Level) -> None:
        self.entered.append(Entered(level, self.by, self.exchange.uri, len(self.hooks.steps)))

    def _too_large(self, level: Level) -> Optional[Answer]:
        """413 where Content-Length is beyond the limit; a body without it is counted while it is read."""
        length = self.exchange.header(b"content-length")
        if self.admitted or self.exchange.body_discarded or length is None or not length.isdigit():
            return None
        limit = self.entered[-1].body_limit
        if not limit or int(length) <= limit:
            return None
        self.exchange.body_discarded = True
        found = level.nearest(b"client_max_body_size")[1]
        directive = found[-1] if found else None
        reason = f"a body of {int(length)} bytes is beyond client_max_body_size"
        return Answer("refused", 413, None, directive, reason, code="body-limit")

    def _ask_guards(self) -> Optional[Answer]:
        """The preaccess and access phases at the level in force."""
        here = self.entered[-1]
        here.checked = self.exchange.signed_in = True
        here.guards += guards_at(self.exchange, self.exchange.level, here.place, tuple(self.limited))
        self.limited.update(g.kind for g in here.guards if g.kind in (LIMIT_REQ, LIMIT_CONN))
        refused = None if self.admitted else refusal(here.guards)
        if refused is None:
            return None
        return Answer("refused", refused.status, None, refused.directive, refused.reason, code=refused.kind)

    def _enter(self, level: Level) -> None:
        """``ngx_http_update_location_config``: limit_except, then the handler of the level."""
        for directive in level.own(b"limit_except"):
            if directive.block is not None and self.exchange.method not in _methods(directive):
                inner = Level("limit_except", directive, level)
                self.exchange.level = inner
                if self.handler is None:
                    self._take_handler(level)
                self._take_handler(inner)
                return
        self._take_handler(level)

    def _take_handler(self, level: Level) -> None:
        """The last handler directive of a level is its handler; a level without one keeps the old."""
        own = [child for child in level.body() if child.name in HANDLERS]
        if own:
            self.handler = own[-1]

    # -- answers ----------------------------------------------------------------------------------

    def _outcome(self, outcome: Outcome) -> Answer:
        final = outcome.status < 400 or outcome.directive.args[1:2] not in ((), (b"",))
        if outcome.status in CLOSING and not final:
            reason = f"return {outcome.status} closes the connection"
            return Answer("closed", outcome.status, None, outcome.directive, reason)
        if outcome.redirect:
            return Answer("redirect", outcome.status, outcome.location, outcome.directive, code="rewrite")
        text = outcome.text if final else None
        return Answer("return", outcome.status, None, outcome.directive, text=text, final=final)

    def _content(self) -> Answer:
        """Access, precontent and content phases of the level in force."""
        exchange = self.exchange
        refused = self._ask_guards()
        if refused is not None:
            return refused
        for directive in exchange.level.own(b"try_files"):
            answer = try_files(exchange, directive, self.hooks)
            if answer is not None:
                return answer
        if self.handler is not None:
            return self._handle(self.handler)
        if (exchange.uri or exchange.before_uri).endswith(b"/"):
            return find_index(exchange, self.hooks)
        return static_answer(exchange, self.hooks)

    def _handle(self, directive: Directive) -> Answer:
        if directive.name != b"proxy_pass":
            kind = "pass" if directive.name.endswith(b"_pass") else "handler"
            return Answer(kind, 0, None, directive, f"{directive.name.decode()} answers")
        target = proxy_pass_of(self.exchange.level)[0]
        try:
            self.upstream = build(self.exchange, self.exchange.level)
        except BadUpstream as error:
            return Answer("error", 500, None, target or directive, str(error))
        except CannotDecide as error:
            self.hooks.undecided.append(Undecided(str(error), target or directive, "it is a usable address"))
        return Answer("proxy", 0, None, target or directive)

    # -- internal redirects -----------------------------------------------------------------------

    def _internal_redirect(self, answer: Answer) -> Union[Answer, Level, None]:
        """Follow ``answer.next_uri``; a level when a named location takes over, an Answer on failure."""
        exchange = self.exchange
        assert answer.next_uri is not None
        exchange.uri_changes -= 1
        if exchange.uri_changes == 0:
            return Answer("error", 500, None, answer.directive, "rewrite or internal redirection cycle")
        name = answer.next_uri
        self.by = answer.code
        if name.startswith(b"@"):
            location = locations_of(exchange.server).named.get(name)
            self._step("named-location", printable(name), answer.directive)
            if location is None:
                reason = f"could not find named location {printable(name)}"
                return Answer("error", 500, None, answer.directive, reason)
            exchange.internal = True
            exchange.uri_changed = False
            self.handler = None
            return location
        self._step("internal-redirect", printable(name), answer.directive)
        exchange.uri, exchange.args = name, answer.next_args
        exchange.internal = True
        exchange.valid_unparsed = False
        exchange.valid_location = True
        exchange.add_uri_to_alias = False
        self.handler = None
        return None

    def _special_response(self, answer: Answer) -> Answer:
        """``error_page`` for an answer that nginx itself makes."""
        exchange = self.exchange
        if answer.status < 300 or answer.final or answer.kind in ("closed", "proxy"):
            return answer
        self.err_status = answer.status
        if self.error_page or exchange.uri_changes == 0:
            return answer
        for directive in exchange.level.nearest(b"error_page")[1]:
            codes, overwrite, uri = parse_error_page(directive)
            if answer.status not in codes:
                continue
            if not exchange.level.on(b"recursive_error_pages", False):
                self.error_page = True
            self._step("error_page", f"{answer.status} → {printable(uri)}", directive)
            # ngx_http_core_error_page: without "=", nginx's own codes become 400
            kept = 400 if answer.status in BAD_REQUESTS else answer.status
            self.err_status = kept if overwrite is None else overwrite
            try:
                target = exchange.evaluate(uri)
            except CannotDecide as error:
                self.hooks.undecided.append(Undecided(str(error), directive))
                return answer
            if target.startswith(b"@"):
                return internal_redirect("error_page", directive, target)
            if target.startswith(b"/"):
                if exchange.method != b"HEAD":
                    exchange.method = b"GET"
                path, _mark, args = target.partition(b"?")
                return internal_redirect("error_page", directive, path, args)
            status = self.err_status if self.err_status in (301, 302, 303, 307, 308) else 302
            self.err_status = 0
            return Answer("redirect", status, target, directive, "error_page", code="error-page", final=True)
        return answer

    def _finish(self, answer: Answer) -> Answer:
        if answer.status in BAD_REQUESTS and not answer.final:
            self.err_status = answer.status = 400
        if self.err_status and answer.kind != "closed":
            answer.err_status = self.err_status
            if answer.status:
                answer.status = self.err_status
        if answer.redirect_target is not None:
            answer.redirect_target = absolute_location(self.exchange, answer.redirect_target)
        return answer

    def _step(self, kind: str, text: str, directive: Optional[Directive]) -> None:
        self.hooks.steps.append(Step(kind, text, directive))


def _methods(directive: Directive) -> List[bytes]:
    """Methods that ``limit_except`` lets through; GET brings HEAD."""
    names = [argument.upper() for argument in directive.args]
    return [*names, b"HEAD"] if b"GET" in names else names


def parse_error_page(directive: Directive) -> tuple[List[int], Optional[int], bytes]:
    """Codes, overwriting status (None: keep the code; 0: that of the new answer) and URI."""
    args = list(directive.args)
    uri = args.pop() if args else b""
    overwrite: Optional[int] = None
    if args and args[-1].startswith(b"="):
        text = args.pop()[1:]
        overwrite = int(text) if text.isdigit() else 0
    return [int(code) for code in args if code.isdigit()], overwrite, uri
