"""Which nginx in a container answers, and what is seen of its files, names and mounts from the host."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import time

import pytest

from module_utils.nginx_websocket.host.binary import NginxError
from module_utils.nginx_websocket.host.containers import answering as room
from module_utils.nginx_websocket.host.containers import lookup, published
from module_utils.nginx_websocket.host.containers.answering import answering
from module_utils.nginx_websocket.host.containers.inside import Inside
from module_utils.nginx_websocket.host.containers.mounts import Home, home_of, mounts_of
from module_utils.nginx_websocket.host.listeners import Listener
from tests.unit.nginx_host.fake_proc import FakeProc

TITLE = "nginx: master process nginx -g daemon off;"
ID = "ab" * 32
FIB = """\
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 172.17.0.2
        /32 host LOCAL
     |-- 172.17.0.9
        /24 link UNICAST
"""
PROXY = ["/usr/bin/docker-proxy", "-proto", "tcp", "-container-ip", "172.17.0.2", "-container-port", "80"]
VERSION = (
    b"\x7fELF\0nginx version: nginx/1.25.3\n\0configure arguments: --prefix=/etc/nginx "
    b"--conf-path=/etc/nginx/nginx.conf --error-log-path=/var/log/nginx/error.log --user=www\n\0"
)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A host with a docker-proxy (pid 50), and the means to add containers."""
    fake = FakeProc(tmp_path / "proc")
    fake.add(50, *PROXY, exe="/usr/bin/docker-proxy")
    docker = tmp_path / "docker"
    docker.mkdir()
    monkeypatch.setattr(published, "DOCKER", str(docker))
    monkeypatch.setattr(published.name_of, "__defaults__", (str(docker),))
    monkeypatch.setattr(published.log_of, "__defaults__", (str(docker),))
    monkeypatch.setattr(published.container_publishing, "__defaults__", (str(docker),))

    def container(
        pid, *, port=80, inode=900, title=TITLE, cgroup=f"0::/docker/{ID}\n", fib=FIB, uid=0, exe=None
    ):
        root = tmp_path / f"root-{pid}"
        root.mkdir()
        fake.add(
            pid,
            title,
            namespace=f"pid:[{pid}]",
            root=str(root),
            sockets=[inode],
            cgroup=cgroup,
            uid=uid,
            exe=exe or "/usr/sbin/nginx",
        )
        net = fake.directory / str(pid) / "net"
        net.mkdir()
        rest = "00000000:00000000 00:00000000 00000000     0        0"
        (net / "tcp").write_text(f"head\n   0: 00000000:{port:04X} 00000000:0000 0A {rest} {inode} 1\n")
        (net / "fib_trie").write_text(fib)
        (net / "if_inet6").write_text("fd000000000000000000000000000002 02 40 00 80     eth0\n")
        return root

    owner = Listener("tcp", "0.0.0.0", 8443, 1, pid=50, pids=[50], exe="/usr/bin/docker-proxy")
    return fake, container, owner, docker


def test_the_proxy_names_address_and_port(machine):
    fake, container, owner, docker = machine
    container(60)
    container(61, fib=FIB.replace("0.2", "0.3"), inode=901)
    found = answering(owner, 8443, fake.proc)
    assert (found.master.pid, found.address, found.port) == (60, "172.17.0.2", 80)
    assert (found.engine, found.name) == ("docker", ID[:12])
    (docker / ID).mkdir()
    (docker / ID / "config.v2.json").write_text(json.dumps({"Name": "/web"}))
    found = answering(owner, 8443, fake.proc)
    assert found.name == "web" and found.log == str(docker / ID / f"{ID}-json.log")
    assert found.master.distrust, "nothing of it is executed"


def test_two_that_fit_and_one_that_is_no_nginx(machine):
    fake, container, owner, _ = machine
    assert answering(owner, 8443, fake.proc) is None
    container(60, title="/usr/bin/traefik")
    assert answering(owner, 8443, fake.proc) is None
    container(61, inode=901)
    assert answering(owner, 8443, fake.proc).master.pid == 61
    container(62, inode=902)
    assert answering(owner, 8443, fake.proc) is None, "which one is nobody's guess"


