"""Where the nginx that answers lives, on this host or in a container: its names, sockets and files."""

from __future__ import annotations

import contextlib
from typing import ContextManager, Iterable, List, Optional

from ...behaviour.content.files import FileKind, local_files
from ...host.listeners import Listener, listeners
from . import host_state
from .facts import Facts, NewerFile


def file_kinds(facts: Facts) -> Optional[FileKind]:
    """What is at a path there; None where no host was asked at all."""
    if facts.inside is not None:
        return facts.inside.kind
    return local_files if facts.live else None


def resolve(facts: Facts, host: str) -> List[str]:
    """IP addresses of a name there."""
    return host_state.resolve(host) if facts.inside is None else facts.inside.resolve(host)


def listening(facts: Facts, ports: Optional[Iterable[int]] = None, *, unix: bool = True) -> List[Listener]:
    """Listening sockets of the network there."""
    return listeners(ports, unix=unix, beside=facts.inside.pid if facts.inside is not None else None)


def network(facts: Facts) -> ContextManager[None]:
    """What this thread connects to meanwhile, it connects to from there.

    Raises:
        OSError: the kernel does not let us in.
    """
    return contextlib.nullcontext() if facts.inside is None else facts.inside.network()


def unix_socket(facts: Facts, path: str) -> str:
    """The path of this host at which a unix socket of that place is reached, within `network`."""
    return path if facts.inside is None else facts.inside.socket(path)


def newer_files(facts: Facts) -> List[NewerFile]:
    """Files of the configuration that changed after the workers started."""
    if facts.nginx is None:
        return []
    if facts.inside is None:
        return host_state.newer_files(facts.configuration, facts.nginx.conf_path, facts.workers_started)
    return host_state.newer_than(facts.workers_started, facts.inside.times)
