"""nginx_facts on real hosts: systemd, nginx and uvicorn as they are found in the field."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BACKEND = {"name": "api", "path": "/api/docs", "websocket_path": "/api/mqtt/ws/hints/probe"}
LIVE = "/etc/letsencrypt/live/lammp.test"


@pytest.fixture(scope="module")
def host(lab_up):
    return lab_up("facts")


def facts(host, **arguments):
    result = host.module("nginx_facts", arguments)
    assert result["changed"] is False
    return result


def nginx(host, **arguments):
    return facts(host, **arguments)["nginx"]


def eventually(condition, seconds=10.0):
    """Wait until a condition holds; return what it gave."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.1)


@pytest.mark.parametrize("suite", ["bullseye", "bookworm", "forky"])
def test_nginx_as_debian_ships_it(lab_up, host, suite):
    target = host if suite == "bookworm" else lab_up(f"facts-{suite}", suite=suite)
    found = nginx(target, paths=["/etc/nginx", "/nope"])
    version = target.sh("nginx -v 2>&1").split("/")[1].split()[0]
    assert (found["found"], found["running"], found["binary"]) == (True, True, "/usr/sbin/nginx")
    assert (found["version"], found["disk_version"]) == (version, version)
    assert found["chosen"] == int(target.sh("cat /run/nginx.pid"))
    assert (found["unit"], found["user"], found["conf_path"]) == (
        "nginx.service",
        "www-data",
        "/etc/nginx/nginx.conf",
    )
    assert found["http2_form"] == ("directive" if suite == "forky" else "listen")
    assert found["realip"] is True
    assert found["pcre"] == ("pcre" if suite == "bullseye" else "pcre2")
    layout = found["layout"]
    assert (layout["kind"], layout["site_dir"]) == ("sites-available", "/etc/nginx/sites-available")
    assert [site["file"] for site in found["sites"]] == ["/etc/nginx/sites-enabled/default"]
    assert (found["warnings"], found["conf_error"], found["layout_error"]) == ([], "", "")
    workers = found["masters"][0]["workers"]
    assert sorted(str(worker["pid"]) for worker in workers) == target.workers()
    assert not any(worker["shutting_down"] for worker in workers)


def test_backend_is_found_with_its_process_and_unit(host):
    backend = facts(host, backends=[BACKEND])["backends"]["api"]
    assert (backend["port"], backend["address"]) == (8000, "127.0.0.1:8000")
    assert (backend["answered"], backend["upgrade"], backend["warning"]) == (True, "upgrades", "")
    process = backend["candidates"][0]["process"]
    assert (process["user"], process["origin"], process["unit"]) == ("lammp", "unit", "lammp-backend.service")
    assert str(process["pid"]) == host.sh("systemctl show -P MainPID lammp-backend").strip()
    assert process["argv"][1:4] == ["-m", "uvicorn", "app:app"]


def test_certificates_and_paths(host):
    result = facts(
        host,
        certificates=[
            {
                "certificate": f"{LIVE}/fullchain.pem",
                "key": f"{LIVE}/privkey.pem",
                "names": ["lammp.test", "x.test"],
            },
            {"certificate": f"{LIVE}/none.pem", "key": f"{LIVE}/privkey.pem"},
        ],
        paths=["/etc/letsencrypt/options-ssl-nginx.conf", "/etc/nginx", "/nope"],
    )
    right, missing = result["certificates"]
    assert (right["usable"], right["key_matches"], right["missing_names"]) == (True, True, ["x.test"])
    assert (missing["usable"], missing["problem"]) == (False, f"{LIVE}/none.pem does not exist")
    assert result["paths"]["/etc/nginx"] == {"exists": True, "readable": True, "type": "directory"}
    assert result["paths"]["/nope"] == {"exists": False, "readable": False, "type": ""}


