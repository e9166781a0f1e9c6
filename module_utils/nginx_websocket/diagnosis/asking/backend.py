"""Asks the backend itself, in the ways that tell what is wrong between it and nginx."""

from __future__ import annotations

import dataclasses
import os
import re
from typing import List, Optional, Sequence, Tuple

from ...behaviour.content.upstream import Upstream
from ...behaviour.upgrade.obstacle import is_ip
from ...behaviour.upgrade.request import uri_part_of
from ...exchange.endpoint import Address
from ...exchange.result import NO_CONNECTION, NOBODY, Probe
from ...host.processes.proc import Proc
from ...host.stopped_units import StoppedUnit, stopped_unit
from ..evidence import host_state, place
from ..evidence.facts import BackendFacts, Facts, Question
from ..experiments.search import (
    HANDSHAKE,
    WITH_SLASH,
    Laboratory,
    Request,
    Search,
    good_handshake,
    without_prefix,
)
from .browsers_view import AT_ONCE
from .elsewhere import look_elsewhere
from .sockets import session_probe

LOOK = 1.0
"""Seconds for which an opened socket is watched."""
BRIEFLY = 0.3
"""Seconds for which further servers of an upstream are watched."""
PATIENCE = 20.0
"""Seconds for a backend that says nothing at first: after as many Firefox gives a handshake up."""
_DEEP = 4
"""Parts of a location's path that are taken away, one after the other."""
MOST_SERVERS = 3
MOST_ADDRESSES = 3


def client_request(question: Question) -> Request:
    """The client's own handshake."""
    bare = good_handshake(Request(question.endpoint.target, [("Host", question.host_header)]))
    known = {name.lower() for name, _ in bare.headers}
    more = [pair for pair in question.client_headers() if pair[0].lower() not in known]
    return dataclasses.replace(bare, headers=bare.headers + more)


def page_scheme(question: Question) -> str:
    """ "https" or "http", as the user's browser has it: TLS may end in front of this host."""
    said = next((value for name, value in question.headers if name.lower() == "x-forwarded-proto"), "")
    return said or (question.sent_origin or question.own_origin).partition("://")[0]


def sent_request(upstream: Upstream, client: Request) -> Request:
    """nginx's request, as the configuration has it; what cannot be told is taken from the client."""
    headers: List[Tuple[str, str]] = []
    for header in upstream.headers:
        value = header.value if header.value is not None else client.value(header.name)
        if value is not None:
            headers.append((header.name, value))
    return Request(
        upstream.uri or client.target,
        headers,
        "1.0" if upstream.version == "1.0" else "1.1",
        upstream.method or "GET",
    )


def addresses_of(facts: Facts, server: str, default_port: int) -> Tuple[List[Address], List[str], int]:
    """What a ``server`` of an upstream, or the host of a proxy_pass, leads to now.

    Returns:
        Addresses in order, the IP addresses of a name, the port (0 for a unix socket).
    """
    if server.startswith("unix:"):
        # nginx connects to the path as it stands, so a relative one hangs on the workers' directory.
        path = os.path.join(working_directory(facts), server[5:])
        return [place.unix_socket(facts, path)], [], 0
    if server.startswith("["):
        host, _, rest = server[1:].partition("]")
        port = int(rest[1:]) if rest[1:].isdigit() else default_port
    else:
        host, _, text = server.partition(":")
        port = int(text) if text.isdigit() else default_port
    resolved = place.resolve(facts, host)
    return [(address, port) for address in resolved], resolved, port


def working_directory(facts: Facts) -> str:
    """Directory in which the running nginx was started."""
    master = facts.nginx.master if facts.nginx is not None else None
    return Proc().link(master.pid, "cwd") or "/" if master is not None else "/"


def ask_backends(facts: Facts, opened: bool, patient: bool = False) -> None:
    """Fill ``facts.backends`` for the route's upstream, asked from where nginx asks it.

    Args:
        facts: with its route.
        opened: whether the socket opens through nginx; then one handshake is enough.
        patient: whether a silent backend is worth a long wait: it may only be slow.
    """
    try:
        with place.network(facts):
            _ask_all(facts, opened, patient)
    except OSError as error:
        facts.notes.append(f"the backend was not asked: {error.strerror or error}")


def _ask_all(facts: Facts, opened: bool, patient: bool) -> None:
    upstream = facts.upstream
    if upstream is None or upstream.scheme not in ("http", "https"):
        _ask_other_pass(facts)
        return
    question = facts.question
    client = client_request(question)
    sent = sent_request(upstream, client)
    for server in upstream.servers[:MOST_SERVERS]:
        addresses, resolved, port = addresses_of(facts, server, upstream.port)
        found = BackendFacts(server, addresses[0] if addresses else None, resolved, sent=sent, client=client)
        if port:
            found.listeners = place.listening(facts, [port])
        facts.backends.append(found)
        _ask_addresses(facts, found, addresses, upstream, opened)
        if patient and _silent(found):
            _wait_for(facts, found, upstream)
            patient = False


