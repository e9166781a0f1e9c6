"""Looks at one host: configuration, processes, logs, and handshakes at every hop.  Changes nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
from typing import Callable, List, Sequence, Tuple

from ..behaviour.route import Route
from ..behaviour.upgrade.verdict import judge
from ..conf.load import load
from ..conf.tree import ConfSyntaxError
from ..exchange.endpoint import address_text
from ..exchange.probe import probe
from ..exchange.result import Probe
from ..host.binary import NginxError, find_binary
from ..host.describe import describe
from ..host.listeners import listeners
from ..host.masters import Master, choose, masters, serving_since
from .asking import browsers_view
from .asking.backend import ask_backends
from .asking.browsers_view import handshake
from .asking.elsewhere import look_elsewhere
from .asking.sockets import http2_alpn, open_together, session_probe
from .capacity import open_socket
from .capacity.limits import socket_limits
from .capacity.timing import read_timeout
from .deciding.static_rules import explained
from .evidence import host_state
from .evidence.errorlog import LogWatch, reload_failures
from .evidence.facts import BackendFacts, Facts, Hop, Question
from .evidence.following import followed
from .tls.issuer import unknown_issuer

LOOK = 2.5
NO_BACKEND = ("static", "not-found", "forbidden", "autoindex", "redirect")
"""Seconds for which an opened socket is watched."""
FOREIGN_ORIGIN = "https://origin-check.invalid"
OVERLAP = 0.8
"""Seconds for which sockets that are opened together stay open."""
SHORT_TIMEOUT = 15.0
"""A proxy_read_timeout up to this is waited out, since it shows by itself."""


def observe(question: Question, *, binary: str = "", conf_path: str = "", prefix: str = "") -> Facts:
    """Gather everything about one URL on this host.

    Args:
        question: what is asked.
        binary: nginx binary that is meant, when several are there or none runs.
        conf_path: main configuration file that is meant.
        prefix: nginx's prefix, for one that does not run.

    Raises:
        ValueError: the URL cannot be used.
    """
    endpoint = question.endpoint
    facts = Facts(question, live=True)
    facts.resolved = host_state.resolve(endpoint.host)
    facts.local = [address for address in facts.resolved if host_state.is_local(address)]
    facts.listeners = listeners([endpoint.port])
    running = masters(strangers=facts.notes)
    address = _local_target(question, facts, running)
    facts.owner = host_state.covering(facts.listeners, address[0], address[1])
    _find_nginx(facts, running, binary, conf_path, prefix)
    _read_configuration(facts, address, conf_path)
    if facts.nginx is None or facts.nginx.master is None:
        return facts
    master = facts.nginx.master
    facts.workers_started = serving_since(master.workers)
    facts.old_workers = sum(worker.shutting_down for worker in master.workers)
    facts.limits = host_state.worker_limits(master)
    facts.newer_files = host_state.newer_files(
        facts.configuration, facts.nginx.conf_path, facts.workers_started
    )
    logs = error_logs(facts)
    watch = LogWatch(logs)
    facts.log_readable = watch.readable
    facts.notes += [f"error log {path} cannot be read" for path in watch.unreadable]
    _probe(facts, address)
    facts.log = watch.added(endpoint.target)
    since = min([file.changed for file in facts.newer_files] + [facts.workers_started or 0.0])
    facts.emergencies = reload_failures(logs, since, master.pid) if since else []
    if (
        facts.main_hop is not None
        and not facts.main_hop.opened
        and any(hop.probe.error_kind in ("connect-timeout", "connect-failed") for hop in facts.hops)
    ):
        facts.firewall = host_state.firewall_drops(endpoint.port)
    return facts


# ---------------------------------------------------------------------------------------- nginx itself


def _local_target(question: Question, facts: Facts, running: Sequence[Master]) -> Tuple[str, int]:
    """The address of this host at which nginx is asked: the one that the client's connection reaches."""
    port = question.endpoint.port
    if question.address:
        request = question.route_request(question.address)
        host, given = request.local_address()
        return host, given
    if facts.local:
        listening = [a for a in facts.local if host_state.covering(facts.listeners, a, port)]
        return (listening or facts.local)[0], port
    held = [listener for listener in facts.listeners if host_state.master_of(listener, running)]
    for listener in held or facts.listeners:
        if listener.address in ("0.0.0.0", "::"):  # nosec B104 # read, not bound
            return host_state.own_address(
                socket.AF_INET if listener.address == "0.0.0.0" else socket.AF_INET6  # nosec B104 # read, not bound
            ), port
    if held or facts.listeners:
        return (held or facts.listeners)[0].address, port
    return host_state.own_address(), port


def _find_nginx(facts: Facts, running: Sequence[Master], binary: str, conf_path: str, prefix: str) -> None:
    """Choose the master that owns the port; else the one that is meant; else the installed binary."""
    owner = host_state.master_of(facts.owner, running)
    facts.owner_is_nginx = owner is not None
    if owner is None:
        choice = choose(running, binary=binary, conf_path=conf_path)
        owner, facts.nginx_choice = choice.master, choice.why
        if choice.distrusted:
            facts.notes.append(choice.why)
            return
    else:
        facts.nginx_choice = "it owns the port of the URL"
    try:
        if owner is not None:
            facts.nginx = describe(owner)
        else:
            path = binary or find_binary()
            if path:
                facts.nginx = describe(path, conf_path=conf_path)
    except NginxError as error:
        facts.notes.append(str(error))
    if facts.nginx is not None:
        facts.version = facts.nginx.version
        if facts.nginx.unsafe:
            facts.notes.append(facts.nginx.unsafe)
        else:
            facts.test = host_state.run_config_test(facts.nginx, prefix)
        facts.notes += [found.sentence() for found in facts.nginx.writable]


