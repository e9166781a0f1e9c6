"""Turn candidates into live releases, or leave the host exactly as it was."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Optional, Sequence

from ..behaviour.effective import Level
from ..conf.tree import Configuration
from .live.answers import questions
from .plan.placement import Placement, left_behind, place
from .running import REFUSE, START, confirm_running, expect_upgrades
from .site.instance import Instance
from .site.model import (
    APPLIED,
    STATE_DIR,
    Change,
    ConfError,
    Losses,
    Outcome,
    Refused,
    Site,
    Validation,
    ordered,
)
from .site.release import LITERAL, LOCATION, release_id
from .site.servers import Server, servers_by_file
from .socket_watch import SocketWatch
from .surroundings.host import Host, Tree, listed, one_line
from .surroundings.world import World
from .tree import neighbours
from .tree.evidence import hand_edit
from .tree.overlay import Overlay
from .tree.validation import parsed, was_read
from .undo import recover
from .window import leave_to_others

_SITE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_DRIFT = ("fail", "overwrite", "keep")
_TAKEOVER = ("fail", "overwrite")
_LOSS = ("fail", "accept")


def deploy(
    sites: Sequence[Site],
    *,
    nginx: Instance,
    state_dir: str = STATE_DIR,
    check: bool = False,
    on_drift: str = "fail",
    on_takeover: str = "fail",
    on_loss: str = "fail",
    accept_losses: Sequence[str] = (),
    keep: int = 10,
    deadline: float = 15.0,
    lock_timeout: float = 60.0,
    max_sockets: int = 0,
    start: bool = False,
    confirm_window: float = 0.0,
    reason: str = "",
    world: Optional[World] = None,
) -> Outcome:
    """Deploy some sites as one transaction with one reload.

    Args:
        sites: the candidates.
        nginx: from ``find_instance``.
        state_dir: where lock, journal and backups live.
        check: do everything up to the validation, and touch nothing.
        on_drift: what to do with a release that a person edited: ``fail``, ``overwrite`` or ``keep``.
        on_takeover: what to do where a file that is not ours does more than the site in its place would:
            ``fail`` or ``overwrite``.
        on_loss: what to do where users would lose what a release before gave them: ``fail`` or ``accept``.
        accept_losses: paths (``/old/*``) or URLs whose losses are meant, in a takeover and in a change.
        keep: how many backups to keep.
        deadline: seconds that reload and proof may take.
        lock_timeout: seconds to wait for another transaction, or for certbot.
        max_sockets: WebSockets that nginx shall have room for (see ``budget``); 0 leaves its limits alone.
        start: start nginx when it is stopped, instead of refusing.
        confirm_window: seconds within which ``confirm`` must follow, or the host goes back by itself;
            0 when nobody is going to confirm.
        reason: why this is done, for the list of backups.
        world: everything outside the transaction; unit tests hand in another.

    Returns:
        The outcome; ``failed`` says whether the caller should fail.
    """
    host = Host(nginx, state_dir, check, keep, deadline, world or World())
    host.window, host.reason = max(0.0, confirm_window), one_line(reason)
    losses = Losses(on_takeover, on_loss, accept_losses)
    with host.concluded("the host's files could not be read or locked"):
        _check_input(sites, on_drift, on_takeover, on_loss)
        with host.locked(lock_timeout):
            leave_to_others(host, sites)
            host.outcome.recovered = recover(host)
            _deploy(host, sites, on_drift, losses, max_sockets, START if start else REFUSE)
    if host.outcome.outcome == APPLIED:
        live = listed([f"{name} {release}" for name, release in host.outcome.releases.items()])
        told = host.outcome.comparison.get("summary", "")
        host.outcome.message = f"live and proven: {live}" + (f"; {told}" if told else "")
    return host.outcome


def _check_input(sites: Sequence[Site], on_drift: str, on_takeover: str, on_loss: str) -> None:
    for name, value, allowed in (
        ("on_drift", on_drift, _DRIFT),
        ("on_takeover", on_takeover, _TAKEOVER),
        ("on_loss", on_loss, _LOSS),
    ):
        if value not in allowed:
            raise Refused(f"{name} is {value!r}; it must be one of {', '.join(allowed)}")
    if not sites:
        raise Refused("there is no site to deploy")
    for site in sites:
        if not _SITE_NAME.match(site.name):
            raise Refused(
                f"the site name {site.name!r} cannot be a file name; use letters, digits, '.', '_' and '-'"
            )
        if not site.server_names:
            raise Refused(f"site {site.name} has no server name")
        if LITERAL not in site.content:
            raise Refused(
                f"site {site.name}: the candidate does not hold the literal {LITERAL.decode()}, so the "
                "running nginx could not be "
                "asked which release it serves"
            )
    doubled = {site.name for site in sites if [other.name for other in sites].count(site.name) > 1}
    if doubled:
        raise Refused(f"the site name {listed(sorted(doubled))} is used twice")


def _deploy(
    host: Host,
    sites: Sequence[Site],
    on_drift: str,
    losses: Losses,
    max_sockets: int,
    stopped: str,
) -> None:
    outcome, nginx = host.outcome, host.nginx
    with host.step("compare"):
        if nginx.layout is None and not all(site.path for site in sites):
            raise Refused(nginx.layout_error or "no directory for sites was found")
        tree, deployed = host.tree(), host.deployed()
        placements = place(sites, tree, nginx, host.files, deployed)
        outcome.findings += left_behind(placements, tree, deployed, host.files, host.backups.made)
        placements = _settle_drift(host, placements, on_drift)
        changes = _room(host, tree, max_sockets)
        changes += [change for placement in placements for change in placement.changes]
        _tell_plan(outcome, placements, changes)
    chosen = [placement.site for placement in placements]
    if not placements:
        return
    watch = SocketWatch(host, tree.configuration)
    staged = _judge(host, changes, placements, chosen)
    outcome.files = [_described(placement) for placement in placements]
    if not changes:
        with watch:
            confirm_running(host, staged, chosen, stopped=stopped)
        if nginx.master is None and stopped == START:
            outcome.changed = True
            outcome.outcome = outcome.outcome if host.check else APPLIED
        return
    # Imported where something changes: an unchanged host does not have to compile them.
    from .execute import Plan, execute
    from .plan.comparison import judge_change
    from .plan.foreseen import see_ahead
    from .tree.static_routes import broken_today

    foreign = [path for placement in placements for path in placement.foreign]
    see_ahead(host, tree.configuration, staged, placements)
    judge_change(host, tree.configuration, staged, chosen, foreign, losses)
    broken = broken_today(chosen, tree.configuration, nginx)
    if host.check:
        outcome.changed, outcome.cured = True, broken
        outcome.message = f"would change; {outcome.comparison['summary']}"
        return
    if nginx.master is None and stopped == REFUSE:
        raise Refused(f"a release could not be proven, and nothing was changed: {nginx.not_running()}")
    after = _sites_after(deployed, placements, changes)
    changes = _ordered(host, changes)
    with watch:
        execute(host, Plan("deploy", changes, staged, deployed, after, chosen), stopped=stopped)
    if outcome.outcome == APPLIED:
        outcome.cured = broken
        if max_sockets:
            from .tree.budget import budget_findings

            outcome.findings += budget_findings(max_sockets, host.nginx.master)


def _tell_plan(outcome: Outcome, placements: Sequence[Placement], changes: Sequence[Change]) -> None:
    """Put into the outcome what would become of each site and each file."""
    for placement in placements:
        outcome.releases[placement.site.name] = release_id(placement.site.content)
        outcome.previous[placement.site.name] = placement.previous
        outcome.files.append(_described(placement))
        outcome.replaced += placement.replaced
        outcome.findings += placement.findings
    outcome.diff = [change.difference() for change in changes]


def _sites_after(
    deployed: Mapping[str, Mapping[str, str]], placements: Sequence[Placement], changes: Sequence[Change]
) -> Dict[str, Mapping[str, str]]:
    """Site → path and release once the changes are live: a site whose file goes is no longer there."""
    gone = {change.path for change in changes if change.after.kind == "absent"}
    after = {name: site for name, site in deployed.items() if site.get("path") not in gone}
    for placement in placements:
        after[placement.site.name] = {"path": placement.path, "release": release_id(placement.site.content)}
    return after


def _described(placement: Placement) -> Dict[str, str]:
    return {"site": placement.site.name, "path": placement.path, "read_as": placement.shown}


def _room(host: Host, tree: Tree, max_sockets: int) -> List[Change]:
    if not max_sockets:
        return []
    from .tree.budget import budget_changes

    return budget_changes(max_sockets, tree.configuration, host.nginx, host.files)


def _settle_drift(host: Host, placements: List[Placement], on_drift: str) -> List[Placement]:
    drifted = [placement for placement in placements if placement.drifted]
    if not drifted:
        return placements
    for placement in drifted:
        path = placement.path
        release = host.backups.last_written(path)
        if release is not None:
            text = hand_edit(release.content, host.files.entry(path).content, path)
            host.outcome.drift.append({"path": path, "diff": text})
    paths = listed([placement.path for placement in drifted])
    if on_drift == "fail":
        raise Refused(
            f"drift: {paths} was edited by hand since the last release; nothing was changed. Take the edit "
            "(see 'drift') into the site's variables, or set nginx_websocket_on_drift to overwrite (a backup "
            "is kept) or keep.",
            diff=[change.difference() for placement in drifted for change in placement.changes],
        )
    if on_drift == "overwrite":
        host.find("drift", f"{paths} was edited by hand since the last release; the edit is in the backup")
        return placements
    host.find(
        "drift",
        f"{paths} was edited by hand since the last release and was kept, as nginx_websocket_on_drift says; "
        "the site was not deployed",
        "set nginx_websocket_on_drift to overwrite, or take the edit into the site's variables",
    )
    return [placement for placement in placements if not placement.drifted]


def _judge(
    host: Host, changes: Sequence[Change], placements: Sequence[Placement], sites: Sequence[Site]
) -> Configuration:
    """Everything that can be known before the live tree is touched; returns the tree as it will be.

    Raises:
        Refused: nginx, or what nginx does not check, speaks against the candidate.
    """
    nginx, outcome = host.nginx, host.outcome
    overlay = Overlay(changes, host.files)
    staged = parsed(overlay, nginx)
    paths = [placement.path for placement in placements]
    live = Overlay((), host.files)
    with host.step("validate"), neighbours.explained(
        paths, lambda: [(staged, overlay), (parsed(live, nginx), live)]
    ):
        for placement in placements:
            placement.shown = _read_as(placement, overlay, staged)
        ours = frozenset(placement.shown for placement in placements)
        if staged is not None:
            outcome.findings += neighbours.check(staged, ours)
        verdict = host.world.validate(changes, nginx)
        outcome.method, outcome.warnings = verdict.method, verdict.warnings
        if not verdict.valid:
            raise _invalid(host, verdict, changes, placements)
        if staged is None:
            raise Refused("nginx accepts the tree, but this program cannot read it")
        for placement in placements:
            if not was_read(verdict, placement.shown, overlay.read(placement.path)):
                raise Refused(
                    f"nginx does not read {placement.shown}: no include of {nginx.conf_path} covers it. "
                    "Choose another path, or include it."
                )
    _askable(host, staged, placements)
    if changes:
        expect_upgrades(host, staged, sites)
    return staged


def _read_as(placement: Placement, overlay: Overlay, staged: Optional[Configuration]) -> str:
    """The path under which nginx reads a site's file: a directory on the way may be a link."""
    found = [file for file in (staged.files if staged else ()) if overlay.resolve(file) == placement.path]
    return placement.shown if placement.shown in found or not found else found[0]


def _askable(host: Host, staged: Configuration, placements: Sequence[Placement]) -> None:
    """Every site can be asked for its release, or it could never be proven."""
    grouped = servers_by_file(staged)
    asked = {(question.where, question.release) for question in questions(staged, host.nginx)}
    for placement in placements:
        release = release_id(placement.site.content)
        marked = [server for server in grouped.get(placement.shown, []) if server.release == release]
        if not marked:
            raise Refused(
                f"site {placement.site.name}: no server in {placement.shown} holds a location = "
                f"{LOCATION}{LITERAL.decode()}, so the running nginx could not be asked for its release"
            )
        for server in marked:
            _see_open(placement.site, server)
        if not any((server.where(), release) in asked for server in marked):
            host.find(
                "release-not-asked",
                f"site {placement.site.name}: none of its listen addresses can be reached from the host "
                "itself, so "
                "only the workers show that nginx took the release",
            )


def _see_open(site: Site, server: Server) -> None:
    """See that a server talks to clients without a certificate, or neither proof nor verification could.

    Raises:
        Refused: it wants one of everybody (``ngx_http_process_request`` answers 400 before any location).
    """
    outer = Level("http", server.directive.parent, None)
    lines = Level("server", server.directive, outer).nearest(b"ssl_verify_client")[1]
    tls = any(listen.has("ssl") for listen in server.listens)
    if tls and lines and lines[-1].args[:1] == (b"on",):
        raise Refused(
            f"site {site.name}: {lines[-1].where()} asks every client for a certificate, so the release "
            "could be proven neither on the host nor from outside; nothing was changed. Take the line away, "
            "or leave this site out of the role: a server for clients with certificates can stand beside it "
            "in a file of your own, under another name or port."
        )


def _invalid(
    host: Host, verdict: Validation, changes: Sequence[Change], placements: Sequence[Placement]
) -> Refused:
    """Whose fault an invalid tree is: the candidate's, or was it broken before we came."""
    first = verdict.errors[0]
    live = host.world.validate([], host.nginx) if changes else verdict
    if not live.valid and live.errors and _same_error(live.errors[0], first):
        return Refused(
            f"nginx's configuration was broken before we came, and nothing was changed: {first.sentence()}. "
            "Repair that "
            "first.",
            verdict.errors,
        )
    sites = {placement.shown: placement.site.name for placement in placements}
    sites.update({placement.path: placement.site.name for placement in placements})
    whose = f"site {sites[first.file]}: " if first.file in sites else ""
    return Refused(
        f"{whose}nginx refuses the candidate, and nothing was changed: {first.sentence()}", verdict.errors
    )


def _same_error(one: ConfError, two: ConfError) -> bool:
    return (one.file, one.line, one.message) == (two.file, two.line, two.message)


def _ordered(host: Host, changes: List[Change]) -> List[Change]:
    """An order in which the tree passes ``nginx -t`` after every step, where old files go away.

    Added first, two files may define one upstream; removed first, somebody may miss what the old file
    defined.  nginx says which of the two holds here.
    """
    removals = [change for change in ordered(changes) if change.after.kind == "absent"]
    additions = [change for change in ordered(changes) if change.after.kind != "absent"]
    if removals and additions and not host.world.validate(additions, host.nginx).valid:
        return removals + additions
    return additions + removals
