"""Room for a stated number of WebSockets: ``worker_connections`` and ``worker_rlimit_nofile``.

Through nginx a socket takes two connections, the client's and the backend's, and as many descriptors, for
its whole life.  Nothing shares sockets out among the workers: ``accept_mutex`` is off since nginx 1.11.3, the
kernel wakes one of the workers that wait, often the same one, and a worker that has no connection left drops
the client (``ngx_event_accept``).  So every worker gets room for all of them.

A worker sets the limit itself, while it is still root (``ngx_worker_process_init``), so a reload suffices;
``LimitNOFILE`` of the unit would need a restart, which cuts every socket that is open.
"""

from __future__ import annotations

import os
from typing import Dict, List, Optional, Tuple

from ...conf import splice
from ...conf.tree import Configuration, Directive
from ...host.processes.proc import Proc
from ..live import workers
from ..site.instance import Instance
from ..site.model import Change, Entry, Finding, Refused
from .files import Filesystem
from .overlay import canonical

PLAIN = 1024
"""Connections of each worker that sockets leave to plain requests, listening sockets and idle clients."""

_CAP_SYS_RESOURCE = 24


def connections(sockets: int) -> int:
    """``worker_connections`` that a number of sockets needs."""
    return 2 * sockets + PLAIN


def descriptors(sockets: int) -> int:
    """``worker_rlimit_nofile`` that a number of sockets needs; a plain request may hold a file, too."""
    return connections(sockets) + PLAIN


def budget_changes(sockets: int, tree: Configuration, nginx: Instance, files: Filesystem) -> List[Change]:
    """Changes that give every worker room; settings that are large enough stay as they are.

    Args:
        sockets: WebSockets that are open at once; 0 leaves everything alone.
        tree: the configuration on the disk.
        nginx: the running nginx.
        files: reads the files.

    Returns:
        One change for each file that holds such a directive, bytes spliced at the directive; often none.

    Raises:
        Refused: this host would not let nginx's workers open so many descriptors.
    """
    if not sockets:
        return []
    edits = [edit for edit in (_connections(tree, sockets), _descriptors(tree, sockets)) if edit is not None]
    if nginx.master is not None:
        _refuse_too_many(nginx.master, descriptors(sockets))
    by_source: Dict[str, Tuple[bytes, List[splice.Edit]]] = {}
    for edit in edits:
        by_source.setdefault(edit.source.name, (edit.source.data, []))[1].append(edit)
    changes = []
    for name, (data, found) in by_source.items():
        path = canonical(os.path.realpath(name))
        current = files.entry(path)
        if current.kind != "file" or current.content != data:
            raise Refused(f"{path} changed while it was being read; nothing was changed. Run again.")
        after = Entry(
            "file", splice.apply(data, found), "", current.mode, current.uid, current.gid, current.xattrs
        )
        changes.append(Change(path, current, after))
    return changes


def _events(tree: Configuration) -> Directive:
    found = next((directive for directive in tree.root if directive.name == b"events"), None)
    if found is None:
        raise Refused(f"{tree.main} has no events block, so there is no place for worker_connections")
    return found


def _number(directive: Optional[Directive]) -> int:
    word = directive.args[0] if directive is not None and directive.args else b""
    return int(word) if word.isdigit() else 0


def _connections(tree: Configuration, sockets: int) -> Optional[splice.Edit]:
    events, wanted = _events(tree), connections(sockets)
    directive = next(events.children(b"worker_connections"), None)
    if directive is None:  # nginx takes 512 then (DEFAULT_CONNECTIONS)
        return splice.insert_inside(events, b"worker_connections %d;" % wanted)
    if _number(directive) >= wanted:
        return None
    return splice.set_argument(directive, 0, b"%d" % wanted)


def _descriptors(tree: Configuration, sockets: int) -> Optional[splice.Edit]:
    wanted = descriptors(sockets)
    directive = next((one for one in tree.root if one.name == b"worker_rlimit_nofile"), None)
    if directive is None:
        return splice.insert_before(_events(tree), b"worker_rlimit_nofile %d;" % wanted)
    if _number(directive) >= wanted:
        return None
    return splice.set_argument(directive, 0, b"%d" % wanted)


def _refuse_too_many(master: int, wanted: int) -> None:
    """Refuse what setrlimit(2) would refuse to the workers; nginx itself would go on with an [alert]."""
    most = _most_a_process()
    if most and wanted > most:
        raise Refused(
            f"the sockets asked for need {wanted} descriptors a worker, but the kernel allows {most} a "
            f"process; nothing was changed. Raise it (sysctl fs.nr_open={wanted}), or ask for fewer sockets."
        )
    hard = _open_files(master)[1]
    if hard is not None and wanted > hard and not _may_exceed(master):
        raise Refused(
            f"the sockets asked for need {wanted} descriptors a worker, but the nginx master (process "
            f"{master}) may not go beyond {hard}; nothing was changed. Raise it with systemctl edit nginx: "
            f"LimitNOFILE={wanted} in [Service], and restart nginx at a quiet hour (a restart cuts open "
            "sockets), or ask for fewer sockets."
        )


def _open_files(pid: int) -> Tuple[Optional[int], Optional[int]]:
    """Soft and hard limit of open files; None where it is unlimited or cannot be read."""
    limits = Proc().open_files(pid) or ("", "")
    soft, hard = (int(limit) if limit.isdigit() else None for limit in limits)
    return soft, hard


def _may_exceed(pid: int) -> bool:
    """Whether a process may raise its own hard limit."""
    return bool((Proc().capabilities(pid) or 0) >> _CAP_SYS_RESOURCE & 1)


def _most_a_process() -> int:
    """Descriptors that the kernel allows a process; 0 when it does not say."""
    try:
        with open("/proc/sys/fs/nr_open", encoding="ascii") as stream:
            return int(stream.read())
    except (OSError, ValueError):
        return 0


def budget_findings(sockets: int, master: Optional[int]) -> List[Finding]:
    """What stands between the sockets asked for and the running host, after the release is live.

    Args:
        sockets: as for `budget_changes`.
        master: process id of the nginx that serves.
    """
    found: List[Finding] = []
    if not sockets:
        return found
    wanted = descriptors(sockets)
    for worker in sorted(workers.serving(master)) if master is not None else ():
        soft = _open_files(worker)[0]
        if soft is not None and soft < wanted:
            found.append(
                Finding(
                    "descriptors-not-raised",
                    f"nginx worker {worker} may open {soft} descriptors, {wanted} were asked for: its "
                    "setrlimit(2) was refused (see [alert] in the error log)",
                    f"systemctl edit nginx: LimitNOFILE={wanted} in [Service]",
                )
            )
            break
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as stream:
            low, high = (int(word) for word in stream.read().split())
    except (OSError, ValueError):
        return found
    if sockets > high - low + 1:
        found.append(
            Finding(
                "local-ports",
                f"{sockets} sockets to one address and port of a backend need as many local ports, and this "
                f"host has {high - low + 1} ({low} to {high})",
                "let the backend listen on several addresses or on a unix socket, or widen "
                "net.ipv4.ip_local_port_range",
            )
        )
    return found