@pytest.mark.parametrize(
    "change",
    [{"port": 81}, {"fib": FIB.replace("0.2", "0.3")}, {"fib": FIB.replace("host LOCAL", "link UNICAST")}],
)
def test_one_that_listens_elsewhere_is_not_it(machine, change):
    fake, container, owner, _ = machine
    container(60, **change)
    assert answering(owner, 8443, fake.proc) is None


def test_a_proxy_that_anybody_may_have_started_is_not_believed(machine):
    fake, container, owner, _ = machine
    container(60)
    fake.add(51, *PROXY, uid=1000, exe="/home/me/docker-proxy")
    assert answering(dataclasses.replace(owner, pid=51, pids=[51]), 8443, fake.proc) is None
    fake.add(52, "/usr/bin/docker-proxy", "-container-port", "x", exe="/usr/bin/docker-proxy")
    assert answering(dataclasses.replace(owner, pid=52, pids=[52]), 8443, fake.proc) is None
    assert answering(dataclasses.replace(owner, pid=None, pids=[]), 8443, fake.proc) is None


def test_a_container_with_the_hosts_network_holds_the_port_itself(machine):
    fake, container, owner, _ = machine
    container(60, port=8443)
    container(61, port=8443, inode=901)
    held = dataclasses.replace(owner, pid=61, pids=[61], exe="/usr/sbin/nginx")
    found = answering(held, 8443, fake.proc)
    assert (found.master.pid, found.address, found.port) == (61, "", 8443)


def test_conmon_names_the_container(machine):
    fake, container, owner, _ = machine
    container(60, port=8080, cgroup=f"0::/machine.slice/libpod-{ID}.scope\n")
    container(61, port=8080, inode=901, cgroup=f"0::/machine.slice/libpod-{'cd' * 32}.scope\n")
    fake.add(53, "/usr/bin/conmon", "-c", ID, exe="/usr/bin/conmon")
    held = dataclasses.replace(owner, pid=53, pids=[53], exe="/usr/bin/conmon")
    found = answering(held, 8443, fake.proc)
    assert (found.master.pid, found.port, found.engine, found.name) == (60, 8080, "podman", ID[:12])


def test_addresses_of_a_network(machine):
    fake, container, _, _ = machine
    container(60)
    assert room.has_address(fake.proc, 60, "172.17.0.2") and room.has_address(fake.proc, 60, "fd00::2")
    assert not room.has_address(fake.proc, 60, "172.17.0.9") and not room.has_address(
        fake.proc, 60, "fd00::3"
    )
    assert not room.has_address(fake.proc, 60, "no:address")


@pytest.fixture
def inside(machine, tmp_path):
    """The inside of a container whose files a test writes."""
    fake, container, owner, _ = machine
    exe = tmp_path / "nginx"
    exe.write_bytes(VERSION)
    root = container(60, exe=str(exe), uid=os.geteuid())
    (root / "etc" / "nginx" / "conf.d").mkdir(parents=True)
    (root / "etc" / "hosts").write_text("127.0.0.1 localhost\n10.5.0.7  app app.internal # it\nbad app\n")
    (root / "etc" / "nginx" / "nginx.conf").write_text(
        "user web;\nerror_log /var/log/own.log;\nevents {}\nhttp { include /etc/nginx/conf.d/*.conf; }\n"
    )
    (root / "etc" / "nginx" / "conf.d" / "a.conf").write_text("server { listen 80; }\n")
    return Inside(answering(owner, 8443, fake.proc), fake.proc), root


def test_its_nginx_is_read_and_not_executed(inside):
    box, _ = inside
    nginx = box.describe()
    assert nginx.version == (1, 25, 3) and nginx.conf_path == "/etc/nginx/nginx.conf"
    assert nginx.user == "web" and nginx.error_logs == ["/var/log/own.log"] and nginx.unsafe
    assert list(nginx.configuration.files) == ["/etc/nginx/nginx.conf", "/etc/nginx/conf.d/a.conf"]
    assert {path for path, times in box.times.items() if times[2]} == {"/etc/nginx/conf.d"}
    assert box.words == f"the container {ID[:12]}"


