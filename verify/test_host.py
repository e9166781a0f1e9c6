"""What the host says about itself: nginx runs, its configuration holds, and it serves the release."""

from __future__ import annotations

import stat
from typing import Any, Dict

from verify.host_report.timeouts import Timeouts
from verify.results import Fail, Finding
from verify.sites import Route, Site
from verify.targets import Target


def test_nginx_runs(target: Target, report: Dict[str, Any], fail: Fail, finding: Finding) -> None:
    """A master process and at least one worker that takes connections."""
    for stranger in report.get("strangers", []):
        finding(stranger, "not-nginx")
    if not report["masters"]:
        fail("no nginx master process runs", fix="systemctl status nginx; journalctl -u nginx")
    if not any(not worker["shutting_down"] for worker in report["workers"]):
        fail("no nginx worker takes connections", got=report["workers"], fix="look at nginx's error log")


def test_nginx_starts_at_boot(target: Target, report: Dict[str, Any], finding: Finding) -> None:
    """Whether a reboot brings nginx back. Nobody's deployment changed that, so it is only told."""
    unit = report["unit"]
    if unit and unit.get("ActiveState") != "active":
        finding(
            f"systemd says nginx is {unit.get('ActiveState')}, though it runs: it was started by hand",
            "started-by-hand",
        )
    if unit and unit.get("UnitFileState") not in ("enabled", "enabled-runtime", "static"):
        finding(
            f"nginx does not start at boot (its unit is {unit.get('UnitFileState') or 'unknown'}): "
            "systemctl enable nginx",
            "not-at-boot",
        )


def test_old_workers(target: Target, report: Dict[str, Any], finding: Finding) -> None:
    """Workers of before a reload live as long as their WebSockets do: worth knowing, nothing wrong."""
    leaving = [worker for worker in report["workers"] if worker["shutting_down"]]
    if leaving:
        finding(
            f"{len(leaving)} nginx worker(s) of before a reload still hold open connections", "old-workers"
        )


def test_configuration_is_valid(target: Target, report: Dict[str, Any], fail: Fail) -> None:
    """``nginx -t`` accepts the tree on disk: the next reload or reboot brings nginx up."""
    if report["test"]["rc"] != 0:
        fail(
            "the configuration on disk is refused by nginx itself",
            sent="nginx -t",
            got=report["test"]["messages"],
            fix="correct the named line; a restart would take nginx down",
        )


def test_state_is_private(target: Target, report: Dict[str, Any], fail: Fail) -> None:
    """Backups and journal may hold secrets: they are for root alone."""
    state = report["state_dir"]
    if state["exists"] and (state.get("mode"), state.get("uid")) != ("0700", 0):
        fail(
            f"{state['path']} can be read by others than root",
            got=f"mode {state.get('mode')}, owner {state.get('uid')}",
            fix=f"chown root: {state['path']} && chmod 0700 {state['path']}",
        )


def test_running_nginx_serves_the_release(
    target: Target, site: Site, report: Dict[str, Any], fail: Fail
) -> None:
    """Asked through each endpoint, the workers answer with the release id: the reload has reached them."""
    asked = [ask for ask in report["releases"] if ask["site"] == site.name]
    for ask in asked:
        answer = ask["answer"]
        if answer["status"] != 200 or answer["body"].strip() != ask["release"]:
            endpoint = (
                f"{'https' if ask['tls'] else 'http'}://{ask['host']} at {ask['address']}:{ask['port']}"
            )
            fail(
                f"the running nginx does not serve release {ask['release'] or '(none)'} of {site.name}",
                sent=f"the release location of {endpoint}, from the host itself",
                got=answer["error"] or f"{answer['status']} {answer['body']!r}",
                fix="nginx -t && systemctl reload nginx, then its error log; another site may claim the name",
            )


def test_site_file(target: Target, site: Site, report: Dict[str, Any], fail: Fail, finding: Finding) -> None:
    """The site's file belongs to root, nobody else may write it, and it is as it was deployed."""
    state = next(
        (ask["file"] for ask in report["releases"] if ask["site"] == site.name and ask["file"]), None
    )
    if state is None:
        fail(
            f"nginx loads no file with a release of {site.name}",
            sent="nginx -T",
            fix="ansible-playbook site.yml puts it there, or tells why it cannot",
        )
    if state["uid"] != 0 or int(state["mode"], 8) & (stat.S_IWGRP | stat.S_IWOTH):
        fail(
            f"{state.get('real', state['path'])} can be written by others than root",
            got=f"mode {state['mode']}, owner {state['uid']}",
            fix=f"chown root: {state['path']} && chmod 0644 {state['path']}",
        )
    if state["edited"]:
        finding(f"{state.get('real', state['path'])} was edited by hand since its release was made", "edited")


def test_timeouts_in_force(
    target: Target, site: Site, route: Route, timeouts: Timeouts, fail: Fail, finding: Finding
) -> None:
    """A silent socket lives as long as the route says.

    ``nginx -T`` shows the disk, never the running configuration; that both are the same release is what
    `test_running_nginx_serves_the_release` and `test_site_file` show.
    """
    for endpoint in site.endpoints():
        got = timeouts.read(endpoint, route.path)
        if got is None:
            finding(
                f"which timeout {route.shown} of {site.name} has, cannot be read off its configuration",
                "timeout-unknown",
            )
        elif got != route.timeout:
            fail(
                f"silent WebSockets on {route.shown} of {site.name} live another time than the route says",
                sent=endpoint.url(route.path, websocket=True),
                got=f"proxy_read_timeout {got:g} s, expected {route.timeout:g} s",
                fix="see which location takes the URL: ansible-playbook playbooks/diagnose.yml",
            )
