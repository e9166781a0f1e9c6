"""`site.yml` where something is wrong: one clear message, the host as it was; or undone, both reasons."""

from __future__ import annotations

import copy
import json
import re
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
import yaml

from tests.integration.conftest import ROOT, LabHost, LabUp

SERVED = ("/etc/nginx", "/etc/letsencrypt", "/var/www")
TOUCHED = (*SERVED, "/var/lib/nginx_websocket")
SITE: Dict[str, Any] = yaml.safe_load((ROOT / "inventory/lab/group_vars/nginx_websocket.yml").read_text())[
    "nginx_websocket_sites"
][0]


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    """A host with a site whose WebSocket does not open, and an unrelated one beside it."""
    return lab_up("it-job", scenes=["broken", "neighbour"])


@pytest.fixture
def untouched(host: LabHost) -> Iterator[None]:
    """Whatever the test does: files, and the processes that serve, are as they were."""
    before, workers = host.digest(*TOUCHED), host.workers()
    yield
    assert host.digest(*TOUCHED) == before
    assert host.workers() == workers


def site(**changes: Any) -> Dict[str, Any]:
    """Return role variables with the lab's site, changed."""
    return {"nginx_websocket_sites": [{**copy.deepcopy(SITE), **changes}]}


def refusal(host: LabHost, *flags: str, variables: Dict[str, Any] | None = None) -> str:
    """Run the main job, which must fail at one task; return that task's message."""
    done = host.playbook("site.yml", *flags, variables=variables)
    assert done.returncode == 2, done.stdout + done.stderr
    found = re.findall(r'^fatal: .*?"msg": "((?:[^"\\]|\\.)*)"', done.stdout, re.MULTILINE)
    assert len(found) == 1, done.stdout
    return str(found[0])


