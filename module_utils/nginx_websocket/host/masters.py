"""Running nginx masters, and which of them is meant."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .processes.genuine import distrust, stranger
from .processes.proc import Proc, origin_of

MASTER = "nginx: master process"
WORKER = "nginx: worker process"
SHUTTING_DOWN = "is shutting down"


@dataclasses.dataclass
class Worker:
    """One worker process; pid and start ticks together name it for good."""

    pid: int
    started: float
    """Seconds since the epoch."""
    start_ticks: int
    shutting_down: bool


@dataclasses.dataclass
class Master:
    """One running nginx master."""

    pid: int
    exe: str
    """Path of the executable it was started from."""
    exe_deleted: bool
    """The file at that path was deleted or replaced since: a package upgrade without a restart."""
    argv: List[str]
    """Its command line, as far as nginx's rewritten title lets it be told apart."""
    conf_path: str
    """Path given by -c; a relative one hangs on the prefix. Empty when the binary's own default counts."""
    prefix: str
    """Absolute path given by -p; empty when the binary's own default counts."""
    error_log: str
    """Path given by -e; empty without it."""
    directives: str
    """What -g gave."""
    origin: str
    """How it was started: unit, user unit, session, container, unknown."""
    unit: str
    """The systemd unit's name; empty when no unit started it."""
    started: float
    start_ticks: int
    user: str
    ppid: int
    workers: List[Worker] = dataclasses.field(default_factory=list)
    distrust: str = ""
    """Why nothing that it names may be executed: others may write it.  Empty when root (or we) alone may."""

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)


@dataclasses.dataclass
class Choice:
    """The master that is meant, or why that cannot be told."""

    master: Optional[Master]
    why: str
    ambiguous: bool = False
    distrusted: bool = False
    """Whether one runs, but others may write what it executes."""


@dataclasses.dataclass
class Options:
    """nginx's command line, taken apart."""

    argv: List[str]
    conf: str = ""
    prefix: str = ""
    error_log: str = ""
    directives: str = ""


def parse_title(title: str) -> Options:
    """Take the command line out of a master's title.

    nginx joins its arguments with spaces (`ngx_master_process_cycle`), so the words of one argument
    cannot be told from two arguments; the value of ``-g`` is taken to run up to the next option.  The
    options are those of `ngx_get_options`: flags may be joined (``-qc FILE``), and a value may stand in
    the same word (``-cFILE``).

    Args:
        title: the process title from ``nginx: master process`` on.
    """
    rest = title[len(MASTER) :].strip() if title.startswith(MASTER) else title.strip()
    words = rest.split()
    options = Options(argv=words[:1])
    index = 1
    while index < len(words):
        word = words[index]
        index += 1
        options.argv.append(word)
        if not word.startswith("-"):
            continue
        for place, letter in enumerate(word[1:], start=1):
            if letter not in "cpeg":
                continue
            value = word[place + 1 :]
            if not value and index < len(words):
                value = words[index]
                index += 1
                if letter == "g":
                    while index < len(words) and not re.match(r"-[cpegtTqvVh?s]", words[index]):
                        value += " " + words[index]
                        index += 1
                options.argv.append(value)
            if letter == "c":
                options.conf = value
            elif letter == "p":
                options.prefix = value
            elif letter == "e":
                options.error_log = value
            else:
                options.directives = value
            break
    return options


