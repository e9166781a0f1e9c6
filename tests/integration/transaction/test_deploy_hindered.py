"""What keeps nginx from taking a release, in words that lead to the one who has to do something."""

from __future__ import annotations

import os
import re

import pytest

from tests.integration.transaction_host import SUITE, TransactionHost, site

PATH = "/etc/nginx/sites-available/lammp.conf"
THIEF = "server { listen 8099; }"
OPEN_SOCKET = (
    "import base64,os,socket,time\n"
    "s=socket.create_connection(('127.0.0.1',80))\n"
    "s.sendall(b'GET /api/mqtt/ws/hints/session-874q8t HTTP/1.1\\r\\nHost: lammp.test\\r\\n"
    "Upgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\n"
    "Sec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\\r\\n\\r\\n')\n"
    "assert b' 101 ' in s.recv(100)\n"
    "open('/run/socket-open','w').write('yes')\n"
    "time.sleep(300)\n"
)


@pytest.fixture(scope="module")
def started(lab_up):
    return TransactionHost(lab_up(f"tx-hindered-{os.getpid()}", suite=SUITE))


@pytest.fixture
def host(started):
    started.reset()
    yield started
    started.sh(
        "for pid in $(pgrep -x nginx); do kill -CONT $pid; done; systemctl stop open-socket", check=False
    )
    started.sh("systemctl restart nginx", check=False)


def quit_with_an_open_socket(host):
    """nginx is told to quit and waits for one WebSocket."""
    host.write("/opt/open_socket.py", OPEN_SOCKET)
    host.sh(
        "rm -f /run/socket-open;"
        "systemd-run --quiet --collect --unit open-socket python3 /opt/open_socket.py;"
        "until [ -e /run/socket-open ]; do sleep 0.05; done;"
        "nginx -s quit; while ss -ltn | grep -q ':80 '; do sleep 0.05; done; cat /run/nginx.pid"
    )
    return host.sh("cat /run/nginx.pid").strip()


def test_a_master_that_quits_is_no_running_nginx(host):
    assert not host.deploy(site())["failed"]
    master = quit_with_an_open_socket(host)
    refused = host.deploy(site(tail="# two"))
    assert refused["failed"] and refused["outcome"] in ("unchanged", "refused"), refused["message"]
    assert f"process {master}" in refused["message"] and "systemctl restart nginx" in refused["message"]
    done = host.deploy(site(tail="# two"), start=True)
    assert (done["outcome"], done["failed"]) == ("applied", False), done["message"]
    assert host.serves() == "200 lammp"
    assert host.sh("cat /run/nginx.pid").strip() != master


def test_an_unchanged_run_says_so_too(host):
    assert not host.deploy(site())["failed"]
    quit_with_an_open_socket(host)
    assert "told to quit" in host.deploy(site())["message"]
    assert not host.deploy(site(), start=True)["failed"] and host.serves() == "200 lammp"


@pytest.mark.parametrize(
    "log", ["syslog:server=unix:/dev/log", "stderr", "/dev/null", "memory:32k", "/var/log/nginx/error.log"]
)
def test_who_has_the_port_is_found_whatever_the_error_log_is(host, log):
    assert not host.deploy(site())["failed"]
    if log.startswith("memory") and "--with-debug" not in host.sh("nginx -V 2>&1"):
        pytest.skip("this nginx has no memory log")
    host.sh(f"sed -i 's#^error_log .*##; 1i error_log {log};' /etc/nginx/nginx.conf; nginx -s reload")
    host.take_port(8099)
    done = host.deploy(site(tail=THIEF), deadline=6)
    assert done["outcome"] == "rolled back", done["message"]
    assert re.search(r"0\.0\.0\.0:8099 is held by pid \d+, user root, .*http\.server 8099", done["message"])
    assert host.serves() == "200 lammp"