BAD = {
    "wrong type": (
        {"nginx_websocket_sites": "lammp.test"},
        ["nginx_websocket_sites", "'lammp.test'", "expected a list"],
    ),
    "wrong type of one key": (
        site(http={"port": "eighty"}),
        ["nginx_websocket_sites[0].http.port", "'eighty'", "expected"],
    ),
    "a character that could leave its directive": (
        site(websockets=[{"path": "/ws/; } server { listen 8080"}]),
        ["nginx_websocket_sites[0].websockets[0].path", "expected", "8080"],
    ),
    "a name that could leave its directive": (
        site(server_names=["lammp.test", "a.test; root /"]),
        ["nginx_websocket_sites[0].server_names[1]", "'a.test; root /'", "expected"],
    ),
    "an unknown key": (
        site(websocket=[]),
        ["nginx_websocket_sites[0].websocket", "websockets"],
    ),
    "a certificate that is missing": (
        site(tls={"certificate": "/etc/letsencrypt/live/nowhere.test/fullchain.pem"}),
        ["/etc/letsencrypt/live/nowhere.test/fullchain.pem"],
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.usefixtures("untouched")
def test_bad_input(host: LabHost, name: str) -> None:
    variables, told = BAD[name]
    message = refusal(host, variables=variables)
    assert [part for part in told if part not in message] == [], message


def test_tree_that_is_broken_before_we_come(host: LabHost) -> None:
    host.write("/etc/nginx/conf.d/broken.conf", "upstream nobody { }\nnonsense on;\n")
    before, workers = host.digest(*SERVED), host.workers()
    try:
        message = refusal(host)
        assert host.digest(*SERVED) == before
        assert host.workers() == workers
    finally:
        host.run("rm", "/etc/nginx/conf.d/broken.conf")
    assert "/etc/nginx/conf.d/broken.conf" in message


@pytest.mark.usefixtures("untouched")
def test_check_mode_touches_nothing(host: LabHost) -> None:
    done = host.playbook("site.yml", "--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert "+# Written by the Ansible role nginx_websocket" in done.stdout
    assert "changed=1" in done.stdout
    assert "Verification is skipped" in done.stdout


def test_failed_verification_is_undone(host: LabHost) -> None:
    """Seen from the controller no certificate holds: the transaction succeeds, the verification does not."""
    before = host.digest(*SERVED)
    done = host.playbook(
        "site.yml", variables={"nginx_websocket_verify_ca_file": "/etc/ssl/certs/ca-certificates.crt"}
    )
    assert done.returncode == 2
    assert "no browser trusts https://lammp.test" in done.stdout
    assert "Undo: back to backup" in done.stdout
    assert "rescued=1" in done.stdout
    assert host.digest(*SERVED) == before


@pytest.mark.parametrize("content", [None, "not a certificate\n"])
def test_authorities_that_cannot_be_read_stop_the_run(
    host: LabHost, tmp_path: Path, content: str | None
) -> None:
    """Before anything is touched: the release would only be undone for it. A path may hold a space."""
    before = host.digest(*TOUCHED)
    file = tmp_path / "our own authority.pem"
    if content is not None:
        file.write_text(content)
    done = host.playbook("site.yml", variables={"nginx_websocket_verify_ca_file": str(file)})
    assert done.returncode == 2
    assert f"nginx_websocket_verify_ca_file is {file}, expected a file on the controller" in done.stdout
    assert host.digest(*TOUCHED) == before


@pytest.mark.usefixtures("untouched")
def test_a_suite_that_does_not_start_stops_the_run(host: LabHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is touched, as with the authorities."""
    broken = "import sys; sys.exit('no module named pluggy')"
    monkeypatch.setenv("NGINX_WEBSOCKET_SUITE", json.dumps([sys.executable, "-c", broken]))
    assert refusal(host) == "The verification could not run: no module named pluggy"


def test_release_of_an_earlier_run_stays(host: LabHost) -> None:
    """The verification of a release that this run did not change fails: told, and nothing undone."""
    done = host.playbook("site.yml")
    assert done.returncode == 0, done.stdout
    assert "changed=1" in done.stdout
    before, workers = host.digest(*TOUCHED), host.workers()
    done = host.playbook(
        "site.yml", variables={"nginx_websocket_verify_ca_file": "/etc/ssl/certs/ca-certificates.crt"}
    )
    assert done.returncode == 2
    assert "older than this run, so nothing is undone" in done.stdout
    assert host.digest(*TOUCHED) == before
    assert host.workers() == workers


def test_each_host_is_asked_once(host: LabHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verification's question comes along: with the look, or with the deployment (and a confirmation).

    Whether the suite starts is only found out beforehand where something is going to change.
    """
    starts = tmp_path / "starts"
    suite = f"echo >>{starts}; exec {sys.executable} -m verify -"
    monkeypatch.setenv("NGINX_WEBSOCKET_SUITE", json.dumps(["bash", "-c", suite]))

    def asked() -> int:
        return host.sh("journalctl --quiet --identifier sudo --output cat").count("COMMAND=")

    assert host.playbook("site.yml").returncode == 0
    for sockets, trips in ((0, 1), (5_000, 3)):
        before = asked()
        starts.unlink()
        done = host.playbook("site.yml", variables={"nginx_websocket_max_sockets": sockets})
        assert done.returncode == 0, done.stdout
        assert re.search(r"\d+ checks passed", done.stdout)
        assert asked() - before == trips
        assert len(starts.read_text().splitlines()) == (2 if sockets else 1)


def test_verification_where_sudo_asks_for_a_password(host: LabHost) -> None:
    """ssh alone cannot make the host report then; Ansible, which has the password, asks in its place."""
    host.sh("echo deploy:secret | chpasswd && cp -a /etc/sudoers.d /root/")
    host.sh("sed -i 's/NOPASSWD://' /etc/sudoers.d/deploy")
    try:
        done = host.playbook("playbooks/verify.yml", variables={"ansible_become_password": "secret"})
        assert done.returncode == 0, done.stdout
        assert re.search(r"\d+ checks passed", done.stdout)
        assert "secret" not in done.stdout
    finally:
        host.sh("cp -a /root/sudoers.d /etc/")


def test_rollback_to_the_beginning(host: LabHost) -> None:
    done = host.playbook("playbooks/rollback.yml", variables={"nginx_websocket_rollback_to": "original"})
    assert done.returncode == 0, done.stdout
    found = (ROOT / "lab/scenes/sites/lammp.test").read_text()
    assert host.sh("cat /etc/nginx/sites-available/lammp.test") == found


def test_no_nginx(host: LabHost) -> None:
    """Last, for it takes nginx away."""
    host.sh("systemctl stop nginx && mv /usr/sbin/nginx /usr/sbin/nginx.gone")
    before = host.digest(*TOUCHED)
    message = refusal(host)
    assert "nginx" in message
    assert "install" in message.lower()
    assert host.digest(*TOUCHED) == before


def test_backend_that_is_down_is_a_finding(lab_up: LabUp) -> None:
    host = lab_up("it-down", scenes=["broken", "backend-down"])
    done = host.playbook("site.yml")
    assert done.returncode == 0, done.stdout
    assert "The application behind lammp.test (app) does not answer" in done.stdout, done.stdout
    said = " ".join(done.stdout.split())
    assert "application-down: the backend of /api/ of lammp.test does not answer" in said, done.stdout
    assert "1 host: 1 application down, accepted" in said, done.stdout
    assert "failed=0" in done.stdout
