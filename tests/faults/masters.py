"""What becomes of nginx's own processes while a transaction runs: ended, restarted, upgraded, stopped."""

from __future__ import annotations

import contextlib
import glob
import os
import signal
from typing import Callable, Dict, Iterator, List, Tuple

from . import points
from .bench import Bench, Row, begins, shell
from .processes import OLD_PID, PID, children, read, taking, until

DEBS = "/opt/fault-debs"
STEPS = ("validate", "snapshot", "activate", "reload", "prove", "commit")
DARK = "n/a: the fault itself ends nginx's workers"


def tell(pid: int, *signals: signal.Signals) -> None:
    """Send signals to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError):
        for one in signals:
            os.kill(pid, one)


def gone(pid: int) -> None:
    """Wait until a process has ended."""
    until(lambda: not os.path.exists(f"/proc/{pid}"), f"the end of process {pid}")


def kill() -> None:
    """The master is killed, and systemd takes its workers away with it."""
    # systemd starts a unit five times in ten seconds at the most (StartLimitBurst); these trials are faster.
    shell("systemctl reset-failed nginx", check=False)
    master = read(PID)
    os.kill(master, signal.SIGKILL)
    gone(master)


def usr2() -> Tuple[int, int]:
    """Begin a binary upgrade; returns the old master and the new one once it has workers."""
    old = read(PID)
    os.kill(old, signal.SIGUSR2)
    until(lambda: bool(read(OLD_PID) and read(PID) not in (0, old) and children(read(PID))), "the upgrade")
    return old, read(PID)


def usr2_and_winch() -> None:
    """The old master stays, without workers that take connections."""
    old, _ = usr2()
    tell(old, signal.SIGWINCH)
    until(lambda: not taking(old), "the end of the old workers")


def whole_upgrade() -> None:
    """USR2, WINCH, QUIT, as nginx's manual has it."""
    old, _ = usr2()
    tell(old, signal.SIGWINCH)
    until(lambda: not taking(old), "the end of the old workers")
    tell(old, signal.SIGQUIT)


def given_up() -> None:
    """An upgrade that somebody takes back: the new master is told to quit."""
    _, new = usr2()
    tell(new, signal.SIGQUIT)
    gone(new)


def finish() -> None:
    """Finish an upgrade that was begun."""
    old = read(OLD_PID)
    if old:
        tell(old, signal.SIGQUIT)
        until(lambda: not taking(old), "the end of the old workers")


def packages() -> str:
    """Debian's own packages of nginx, on the host; "" where no archive can be reached."""
    os.makedirs(DEBS, exist_ok=True)
    if not glob.glob(f"{DEBS}/*.deb"):
        shell(
            f"cd {DEBS} && timeout 60 apt-get -q update && timeout 60 apt-get -q download nginx nginx-common",
            check=False,
        )
    return " ".join(sorted(glob.glob(f"{DEBS}/*.deb")))


def upgrade_package() -> None:
    """What ``apt upgrade`` does in the end; without packages, the part of it that touches what runs."""
    debs = packages()
    shell(f"dpkg -i {debs}" if debs else "/var/lib/dpkg/info/nginx.postinst configure")


def stop_worker() -> None:
    """One worker does not run, as in a debugger or while a disk hangs."""
    tell(taking(read(PID))[0], signal.SIGSTOP)


def stop_master() -> None:
    """The master does not run."""
    tell(read(PID), signal.SIGSTOP)


def go_on() -> None:
    """Whatever was stopped runs again."""
    shell("pkill -CONT -x nginx", check=False)


def no_descriptors() -> None:
    """The master may open no further file: with two trees at once, it needs more than with one."""
    master = read(PID)
    used = {int(name) for name in os.listdir(f"/proc/{master}/fd")}
    lowest_free = min(set(range(len(used) + 1)) - used)
    shell(f"prlimit --pid {master} --nofile={lowest_free}:")


def descriptors() -> None:
    """It may again."""
    shell(f"prlimit --pid {read(PID)} --nofile=1024:")


def masters(
    bench: Bench, some: Callable[..., List[str]], chosen: Callable[[List[str]], List[str]]
) -> Iterator[Row]:
    """One fault after the other, each at every step.

    Args:
        bench: the host.
        some: chooses among the steps.
        chosen: chooses among the faults.
    """
    stopped = "n/a: its worker may be the one that is stopped"
    faults: Dict[str, Tuple[Callable[[], object], Callable[[], None], str]] = {
        "nginx master killed": (kill, _nothing, DARK),
        "systemctl restart nginx": (lambda: shell("systemctl restart nginx"), _nothing, DARK),
        "systemctl stop nginx": (lambda: shell("systemctl stop nginx"), _nothing, DARK),
        "nginx -s quit": (lambda: shell("nginx -s quit"), _nothing, DARK),
        "binary upgrade (USR2, WINCH, QUIT)": (whole_upgrade, _nothing, ""),
        "binary upgrade (USR2, WINCH)": (usr2_and_winch, finish, ""),
        "binary upgrade (USR2)": (usr2, finish, ""),
        "binary upgrade given up": (given_up, _nothing, ""),
        "package upgraded (dpkg -i)": (upgrade_package, _nothing, "n/a: Debian's own upgrade restarts nginx"),
        "nginx worker stopped": (stop_worker, go_on, ""),
        "nginx master stopped": (stop_master, go_on, ""),
        "no descriptor left for a reload": (no_descriptors, descriptors, ""),
    }
    for fault in chosen(list(faults)):
        happen, repair, dark = faults[fault]
        for step in some(*STEPS):
            yield bench.trial(
                fault,
                step,
                lambda one, step=step, happen=happen: points.deploy(
                    one, when=begins(step), then=lambda: happen() and None, deadline=12.0
                ),
                repair=repair,
                served=dark,
                socket=stopped if happen is stop_worker else dark,
            )
        bench.reset()


def _nothing() -> None:
    """Nothing has to be repaired."""
