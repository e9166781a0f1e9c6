"""What a run says of a host, against what the host really serves: each way in which a run can end."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any, Callable, Dict, Optional

import pytest

from tests.integration.conftest import LabHost, LabUp
from tests.integration.rollout.test_rollout import DEAD, site, watched

LOCK = "/var/lib/nginx_websocket/lock"


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    return lab_up("it-outcome", scenes=["broken"])


class Told:
    """What one run said, in every medium."""

    def __init__(
        self, host: LabHost, directory: Path, variables: Dict[str, Any], *arguments: str,
        playbook: str = "site.yml", watch: Callable[[str], None] = lambda line: None,
    ) -> None:  # fmt: skip
        files = {kind: directory / f"summary.{kind}" for kind in ("json", "junit")}
        # What the found file does besides is the business of other tests.
        takes = {"nginx_websocket_on_takeover": "overwrite"}
        wanted = {**takes, **variables, **{f"nginx_websocket_summary_{k}": str(v) for k, v in files.items()}}
        self.code, self.output = watched(
            ["-i", "inventory/lab", playbook, "-l", host.name, "-e", json.dumps(wanted), *arguments], watch
        )
        document = json.loads(files["json"].read_text())
        [play] = document["plays"]
        [self.host] = play["hosts"]
        self.outcome = self.host["outcome"]
        assert document["succeeded"] == (self.code == 0), self.output
        assert f"1 host: 1 {self.outcome}" in self.output
        case = ET.parse(files["junit"]).getroot().find(".//testcase")
        assert case is not None
        assert (case.find("failure") is not None) == (self.code == 2)
        assert (case.findtext("system-out") or "").startswith(self.outcome)

    def release(self, which: str) -> Optional[str]:
        """Return the release of the lab's site that is said to have been live before or after."""
        text: Optional[str] = self.host["releases"]["lammp.test"][which]
        return text


def served(host: LabHost, release: str) -> bool:
    """Whether the running nginx says that it serves a release; it tells the host itself alone."""
    url = f"https://lammp.test/.well-known/nginx-websocket/{release}"
    return host.sh(f"curl -sk --resolve lammp.test:443:127.0.0.1 {url}").strip() == release


def dead(**more: Any) -> Dict[str, Any]:
    """Return variables with which the verification from outside must fail."""
    return {"nginx_websocket_verify_address": DEAD, **more}


def true(host: LabHost, told: Told, outcome: str, *, ours: bool = True) -> None:
    """Assert the outcome, and that the release that is said to be live is the one that is served."""
    assert told.outcome == outcome, told.output
    after = told.release("after")
    assert after is not None
    assert bool(after) == ours
    assert after == "" or served(host, after), f"{outcome}: {after} is said to be live and is not"


def test_the_first_run_refused_undone_and_applied(host: LabHost, tmp_path: Path) -> None:
    before = host.digest("/etc/nginx")
    refused = Told(host, tmp_path, site(1, includes=["snippets/nothing-of-that-name.conf"]))
    assert (refused.code, refused.outcome) == (2, "refused"), refused.output
    assert not any(release["after"] for release in refused.host["releases"].values())
    undone = Told(host, tmp_path, {**site(1), **dead()})
    true(host, undone, "rolled back", ours=False)
    assert host.digest("/etc/nginx") == before
    applied = Told(host, tmp_path, site(1))
    true(host, applied, "applied")
    again = Told(host, tmp_path, site(1))
    true(host, again, "unchanged")
    would = Told(host, tmp_path, site(2), "--check")
    assert would.outcome == "would change"
    assert served(host, str(again.release("after")))


def test_a_release_from_before_that_fails_stays(host: LabHost, tmp_path: Path) -> None:
    Told(host, tmp_path, site(1))
    true(host, Told(host, tmp_path, {**site(1), **dead()}), "nothing to go back to")


def test_a_run_that_only_reloaded_undoes_nothing(host: LabHost, tmp_path: Path) -> None:
    Told(host, tmp_path, site(1))
    backups = host.sh("ls /var/lib/nginx_websocket/backups")
    host.sh("sleep 1; touch /etc/letsencrypt/live/lammp.test/fullchain.pem")
    told = Told(host, tmp_path, {**site(1), **dead()})
    true(host, told, "reload failed")
    assert told.release("before") == told.release("after")
    assert told.host["backup"] is None
    assert "there is no older release to go back to" in told.output
    assert host.sh("ls /var/lib/nginx_websocket/backups") == backups


def test_an_application_that_is_down_is_no_success_and_no_reason_to_undo(
    host: LabHost, tmp_path: Path
) -> None:
    Told(host, tmp_path, site(1))
    host.sh("systemctl stop lammp-backend")
    try:
        live = Told(host, tmp_path, site(1))
        true(host, live, "application down, accepted")
        assert live.code == 0
        verified = Told(host, tmp_path, site(1), playbook="playbooks/verify.yml")
        assert (verified.code, verified.outcome) == (2, "application down"), verified.output
        wanted = Told(host, tmp_path, {**site(2), "nginx_websocket_backend_down": "fail"})
        true(host, wanted, "application down")
        assert (wanted.code, wanted.release("after") != wanted.release("before")) == (2, True)
        assert host.sh("ls /var/lib/nginx_websocket/journal* 2>/dev/null || true") == ""
    finally:
        host.sh("systemctl start lammp-backend")


def test_an_application_that_the_run_found_well_and_leaves_dead_fails_the_canary(
    host: LabHost, tmp_path: Path
) -> None:
    Told(host, tmp_path, site(1))

    def stop_the_application(line: str) -> None:
        if line.startswith("TASK [nginx_websocket : Keep checking the first batch"):
            host.sh("systemctl stop lammp-backend")

    soak = {"nginx_websocket_soak": 15, "nginx_websocket_soak_interval": 1}
    try:
        told = Told(host, tmp_path, {**site(2), **soak}, watch=stop_the_application)
        true(host, told, "application down")
        assert "answered when this run began and does not any more" in told.output
    finally:
        host.sh("systemctl start lammp-backend")


def test_an_undo_that_is_refused_leaves_the_new_release_live(host: LabHost, tmp_path: Path) -> None:
    Told(host, tmp_path, site(1))

    def hold_the_lock(line: str) -> None:
        if line.startswith("TASK [nginx_websocket : Verify the sites from the controller"):
            host.sh(f"systemd-run --unit=hold-the-lock --collect flock {LOCK} sleep infinity")

    held = {"nginx_websocket_lock_timeout": 1}
    try:
        told = Told(host, tmp_path, {**site(3), **dead(), **held}, watch=hold_the_lock)
        true(host, told, "rollback failed")
        assert told.release("after") != told.release("before")
        assert "lock is held by process" in " ".join("\n".join(told.host["why"]).split())
    finally:
        host.sh("systemctl stop hold-the-lock")
