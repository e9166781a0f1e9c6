"""The verification suite must notice: each case breaks one thing on a sound host, and is told by name."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, List

import pytest

from lab.files import pki, ssh
from tests.integration.conftest import ROOT, LabHost, LabUp
from tests.integration.role.test_main_job import SITE

FILE = "/etc/nginx/sites-available/lammp.test.conf"


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    """A host with a deployed and verified site."""
    host = lab_up("it-verify")
    done = host.playbook("site.yml")
    assert done.returncode == 0, done.stdout
    host.run("cp", "-a", FILE, "/root/site")
    return host


@pytest.fixture
def restored(host: LabHost) -> Iterator[None]:
    """Put the site back after the test."""
    yield
    host.sh(f"systemctl start nginx; cp -a /root/site {FILE}; chmod 0700 /var/lib/nginx_websocket")
    reload_nginx(host)


def reload_nginx(host: LabHost) -> None:
    """Reload, and wait until workers of the new generation, and no others, take connections."""
    before = set(host.workers())
    host.run("systemctl", "reload", "nginx")
    end = time.monotonic() + 10
    while not (now := set(host.workers())) or now & before:
        assert time.monotonic() < end, "nginx did not reload"


def verify(host: LabHost) -> Dict[str, Any]:
    """Run the suite on the host and return its result."""
    site = {**SITE, "server_names": ["lammp.test"], "security_headers": {"X-Frame-Options": "SAMEORIGIN"}}
    connection = {
        "address": host.address,
        "user": ssh.USER,
        "key": str(ssh.identity()),
        "args": ssh.common_arguments(host.name),
    }
    target = {"name": host.name, "address": host.address, "connection": connection, "sites": [site]}
    done = subprocess.run(
        [sys.executable, "-m", "verify", "-"],
        input=json.dumps({"ca_file": str(pki.authority()), "hosts": [target]}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: Dict[str, Any] = json.loads(done.stdout)["hosts"][host.name]
    assert result["unreached"] == ""
    return result


def failures(host: LabHost) -> List[str]:
    """Return the first line of each failure."""
    return [text.splitlines()[0] for text in verify(host)["failures"]]


def test_a_sound_host_passes(host: LabHost) -> None:
    result = verify(host)
    assert result["failures"] == []
    assert result["passed"] >= 20


LIVE = {
    "the upgrade is lost": (
        "s/proxy_set_header Upgrade .*;//",
        [
            "the WebSocket /api/mqtt/ws/ of lammp.test does not open",
            "the WebSocket /ws/ of lammp.test does not open",
        ],
    ),
    "no Origin is checked": (
        "s/return 403;//",
        [
            "the WebSocket /api/mqtt/ws/ of lammp.test does not refuse a strange Origin",
            "the WebSocket /ws/ of lammp.test does not refuse a strange Origin",
        ],
    ),
    "a silent socket is closed after a minute": (
        "s/proxy_read_timeout 3600s/proxy_read_timeout 60s/",
        [
            "silent WebSockets on /api/mqtt/ws/ of lammp.test live another time than the route says",
            "silent WebSockets on /ws/ of lammp.test live another time than the route says",
        ],
    ),
    "the release can be asked for from outside": (
        "s/remote_addr != $server_addr/remote_addr = nobody/",
        ["the release location of lammp.test can be seen from outside"],
    ),
    "certificates cannot be renewed": (
        "s#location ^~ /.well-known/acme-challenge/#location ^~ /.well-known/nothing/#",
        ["the ACME challenge path of lammp.test is not open: its certificate could not be renewed"],
    ),
    "a response header is lost": (
        "s/add_header X-Frame-Options .*;//",
        ["https://lammp.test lacks response headers"],
    ),
    "HTTP/2 is off": ("s/ http2;/;/", ["https://lammp.test does not offer HTTP/2"]),
    "www leads nowhere": (
        "s#return 301 https://lammp.test#return 301 https://other.test#",
        ["www.lammp.test does not"],
    ),
    "the page is gone": (
        "s#root /var/www/lammp.test;#root /var/www/nothing;#",
        ["https://lammp.test is not served"],
    ),
    "preflights are refused": (
        "s/add_header Access-Control-Allow-Origin .*;//",
        ["a cross-origin call to /api/"],
    ),
    "the API leads to a port where nothing listens": (
        "s/server 127.0.0.1:8000;/server 127.0.0.1:9;/",
        [
            "the WebSocket /api/mqtt/ws/ of lammp.test does not open",
            "/api/ of lammp.test does not reach its backend",
        ],
    ),
}


@pytest.mark.parametrize("name", LIVE)
@pytest.mark.usefixtures("restored")
def test_a_fault_that_serves_is_told(host: LabHost, name: str) -> None:
    expression, told = LIVE[name]
    host.run("sed", "-i", expression, FILE)
    assert host.sh(f"cmp -s /root/site {FILE} || echo differs") == "differs\n"
    reload_nginx(host)
    found = failures(host)
    assert [text for text in told if not any(text in line for line in found)] == [], found


@pytest.mark.usefixtures("restored")
def test_a_release_that_is_on_disk_only_is_told(host: LabHost) -> None:
    host.run(
        "sed",
        "-i",
        "-E",
        "s#(nginx-websocket/|return 200 .)[0-9a-f]{32}#\\10123456789abcdef0123456789abcdef#",
        FILE,
    )
    assert any("does not serve release 0123456789abcdef" in line for line in failures(host))


@pytest.mark.usefixtures("restored")
def test_an_edit_by_hand_is_told_and_fails_nothing(host: LabHost) -> None:
    host.sh(f"echo '# by hand' >> {FILE}")
    result = verify(host)
    assert result["failures"] == []
    assert any("was edited by hand" in text for text in result["findings"])


@pytest.mark.usefixtures("restored")
def test_an_edit_that_was_kept_is_told_and_fails_nothing(host: LabHost) -> None:
    host.run("sed", "-i", "s/proxy_read_timeout 3600s/proxy_read_timeout 60s/", FILE)
    reload_nginx(host)
    assert host.playbook("playbooks/verify.yml").returncode == 2
    done = host.playbook("site.yml", variables={"nginx_websocket_on_drift": "keep"})
    assert done.returncode == 0 and "changed=0" in done.stdout, done.stdout
    said = " ".join(done.stdout.split())
    told = "silent WebSockets on /ws/ of lammp.test live another time than the route says"
    assert told in said and "nginx_websocket_on_drift kept a hand edit" in said, done.stdout


@pytest.mark.usefixtures("restored")
def test_files_that_others_could_write_or_read_are_told(host: LabHost) -> None:
    host.sh(f"chmod 0666 {FILE}; chmod 0755 /var/lib/nginx_websocket")
    found = failures(host)
    assert f"it-verify: {FILE} can be written by others than root" in found
    assert "it-verify: /var/lib/nginx_websocket can be read by others than root" in found


@pytest.mark.usefixtures("restored")
def test_a_tree_that_nginx_refuses_is_told(host: LabHost) -> None:
    host.sh(f"echo 'nonsense on;' >> {FILE}")
    assert "it-verify: the configuration on disk is refused by nginx itself" in failures(host)


@pytest.mark.usefixtures("restored")
def test_nginx_that_is_down_is_told(host: LabHost) -> None:
    host.run("systemctl", "stop", "nginx")
    found = failures(host)
    assert "it-verify: no nginx master process runs" in found
    assert "it-verify: https://lammp.test is not served" in found


def test_a_certificate_that_no_browser_trusts_is_told(host: LabHost) -> None:
    """Without the lab's authority, the system's do not hold it."""
    target = {"name": "h", "address": host.address, "connection": None, "sites": [SITE]}
    done = subprocess.run(
        [sys.executable, "-m", "verify", "-", "-k", "certificate"],
        input=json.dumps({"hosts": [target]}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    result = json.loads(done.stdout)["hosts"]["h"]
    assert "h: no browser trusts https://lammp.test" in result["failures"][0]
