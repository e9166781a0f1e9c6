"""Other ports of this host: does the WebSocket open there, when it does not at the backend that nginx asks?

What listens there may be anybody's, so nothing of the client goes there: no cookie, no Authorization, no
query, no token of the path.
"""

from __future__ import annotations

import re
from typing import List, Optional, Set, Tuple

from ...behaviour.server.listen import WILDCARD4, WILDCARD6, reached
from ...conf.tree import Configuration, Directive
from ...exchange.masking import token_like
from ...host.listeners import Listener
from ..evidence import host_state, place
from ..evidence.facts import BackendFacts, Facts, Question
from ..experiments.exchange import ask
from ..experiments.search import Request, good_handshake

# Daemons of other protocols: a handshake there would only leave a complaint in their logs.
NOT_HTTP = {
    *(1433, 1521, 3306, 5432, 6379, 9042, 11211, 27017),  # databases
    *(1883, 5672, 8883, 9092),  # message brokers
    *(2181, 2379, 4369, 25672),  # what clusters use among themselves
}
MOST = 8
MADE_UP = "/nginx-websocket-check"
"""Path for a stranger: no path of the client's."""
SECONDS = 1.5


def look_elsewhere(facts: Facts, found: BackendFacts) -> None:
    """Fill ``found.other_port`` and ``found.others``.

    Ports that this very configuration passes requests on to are asked for the path, without what may be
    secret in it.  Other processes are asked only where the question says so, for a made-up path; else they
    are listed.
    """
    asked = {listener.inode for listener in found.listeners}
    own = facts.nginx.master if facts.nginx is not None else None
    candidates = [
        listener
        for listener in place.listening(facts, unix=False)
        if listener.port not in NOT_HTTP
        and listener.port > 1023
        and listener.inode not in asked
        and host_state.master_of(listener, [own] if own else []) is None
    ]
    for listener in found.listeners:
        # The same port at another address of this host: a backend that is bound to it alone.
        if found.address == (listener.address, listener.port) or listener.address in (WILDCARD4, WILDCARD6):
            continue  # Who listens everywhere has been asked already.
        if host_state.master_of(listener, [own] if own else []) is None and _opens_at(facts, found, listener):
            return
    named = named_ports(facts.configuration)
    found.others = [listener for listener in candidates if listener.port not in named][:MOST]
    known = [listener for listener in candidates if listener.port in named]
    for listener in known[:MOST]:
        if _opens_at(facts, found, listener):
            return
    if facts.question.other_ports:
        for listener in found.others:
            if _opens(facts.question, found, listener, MADE_UP):
                return


def named_ports(configuration: Optional[Configuration]) -> Set[int]:
    """Ports to which some proxy_pass, upstream, map of addresses or variable of a configuration leads."""
    ports = {port_of(directive) for directive in configuration.walk()} if configuration is not None else set()
    return {port for port in ports if port is not None}


def leading_to(configuration: Optional[Configuration], port: int) -> Optional[Directive]:
    """The proxy_pass (or server of an upstream, entry of a map, variable) that leads to a port."""
    for directive in configuration.walk() if configuration is not None else ():
        if port_of(directive) == port:
            return directive
    return None


def port_of(directive: Directive) -> Optional[int]:
    """The port that a proxy_pass, a server of an upstream, an entry of a map or a variable's value names."""
    within = directive.parent.name if directive.parent is not None else b""
    server = directive.name == b"server" and within == b"upstream"
    if not directive.args:
        return None
    if within == b"map":
        # What a map gives is an address where nothing else stands in the value.
        match = re.match(rb"[\w.-]+:(\d+)$", directive.args[0])
    elif directive.name == b"set" and len(directive.args) == 2:
        match = re.match(rb"(?:https?://)?[\w.-]+:(\d+)(?:/.*)?$", directive.args[1])
    elif directive.name == b"proxy_pass" or server:
        match = re.search(rb":(\d+)(?:/.*)?$", directive.args[0])
    else:
        match = None
    return int(match.group(1)) if match is not None else None


def harmless(target: str) -> str:
    """A path without its query, and with "x" in place of each part that may be a token."""
    path = target.split("?")[0]
    return "/".join("x" if token_like(part) else part for part in path.split("/"))


def bare_handshake(question: Question) -> List[Tuple[str, str]]:
    """The headers of a handshake that holds nothing of this client's: its page's Origin is the site's own."""
    own = [("Host", question.endpoint.host_header), ("Origin", question.endpoint.origin)]
    return good_handshake(Request("", own)).headers


def _opens_at(facts: Facts, found: BackendFacts, listener: Listener) -> bool:
    """Whether a port opens the path that nginx sends, or else the client's."""
    own = harmless(facts.question.endpoint.target)
    sent = harmless(found.sent.target) if found.sent is not None else own
    return any(_opens(facts.question, found, listener, path) for path in dict.fromkeys((sent, own)))


def _opens(question: Question, found: BackendFacts, listener: Listener, target: str) -> bool:
    address = (reached(listener.address), listener.port)
    answer = ask(address, target, bare_handshake(question), timeout=SECONDS, hold=0.2)
    if answer.lasting:
        found.other_port = (listener, answer)
        return True
    return False