def masters(
    proc: Optional[Proc] = None, *, strangers: Optional[List[str]] = None, contained: bool = False
) -> List[Master]:
    """Find the running nginx masters of this host, the oldest first.

    Masters inside containers are left out: they have a pid namespace or a root directory of their own.  So is
    whatever only calls itself a master (see `genuine`).

    Args:
        proc: the /proc to read.
        strangers: gets a sentence for each process that only calls itself a master.
        contained: whether those inside containers are meant, and no others.  Whoever may start a process may
            give it that title; nothing that one of them names may be executed.

    Returns:
        Each with its workers; empty when none runs (nginx with ``master_process off`` has no master).
    """
    proc = proc or Proc()
    titles: Dict[int, str] = {}
    parents: Dict[int, int] = {}
    for pid in proc.pids():
        argv = proc.argv(pid)
        if argv and argv[0].startswith("nginx: "):
            stat = proc.stat(pid)
            if stat:
                titles[pid] = " ".join(argv)
                parents[pid] = stat[0]
    found = []
    for pid, title in titles.items():
        if not title.startswith(MASTER) or proc.same_host(pid) == contained:
            continue
        stat = proc.stat(pid)
        if stat is None:
            continue
        why_not = "" if contained else stranger(pid, proc)
        if why_not:
            if strangers is not None:
                strangers.append(why_not)
            continue
        options = parse_title(title)
        exe, deleted = proc.exe(pid)
        origin, unit = origin_of(proc.cgroup(pid), os.path.basename(exe))
        # A relative -p is used as it stands, so it hangs on the directory nginx was started in; a
        # relative -c hangs on the prefix (ngx_process_options), which the binary may have to supply.
        prefix = os.path.join(proc.link(pid, "cwd") or "/", options.prefix) if options.prefix else ""
        conf = os.path.join(prefix, options.conf) if prefix and options.conf else options.conf
        foreign = "it runs in a container, where others may write what it executes"
        named = [path for path in (prefix, conf) if path]
        found.append(
            Master(
                pid=pid,
                exe=exe,
                exe_deleted=deleted,
                argv=options.argv,
                conf_path=conf,
                prefix=prefix,
                error_log=options.error_log,
                directives=options.directives,
                origin=origin,
                unit=unit if origin == "unit" else "",
                started=round(proc.started(stat[1]), 2),
                start_ticks=stat[1],
                user=proc.user(pid),
                ppid=stat[0],
                workers=_workers(pid, titles, parents, proc),
                distrust=foreign if contained else distrust(pid, exe, deleted, named, proc),
            )
        )
    return sorted(found, key=lambda master: (master.start_ticks, master.pid))


def without_master(binary: str, proc: Optional[Proc] = None) -> Optional[int]:
    """Process id of an nginx that runs with ``master_process off``, under its command line as it is.

    Args:
        binary: its executable.
        proc: the /proc to read.
    """
    proc = proc or Proc()
    for pid in proc.pids():
        argv = proc.argv(pid)
        if not argv or argv[0].startswith("nginx: ") or {"-t", "-T", "-V", "-v"} & set(argv):
            continue
        if proc.exe(pid)[0] == binary and proc.same_host(pid) and not stranger(pid, proc):
            return pid
    return None


def workers_of(pid: int, proc: Optional[Proc] = None) -> List[Worker]:
    """The workers that a master has at this moment, the oldest first."""
    proc = proc or Proc()
    titles: Dict[int, str] = {}
    parents: Dict[int, int] = {}
    # Not every kernel lists the children (CONFIG_PROC_CHILDREN).
    listed = proc.read(pid, f"task/{pid}/children").split()
    for child in map(int, listed) if listed else proc.pids():
        argv = proc.argv(child)
        if argv and argv[0].startswith(WORKER):
            stat = proc.stat(child)
            if stat and stat[0] == pid:
                titles[child] = " ".join(argv)
                parents[child] = pid
    return _workers(pid, titles, parents, proc)


def serving_since(workers: Sequence[Worker]) -> float:
    """When the workers that serve began to; every reload makes new ones.

    Args:
        workers: of one master.

    Returns:
        Seconds since the epoch, of the oldest: one that crashed is replaced without a reload.  0 when none
        serves.
    """
    ticks = [worker.start_ticks for worker in workers if not worker.shutting_down]
    if not ticks:
        return 0.0
    # Finer than the whole seconds of btime in /proc/stat.
    booted = time.time() - time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
    return booted + min(ticks) / os.sysconf("SC_CLK_TCK")