def test_a_wildcard_beside_an_address_of_a_neighbour_needs_a_restart(host):
    host.write(
        "/etc/nginx/conf.d/neighbour.conf",
        f"server {{ listen {host.lab.address}:8099; server_name n.test; return 204; }}\n",
    )
    host.sh("systemctl restart nginx")
    before, workers = host.tree(), host.lab.workers()
    done = host.deploy(site(tail=THIEF), deadline=6)
    assert (done["outcome"], done["failed"]) == ("refused", True), done["message"]
    assert (
        f"the running nginx holds {host.lab.address}:8099 (/etc/nginx/conf.d/neighbour.conf:1)"
        in done["message"]
    )
    assert "restart nginx once" in done["message"]
    assert (host.tree(), host.lab.workers()) == (before, workers)
    host.sh("systemctl stop nginx")
    done = host.deploy(site(tail=THIEF), start=True)
    assert (done["outcome"], done["failed"]) == ("applied", False), done["message"]


def test_a_stopped_worker_is_named_with_its_state(host):
    assert not host.deploy(site())["failed"]
    worker = host.lab.workers()[0]
    host.sh(f"kill -STOP {worker}")
    done = host.deploy(site(tail="# two"), deadline=4)
    assert (done["outcome"], done["failed"]) == ("rolled back", True), done["message"]
    assert (
        f"process {worker} (a worker) is stopped (state T; go on with: kill -CONT {worker})"
        in done["message"]
    )
    assert "reload-not-taken" in [finding["code"] for finding in done["findings"]]
    host.sh(f"kill -CONT {worker}")
    assert host.deploy(site(tail="# two"))["outcome"] == "applied"


def test_many_logs_and_few_descriptors_are_told_as_such(host):
    assert not host.deploy(site())["failed"]
    servers = "".join(
        f"server {{ listen 8100; server_name v{number}.test; access_log /var/log/nginx/v{number}.log; }}\n"
        for number in range(700)
    )
    host.write("/etc/nginx/conf.d/many.conf", servers)
    host.sh("prlimit --pid $(cat /run/nginx.pid) --nofile=1024:; nginx -s reload")
    wait = "until [ $(ls /proc/$(cat /run/nginx.pid)/fd | wc -l) -gt 700 ]; do sleep 0.1; done"
    host.sh(wait)
    done = host.deploy(site(tail="# two"), deadline=6)
    assert (done["outcome"], done["failed"]) == ("rolled back", True), done["message"]
    assert "Too many open files" in done["message"] and "may open 1024 files" in done["message"]
    assert "LimitNOFILE" in done["message"] and host.serves() == "200 lammp"
    host.sh("rm /etc/nginx/conf.d/many.conf /var/log/nginx/v*.log; systemctl restart nginx")


def test_an_upgrade_that_is_not_finished_is_waited_for_or_refused(host):
    assert not host.deploy(site())["failed"]
    old = host.sh("cat /run/nginx.pid").strip()
    host.sh(f"kill -USR2 {old}; until [ -s /run/nginx.pid.oldbin ]; do sleep 0.05; done; sleep 0.5")
    new = host.sh("cat /run/nginx.pid").strip()
    before = host.tree()
    refused = host.deploy(site(tail="# two"), deadline=2)
    assert refused["failed"] and host.tree() == before
    assert f"kill -QUIT {old}" in refused["message"] and f"kill -QUIT {new}" in refused["message"]
    host.sh(f"kill -QUIT {old}")
    assert host.deploy(site(tail="# two"))["outcome"] == "applied"


@pytest.mark.parametrize("include", ["/etc/nginx/sites-available/lammp.conf", "/etc/nginx/sites-enabled/l*"])
def test_a_file_that_two_includes_read_is_named_with_both(host, include):
    assert not host.deploy(site(top="log_format twice '$uri';"))["failed"]
    host.sh(f"sed -i '/sites-enabled/a include {include};' /etc/nginx/nginx.conf")
    done = host.deploy(site(top="log_format twice '$host';"))
    assert done["failed"] and "2 times" in done["message"], done["message"]
    assert f"include {include}" in done["message"]
    assert "include /etc/nginx/sites-enabled/*" in done["message"]


def test_a_file_that_another_is_bound_over_is_named(host):
    assert not host.deploy(site())["failed"]
    host.sh(f"cp {PATH} /opt/bound.conf; mount --bind /opt/bound.conf {PATH}")
    try:
        done = host.deploy(site(tail="# two"))
    finally:
        host.sh(f"umount {PATH}")
    assert done["outcome"] == "rolled back" and f"umount {PATH}" in done["message"], done["message"]
    assert "Errno" not in done["message"] and host.serves() == "200 lammp"