def test_check_mode_is_the_same_and_nothing_is_touched(host):
    before = host.digest("/etc/nginx", "/run/nginx.pid")
    workers = host.workers()
    plain = host.module("nginx_facts", {"backends": [BACKEND]})
    checked = host.module("nginx_facts", {"backends": [BACKEND]}, "--check")
    assert plain["nginx"] == checked["nginx"]
    assert plain["backends"]["api"]["port"] == checked["backends"]["api"]["port"] == 8000
    assert host.digest("/etc/nginx", "/run/nginx.pid") == before
    assert host.workers() == workers


def test_broken_tree_is_described_with_its_place(host):
    host.write("/etc/nginx/conf.d/bad.conf", "server {\n    listen 81\n}\n")
    try:
        found = nginx(host)
    finally:
        host.sh("rm /etc/nginx/conf.d/bad.conf")
    assert "/etc/nginx/conf.d/bad.conf:3" in found["conf_error"]
    assert found["layout"]["kind"] == "sites-available"
    assert any("cannot be read whole" in warning for warning in found["warnings"])


def test_worker_that_shuts_down_is_told_apart(host):
    host.write(
        "/etc/nginx/conf.d/facts.conf",
        "server { listen 8090; location / { proxy_pass http://127.0.0.1:8000; proxy_http_version 1.1;\n"
        ' proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; } }\n',
    )
    host.sh("nginx -s reload")
    open_now = {"url": "ws://127.0.0.1:8090/api/mqtt/ws/hints/x", "expect": "any"}
    assert eventually(lambda: host.module("websocket_probe", open_now)["probe"]["pong"])
    old = set(host.workers())
    host.sh(
        "nohup python3 - >/dev/null 2>&1 <<'EOF' &\n"
        "import socket, time\n"
        "s = socket.create_connection(('127.0.0.1', 8090))\n"
        "s.sendall(b'GET /api/mqtt/ws/hints/x HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\n'\n"
        "          b'Upgrade: websocket\\r\\nSec-WebSocket-Version: 13\\r\\n'\n"
        "          b'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n')\n"
        "assert b' 101 ' in s.recv(4096)\n"
        "open('/run/socket-is-open', 'w').close()\n"
        "time.sleep(60)\n"
        "EOF\n"
    )
    try:
        assert eventually(lambda: host.sh("test -e /run/socket-is-open && echo yes || true"))
        host.sh("nginx -s reload")

        def one_old_one_new():
            workers = nginx(host)["masters"][0]["workers"]
            leaving = {str(worker["pid"]) for worker in workers if worker["shutting_down"]}
            serving = {str(worker["pid"]) for worker in workers if not worker["shutting_down"]}
            return leaving and leaving <= old and serving and not serving & old

        assert eventually(one_old_one_new)
    finally:
        host.sh("rm -f /run/socket-is-open /etc/nginx/conf.d/facts.conf; nginx -s reload")


def test_master_in_a_sandbox_is_ours_and_one_in_a_container_is_not(host):
    host.write("/etc/systemd/system/nginx.service.d/private.conf", "[Service]\nPrivateTmp=yes\n")
    host.write("/run/inner.conf", "pid /run/inner.pid; events {}\nhttp { server { listen 8091; } }\n")
    host.sh("systemctl daemon-reload && systemctl restart nginx")
    host.sh(
        "unshare --pid --fork nginx -c /run/inner.conf -e /run/inner.log -g 'daemon off;' >/dev/null 2>&1 &"
    )
    try:
        assert eventually(lambda: "8091" in host.sh("ss -Hltn 'sport = 8091'"))
        outside = host.sh("pgrep -fc '^nginx: master'").strip()
        found = nginx(host)
        own = host.sh("readlink /proc/self/ns/mnt").strip()
        assert own != host.sh(f"readlink /proc/{found['chosen']}/ns/mnt").strip()
    finally:
        host.sh(
            "pkill -f '[/]run/inner.conf'; rm -r /etc/systemd/system/nginx.service.d; systemctl daemon-reload"
        )
        host.sh("systemctl restart nginx")
    assert outside == "2"
    assert [master["unit"] for master in found["masters"]] == ["nginx.service"]
    assert found["chosen"] == found["masters"][0]["pid"]


