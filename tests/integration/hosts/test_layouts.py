"""The main job on other layouts and releases: found by asking the master, told, undone without a trace."""

from __future__ import annotations

import os
import re
import subprocess
from typing import Dict

import pytest
from conftest import BIN, ROOT, LabHost, LabUp

from module_utils.nginx_websocket.exchange.probe import probe

SCENES = ("conf-d", "nginx-org", "panel")
SUITES = ("bookworm", "bullseye", "trixie", "forky")
HOSTS = {
    **{f"{scene}-{suite}": (scene, suite) for scene in SCENES for suite in SUITES},
    # Other distributions' layouts, rebuilt around Debian's binary.
    **{f"{scene}-bookworm": (scene, "bookworm") for scene in ("el", "alpine", "opensuse", "openrc")},
}
PLACES = {
    "conf-d": "/etc/nginx/conf.d/lammp.test.conf",
    "nginx-org": "/etc/nginx/conf.d/lammp.test.conf",
    "panel": "/www/server/panel/vhost/nginx/lammp.test.conf",
    "el": "/etc/nginx/conf.d/lammp.test.conf",
    "alpine": "/etc/nginx/http.d/lammp.test.conf",
    "opensuse": "/etc/nginx/vhosts.d/lammp.test.conf",
    "openrc": "/etc/nginx/sites-available/lammp.test",
}
TREES = ("/etc/nginx", "/www/server/nginx/conf", "/www/server/panel")
WEBSOCKET = "wss://lammp.test/api/mqtt/ws/hints/session-874q8t"
PANEL = "/www/server/nginx/sbin/nginx -p /www/server/nginx -c conf/nginx.conf"

# A master of its own: what it must have, and where it listens.
MASTER = """\
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    include {directory}/sites/*.conf;
    server {{ listen 127.0.0.1:{port}; }}
}}
"""