def test_its_files_may_be_hostile(inside, tmp_path):
    box, root = inside
    (tmp_path / "shadow").write_text("root:secret;\n")
    os.symlink("/etc/nginx/nowhere", root / "etc" / "nginx" / "conf.d" / "b.conf")
    assert "No such file" in box.describe().conf_error
    (root / "etc" / "nginx" / "conf.d" / "b.conf").unlink()
    os.symlink(tmp_path / "shadow", root / "etc" / "nginx" / "conf.d" / "b.conf")
    assert "No such file" in box.describe().conf_error, "an absolute link leads on inside"
    (root / "etc" / "nginx" / "conf.d" / "b.conf").unlink()
    os.mkfifo(root / "etc" / "nginx" / "conf.d" / "b.conf")
    nginx = box.describe()
    assert nginx.configuration is None and "no regular file" in nginx.conf_error


def test_files_that_never_answer_are_asked_once(inside, monkeypatch):
    box, _ = inside
    monkeypatch.setattr("module_utils.nginx_websocket.host.containers.inside.SECONDS", 0.1)
    with pytest.raises(OSError, match="in time"):
        box.look(lambda: time.sleep(60))
    with pytest.raises(OSError, match="not looked at any more"):
        box.look(lambda: 1)
    assert box.kind("/etc/hosts") == ""
    with pytest.raises(NginxError):
        box.describe()


def test_a_process_that_took_the_number_meanwhile_is_not_looked_at(inside, machine):
    box, _ = inside
    box.found.master.start_ticks += 1
    with pytest.raises(NginxError, match="ended meanwhile"):
        box.describe()
    with pytest.raises(ProcessLookupError):
        Inside(box.found, machine[0].proc)


def test_something_that_is_no_nginx(inside, tmp_path):
    box, _ = inside
    (tmp_path / "nginx").write_bytes(b"#!/bin/sh\n")
    with pytest.raises(NginxError):
        box.describe()


def test_logs_kinds_and_the_engines_log(inside):
    box, root = inside
    (root / "log").write_text("one\ntwo\n")
    assert box.size("/log") == 8 and box.tail("/log", 4) == b"two\n"
    assert (box.kind("/log"), box.kind("/etc"), box.kind("/none")) == ("file", "directory", "")
    os.symlink("/dev/stderr", root / "error.log")
    os.makedirs(os.path.dirname(box.found.log))
    with open(box.found.log, "w") as file:
        file.write('{"log":"a line\\n","stream":"stderr"}\nnot json\n[]\n{"log":"two\\n"}\n')
    assert box.size("/error.log") > 8 and box.tail("/error.log", 0) == b"a line\ntwo\n"


def test_names_are_those_of_its_hosts_file(inside, monkeypatch):
    box, _ = inside
    box.describe()
    monkeypatch.setattr(lookup, "ask", lambda host, text: [])
    assert box.resolve("APP") == ["10.5.0.7"] and box.resolve("[::1]") == ["::1"]
    assert box.resolve("192.0.2.1") == ["192.0.2.1"] and box.resolve("none") == []


def test_a_unix_socket_is_reached_below_its_root(inside):
    box, root = inside
    os.symlink("/run/real", root / "link")
    (root / "run").mkdir()
    (root / "run" / "real").touch()
    assert os.path.samefile(box.socket("/link"), root / "run" / "real")
    assert not os.path.lexists(box.socket("/none"))


