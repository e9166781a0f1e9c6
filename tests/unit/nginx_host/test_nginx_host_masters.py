"""Masters, their workers, and the choice among them."""

import os

import pytest

from module_utils.nginx_websocket.host.masters import (
    Master,
    choose,
    masters,
    parse_title,
    without_master,
    workers_of,
)
from module_utils.nginx_websocket.host.processes.proc import origin_of
from tests.unit.nginx_host.fake_proc import TITLE, FakeProc

WORKER = "nginx: worker process"


@pytest.fixture
def host(tmp_path):
    return FakeProc(tmp_path / "proc")


def test_master_with_its_workers(host):
    host.add(10, TITLE, ticks=500)
    host.add(11, WORKER, ppid=10, ticks=900, uid=33)
    host.add(12, WORKER + " is shutting down", ppid=10, ticks=500, uid=33)
    host.add(13, "nginx: cache manager process", ppid=10)
    host.add(14, WORKER, ppid=99)
    host.add(15, "grep", "nginx: master process")
    (master,) = masters(host.proc)
    assert (master.pid, master.exe, master.exe_deleted) == (10, "/usr/sbin/nginx", False)
    assert master.argv == ["/usr/sbin/nginx", "-g", "daemon on; master_process on;"]
    assert (master.conf_path, master.prefix, master.directives) == ("", "", "daemon on; master_process on;")
    assert (master.origin, master.unit, master.user) == ("unit", "nginx.service", "root")
    assert [(w.pid, w.shutting_down) for w in master.workers] == [(12, True), (11, False)]
    assert master.started == 1700000000 + 500 / os.sysconf("SC_CLK_TCK")
    assert [w.pid for w in workers_of(10, host.proc)] == [12, 11]
    assert workers_of(77, host.proc) == []


def test_masters_in_containers_are_left_out(host):
    host.add(10, TITLE)
    host.add(20, TITLE, namespace="pid:[2]")  # docker
    host.add(21, TITLE, root="/tmp")  # a container that shares the host's pid namespace
    assert [master.pid for master in masters(host.proc)] == [10]


def test_an_nginx_without_a_master_is_found(host):
    assert without_master("/opt/nginx", host.proc) is None
    host.add(8, "nginx", "-t", exe="/opt/nginx")
    host.add(9, "nginx", "-g", "daemon off;", uid=33, exe="/opt/nginx")
    host.add(10, TITLE, exe="/opt/nginx")
    assert without_master("/opt/nginx", host.proc) is None
    host.add(11, "nginx", "-g", "daemon off; master_process off;", exe="/opt/nginx")
    assert without_master("/opt/nginx", host.proc) == 11


def test_no_master(host):
    assert masters(host.proc) == []
    assert choose([]).master is None


def test_replaced_binary(host):
    host.add(10, TITLE, exe="/usr/sbin/nginx (deleted)")
    (master,) = masters(host.proc)
    assert (master.exe, master.exe_deleted) == ("/usr/sbin/nginx", True)


@pytest.mark.parametrize(
    "title, conf, prefix, directives",
    [
        ("nginx -c /a/nginx.conf", "/a/nginx.conf", "", ""),
        ("nginx -c/a/nginx.conf -p/b/", "/a/nginx.conf", "/b/", ""),
        ("nginx -qc /a.conf", "/a.conf", "", ""),
        ("nginx -p /b -c conf/x.conf", "/b/conf/x.conf", "/b", ""),
        ("nginx -p b -c x.conf", "/home/u/b/x.conf", "/home/u/b", ""),
        ("nginx -c x.conf", "x.conf", "", ""),
        (
            "nginx -g daemon off; worker_processes 1; -c /x.conf",
            "/x.conf",
            "",
            "daemon off; worker_processes 1;",
        ),
        ("nginx -g pid /run/x.pid;", "", "", "pid /run/x.pid;"),
        ("nginx", "", "", ""),
    ],
)
def test_command_lines(host, title, conf, prefix, directives):
    host.add(10, "nginx: master process " + title, cwd="/home/u")
    (master,) = masters(host.proc)
    assert (master.conf_path, master.prefix, master.directives) == (conf, prefix, directives)


def test_error_log_option():
    assert parse_title("nginx: master process nginx -e /var/log/x -c /a").error_log == "/var/log/x"


@pytest.mark.parametrize(
    "cgroup, origin",
    [
        ("/system.slice/nginx.service", ("unit", "nginx.service")),
        ("/system.slice/system-app.slice/app@1.service", ("unit", "app@1.service")),
        ("/user.slice/user-1000.slice/session-3.scope", ("session", "session-3.scope")),
        ("/user.slice/user-1000.slice/user@1000.service/app.slice/app.service", ("user unit", "app.service")),
        ("/system.slice/docker-4f5e.scope", ("container", "docker-4f5e.scope")),
        ("/docker/4f5e", ("container", "4f5e")),
        ("/kubepods.slice/x/cri-containerd-1.scope", ("container", "cri-containerd-1.scope")),
        ("/init.scope", ("unknown", "")),
        ("/", ("unknown", "")),
    ],
)
def test_origins(cgroup, origin):
    assert origin_of(cgroup) == origin