def _ask_addresses(
    facts: Facts, found: BackendFacts, addresses: Sequence[Address], upstream: Upstream, opened: bool
) -> None:
    """Ask the addresses of one server until something listens at one; else keep the plainest refusal."""
    best: Optional[Probe] = None
    each: List[Tuple[str, Probe]] = []
    for address in addresses[:MOST_ADDRESSES]:
        one = dataclasses.replace(found, address=address)
        _ask_one(facts, one, address, upstream, opened)
        if opened and one.held is not None:
            each.append((one.held.address or str(address), one.held))
            found.each = each
        answer = one.held if opened or one.search is None else one.search.as_sent
        kind = answer.error_kind if answer is not None else ""
        if opened and best is not None and best.opened:
            continue
        # A host without IPv6 cannot even try ::1, to which "localhost" leads there too.
        if best is None or best.error_kind != "connect-refused" or kind not in NOBODY:
            best = answer
            vars(found).update(vars(one))
        if kind not in NOBODY and not opened:
            return
    found.each = each


def _silent(found: BackendFacts) -> bool:
    """Whether a backend took the connection and said nothing, in this scheme and the other."""
    if found.search is None or found.search.as_sent.error_kind != "answer-timeout":
        return False
    return found.other_scheme is None or found.other_scheme.status is None


def _wait_for(facts: Facts, found: BackendFacts, upstream: Upstream) -> None:
    """Nginx's own request once more, with the patience of a browser."""
    assert found.address is not None and found.sent is not None and found.search is not None
    limit = max(PATIENCE, facts.question.timeout)
    late = Laboratory(found.address, tls_name_of(facts, upstream), limit).send(found.sent)
    tried = [*found.search.tried, ("as nginx sends it, and waited for", late)]
    found.search = Search(late, tried=tried)


def tls_name_of(facts: Facts, upstream: Upstream) -> Optional[str]:
    """None for plain; else the server name that nginx sends in TLS ("" for none)."""
    if upstream.scheme != "https":
        return None
    level = facts.level
    if level is None or not level.on(b"proxy_ssl_server_name", False):
        return ""
    name = level.value(b"proxy_ssl_name", b"").decode("utf-8", "replace")
    return upstream.host if not name or "$" in name else name


def _ask_one(facts: Facts, found: BackendFacts, address: Address, upstream: Upstream, opened: bool) -> None:
    assert found.sent is not None and found.client is not None
    question = facts.question
    tls_name = tls_name_of(facts, upstream)
    # Who asks for a longer timeout knows of a slow backend.
    hop = facts.main_hop
    closed = hop.probe.closed_after if hop is not None else None
    laboratory = Laboratory(
        address,
        tls_name,
        max(min(question.timeout, 4.0), question.timeout - 1.0),
        # A backend that closed the socket at once refuses by that: an experiment must see it, too.
        closed + 0.3 if closed is not None and closed < 2.0 else 0.0,
    )
    if opened:
        alone = len(upstream.servers) == 1 and len(found.resolved) < 2
        found.held = laboratory.send(found.sent, hold=_watched(facts, alone))
        return
    paths = other_paths(facts)
    scheme = page_scheme(question)
    found.search = laboratory.search(found.sent, found.client, paths, scheme)
    answer = found.search.as_sent
    _ask_otherwise(laboratory, found, upstream.host, question.endpoint.host)
    if answer.error_kind in NO_CONNECTION:
        look_elsewhere(facts, found)
        found.unit = _stopped(found, answer, address) if facts.inside is None else None
        return
    client = found.client
    if answer.status is not None and found.search.opening is None:
        plain = Request(
            found.sent.target, [pair for pair in found.client.headers if pair[0] not in HANDSHAKE]
        )
        found.plain = laboratory.send(plain)
        session = session_probe(
            lambda target, upgrade: laboratory.send(
                dataclasses.replace(good_handshake(client) if upgrade else plain, target=target)
            ),
            found.sent.target,
            answer,
        )
        found.session = session[-1] if session else None
        if not any(probe.opened for _, probe in found.search.tried):
            look_elsewhere(facts, found)


