"""The nginx that a transaction works on: its binary, its arguments, its master process.

Everything that this package asks of ``host`` is asked here.
"""

from __future__ import annotations

import dataclasses
from typing import List, Optional, Sequence, Tuple

from ...host.binary import NginxError, find_binary
from ...host.describe import Nginx, describe
from ...host.layout import LayoutError
from ...host.listeners import listeners, ports_of
from ...host.masters import Choice, Master, choose, masters, workers_of
from ...host.masters import serving_since as workers_since
from ..site.instance import Instance
from ..site.model import Refused
from . import workers


def find_instance(
    *, binary: str = "", conf_path: str = "", site_dir: str = "", enabled_dir: str = ""
) -> Instance:
    """The nginx that is meant: the running one, or the one installed.

    Args:
        binary: choose the nginx with this executable.
        conf_path: choose the nginx with this main file, or test this main file.
        site_dir: where sites live, instead of what the includes say.
        enabled_dir: where links to them stand.

    Raises:
        Refused: there is none, or several and no telling which.
    """
    strangers: List[str] = []
    found, quitting = _masters(strangers)
    choice = _choose(found or quitting, binary, conf_path, strangers)
    if choice.distrusted:
        raise Refused(choice.why)
    if choice.ambiguous:
        raise Refused(
            f"cannot tell which nginx is meant: {choice.why}. Name its binary or its configuration."
        )
    path = binary or find_binary()
    if choice.master is None and not path:
        raise Refused(
            f"there is no nginx on this host: {choice.why}, and no nginx binary was found. Install the "
            "package "
            "nginx, or name the binary."
        )
    try:
        described = describe(
            choice.master or path, conf_path=conf_path, site_dir=site_dir, enabled_dir=enabled_dir
        )
    except (NginxError, LayoutError) as error:
        raise Refused(str(error)) from error
    if described.unsafe:
        raise Refused(described.unsafe)
    return instance_of(described)


def _masters(
    strangers: Optional[List[str]] = None,
) -> Tuple[List[Master], List[Master]]:
    """The masters that can be told something, and those that were told to quit.

    What was forked by a master and has no workers is a worker that has not changed its title yet.

    Args:
        strangers: gets a sentence for each process that only calls itself a master.
    """
    every = masters(strangers=strangers)
    pids = {one.pid for one in every}
    found = [one for one in every if one.ppid not in pids or workers.serving(one.pid)]
    quitting = [one for one in found if workers.quits(one.pid)]
    return [one for one in found if one not in quitting], quitting


def _choose(found: Sequence[Master], binary: str, conf_path: str, strangers: Sequence[str] = ()) -> Choice:
    ports = ports_of(listeners()) if len(found) > 1 else {}
    return choose(found, binary=binary, conf_path=conf_path, listening=ports, strangers=strangers)


def instance_of(described: Nginx) -> Instance:
    """The nginx to work on, from what is known of it.

    Args:
        described: what ``host`` says of it.
    """
    master = described.master
    quits = master is not None and workers.quits(master.pid)
    options: List[str] = []
    if master is not None and master.prefix:
        options += ["-p", master.prefix]
    if master is not None and master.directives:
        options += ["-g", master.directives]
    return Instance(
        # The path, not the running inode: this is what the next start will run.
        binary=described.binary.path,
        conf_path=described.conf_path,
        prefix=described.prefix,
        options=tuple(options),
        version=described.disk_version or described.version,
        access_log=described.binary.access_log,
        error_log=described.binary.error_log,
        pid_path=described.pid_path,
        master=master.pid if master is not None and not quits else None,
        quitting=master.pid if master is not None and quits else None,
        unit=master.unit if master is not None else "",
        layout=described.layout,
        layout_error=described.layout_error,
    )


@dataclasses.dataclass(frozen=True)
class Masters:
    """The master processes of one nginx at one moment."""

    current: Optional[int] = None
    """The one to tell of a new tree; None when nginx is stopped."""
    older: Optional[int] = None
    """The one that ``current`` is to replace, while it still takes connections: a binary upgrade."""
    quitting: Tuple[int, ...] = ()
    """Those that were told to quit and wait for their last connections."""

    def upgrade(self) -> str:
        """What hinders a reload while a binary upgrade is under way, and how it is finished."""
        return (
            f"a binary upgrade of nginx is under way: process {self.older} (the old master) and process "
            f"{self.current} (the new one) both take connections, and the old one does not read the "
            f"configuration any more. Finish it: kill -QUIT {self.older}; or give it up: kill -QUIT "
            f"{self.current}"
        )


def masters_of(nginx: Instance) -> Masters:
    """The masters that run this nginx at this moment."""
    found, quits = _masters()
    quitting = tuple(one.pid for one in quits)
    master = _choose(found, nginx.binary, nginx.conf_path).master
    if master is None:
        return Masters(quitting=quitting)
    older = master.ppid if master.ppid in {one.pid for one in found} else None
    return Masters(master.pid, older if older and workers.serving(older) else None, quitting)


def serving_since(master: int) -> float:
    """When the workers of a master began to serve: seconds since the epoch, 0 when none does."""
    return workers_since(workers_of(master))


def confined(master: int) -> str:
    """What the running nginx may not do and ``nginx -t`` may.

    Args:
        master: process id of the nginx master.

    Returns:
        The end of a message; "" when nothing is known.
    """
    from ...host.processes.confinement import confinement

    found = confinement(master)
    if not found:
        return ""
    return (
        f". nginx -t, run by root, accepted this, but the running nginx is confined: {'; '.join(found)}. "
        "Grant it what it asks for, or choose a path or port that it may use"
    )


def holder_of(address: str) -> str:
    """Who listens on an address that nginx could not bind, for a message."""
    port = address.rpartition(":")[2]
    if not port.isdigit():
        return "somebody"
    held = listeners([int(port)])
    return "; ".join(listener.describe() for listener in held) or "nobody any more"