def _workers(pid: int, titles: Dict[int, str], parents: Dict[int, int], proc: Proc) -> List[Worker]:
    """The workers among the children; cache managers and loaders are none."""
    workers = []
    for child, parent in parents.items():
        if parent != pid or not titles[child].startswith(WORKER):
            continue
        stat = proc.stat(child)
        if stat:
            workers.append(
                Worker(child, round(proc.started(stat[1]), 2), stat[1], SHUTTING_DOWN in titles[child])
            )
    return sorted(workers, key=lambda worker: (worker.start_ticks, worker.pid))


def choose(
    found: Sequence[Master],
    *,
    binary: str = "",
    conf_path: str = "",
    listening: Optional[Dict[int, List[int]]] = None,
    strangers: Sequence[str] = (),
) -> Choice:
    """Choose the master that is meant.

    Args:
        found: from `masters`.
        binary: the caller's wish for an executable; empty without one.
        conf_path: the caller's wish for a main configuration file.
        listening: for each master's pid, the TCP ports it holds.
        strangers: from `masters`, for the reason.

    Returns:
        The only one; the one that fits the wish; the newer of a binary upgrade; the only one that
        holds port 80 or 443; the only one that is a systemd unit.  Else none, and the choice is
        ``ambiguous``.  One of which others may write what it executes counts only where there is no other,
        and is not chosen: the choice is ``distrusted``.
    """
    if not found:
        return Choice(None, "; ".join(["no nginx master runs on this host", *strangers]))
    left, wish = _wished(found, binary, conf_path)
    if not left:
        others = "; ".join(_short(master) for master in found)
        return Choice(None, f"no running master has the {wish}; running: {others}")
    open_to_others = [master for master in left if master.distrust]
    left = [master for master in left if not master.distrust]
    if not left:
        refused = "; ".join(f"{_short(master)}: {master.distrust}" for master in open_to_others)
        return Choice(None, f"nothing of the running nginx is executed: {refused}", distrusted=True)
    if len(left) == 1:
        return Choice(left[0], f"the only master with the {wish}" if wish else "the only master")
    return _outstanding(left, listening or {})


def _wished(found: Sequence[Master], binary: str, conf_path: str) -> Tuple[List[Master], str]:
    """The masters that fit a wish for a binary and a main file, and the wish in words."""
    left, wishes = list(found), []
    if binary:
        wishes.append(f"binary {binary}")
        real = os.path.realpath(binary)
        left = [master for master in left if master.exe in ("", binary, real)]
    if conf_path:
        wishes.append(f"configuration {conf_path}")
        left = [master for master in left if not master.conf_path or _same(master.conf_path, conf_path)]
    return left, " and ".join(wishes)


def _outstanding(left: Sequence[Master], ports: Mapping[int, Sequence[int]]) -> Choice:
    """The one of several masters that is plainly the host's web server, if there is one."""
    pids = {master.pid for master in left}
    newer = [master for master in left if master.ppid in pids]
    if len(newer) == 1 and len(left) == 2:
        return Choice(newer[0], f"binary upgrade under way: it replaces the master {newer[0].ppid}")
    public = [master for master in left if {80, 443} & set(ports.get(master.pid, []))]
    if len(public) == 1:
        return Choice(public[0], f"the only one of {len(left)} masters that holds port 80 or 443")
    units = [master for master in (public or left) if master.unit]
    if len(units) == 1:
        return Choice(units[0], f"the only one of {len(left)} masters that is a systemd unit")
    listed = "; ".join(_short(master) for master in left)
    return Choice(None, f"{len(left)} masters run, and none stands out: {listed}", ambiguous=True)


def _same(left: str, right: str) -> bool:
    """Whether two paths name the same file."""
    return os.path.realpath(left) == os.path.realpath(right)


def _short(master: Master) -> str:
    """One master in a few words."""
    by = master.unit or master.origin
    conf = f" -c {master.conf_path}" if master.conf_path else ""
    return f"pid {master.pid} {master.exe or 'nginx'}{conf} ({by})"