def _ask_otherwise(laboratory: Laboratory, found: BackendFacts, host: str, site: str) -> None:
    """A backend that gave nginx's request no answer: in the other scheme, behind a PROXY line, by a name.

    Args:
        laboratory: that asked it as nginx would.
        found: what is known of it.
        host: of proxy_pass.
        site: the name that the client asks for.
    """
    assert found.sent is not None and found.search is not None
    answer, tls_name, address = found.search.as_sent, laboratory.tls_name, laboratory.address
    request = good_handshake(found.sent)
    if answer.error_kind in ("closed-without-answer", "not-http", "tls", "answer-timeout") or (
        answer.status == 400 and tls_name is None
    ):
        found.other_scheme = Laboratory(address, None if tls_name is not None else site, 2.0).send(request)
    if answer.error_kind == "closed-without-answer":
        found.with_line = laboratory.send(request, proxy_line=True)
    if tls_name == "" and answer.error_kind == "tls":
        # No name is sent for an address (RFC 6066, section 3): then the site's own is tried.
        name = next((one for one in (host, site) if not is_ip(one.strip("[]"))), "")
        if name:
            found.with_name = Laboratory(address, name, 3.0).send(request)


def _watched(facts: Facts, alone: bool) -> float:
    """Seconds for which an open socket of a backend is watched; ``alone``: nginx has no other backend."""
    hold = facts.question.hold or LOOK
    if alone and hold <= AT_ONCE:
        return 0.0  # The socket through nginx was open for as long, and led to this one.
    if any(other.held is not None and other.held.opened for other in facts.backends):
        return BRIEFLY  # One that stays open speaks for the others.
    return min(LOOK, hold)


def _stopped(found: BackendFacts, answer: Probe, address: Address) -> Optional[StoppedUnit]:
    """The unit that should be there, where nobody is and the address is one of this host's."""
    if found.other_port is not None or answer.error_kind == "connect-timeout":
        return None
    if isinstance(address, str):
        return stopped_unit(address)
    return stopped_unit(str(address[1])) if host_state.is_local(address[0]) else None


def other_paths(facts: Facts) -> List[Tuple[str, str]]:
    """Request targets that another way of writing proxy_pass would send, each with words for it."""
    route = facts.route
    upstream = route.upstream if route is not None else None
    if route is None or upstream is None:
        return []
    path, mark, query = upstream.uri.partition("?")
    found: List[Tuple[str, str]] = []
    for location in route.locations:
        if location.named:
            continue
        prefix = location.name.decode("utf-8", "replace")
        if location.regex:
            prefix = literal_prefix(prefix)
        # A proxy_pass with variables may have lost the path: then the client's own is what to strip.
        for whole in (upstream.uri, facts.question.endpoint.target):
            if location.modifier == b"~*" and whole.lower().startswith(prefix.lower()):
                prefix = whole[: len(prefix)]  # as this client writes it
            for shorter in (prefix, *_parents(prefix)):
                found += [
                    (f"without the prefix {shorter}", target) for target in without_prefix(whole, shorter)
                ]
    uri_part = uri_part_of(upstream)
    if uri_part and path.startswith(uri_part) and not uri_part.endswith("/"):
        rest = path[len(uri_part) :]
        if rest and not rest.startswith("/"):
            found.append((WITH_SLASH, f"{uri_part}/{rest}{mark}{query}"))
    if "//" in path:
        found.append((WITH_SLASH, re.sub("/+", "/", path) + mark + query))
    return found


def _parents(prefix: str) -> List[str]:
    """The directories above a location's, the first of the path first: one application may have several."""
    parts = prefix.strip("/").split("/")
    return ["/" + "/".join(parts[:count]) + "/" for count in range(1, min(len(parts), _DEEP))]


def literal_prefix(regex: str) -> str:
    """The whole parts of a path with which everything begins that a regex matches; "" for none."""
    if not regex.startswith("^/") or "|" in re.sub(r"\([^()]*\)", "", regex):
        return ""
    plain = re.match(r"[\w/-]*", regex[1:])
    text = plain.group() if plain is not None else ""
    if regex[1 + len(text) : 2 + len(text)] in ("?", "*", "+", "{"):
        text = text[:-1]  # what is repeated or may be missing
    whole = regex[1 + len(text) :].startswith(("(/", "(.*)", "$"))
    return text if whole else text[: text.rfind("/") + 1]


def _ask_other_pass(facts: Facts) -> None:
    """A uwsgi_pass, fastcgi_pass and the like: does what listens there speak HTTP?"""
    answer = facts.route.answer if facts.route is not None else None
    directive = answer.directive if answer is not None else None
    if directive is None or not directive.name.endswith(b"_pass") or directive.name == b"proxy_pass":
        return
    server = directive.args[0].decode("utf-8", "replace") if directive.args else ""
    server = server.split("://", 1)[-1]
    addresses, resolved, port = addresses_of(facts, server, 80)
    client = client_request(facts.question)
    found = BackendFacts(server, addresses[0] if addresses else None, resolved, client=client)
    found.listeners = place.listening(facts, [port]) if port else []
    facts.backends.append(found)
    if addresses:
        found.plain = Laboratory(addresses[0], None, 3.0).send(good_handshake(client))
