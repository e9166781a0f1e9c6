"""What a cause says besides when its files are a container's: whose they are, and how to change them."""

from __future__ import annotations

import shlex
from typing import Dict, List

from ... import codes
from ...host.containers.inside import Inside
from ...host.listeners import listeners
from ..evidence import place
from ..evidence.facts import Facts
from ..words.findings import Evidence, Finding

VOLUMES = "/var/lib/docker/volumes/"


def tell_home(finding: Finding, facts: Facts) -> None:
    """Say for each file that a finding names to whom it belongs and where it is changed."""
    inside, configuration = facts.inside, facts.configuration
    if inside is None or configuration is None:
        return
    if finding.code == codes.BACKEND_DOWN:
        _own_loopback(finding, facts, inside)
    change = finding.change
    named = [edit.source.name for edit in change.edits] if change is not None else []
    named += [item.file for item in finding.evidence if item.file]
    told = []
    for path in dict.fromkeys(path for path in named if path in configuration.files):
        words, advice = _of(path, inside)
        finding.evidence.append(Evidence("file", words))
        told.append(advice)
    if told:
        finding.fix = ". ".join([finding.fix.rstrip("."), *dict.fromkeys(told)])
    if change is not None and change.edits and not change.commands:
        change.commands = commands(codes.STALE_CONFIG_NOT_RELOADED, facts, inside)


def _own_loopback(finding: Finding, facts: Facts, inside: Inside) -> None:
    """A proxy_pass to the loopback address that was written for a host: a container has one of its own."""
    upstream = facts.upstream
    known = place.resolve(facts, upstream.host) if upstream is not None and inside.found.address else []
    if upstream is None or not known or not all(each == "::1" or each.startswith("127.") for each in known):
        return
    finding.detail = (
        f"nothing listens where nginx looks for the backend: in {inside.words} {upstream.host} is "
        "the container itself"
    )
    finding.evidence += [
        Evidence("socket", f"port {item.port} of this host, which {upstream.host} is not: {item.describe()}")
        for item in listeners([upstream.port], unix=False)[:1]
    ]
    finding.fix = (
        "name the backend as the container reaches it: its own container's name on a network that both "
        "share, or the address of this host there (host.docker.internal with extra_hosts: host-gateway), "
        "where it must listen too"
    )


def _of(path: str, inside: Inside) -> List[str]:
    """Whose a file is, and what to do to change it for good."""
    home, words = inside.home(path), inside.words
    if home.replaced:
        return [
            f"{path} of {words} was mounted from {home.path or 'a file of this host'}, which was "
            "replaced since: the container still has the old one",
            f"Restart {words}: it was given a file, not a directory, and does not see the new one",
        ]
    if home.path:
        volume = home.path[len(VOLUMES) :].split("/")[0] if home.path.startswith(VOLUMES) else ""
        where = f"{home.path} of this host" + (f" (volume {volume})" if volume else "")
        return [
            f"{path} of {words} is {where}",
            f"Change {home.path} on this host, which {words} has mounted",
        ]
    if home.own_layer:
        return [
            f"{path} of {words} belongs to its image, or was written into the running container",
            f"Change {path} in the image of {words}, or mount a file of your own there: what is changed in "
            "the running container alone is lost with it",
        ]
    return [f"{path} is a file of {words}", f"Change it where {words} gets it from"]


def commands(code: str, facts: Facts, inside: Inside) -> List[str]:
    """What to type on the host for an nginx in a container; nothing of it runs with the host's rights."""
    binary = facts.nginx.binary.path if facts.nginx is not None else "nginx"
    argv = shlex.quote(binary)
    master = inside.found.master
    argv += f" -p {shlex.quote(master.prefix)}" if master.prefix else ""
    argv += f" -c {shlex.quote(master.conf_path)}" if master.conf_path else ""
    name, engine = inside.found.name, inside.found.engine
    if engine and name:
        within = f"{engine} exec {name} {argv}"
        test, reload = [f"{within} -t"], [f"{within} -s reload"]
        dump = [f"{within} -T | grep '^# configuration file'"]
        logs = [f"{engine} logs --tail 50 {name}"]
    else:
        test, dump, logs = [], [], []
        reload = [f"kill -HUP {inside.pid}"]
    sockets = [f"nsenter -t {inside.pid} -n ss -ltnp"]
    by_code: Dict[str, List[str]] = {
        codes.STALE_CONFIG_NOT_RELOADED: [*test, *reload],
        codes.RELOAD_FAILED: [*test, *logs, *reload],
        codes.NOT_INCLUDED_FILE: [*dump, *reload],
        codes.STALE_UPSTREAM_DNS: reload,
        codes.CERT_INVALID: reload,
        codes.BACKEND_DOWN: sockets,
        codes.BACKEND_IPV6_LOCALHOST: sockets,
        codes.BACKEND_CONNECT_TIMEOUT: sockets,
    }
    return by_code.get(code, [])
