"""Bring a tree to life in the running nginx, and see that it serves it."""

from __future__ import annotations

import time
from typing import Sequence

from ..conf.tree import Configuration
from . import workers
from .answers import prove, questions
from .errorlog import LogWatch, log_paths
from .host import Host, names
from .instance import serving_since
from .model import APPLIED, UNDECIDED, NotProven, Refused, Site
from .reload import reload
from .routes import check_live
from .stale import stale_files
from .starting import start

REFUSE, LEAVE, START = "refuse", "leave", "start"


def bring_to_life(host: Host, tree: Configuration, sites: Sequence[Site]) -> None:
    """Reload nginx and prove that it serves this tree.

    Raises:
        NotProven: it does not.
    """
    master = host.nginx.master
    if master is None:
        raise NotProven("nginx is not running")
    deadline = time.monotonic() + host.deadline
    log = LogWatch(log_paths(host.nginx, [tree]))
    try:
        with host.step("reload"):
            reload(master, log, deadline)
        with host.step("prove"):
            prove(questions(tree, host.nginx), deadline)
            prove_routes(host, tree, sites)
            if not workers.alive(master):
                raise NotProven(f"the nginx master (process {master}) ended after the reload")
    finally:
        log.close()


def prove_routes(host: Host, tree: Configuration, sites: Sequence[Site]) -> bool:
    """Open every WebSocket URL; what a backend is to blame for becomes a finding.

    Returns:
        Whether all of them opened.

    Raises:
        NotProven: a URL does not open, and nginx is to blame.
    """
    failures = []
    checks = check_live(sites, tree)
    for check in checks:
        if check.finding is not None:
            host.outcome.findings.append(check.finding)
        if check.failure:
            failures.append(check.failure)
    if failures:
        raise NotProven(names(failures))
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
    from .static_routes import check_static

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
        wake(host, tree, stopped, sites)
        return
    nginx = host.nginx
    with host.step("prove"):
        try:
            prove(questions(tree, nginx), time.monotonic(), settled=True)
            stale = stale_files(tree, serving_since(host.nginx.master))
            served = not stale
        except NotProven:
            stale, served = [], False
        if served:
            try:
                opened = prove_routes(host, tree, sites)
            except NotProven as error:
                opened = False
                outcome.failed = True
                outcome.message = f"the release is live and unchanged, but {error}"
    if not served or not opened:
        expect_upgrades(host, tree, sites)
    if served:
        return
    behind = f"{names(stale)} changed after nginx had read it" if stale else ""
    if host.check:
        outcome.changed = True
        what = behind or "the files are as they should be, but the running nginx does not serve them"
        host.find("not-running", f"{what}; a real run reloads it")
        return
    try:
        bring_to_life(host, tree, sites)
    except NotProven as error:
        outcome.failed = True
        outcome.message = (
            f"the files are as they should be, but nginx does not serve them even after a reload: {error}"
        )
        return
    outcome.outcome, outcome.changed = APPLIED, True
    if behind:
        host.find("reloaded", f"{behind}; it was reloaded")
    host.count_draining()


def wake(host: Host, tree: Configuration, stopped: str, sites: Sequence[Site] = ()) -> None:
    """nginx is stopped and the disk holds what it should."""
    command = f"systemctl start {host.nginx.unit or 'nginx'}"
    if stopped == REFUSE:
        raise Refused(f"the files are as they should be, but nginx is not running. Start it: {command}")
    if stopped == LEAVE or host.check:
        host.find(
            "nginx-stopped",
            "nginx is not running: the files are in place and valid, and serve at its next start",
            command,
        )
        return
    deadline = time.monotonic() + host.deadline
    with host.step("start"):
        host.nginx = start(host.nginx, deadline)
        host.outcome.changed = True
    with host.step("prove"):
        prove(questions(tree, host.nginx), deadline)
        prove_routes(host, tree, sites)