class Layouts:
    """The hosts, each layout on each Debian release, and the runs that all of them share."""

    def __init__(self, hosts: Dict[str, LabHost]) -> None:
        self.hosts = hosts
        self.before = {name: host.digest(*TREES) for name, host in hosts.items()}
        self.closed = {name: not self.opens(name) for name in hosts}
        self.first = self.play("site.yml")
        self.deployed = {name: host.digest(*TREES) for name, host in hosts.items()}
        self.workers = {name: host.workers() for name, host in hosts.items()}
        self.second = self.play("site.yml")
        self.still = {name: host.workers() for name, host in hosts.items()}

    def opens(self, name: str) -> bool:
        """Say whether the WebSocket opens."""
        return probe(WEBSOCKET, address=(self.hosts[name].address, 443), verify=False).opened

    def play(self, playbook: str, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run a playbook on all hosts at once."""
        limit = ",".join(host.name for host in self.hosts.values())
        command = [str(BIN / "ansible-playbook"), "-i", "inventory/lab", playbook, "-l", limit, *flags]
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def layouts(lab_up: LabUp) -> Layouts:
    def up(scene: str, suite: str) -> LabHost:
        return lab_up(f"layout-{scene}-{suite}", suite=suite, scenes=[scene])

    return Layouts({name: up(*what) for name, what in HOSTS.items()})


def said(played: subprocess.CompletedProcess[str]) -> str:
    """Return what a run put on the terminal, warnings first, without its line breaks."""
    return re.sub(r"\s+", " ", played.stderr + played.stdout)


def recap(played: subprocess.CompletedProcess[str], host: LabHost) -> str:
    """Return the host's line of the recap."""
    found = re.search(rf"^{re.escape(host.name)} +: (ok=.*)$", played.stdout, re.M)
    assert found, played.stdout + played.stderr
    return found.group(1)


@pytest.mark.parametrize("name", HOSTS)
def test_deployed_verified_and_nothing_to_do_afterwards(layouts: Layouts, name: str) -> None:
    host = layouts.hosts[name]
    assert layouts.closed[name]
    assert "changed=1 " in recap(layouts.first, host), layouts.first.stdout
    assert "failed=0" in recap(layouts.first, host), layouts.first.stdout
    assert layouts.opens(name)
    assert "changed=0 " in recap(layouts.second, host), layouts.second.stdout
    assert layouts.workers[name] == layouts.still[name]


@pytest.mark.parametrize("name", HOSTS)
def test_one_file_has_changed_and_it_is_the_one_that_nginx_reads(layouts: Layouts, name: str) -> None:
    before, after = set(layouts.before[name].splitlines()), set(layouts.deployed[name].splitlines())
    changed = {line.split()[-1] for line in before ^ after if re.match(r"[0-9a-f]{64} ", line)}
    place = PLACES[HOSTS[name][0]]
    assert changed == {place}
    assert "Written by the Ansible role nginx_websocket" in layouts.hosts[name].sh(f"cat {place}")


def test_the_user_is_told_which_tree_counts(layouts: Layouts) -> None:
    told = said(layouts.first)
    sentences = (
        "the running nginx is /www/server/nginx/sbin/nginx (pid ",
        "panel-nginx.service) and reads /www/server/nginx/conf/nginx.conf; site files belong into",
        "/www/server/panel/vhost/nginx; /etc/nginx is there too, but site files below it have no effect",
    )
    for sentence in sentences:
        assert sentence in told
    for suite in SUITES:
        assert f"{layouts.hosts[f'panel-{suite}'].name}: the running nginx is" in told


def test_undone_without_a_trace(layouts: Layouts) -> None:
    undone = layouts.play("playbooks/rollback.yml")
    for name, host in layouts.hosts.items():
        assert "changed=1 " in recap(undone, host), undone.stdout
        assert host.digest(*TREES) == layouts.before[name]
        assert not layouts.opens(name)


def test_a_new_site_goes_where_the_layout_wants_it(layouts: Layouts) -> None:
    """No file of the site is there yet: Alpine's http.d, not its conf.d, which is not for servers."""
    for name, place in {
        "alpine-bookworm": "http.d",
        "opensuse-bookworm": "conf.d",
        "el-bookworm": "conf.d",
    }.items():
        host = layouts.hosts[name]
        host.sh(f"rm {PLACES[HOSTS[name][0]]} && nginx -s reload")
        played = host.playbook("site.yml")
        assert played.returncode == 0, played.stdout
        assert host.sh("grep -rl 'role nginx_websocket' /etc/nginx").split() == [
            f"/etc/nginx/{place}/lammp.test.conf"
        ]


def test_no_directory_for_sites(lab_up: LabUp) -> None:
    """Arch's layout: refused with the line that helps, and nothing has changed."""
    host = lab_up("layout-arch", scenes=["arch"])
    before = host.digest(*TREES)
    played = host.playbook("site.yml")
    assert played.returncode != 0
    assert "include" in said(played) and "/etc/nginx/nginx.conf" in said(played), played.stdout
    assert host.digest(*TREES) == before


def test_started_by_hand(layouts: Layouts) -> None:
    """No unit, no systemd: the master is found, reloaded and verified all the same."""
    host = layouts.hosts["panel-bookworm"]
    host.sh(f"systemctl stop panel-nginx && {PANEL}")
    played = host.playbook("site.yml")
    assert played.returncode == 0, played.stdout
    assert "changed=1 " in recap(played, host)
    assert layouts.opens("panel-bookworm")


def test_the_variables_choose_another_one(layouts: Layouts) -> None:
    """Debian's binary, which does not run there, is meant: nothing is proven, so nothing is changed."""
    host = layouts.hosts["panel-bookworm"]
    before = host.digest(*TREES)
    played = host.playbook("site.yml", variables={"nginx_websocket_binary": "/usr/sbin/nginx"})
    assert played.returncode != 0
    assert "nginx is not running" in played.stdout, played.stdout
    assert host.digest(*TREES) == before


def test_two_at_once_and_one_of_them_is_public(layouts: Layouts) -> None:
    host = layouts.hosts["conf-d-bookworm"]
    start_master(host, "second", 8088)
    played = host.playbook("site.yml")
    told = said(played)
    assert played.returncode == 0, played.stdout
    assert "other nginx masters run on this host: pid " in told
    assert "/opt/second/nginx.conf" in told
    written = host.sh("grep -l 'role nginx_websocket' /etc/nginx/conf.d/*")
    assert written.split() == [PLACES["conf-d"]]


def test_two_at_once_and_none_stands_out(layouts: Layouts) -> None:
    """Refused with both named; the variable then settles it."""
    host = layouts.hosts["nginx-org-bookworm"]
    host.sh("systemctl stop nginx")
    start_master(host, "first", 8087)
    start_master(host, "second", 8088)
    before = host.digest(*TREES, "/opt/first", "/opt/second")
    played = host.playbook("site.yml")
    told = said(played)
    assert played.returncode != 0
    assert "2 masters run, and none stands out" in told
    assert "/opt/first/nginx.conf" in told and "/opt/second/nginx.conf" in told
    assert "nginx_websocket_binary and nginx_websocket_conf_path say which one is meant" in told
    assert host.digest(*TREES, "/opt/first", "/opt/second") == before
    chosen = host.playbook("site.yml", variables={"nginx_websocket_conf_path": "/opt/second/nginx.conf"})
    assert chosen.returncode == 0, chosen.stdout
    assert host.sh("ls /opt/first/sites /opt/second/sites").split() == [
        *("/opt/first/sites:", "/opt/second/sites:", "lammp.test.conf"),
    ]


def start_master(host: LabHost, name: str, port: int) -> None:
    """Start one more nginx with a tree of its own."""
    directory = f"/opt/{name}"
    host.write(f"{directory}/nginx.conf", MASTER.format(directory=directory, port=port))
    host.sh(f"mkdir -p {directory}/sites && /usr/sbin/nginx -c {directory}/nginx.conf")