MOUNTS = """\
100 90 0:40 / / rw - overlay overlay rw,lowerdir=/x
101 100 8:1 /srv/my\\040site /etc/nginx/conf.d ro - ext4 /dev/sda1 rw
102 100 8:1 /srv/old.conf//deleted /etc/nginx/nginx.conf rw - ext4 /dev/sda1 rw
103 100 0:50 / /tmp rw - tmpfs tmpfs rw
104 100 8:2 /volumes/v/_data /data rw - ext4 /dev/sdb1 rw
broken line
"""
HERE = "20 1 8:1 / / rw - ext4 /dev/sda1 rw\n21 20 8:2 / /var/lib/docker rw - ext4 /dev/sdb1 rw\n"


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("/etc/nginx/conf.d/a.conf", Home("/srv/my site/a.conf")),
        ("/etc/nginx/conf.d", Home("/srv/my site")),
        ("/etc/nginx/conf.dx", Home("", own_layer=True)),
        ("/etc/nginx/nginx.conf", Home("/srv/old.conf", replaced=True)),
        ("/data/x/y", Home("/var/lib/docker/volumes/v/_data/x/y")),
        ("/tmp/a", Home("")),
        ("/etc/hosts", Home("", own_layer=True)),
    ],
)
def test_where_a_file_lies_on_the_host(machine, path, home):
    fake = machine[0]
    for pid, text in ((1, HERE), (50, MOUNTS)):
        (fake.directory / str(pid) / "mountinfo").write_text(text)
    assert home_of(path, mounts_of(fake.proc, 50), mounts_of(fake.proc, 1)) == home
    assert home_of(path, [], []) == Home("")


def test_a_place_on_the_host_counts_only_where_the_same_file_is(inside):
    box, root = inside
    own = FakeProc.__new__(FakeProc)
    own.directory = root.parent / "proc"
    (root / "data").mkdir()
    (root / "data" / "a").touch()
    os.makedirs(own.directory / str(os.getpid()), exist_ok=True)
    (own.directory / "60" / "mountinfo").write_text("1 1 9:9 /data /data rw - ext4 x rw\n")
    (own.directory / str(os.getpid()) / "mountinfo").write_text(f"1 1 9:9 / {root} rw - ext4 x rw\n")
    assert box.home("/data/a").path == str(root / "data" / "a")
    (own.directory / str(os.getpid()) / "mountinfo").write_text("1 1 9:9 / /etc rw - ext4 x rw\n")
    assert box.home("/data/a") == Home("") and box.home("/none") == Home("")


def test_resolv_conf():
    assert lookup.servers_of("nameserver 127.0.0.11 # docker\nsearch a b\nnameserver x\n") == (
        ["127.0.0.11"],
        ["a", "b"],
    )
    assert lookup.servers_of("") == (["127.0.0.1"], [])


def answer_of(*records, tail=b""):
    head = struct.pack(">HHHHHH", 7, 0x8180, 1, len(records), 0, 0)
    body = b"\x03app\x00" + struct.pack(">HH", 1, 1)
    for name, kind, data in records:
        body += name + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
    return head + body + tail, 12 + 9


def test_addresses_in_an_answer():
    answer, at = answer_of(
        (b"\xc0\x0c", 5, b"\x01x\x00"), (b"\x01x\x00", 1, b"\x0a\x00\x00\x05"), (b"\0", 1, b"x")
    )
    assert lookup.addresses_in(answer, at, 1) == ["10.0.0.5"]
    answer, at = answer_of((b"\xc0\x0c", 28, b"\0" * 15 + b"\x01"))
    assert lookup.addresses_in(answer, at, 28) == ["::1"] and lookup.addresses_in(answer, at, 1) == []
    for cut in range(at, len(answer)):
        with pytest.raises((struct.error, IndexError, ValueError)):
            lookup.addresses_in(answer[:cut], at, 28)


def test_search_suffixes_come_first_and_a_silent_server_is_left(monkeypatch):
    asked = []

    def say(server, name, kind):
        asked.append((server, name))
        return None if server == "192.0.2.1" else (["10.0.0.5"] if name == "app.b" and kind == 1 else [])

    monkeypatch.setattr(lookup, "_asked", say)
    text = "nameserver 192.0.2.1\nnameserver 192.0.2.2\nsearch a b\n"
    assert lookup.ask("app", text) == ["10.0.0.5"]
    assert list(dict.fromkeys(asked)) == [
        ("192.0.2.1", "app.a"),
        ("192.0.2.2", "app.a"),
        ("192.0.2.2", "app.b"),
    ]
    assert lookup.ask("app.x", text) == []
