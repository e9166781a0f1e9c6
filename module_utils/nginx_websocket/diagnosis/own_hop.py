"""nginx before nginx: what a server of the same nginx says to nginx's own request is diagnosed there."""

from __future__ import annotations

import dataclasses
import re
from typing import Optional

from ..behaviour.upgrade.hops import next_hop
from ..exchange.endpoint import Address, address_text
from .asking.backend import tls_name_of
from .backend.answers import is_this_nginx
from .deciding.static_rules import explained
from .evidence.facts import Facts, Question
from .experiments.search import HANDSHAKE, Request
from .words.findings import Evidence, Finding
from .words.suspect import at, words_of

_ASKED_APART = ("host", "origin", "sec-websocket-protocol", *(name.lower() for name in HANDSHAKE))
"""Headers that a question holds as values of their own."""


def question_behind(facts: Facts) -> Optional[Question]:
    """The question that nginx itself puts to another server of its own.

    Args:
        facts: of a URL that does not open.

    Returns:
        None where the backend is none of this nginx's servers, where the configuration alone explains the
        failure, or where the request is none of a client's (HTTP/1.0).
    """
    upstream = facts.upstream
    if (
        upstream is None
        or upstream.scheme not in ("http", "https")
        or len(facts.backends) != 1
        or facts.inside is not None
    ):
        return None
    backend = facts.backends[0]
    sent, address = backend.sent, backend.address
    if facts.route is None or address is None or sent is None or sent.version != "1.1":
        return None
    # Who listens on a unix socket, the configuration tells.
    own = next_hop(facts.route) is not None if isinstance(address, str) else is_this_nginx(facts, backend)
    if not own or explained(facts):
        return None
    return _put(facts.question, sent, address, tls_name_of(facts, upstream))


def _put(question: Question, sent: Request, address: Address, tls_name: Optional[str]) -> Question:
    """nginx's request as a question, by the name that it sends: in TLS none where its URL has an address."""
    place, port = address_text(address), 80 if isinstance(address, str) else address[1]
    host = sent.value("Host") or place
    known = re.match(r"\[[\da-fA-F:.]+\]|[\w.-]+", host if tls_name is None else tls_name or place)
    name = known.group() if known is not None else "localhost"
    offered = sent.value("Sec-WebSocket-Protocol") or ""
    return dataclasses.replace(
        question,
        url=f"{'ws' if tls_name is None else 'wss'}://{name}:{port}{sent.target}",
        host=host,
        origin=sent.value("Origin") or "",
        headers=[pair for pair in sent.headers if pair[0].lower() not in _ASKED_APART],
        subprotocols=[name.strip() for name in offered.split(",") if name.strip()],
        alpn=(),
        cafile=None,
        verify=False,
        address=place,
    )


def leads_there(facts: Facts) -> Evidence:
    """How the request comes to the server in which the fault lies."""
    line = facts.upstream.directive if facts.upstream is not None else None
    words = words_of(line) if line is not None else "proxy_pass"
    return at(line, f"{words} leads to another server of this nginx, where the fault lies")[0]


def mended_here(finding: Finding) -> bool:
    """Whether a cause comes with an edit of the files."""
    return finding.change is not None and bool(finding.change.edits)