PANEL = """\
user www-data;
pid /run/panel.pid;
error_log /www/error.log;
events {}
http {
    access_log off;
    server { listen 8092; }
    include /www/server/panel/vhost/nginx/*.conf;
}
"""


@pytest.fixture
def panel(host):
    """A second nginx with a tree and a binary of its own, as hosting panels install it."""
    host.write("/www/server/nginx/conf/nginx.conf", PANEL)
    host.write(
        "/www/server/panel/vhost/nginx/lammp.test.conf", "server { listen 8093; server_name lammp.test; }\n"
    )
    host.sh("install -D /usr/sbin/nginx /www/server/nginx/sbin/nginx")
    host.sh("/www/server/nginx/sbin/nginx -c /www/server/nginx/conf/nginx.conf")
    assert eventually(lambda: host.sh("ss -Hltn 'sport = 8093'"))
    yield host
    host.sh("[ ! -s /run/panel.pid ] || kill $(cat /run/panel.pid); rm -rf /www")
    eventually(lambda: not host.sh("ss -Hltn 'sport = 8093'"))


def test_panel_beside_the_package(panel):
    found = nginx(panel)
    assert len(found["masters"]) == 2
    assert (found["unit"], "port 80 or 443" in found["why"]) == ("nginx.service", True)
    assert any("other nginx masters run" in warning for warning in found["warnings"])
    wished = nginx(panel, binary="/www/server/nginx/sbin/nginx")
    assert (wished["binary"], wished["unit"]) == ("/www/server/nginx/sbin/nginx", "")
    assert wished["conf_path"] == "/www/server/nginx/conf/nginx.conf"
    layout = wished["layout"]
    assert (layout["kind"], layout["site_dir"]) == ("directory", "/www/server/panel/vhost/nginx")
    assert (layout["suffix"], layout["enabled_dir"]) == (".conf", None)
    assert wished["pid_path"] == "/run/panel.pid"
    assert wished["error_logs"] == ["/www/error.log"]


def test_only_the_panel_runs_and_the_package_lies_there(panel):
    panel.sh("systemctl stop nginx")
    try:
        found = nginx(panel)
    finally:
        panel.sh("systemctl start nginx")
    assert (found["why"], found["conf_path"]) == ("the only master", "/www/server/nginx/conf/nginx.conf")
    assert [site["names"] for site in found["sites"]] == [[], ["lammp.test"]]


def test_two_that_are_alike_are_ambiguous(panel):
    panel.sh("systemctl stop nginx; cp -r /www/server/nginx/conf /www/second")
    panel.sh("sed -i 's/8092/8094/; s/panel.pid/second.pid/; /include/d' /www/second/nginx.conf")
    panel.sh("/usr/sbin/nginx -c /www/second/nginx.conf")
    try:
        found = nginx(panel)
        chosen = nginx(panel, conf_path="/www/second/nginx.conf")
    finally:
        panel.sh("kill $(cat /run/second.pid); systemctl start nginx")
    assert (found["ambiguous"], found["chosen"], found["found"]) == (True, None, True)
    assert "Say which one" in found["message"]
    assert chosen["conf_path"] == "/www/second/nginx.conf"


def test_binary_replaced_and_upgraded_on_the_fly(host):
    host.sh("cp -p /usr/sbin/nginx /usr/sbin/nginx.new && mv /usr/sbin/nginx.new /usr/sbin/nginx")
    found = nginx(host)
    assert found["masters"][0]["exe_deleted"] is True
    assert (found["binary"], found["version"]) == ("/usr/sbin/nginx", found["disk_version"])
    assert any("was replaced while nginx ran" in warning for warning in found["warnings"])
    old = found["chosen"]
    host.sh(f"kill -USR2 {old}")
    try:
        assert eventually(
            lambda: host.sh("test -s /run/nginx.pid.oldbin && test -s /run/nginx.pid && echo yes || true")
        )
        both = eventually(lambda: (lambda now: now if len(now["masters"]) == 2 else None)(nginx(host)))
        assert (both["chosen"] != old, "upgrade under way" in both["why"]) == (True, True)
        assert not {master["pid"]: master for master in both["masters"]}[both["chosen"]]["exe_deleted"]
    finally:
        host.sh("systemctl restart nginx; pkill -x nginx; systemctl restart nginx")


