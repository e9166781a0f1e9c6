"""Bring a tree to life in the running nginx, and see that it serves it."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Optional, Sequence

from .site.model import APPLIED, NOTHING_TO_GO_BACK_TO, RELOAD_FAILED, UNDECIDED, NotProven, Refused, Site
from .surroundings.host import Host, listed

if TYPE_CHECKING:
    from ..conf.tree import Configuration
    from .live.instance import Masters

REFUSE, LEAVE, START = "refuse", "leave", "start"


def bring_to_life(host: Host, tree: Configuration, sites: Sequence[Site], *, alone: bool = True) -> None:
    """Reload nginx and prove that it serves this tree.

    Where somebody restarts or upgrades nginx meanwhile, another master runs then, which has read some tree or
    other: that one is reloaded and proven in its turn.

    Args:
        host: the host; goes on with the master that runs in the end.
        tree: what stands on the disk.
        sites: sites whose WebSocket URLs must open.
        alone: wait until one master alone takes connections; an older one, which a binary upgrade is to
            replace, reads no configuration any more.

    Raises:
        NotProven: it does not serve the tree, or nginx has ended.
    """
    deadline = time.monotonic() + host.deadline
    while True:
        master = _to_reload(host, deadline, alone)
        failure = None
        try:
            with host.step("reload"):
                host.world.reload(tree, host.nginx, master, deadline)
            with host.step("prove"):
                host.world.prove(tree, host.nginx, deadline)
                prove_routes(host, tree, sites)
        except NotProven as error:
            failure = error
        found = host.world.masters(host.nginx)
        if found.current == master:
            if failure is not None:
                raise failure
            return
        if failure is None and found.older == master:
            _both(host, tree, found, deadline)
            return
        if time.monotonic() >= deadline:
            raise failure or NotProven(f"the nginx master (process {master}) ended after the reload")


def _both(host: Host, tree: Configuration, found: Masters, deadline: float) -> None:
    """The proven master began a binary upgrade: its successor has read the same tree, and is asked too."""
    _adopt(host, found.current)
    host.world.prove(tree, host.nginx, deadline)
    host.find("nginx-upgrade", f"{found.upgrade()}. Until then no other release can be deployed")


def _to_reload(host: Host, deadline: float, alone: bool) -> int:
    """The master to reload: the one that we know, or its successor.

    Raises:
        NotProven: nginx has ended, or two masters serve until the deadline.
    """
    while True:
        found = host.world.masters(host.nginx)
        if found.current is not None and (found.older is None or not alone):
            _adopt(host, found.current)
            return found.current
        late = time.monotonic() >= deadline
        if found.current is not None and late:
            raise NotProven(found.upgrade())
        over = late or not host.world.restarting(host.nginx)
        # Asked once more: it may have come up between the two questions.
        if found.current is None and over and host.world.masters(host.nginx).current is None:
            raise NotProven(
                f"nginx was told to quit meanwhile (its master is process {found.quitting[0]})"
                if found.quitting
                else "nginx has ended meanwhile"
            )
        host.world.pause()


def _adopt(host: Host, master: Optional[int]) -> None:
    """Go on with another master than the one that ran when we came."""
    if host.nginx.master not in (None, master):
        host.find(
            "nginx-replaced",
            f"somebody restarted or upgraded nginx during the transaction: its master is process {master} "
            f"instead of {host.nginx.master}; the new one was told to read the tree and asked what it serves",
        )
    host.nginx = dataclasses.replace(host.nginx, master=master, quitting=None)


def settle(host: Host) -> None:
    """Wait until one master alone takes connections, as long as reload and proof may take.

    Raises:
        Refused: a binary upgrade of nginx stays unfinished.
    """
    deadline = time.monotonic() + host.deadline
    while True:
        found = host.world.masters(host.nginx)
        if found.older is None:
            return
        if time.monotonic() >= deadline:
            raise Refused(f"{found.upgrade()}. Then run again; nothing was changed")
        host.world.pause()


def prove_routes(host: Host, tree: Configuration, sites: Sequence[Site]) -> bool:
    """Open every WebSocket URL; what a backend is to blame for becomes a finding.

    Returns:
        Whether all of them opened.

    Raises:
        NotProven: a URL does not open, and nginx is to blame.
    """
    failures = []
    checks = host.world.check_live(sites, tree)
    for check in checks:
        if check.finding is not None:
            host.outcome.findings.append(check.finding)
        if check.failure:
            failures.append(check.failure)
    if failures:
        raise NotProven(listed(failures))
    opened = all(check.finding is None for check in checks)
    if opened:  # what the configuration could not tell is told now
        outcome = host.outcome
        outcome.findings = [finding for finding in outcome.findings if finding.code != UNDECIDED]
    return opened


def expect_upgrades(host: Host, tree: Configuration, sites: Sequence[Site]) -> None:
    """See by the configuration that every WebSocket URL can open; what it leaves open becomes a finding.

    Raises:
        Refused: a URL cannot open; the message names what takes it.
    """
    from .tree.static_routes import check_static

    with host.step("check"):
        host.outcome.findings += check_static(sites, tree, host.nginx)


def confirm_running(host: Host, tree: Configuration, sites: Sequence[Site], *, stopped: str = REFUSE) -> None:
    """The disk holds what it should: does the running nginx serve it too?  If not, it is reloaded.

    That a URL opens says more than the configuration can, which is asked only about those that do not.

    Raises:
        Refused: nginx is stopped, and that was not expected; or a URL cannot open.
    """
    outcome = host.outcome
    if host.nginx.master is None:
        expect_upgrades(host, tree, sites)
        start_nginx(host, tree, stopped, sites)
        return
    nginx = host.nginx
    with host.step("prove"):
        try:
            host.world.prove(tree, nginx, time.monotonic(), settled=True)
            stale = host.world.stale_files(tree, host.nginx.master)
            served = not stale
        except NotProven:
            stale, served = [], False
        if served:
            try:
                opened = prove_routes(host, tree, sites)
            except NotProven as error:
                opened = False
                outcome.failed, outcome.outcome = True, NOTHING_TO_GO_BACK_TO
                outcome.message = f"the release is live and unchanged, but {error}"
    if not served or not opened:
        expect_upgrades(host, tree, sites)
    if served:
        return
    behind = f"{listed(stale)} changed after nginx had read it" if stale else ""
    if host.check:
        outcome.changed = True
        what = behind or "the files are as they should be, but the running nginx does not serve them"
        host.find("not-running", f"{what}; a real run reloads it")
        return
    try:
        bring_to_life(host, tree, sites)
    except NotProven as error:
        outcome.failed, outcome.outcome = True, RELOAD_FAILED
        outcome.message = (
            f"the files are as they should be, but nginx does not serve them even after a reload: {error}"
        )
        return
    outcome.outcome, outcome.changed = APPLIED, True
    if behind:
        host.find("reloaded", f"{behind}; it was reloaded")
    host.count_draining()


def start_nginx(host: Host, tree: Configuration, stopped: str, sites: Sequence[Site] = ()) -> None:
    """nginx is stopped and the disk holds what it should."""
    if stopped == REFUSE:
        raise Refused(f"the files are as they should be, but {host.nginx.not_running()}")
    if stopped == LEAVE or host.check:
        host.find(
            "nginx-stopped",
            f"the files are in place and valid, and serve at nginx's next start: {host.nginx.not_running()}",
        )
        return
    deadline = time.monotonic() + host.deadline
    try:
        with host.step("start"):
            host.nginx = host.world.start(host.nginx, deadline)
            host.outcome.changed = True
        with host.step("prove"):
            host.world.prove(tree, host.nginx, deadline)
            prove_routes(host, tree, sites)
    except NotProven:
        host.outcome.outcome = RELOAD_FAILED
        raise
