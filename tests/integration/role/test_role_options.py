"""What the role does beside the site, on a real host: limits of nginx and clients, the application."""

from __future__ import annotations

import copy
import re
import socket
import ssl
from contextlib import ExitStack
from typing import Any, Dict, List

import pytest
import yaml

from module_utils.nginx_websocket.exchange.probe import probe
from tests.integration.conftest import ROOT, LabHost, LabUp

SITE: Dict[str, Any] = yaml.safe_load((ROOT / "inventory/lab/group_vars/nginx_websocket.yml").read_text())[
    "nginx_websocket_sites"
][0]
URL = "wss://lammp.test/api/mqtt/ws/hints/test"


@pytest.fixture(scope="module")
def host(lab_up: LabUp) -> LabHost:
    return lab_up("role-options", scenes=["broken"])


def deploy(host: LabHost, *flags: str, site: Dict[str, Any] | None = None, **variables: Any) -> str:
    """Deploy, successfully, and return what Ansible said."""
    variables["nginx_websocket_sites"] = [{**copy.deepcopy(SITE), **(site or {})}]
    done = host.playbook("playbooks/deploy.yml", *flags, variables=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(host: LabHost, site: Dict[str, Any] | None = None, **variables: Any) -> str:
    """Fail to deploy, and return what Ansible said."""
    variables["nginx_websocket_sites"] = [{**copy.deepcopy(SITE), **(site or {})}]
    done = host.playbook("playbooks/deploy.yml", variables=variables)
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stdout


def limits(host: LabHost) -> List[str]:
    """The soft limit of open files of each worker that takes new connections."""
    pids = host.workers()
    return [host.sh(f"awk '/open files/ {{print $4}}' /proc/{pid}/limits").strip() for pid in pids]


def test_room_for_sockets(host: LabHost) -> None:
    """Bytes at the directives change, workers have the descriptors, and going back takes it all back."""
    before = host.sh("cat /etc/nginx/nginx.conf")
    assert "worker_connections 768;" in before
    deploy(host, nginx_websocket_max_sockets=5000)
    after = host.sh("cat /etc/nginx/nginx.conf")
    assert after == before.replace("connections 768", "connections 11024").replace(
        "events {", "worker_rlimit_nofile 12048;\nevents {"
    )
    assert "12048" in limits(host)
    assert "changed=0" in deploy(host, nginx_websocket_max_sockets=5000)
    assert "changed=0" in deploy(host, nginx_websocket_max_sockets=100)
    done = host.playbook("playbooks/rollback.yml")
    assert done.returncode == 0, done.stdout
    assert host.sh("cat /etc/nginx/nginx.conf") == before


def test_room_is_undone_with_the_site(host: LabHost) -> None:
    """nginx cannot take the site's port: it goes back, and so do the limits."""
    host.sh(
        "nohup python3 -m http.server 8444 >/dev/null 2>&1 & echo $! > /run/thief; "
        "for i in $(seq 100); do ss -ltn | grep -q ':8444 ' && exit 0; sleep 0.05; done; exit 1"
    )
    before = host.digest("/etc/nginx")
    try:
        said = refused(
            host,
            site={"tls": {"port": 8444}},
            nginx_websocket_max_sockets=5000,
            nginx_websocket_on_takeover="overwrite",
        )
    finally:
        host.sh("kill $(cat /run/thief)")
    assert "The host was put back as it was" in said
    assert host.digest("/etc/nginx") == before


SERVICE = {
    "name": "lammp-app",
    "user": "lammp",
    "working_directory": "/opt/lammp",
    "command": ["/usr/bin/python3", "-m", "uvicorn", "app:app", "--host", "127.0.0.1", "--port", "3000"],
    "port": 3000,
    "environment": {"PYTHONDONTWRITEBYTECODE": "1", "NASTY": 'a "b" %h $HOME \\'},
}


def main_pid(host: LabHost) -> str:
    return host.sh("systemctl show --property=MainPID --value lammp-app").strip()


def test_application_as_a_unit(host: LabHost) -> None:
    """It starts once, is told from its environment, and comes back when its unit is bad."""
    deploy(host, nginx_websocket_backend_service=SERVICE)
    pid = main_pid(host)
    environment = host.sh(f"tr '\\0' '\\n' < /proc/{pid}/environ")
    assert 'NASTY=a "b" %h $HOME \\' in environment.splitlines()
    assert "changed=0" in deploy(host, nginx_websocket_backend_service=SERVICE)
    assert main_pid(host) == pid

    unit = host.sh("cat /etc/systemd/system/lammp-app.service")
    command = [*SERVICE["command"][:3], "nothing:app", *SERVICE["command"][4:]]
    said = refused(host, nginx_websocket_backend_service={**SERVICE, "command": command})
    assert "the application ended at once" in said
    assert 'Could not import module \\"nothing\\"' in said.replace('\\\\"', '\\"')
    assert host.sh("cat /etc/systemd/system/lammp-app.service") == unit
    assert host.sh("systemctl is-active lammp-app").strip() == "active"
    assert host.sh("ss -ltnH sport = :3000").split()[3] == "127.0.0.1:3000"

    host.sh("kill -9 " + main_pid(host))
    host.sh("for i in $(seq 100); do ss -ltn | grep -q ':3000 ' && exit 0; sleep 0.1; done; exit 1")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user": "nobody-here"}, "there is no user nobody-here on this host"),
        ({"name": "ssh"}, "is somebody else's unit of that name"),
        ({"name": "lammp-two", "port": 8000}, "systemctl disable --now lammp-backend.service"),
        (
            {"name": "lammp-two", "command": ["/opt/none"], "port": 3001},
            "Command /opt/none is not executable",
        ),
        ({"name": "lammp-two", "working_directory": "/opt/none", "port": 3001}, "/opt/none does not exist"),
    ],
)
def test_a_unit_that_cannot_run_changes_nothing(host: LabHost, changes: Dict[str, Any], said: str) -> None:
    before = host.digest("/etc/systemd/system", "/etc/nginx")
    assert said in refused(host, nginx_websocket_backend_service={**SERVICE, **changes})
    assert host.digest("/etc/systemd/system", "/etc/nginx") == before


