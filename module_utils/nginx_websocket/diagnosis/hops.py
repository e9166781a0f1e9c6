"""The handshakes at every hop of the way: through nginx, at the public name, at the backend."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Callable, List, Tuple

from ..exchange.probe import probe
from ..exchange.result import Probe
from .asking import browsers_view
from .asking.backend import LOOK, ask_backends
from .asking.browsers_view import handshake
from .asking.elsewhere import look_elsewhere
from .asking.sockets import http2_alpn, open_together, session_probe, together
from .capacity import open_socket
from .capacity.limits import socket_limits
from .capacity.timing import silence
from .deciding.static_rules import explained
from .evidence import place
from .evidence.facts import BackendFacts, Facts, Hop
from .tls.issuer import unknown_issuer

ON_THIS_HOST = "through nginx on this host"
NO_BACKEND = ("static", "not-found", "forbidden", "autoindex", "redirect", "error")
FOREIGN_ORIGIN = "https://origin-check.invalid"
OVERLAP = 0.8
"""Seconds for which sockets that are opened together stay open."""
SHORT_TIMEOUT = 15.0
"""A time of silence up to this is waited out, since it shows by itself."""


def ask_hops(facts: Facts, address: Tuple[str, int]) -> None:
    """The handshakes of every hop, in an order in which none spoils the next."""
    question = facts.question
    if question.alpn and "h2" in question.alpn and question.endpoint.tls:
        note = http2_alpn(address, question)
        facts.hops.append(Hop("alpn", "TLS with the client's ALPN " + ", ".join(question.alpn), note))
    first = _first(facts, address)
    if first.error_kind in ("closed-without-answer", "tls") and not first.tls.get("verify_error"):
        proxied = handshake(question, address, proxy_protocol=True)
        facts.hops.append(Hop("with PROXY", "the same with a PROXY protocol line", proxied))
    browsers_view.other_client(facts, address)
    _public(facts, address)
    opened = first.lasting
    tasks: List[Callable[[], None]] = []
    if opened:
        _limits(facts, address)
        _origins(facts, address)
        if hold_seconds(facts) > browsers_view.AT_ONCE:  # the first was silent for that long
            tasks.append(lambda: _held(facts, address))
    elif first.status is not None:
        _plain(facts, address)
    if not facts.backends:
        # nginx gave up on a backend that may answer later: what it waited for is worth waiting for.
        late = first.status == 504 and not explained(facts)
        tasks.append(lambda: ask_backends(facts, opened, patient=late))
    together(tasks)  # Each writes to its own part of the facts.
    if opened:
        _again(facts, address)
    else:
        _look_further(facts, address, first)


def _first(facts: Facts, address: Tuple[str, int]) -> Probe:
    """The browser's handshake, the one that counts.

    It comes first of all: a limit_req must not count anything of ours before it.
    """
    question = facts.question
    first = browsers_view.first_handshake(facts, address)
    if first.error_kind == "tls" and unknown_issuer(first):
        # A private authority may be known to the clients and not to this host: say so, and look on.
        facts.hops.append(Hop("unknown issuer", "TLS with this host's authorities", first))
        question.verify = False
        first = browsers_view.first_handshake(facts, address)
    words = f"through the nginx of {facts.inside.words}" if facts.inside is not None else ON_THIS_HOST
    if first.error_kind == "answer-timeout":
        first, words = _patiently(facts, address, first, words)
    elif first.status is not None and first.seconds > question.timeout / 2:
        question.timeout = _enough(first.seconds)
    facts.hops.append(Hop("loopback", words, first))
    return first


def _held(facts: Facts, address: Tuple[str, int]) -> None:
    """A socket that says nothing for a while."""
    hold = hold_seconds(facts)
    words = f"through nginx, in silence for {hold:.0f} s"
    facts.hops.append(Hop("held", words, handshake(facts.question, address, hold=hold)))


def _plain(facts: Facts, address: Tuple[str, int]) -> None:
    """The same as an ordinary request, without an upgrade."""
    question = facts.question
    plain = probe(
        question.url,
        address=address,
        headers=[("Host", question.host_header), *question.headers],
        origin=question.sent_origin,
        timeout=question.timeout,
        cafile=question.cafile,
        verify=False,
        upgrade=False,
    )
    facts.hops.append(Hop("plain", "an ordinary request through nginx", plain))


def _again(facts: Facts, address: Tuple[str, int]) -> None:
    """The handshake often enough to meet each server of the upstream, where they differ."""
    if open_socket.unlike(facts):
        count = min(6, 2 * sum(len(backend.each) for backend in facts.backends))
        facts.repeated = [handshake(facts.question, address) for _ in range(count)]


def _look_further(facts: Facts, address: Tuple[str, int], first: Probe) -> None:
    """It does not open: on another port of this host, or as Socket.IO does it?"""
    question = facts.question
    if facts.route is not None and facts.route.answer.kind in NO_BACKEND:
        facts.elsewhere = BackendFacts("", None)
        with contextlib.suppress(OSError), place.network(facts):
            look_elsewhere(facts, facts.elsewhere)
    facts.session = session_probe(
        lambda target, upgrade: probe(
            _with_target(question.url, target),
            address=address,
            headers=[("Host", question.host_header)],
            timeout=question.timeout,
            verify=False,
            upgrade=upgrade,
            ping=False,
        ),
        question.endpoint.target,
        first,
    )
    if facts.session and all(answer.opened for answer in facts.session):
        words = "through nginx, as Socket.IO does: a session by polling, then its upgrade"
        facts.hops.append(Hop("session", words, facts.session[-1]))


def _patiently(facts: Facts, address: Tuple[str, int], first: Probe, words: str) -> Tuple[Probe, str]:
    """A handshake without an answer once more, where the backend turns out to be slow and no more.

    nginx waits a minute by default, browsers twenty seconds and more: it may open all the same.

    Returns:
        The handshake that counts, and words for it.
    """
    ask_backends(facts, False, patient=not explained(facts))
    answers = [found.as_sent for found in facts.backends]
    needed = max((one.seconds for one in answers if one is not None and one.status is not None), default=0.0)
    if not needed:
        return first, words
    question = facts.question
    question.timeout = max(question.timeout, _enough(needed))
    second = handshake(question, address)
    if second.error_kind == "answer-timeout":
        return second, words
    facts.hops.append(Hop("hurried", f"{words}, waited for {first.seconds:.0f} s", first))
    if second.opened:
        facts.backends = []  # They were asked why it fails; now they are asked whether it lasts.
    return second, f"{words}, after {second.seconds:.1f} s"


def _enough(seconds: float) -> float:
    """A timeout for what took so long once."""
    return seconds * 1.5 + 3.0


def _origins(facts: Facts, address: Tuple[str, int]) -> None:
    """Pages of any other site: are they let in?"""
    question = facts.question
    if question.sent_origin is not None:
        answer = handshake(dataclasses.replace(question, origin=FOREIGN_ORIGIN), address)
        facts.hops.append(Hop("foreign origin", f"through nginx with Origin {FOREIGN_ORIGIN}", answer))


def _with_target(url: str, target: str) -> str:
    scheme, rest = url.split("://", 1)
    return f"{scheme}://{rest.split('/')[0].split('?')[0]}{target}"


def _public(facts: Facts, address: Tuple[str, int]) -> None:
    """The handshake as the name leads, for each address that is not the one already asked."""
    question = facts.question
    port = question.endpoint.port
    if question.address:
        return
    if not facts.resolved:
        failed = Probe(url=question.url, error_kind="dns", error=f"{question.endpoint.host} does not resolve")
        facts.hops.append(Hop("public", "through the public name", failed))
        return
    others = [known for known in facts.resolved if known != address[0]]
    families = {":" in known for known in facts.resolved}
    for known in others[:2]:
        if len(families) < 2 and facts.local and known not in facts.local:
            continue
        name = "public" if address[0] not in facts.resolved else "other address"
        facts.hops.append(
            Hop(name, f"through the public name, at {known}", handshake(question, (known, port)))
        )


def hold_seconds(facts: Facts) -> float:
    """How long an opened socket is watched: what the user asks, else a short proxy_read_timeout, else a
    look."""
    if facts.question.hold:
        return facts.question.hold
    limit = silence(facts)
    if limit is not None and limit.seconds <= SHORT_TIMEOUT:
        return max(LOOK, limit.seconds + 1.0)
    return LOOK


def _limits(facts: Facts, address: Tuple[str, int]) -> None:
    """Try the small limits that the configuration names: a second handshake at once, and several sockets."""
    count, reason = wanted_sockets(facts)
    if count <= 1:
        return
    facts.many = open_together(lambda: handshake(facts.question, address, hold=OVERLAP), count)
    facts.many_reason = reason


def wanted_sockets(facts: Facts) -> Tuple[int, str]:
    """How many sockets to open together, and why; 1 when no small limit stands in the way."""
    if facts.question.connections > 1:
        return facts.question.connections, "as many as asked for"
    limits = [limit for limit in socket_limits(facts) if limit.worth_trying]
    if not limits:
        return 1, ""
    smallest = min(limits, key=lambda limit: limit.sockets)
    return smallest.sockets + 1, f"{smallest.words} allows {smallest.sockets}"