def _read_configuration(facts: Facts, address: Tuple[str, int], conf_path: str) -> None:
    """The configuration on disk, and what it does with the URL."""
    if facts.nginx is None:
        return
    facts.configuration, facts.configuration_error = facts.nginx.configuration, facts.nginx.conf_error
    if facts.configuration is None and conf_path:
        with contextlib.suppress(ConfSyntaxError, OSError):
            facts.configuration = load(conf_path)
    if facts.configuration is None:
        return
    text = address_text(address)
    try:
        facts.route = follow(facts, text, address[0])
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # nginx refuses such a file too (nginx -t has the words for it): the old configuration serves.
        facts.notes.append(f"the configuration cannot be followed: {error}")
        return
    if facts.route.server is not None and judge(facts.route).survives is not True:
        facts.stray_files = host_state.stray_files(
            facts.configuration,
            facts.route.server,
            facts.route.first_uri,
            host_of(facts.route),
            facts.version,
            address[1],
        )


def follow(facts: Facts, address: str, remote: str) -> Route:
    """The static route of the question."""
    assert facts.configuration is not None
    request = facts.question.route_request(address, remote)
    return followed(facts, request)


def host_of(found: Route) -> bytes:
    """The host name of a route, lower case, without port."""
    match = found.server_match
    if match is not None and match.how == "exact":
        return match.name
    text = found.request.header_list()[0][1]
    for key, value in found.request.header_list():
        if key.lower() == "host":
            text = value
    host = text.split("]")[0] + "]" if text.startswith("[") else text.split(":")[0]
    return host.lower().encode("utf-8", "surrogateescape")


def error_logs(facts: Facts) -> List[str]:
    """Error logs that may hold something about the request: the location's and the main one."""
    assert facts.nginx is not None
    paths = list(facts.nginx.error_logs)
    if facts.route is not None and facts.route.level is not None:
        for directive in facts.route.level.nearest(b"error_log")[1]:
            if directive.args:
                paths.append(os.path.join(facts.nginx.prefix, directive.args[0].decode("utf-8", "replace")))
    unique: List[str] = []
    for path in paths:
        if path.startswith("/") and path not in unique:
            unique.append(path)
    return unique


# ---------------------------------------------------------------------------------------- the hops


def _probe(facts: Facts, address: Tuple[str, int]) -> None:
    question = facts.question
    if question.alpn and "h2" in question.alpn and question.endpoint.tls:
        note = http2_alpn(address, question)
        facts.hops.append(Hop("alpn", "TLS with the client's ALPN " + ", ".join(question.alpn), note))
    # The first handshake comes first of all: a limit_req must not count anything of ours before it.
    first = browsers_view.first_handshake(facts, address)
    if first.error_kind == "tls" and unknown_issuer(first):
        # A private authority may be known to the clients and not to this host: say so, and look on.
        facts.hops.append(Hop("unknown issuer", "TLS with this host's authorities", first))
        question.verify = False
        first = browsers_view.first_handshake(facts, address)
    words = "through nginx on this host"
    if first.error_kind == "answer-timeout":
        first, words = _patiently(facts, address, first, words)
    elif first.status is not None and first.seconds > question.timeout / 2:
        question.timeout = _enough(first.seconds)
    facts.hops.append(Hop("loopback", words, first))
    if first.error_kind in ("closed-without-answer", "tls") and not first.tls.get("verify_error"):
        facts.hops.append(
            Hop(
                "with PROXY",
                "the same with a PROXY protocol line",
                handshake(question, address, proxy_protocol=True),
            )
        )
    browsers_view.other_client(facts, address)
    _public(facts, address)
    opened = first.opened and first.closed_after is None
    if opened:
        _limits(facts, address)
        _origins(facts, address)
    tasks: List[Callable[[], None]] = []
    if opened:
        hold = hold_seconds(facts)
        tasks.append(
            lambda: facts.hops.append(
                Hop(
                    "held",
                    f"through nginx, in silence for {hold:.0f} s",
                    handshake(question, address, hold=hold),
                )
            )
        )
    elif first.status is not None:
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
    if not facts.backends:
        # nginx gave up on a backend that may answer later: what it waited for is worth waiting for.
        late = first.status == 504 and not explained(facts)
        tasks.append(lambda: ask_backends(facts, opened, patient=late))
    _together(tasks)
    if not opened and facts.route is not None and facts.route.answer.kind in NO_BACKEND:
        facts.elsewhere = BackendFacts("", None)
        look_elsewhere(facts, facts.elsewhere)
    if opened and open_socket.unlike(facts):
        count = min(6, 2 * sum(len(backend.each) for backend in facts.backends))
        facts.repeated = [handshake(question, address) for _ in range(count)]
    if not opened:
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
    answers = [found.search.as_sent for found in facts.backends if found.search is not None]
    needed = max([answer.seconds for answer in answers if answer.status is not None], default=0.0)
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
    timeout = read_timeout(facts.route)
    if timeout is not None and timeout <= SHORT_TIMEOUT:
        return max(LOOK, timeout + 1.0)
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


def _together(tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks at the same time; each writes to its own part of the facts."""
    threads = [threading.Thread(target=task, daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