def test_an_application_that_is_open_to_all_is_put_back(host: LabHost) -> None:
    """What its command hides (here an environment variable) shows when it listens."""
    host.write(
        "/opt/lammp/open.sh", "#!/bin/sh\nexec python3 -m uvicorn app:app --host 0.0.0.0 --port 3005\n"
    )
    host.sh("chmod 755 /opt/lammp/open.sh")
    changes = {"name": "lammp-open", "command": ["/opt/lammp/open.sh"], "port": 3005}
    said = refused(host, nginx_websocket_backend_service={**SERVICE, **changes})
    assert "the application listens on 0.0.0.0:3005, where anybody can go round nginx" in said
    assert host.sh("systemctl cat lammp-open 2>&1 || true").startswith("No files found")
    assert host.sh("ss -ltnH sport = :3005") == ""


def opened(host: LabHost, url: str = URL) -> Any:
    return probe(url, address=(host.address, 443), verify=False)


def test_limits_of_a_client(host: LabHost) -> None:
    """A socket counts while it is open; handshakes and requests count as they come."""
    one = {"http": {"mode": "redirect"}, "websockets": SITE["websockets"][:1]}
    limits = {"sockets": 5, "requests_per_second": 1, "burst": 2, "header_size": "2k"}
    site = {**one, "limits": limits}
    deploy(host, site=site)
    with ExitStack() as stack:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        for _ in range(5):
            raw = stack.enter_context(socket.create_connection((host.address, 443), 5))
            tls = stack.enter_context(context.wrap_socket(raw, server_hostname="lammp.test"))
            tls.sendall(
                b"GET /api/mqtt/ws/hints/x HTTP/1.1\r\nHost: lammp.test\r\nConnection: Upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                b"dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert tls.recv(100).startswith(b"HTTP/1.1 101")
        assert opened(host).status == 429
    # The worker learns of each end by itself.
    statuses = [opened(host).status for _ in range(20)]
    assert 101 in statuses
    plain = [
        probe("wss://lammp.test/api/docs", address=(host.address, 443), verify=False, upgrade=False).status
        for _ in range(6)
    ]
    assert plain[:3] == [200, 200, 200]
    assert 429 in plain[3:]
    long = probe(URL, address=(host.address, 443), verify=False, headers=[("X-Long", "x" * 3000)])
    assert long.status == 400
    deploy(host, site={**one, "limits": {"handshakes_per_minute": 1, "burst": 5}})
    assert [opened(host).status for _ in range(7)] == [101] * 6 + [429]


def test_a_stopped_nginx_is_started_only_when_asked(host: LabHost) -> None:
    # The release of the test before may have had a guard that this one lacks.
    deploy(host, nginx_websocket_on_loss="accept")
    host.sh("systemctl stop nginx")
    assert "nginx is not running" in refused(host)
    assert host.sh("systemctl is-active nginx || true").strip() == "inactive"
    said = deploy(host, nginx_websocket_start=True, site={"max_body_size": "3m"})
    assert "changed=1" in said
    assert opened(host).opened
    host.sh("systemctl stop nginx")
    assert "changed=1" in deploy(host, nginx_websocket_start=True, site={"max_body_size": "3m"})
    assert opened(host).opened


STAND_IN = """\
#!/bin/sh
# Not the real dnf, which no Debian has: it unpacks what the test put aside, and starts nothing.
echo "$@" >> /root/dnf.log
mv /root/aside/nginx /usr/sbin/nginx && mv /root/aside/etc /etc/nginx
"""


def test_nginx_is_installed_by_another_package_manager(lab_up: LabUp) -> None:
    bare = lab_up("role-options-dnf")
    bare.sh(
        "systemctl disable -q --now nginx; mkdir /root/aside && mv /usr/sbin/nginx /root/aside/nginx && "
        "mv /etc/nginx /root/aside/etc && mv /usr/bin/apt-get /root/aside/apt-get"
    )
    wanted = {"nginx_websocket_install": True}
    done = bare.playbook("playbooks/deploy.yml", variables=wanted)
    assert done.returncode == 2 and "none of apt-get, dnf, yum" in " ".join(done.stdout.split()), done.stdout
    bare.write("/usr/local/bin/dnf", STAND_IN)
    bare.sh("chmod 755 /usr/local/bin/dnf")
    done = bare.playbook("playbooks/deploy.yml", variables=wanted)
    assert done.returncode == 0, done.stdout
    assert bare.sh("cat /root/dnf.log") == "install -q -y nginx\n"
    assert bare.sh("systemctl is-enabled nginx").strip() == "enabled"
    assert opened(bare).opened


def test_nginx_is_installed_when_asked(lab_up: LabUp) -> None:
    """Where packages can be had: the host has its own sources."""
    bare = lab_up("role-options-bare")
    bare.sh("apt-get -q -y purge nginx nginx-common >/dev/null 2>&1; rm -rf /etc/nginx")
    said = refused(bare)
    assert "no nginx on this host" in said
    done = bare.playbook("playbooks/deploy.yml", "--check", variables={"nginx_websocket_install": True})
    assert done.returncode == 0, done.stdout
    assert "The package nginx would be installed" in done.stdout
    if not bare.has_package("nginx"):
        pytest.skip("no source of packages can be reached from the host")
    done = bare.playbook("playbooks/deploy.yml", variables={"nginx_websocket_install": True})
    assert done.returncode == 0, done.stdout
    assert re.search(r"changed=[2-9]", done.stdout)
    assert opened(bare).opened