@pytest.mark.parametrize(
    "unit", ["ssh.service", "sshd.service", "ssh@3-1.2.3.4:22.service", "cron.service", "getty@tty1.service"]
)
def test_what_a_login_leaves_in_its_services_unit_was_started_by_hand(host, unit):
    cgroup = f"/system.slice/{unit}"
    assert origin_of(cgroup, "python3.11") == ("session", unit)
    host.add(10, TITLE, cgroup=f"0::{cgroup}\n")
    (master,) = masters(host.proc)
    assert (master.origin, master.unit) == ("session", "")  # never `systemctl reload ssh`


def test_the_login_service_itself_is_its_unit():
    assert origin_of("/system.slice/ssh.service", "sshd") == ("unit", "ssh.service")
    assert origin_of("/system.slice/sshguard.service", "sshguard") == ("unit", "sshguard.service")


def test_cgroups_are_relative_to_our_own_init(tmp_path):
    # Inside a container that sees the host's hierarchy, and with version 1.
    host = FakeProc(tmp_path / "proc")
    (tmp_path / "proc/1/cgroup").write_text(
        "2:cpu:/docker/4f\n1:name=systemd:/docker/4f/init.scope\n0::/docker/4f\n"
    )
    host.add(10, TITLE, cgroup="2:cpu:/x\n1:name=systemd:/docker/4f/system.slice/nginx.service\n")
    host.add(11, TITLE, cgroup="1:name=systemd:/docker/4f\n")
    assert host.proc.cgroup(10) == "/system.slice/nginx.service"
    assert host.proc.cgroup(11) == "/"
    assert [(m.origin, m.unit) for m in masters(host.proc)] == [("unit", "nginx.service"), ("unknown", "")]


def test_cgroup_hierarchy_is_the_one_that_init_manages(tmp_path):
    # A systemd that manages version 2 alone, in a container on a host that has version 1 too.
    host = FakeProc(tmp_path / "proc")
    (tmp_path / "proc/1/cgroup").write_text("9:name=systemd:/docker/4f\n0::/lab-4f/init.scope\n")
    host.add(10, TITLE, cgroup="9:name=systemd:/docker/4f\n0::/lab-4f/system.slice/nginx.service\n")
    assert [(m.origin, m.unit) for m in masters(host.proc)] == [("unit", "nginx.service")]


def master(pid, *, unit="", exe="/usr/sbin/nginx", conf="", ppid=1):
    return Master(
        pid=pid,
        exe=exe,
        exe_deleted=False,
        argv=[exe],
        conf_path=conf,
        prefix="",
        error_log="",
        directives="",
        origin="unit" if unit else "unknown",
        unit=unit,
        started=0.0,
        start_ticks=pid,
        user="root",
        ppid=ppid,
    )


def test_the_only_one_is_chosen():
    choice = choose([master(5)])
    assert (choice.master.pid, choice.why, choice.ambiguous) == (5, "the only master", False)


def test_wishes_come_first():
    panel = master(6, exe="/www/server/nginx/sbin/nginx", conf="/www/nginx.conf")
    both = [master(5, unit="nginx.service"), panel]
    assert choose(both, binary="/www/server/nginx/sbin/nginx").master.pid == 6
    assert choose(both, conf_path="/www/nginx.conf", binary=panel.exe).master.pid == 6
    none = choose(both, binary="/opt/nginx")
    assert none.master is None
    assert not none.ambiguous
    assert "/opt/nginx" in none.why
    assert "pid 6" in none.why


def test_binary_upgrade_takes_the_newer():
    choice = choose([master(5, unit="nginx.service"), master(9, ppid=5)])
    assert (choice.master.pid, "upgrade" in choice.why) == (9, True)


def test_public_ports_then_units_decide():
    both = [master(5), master(6)]
    assert choose(both, listening={5: [8080], 6: [443]}).master.pid == 6
    both = [master(5), master(6, unit="nginx.service")]
    assert choose(both, listening={5: [80], 6: [443]}).master.pid == 6
    assert choose(both).master.pid == 6


def test_ambiguity_is_said_with_all_names():
    choice = choose(
        [master(5, unit="nginx.service"), master(6, unit="panel.service", conf="/www/nginx.conf")]
    )
    assert choice.master is None
    assert choice.ambiguous
    for part in ("pid 5", "pid 6", "panel.service", "-c /www/nginx.conf"):
        assert part in choice.why
