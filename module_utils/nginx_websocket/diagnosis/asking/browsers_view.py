"""Handshakes as the page makes them: with its Origin, and with its application's subprotocol."""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Sequence, Tuple

from ...conf.tree import Configuration, Directive
from ...exchange.probe import probe
from ...exchange.result import Probe
from ..evidence.facts import Facts, Hop, Question

REFUSALS = range(400, 500)
AT_ONCE = 0.3
"""A socket that a server closes within these seconds was refused after all (1008, 4401 and the like)."""

# Applications whose servers refuse a handshake without their subprotocol, by a word of the path or of the
# refusal.  Names: IANA's WebSocket Subprotocol Name Registry, and each project's documentation.
SUBPROTOCOLS: Sequence[Tuple[str, Sequence[str]]] = (
    ("mqtt", ("mqtt", "mqttv3.1")),
    ("graphql", ("graphql-transport-ws", "graphql-ws")),
    ("subscriptions", ("graphql-transport-ws", "graphql-ws")),
    ("guac", ("guacamole",)),
    ("websockify", ("binary",)),
    ("vnc", ("binary",)),
    ("stomp", ("v12.stomp", "v11.stomp", "v10.stomp")),
    ("wamp", ("wamp.2.json", "wamp.2.msgpack")),
    ("ocpp", ("ocpp1.6", "ocpp2.0.1")),
    ("xmpp", ("xmpp",)),
    ("sip", ("sip",)),
    ("amqp", ("amqp",)),
    ("nats", ("nats",)),
    ("ttyd", ("tty",)),
    ("cable", ("actioncable-v1-json", "actioncable-unsupported")),
    ("vite", ("vite-hmr",)),
)


def handshake(
    question: Question,
    address: Optional[Tuple[str, int]],
    hold: float = 0.0,
    proxy_protocol: bool = False,
) -> Probe:
    """One handshake as the client makes it; at another address than the name's where one is given."""
    return probe(
        question.url,
        address=address,
        origin=question.sent_origin,
        subprotocols=question.subprotocols,
        headers=([("Host", question.host_header)] if question.host else []) + list(question.headers),
        timeout=question.timeout,
        cafile=question.cafile,
        verify=question.verify,
        hold=hold,
        proxy_protocol=proxy_protocol,
    )


def first_handshake(facts: Facts, address: Tuple[str, int]) -> Probe:
    """The handshake that counts: as the page of this site makes it.

    Where that is refused, it is made without Origin for comparison, and with the subprotocols of which the
    path or the refusal speaks.  What a page would send and opens is what counts.
    """
    question = facts.question
    # The refusal of some servers is a close frame right after the 101.
    first = handshake(question, address, hold=AT_ONCE)
    if not refused(first):
        return first
    if not question.subprotocols:
        offered = spoken_of(question, first)
        if offered:
            answer = handshake(dataclasses.replace(question, subprotocols=offered), address)
            facts.hops.append(Hop("subprotocol", f"offering {', '.join(offered)}", answer))
            if answer.opened:
                question.subprotocols = [answer.subprotocol] if answer.subprotocol else offered
                facts.notes.append(
                    f"without a subprotocol: {seen(first)}; offering {question.subprotocols[0]}, as clients "
                    "do, it opens"
                )
                return answer
    if question.origin is None and question.sent_origin is not None:
        bare = handshake(dataclasses.replace(question, origin=""), address)
        facts.hops.append(Hop("no origin", "through nginx without Origin", bare))
    return first


def other_client(facts: Facts, address: Tuple[str, int]) -> None:
    """The same with another Connection header, where the configuration compares that one.

    Firefox sends ``keep-alive, Upgrade``, others ``Upgrade``.
    """
    if not connection_conditions(facts.configuration):
        return
    question = facts.question
    own = next((value for name, value in question.headers if name.lower() == "connection"), "Upgrade")
    other = "Upgrade" if "," in own else "keep-alive, Upgrade"
    headers = [pair for pair in question.headers if pair[0].lower() != "connection"]
    answer = handshake(dataclasses.replace(question, headers=[*headers, ("Connection", other)]), address)
    facts.hops.append(Hop("other client", f"through nginx with Connection: {other}", answer))


def connection_conditions(configuration: Optional[Configuration]) -> List[Directive]:
    """Conditions and maps that look at the client's Connection header."""
    return [
        directive
        for directive in (configuration.walk() if configuration is not None else ())
        if directive.name in (b"if", b"map") and b"$http_connection" in b" ".join(directive.args)
    ]


def refused(answer: Probe) -> bool:
    """Whether somebody refused a handshake, be it by a close frame right after the 101."""
    if answer.status == 101:
        return answer.error_kind == "bad-handshake" or answer.closed_after is not None
    return answer.status in REFUSALS


def spoken_of(question: Question, answer: Probe) -> List[str]:
    """Subprotocols of which the path or the refusal speaks; all known ones where it only says the word."""
    text = f"{question.endpoint.target} {question.endpoint.host} {answer.body} {answer.close_reason}".lower()
    found = [name for word, names in SUBPROTOCOLS if word in text for name in names]
    if not found and ("subprotocol" in text or "sub-protocol" in text or "websocket-protocol" in text):
        found = [name for _, names in SUBPROTOCOLS for name in names]
    return list(dict.fromkeys(found))


def seen(answer: Probe) -> str:
    """An answer in few words, with the server's own where it has any."""
    if answer.status == 101:
        code = f" with code {answer.close_code}" if answer.close_code else ""
        reason = f" ({answer.close_reason})" if answer.close_reason else ""
        return f"101, closed after {answer.closed_after or 0.0:.1f} s{code}{reason}"
    words = " ".join(answer.body.split())[:100]
    return f"{answer.status} {answer.reason}" + (f" ({words})" if words and "<" not in words else "")
