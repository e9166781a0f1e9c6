"""Looks at one host: configuration, processes, logs, and handshakes at every hop.  Changes nothing."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import List, Sequence, Tuple

from ..behaviour.request import guessed_host
from ..behaviour.server.listen import WILDCARD4, WILDCARD6
from ..behaviour.upgrade.verdict import judge
from ..conf.load import load
from ..conf.tree import ConfSyntaxError
from ..exchange.endpoint import address_text
from ..host.binary import NginxError, find_binary
from ..host.describe import describe
from ..host.listeners import listeners
from ..host.masters import Master, choose, masters, serving_since
from .contained import look_inside
from .evidence import host_state, place
from .evidence.errorlog import LogWatch, reload_failures
from .evidence.facts import Facts, Question
from .evidence.following import followed
from .hops import ask_hops
from .reach.port import contained


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
    if facts.owner is not None and contained(facts.owner):
        look_inside(facts)
    if facts.inside is None:
        _find_nginx(facts, running, binary, conf_path, prefix)
    _read_configuration(facts, address, conf_path)
    if facts.nginx is None or facts.nginx.master is None:
        return facts
    master = facts.nginx.master
    facts.workers_started = serving_since(master.workers)
    facts.old_workers = sum(worker.shutting_down for worker in master.workers)
    facts.limits = host_state.worker_limits(master)
    facts.newer_files = place.newer_files(facts)
    logs = error_logs(facts)
    watch = LogWatch(logs, facts.inside)
    facts.log_readable = watch.readable
    facts.notes += [f"error log {path} cannot be read" for path in watch.unreadable]
    ask_hops(facts, address)
    facts.log = watch.added(endpoint.target)
    since = min([file.changed for file in facts.newer_files] + [facts.workers_started or 0.0])
    facts.emergencies = (
        # A container counts its processes by itself.
        reload_failures(logs, since, master.pid if facts.inside is None else 0, facts.inside) if since else []
    )
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
    addresses = [listener.address for listener in held or facts.listeners]
    everywhere = next((one for one in addresses if one in (WILDCARD4, WILDCARD6)), None)
    if everywhere is None and addresses:
        return addresses[0], port
    return host_state.own_address(socket.AF_INET6 if everywhere == WILDCARD6 else socket.AF_INET), port


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
    facts.configuration = facts.nginx.configuration
    if facts.configuration is None and conf_path and facts.inside is None:
        with contextlib.suppress(ConfSyntaxError, OSError):
            facts.configuration = load(conf_path)
    if facts.configuration is None:
        return
    remote = "" if address[0].startswith("unix:") else address[0]
    if facts.inside is not None:
        # Who the client is there (itself, or the bridge's gateway) is the engine's affair.
        found, remote = facts.inside.found, ""
        address = (found.address or address[0], found.port)
    try:
        facts.route = followed(facts, facts.question.route_request(address_text(address), remote))
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        # nginx refuses such a file too (nginx -t has the words for it): the old configuration serves.
        facts.notes.append(f"the configuration cannot be followed: {error}")
        return
    if facts.inside is not None:
        return
    if facts.route.listen is None or (
        facts.route.server is not None and judge(facts.route).survives is not True
    ):
        facts.stray_files = host_state.stray_files(
            facts.configuration,
            facts.route.server,
            # Where nginx listens on another port, the request goes no way at all.
            facts.route.first_uri or facts.question.endpoint.target.partition("?")[0].encode(),
            guessed_host(facts.route.request, facts.version) or facts.question.endpoint.host.lower().encode(),
            facts.version,
            address[1],
        )


def error_logs(facts: Facts) -> List[str]:
    """Error logs that may hold something about the request: the location's and the main one."""
    assert facts.nginx is not None
    paths = list(facts.nginx.error_logs)
    for directive in facts.in_force(b"error_log"):
        if directive.args:
            paths.append(os.path.join(facts.nginx.prefix, directive.args[0].decode("utf-8", "replace")))
    return [path for path in dict.fromkeys(paths) if path.startswith("/")]