def test_stopped_and_missing_nginx(host):
    host.sh("systemctl stop nginx")
    try:
        stopped = nginx(host)
        host.sh("mv /usr/sbin/nginx /usr/sbin/was-nginx")
        missing = facts(host, backends=[BACKEND])
    finally:
        host.sh("[ -e /usr/sbin/nginx ] || mv /usr/sbin/was-nginx /usr/sbin/nginx; systemctl start nginx")
    assert (stopped["found"], stopped["running"], stopped["chosen"]) == (True, False, None)
    assert (stopped["binary"], stopped["layout"]["kind"]) == ("/usr/sbin/nginx", "sites-available")
    assert "does not run" in stopped["message"]
    assert (missing["nginx"]["found"], missing["nginx"]["running"]) == (False, False)
    assert "no nginx on this host" in missing["nginx"]["message"]
    assert missing["backends"]["api"]["answered"] is True


def test_backend_without_a_websocket_library_is_told_apart(host):
    host.write("/etc/default/lammp-backend", "LAMMP_WS=none\n")
    host.sh("systemctl restart lammp-backend")
    try:
        backend = eventually(
            lambda: (lambda b: b if b["answered"] else None)(
                facts(host, backends=[BACKEND])["backends"]["api"]
            )
        )
    finally:
        host.sh("rm /etc/default/lammp-backend; systemctl restart lammp-backend")
    assert (backend["port"], backend["upgrade"]) == (8000, "ignores")
    assert "does not upgrade" in backend["warning"]
    assert "uvicorn: it has no WebSocket library" in backend["warning"]


def test_backend_by_hand_on_the_second_port(host):
    host.sh("systemctl stop lammp-backend")
    try:
        none = facts(host, backends=[{**BACKEND, "configured": 8000}])["backends"]["api"]
        host.sh(
            "cd /opt/lammp && nohup runuser -u lammp -- python3 -m uvicorn app:app --host 0.0.0.0 "
            "--port 3000 >/dev/null 2>&1 &"
        )
        found = eventually(
            lambda: (lambda b: b if b["answered"] else None)(
                facts(host, backends=[BACKEND])["backends"]["api"]
            ),
            20,
        )
    finally:
        host.sh("pkill -u lammp; systemctl start lammp-backend")
    assert (none["port"], none["answered"]) == (8000, False)
    assert "the configured port 8000 is kept" in none["warning"]
    assert "port 8000: no process listens there" in none["warning"]
    assert (found["port"], found["address"], found["upgrade"]) == (3000, "127.0.0.1:3000", "upgrades")
    process = found["candidates"][1]["process"]
    assert (process["user"], process["unit"], process["address"]) == ("lammp", "", "0.0.0.0")
    assert "not started by systemd" in found["candidates"][1]["evidence"][0]


def test_process_left_by_a_login_is_not_taken_for_a_unit(host):
    command = "(nohup python3 -m http.server 3100 --bind 127.0.0.1 >/dev/null 2>&1 &)"
    shell = [sys.executable, "lab/lab", "shell", host.name, command]
    subprocess.run(shell, cwd=ROOT, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    try:
        find = {"name": "hand", "ports": [3100]}
        found = eventually(
            lambda: (lambda b: b if b["answered"] else None)(facts(host, backends=[find])["backends"]["hand"])
        )
    finally:
        host.sh("pkill -f '[h]ttp.server 3100'")
    assert found["candidates"][0]["process"]["origin"] == "session"
    assert "started by hand" in found["candidates"][0]["evidence"][0]


def test_bad_arguments_name_what_is_wrong(host):
    result = host.module("nginx_facts", {"backends": [{"name": "api", "path": "no slash"}]})
    assert "backends: api" in result["msg"]
    assert "nginx" not in result
