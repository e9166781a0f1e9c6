"""Listening sockets: /proc's number formats, and this very process's sockets."""

import os
import socket

import pytest

from module_utils.nginx_websocket.host.listeners import decode_address, listeners, ports_of
from tests.unit.nginx_host.fake_proc import TITLE, FakeProc


@pytest.mark.skipif(os.sys.byteorder != "little", reason="the samples are of a little-endian host")
@pytest.mark.parametrize(
    "text, address",
    [
        ("0100007F:1F90", ("127.0.0.1", 8080)),
        ("00000000:0050", ("0.0.0.0", 80)),
        ("00000000000000000000000001000000:0050", ("::1", 80)),
        ("00000000000000000000000000000000:01BB", ("::", 443)),
        ("B80D01200000000067452301EFCDAB89:0001", ("2001:db8::123:4567:89ab:cdef", 1)),
        ("0000000000000000FFFF00000100007F:0050", ("::ffff:127.0.0.1", 80)),
    ],
)
def test_addresses(text, address):
    assert decode_address(text) == address


def test_own_sockets_are_found(tmp_path):
    path = str(tmp_path / "a.sock")
    with socket.socket() as four, socket.socket(socket.AF_INET6) as six, socket.socket(
        socket.AF_UNIX
    ) as unix:
        four.bind(("127.0.0.1", 0))
        six.bind(("::1", 0))
        unix.bind(path)
        for sock in (four, six, unix):
            sock.listen(1)
        ports = [four.getsockname()[1], six.getsockname()[1]]
        found = {(item.family, item.address, item.port): item for item in listeners()}
        only = listeners(ports)
    for key in (("tcp", "127.0.0.1", ports[0]), ("tcp6", "::1", ports[1]), ("unix", path, 0)):
        item = found[key]
        assert item.pid == os.getpid()
        assert "python" in " ".join(item.argv)
        assert item.user
        assert f"pid {os.getpid()}" in item.describe()
    assert sorted(item.port for item in only) == sorted(ports)


def test_bound_but_not_listening_is_no_listener():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert listeners([sock.getsockname()[1]]) == []


def test_the_master_stands_for_its_workers_and_the_service_for_systemd(tmp_path):
    host = FakeProc(tmp_path / "proc")
    host.tcp(
        ("00000000:0050", "0A", 7),
        ("0100007F:1F40", "0A", 8),
        ("0100007F:1F41", "01", 9),
        ("0100007F:0BB8", "0A", 10),
    )
    os.symlink("socket:[8]", tmp_path / "proc/1/fd/3")
    host.add(11, "nginx: worker process", ppid=20, sockets=[7])
    host.add(20, TITLE, sockets=[7])
    host.add(
        30,
        "/usr/bin/app",
        "--token",
        "s3cr3t",
        cgroup="0::/system.slice/app.service\n",
        sockets=[8],
        uid=65534,
    )
    by_port = {item.port: item for item in listeners(proc=host.proc)}
    assert sorted(by_port) == [80, 3000, 8000]
    assert (by_port[80].pid, by_port[80].pids, by_port[80].unit) == (20, [11, 20], "nginx.service")
    app = by_port[8000]
    assert (app.pid, app.argv, app.user) == (30, ["/usr/bin/app", "--token", "***"], "nobody")
    assert "systemd unit app.service: /usr/bin/app --token ***" in app.describe()
    assert by_port[3000].pid is None
    assert "does not show" in by_port[3000].describe()
    assert ports_of(by_port.values()) == {11: [80], 20: [80], 1: [8000], 30: [8000]}


def test_started_by_hand_is_said(tmp_path):
    host = FakeProc(tmp_path / "proc")
    host.tcp(("0100007F:1F40", "0A", 8))
    host.add(30, "python3", cgroup="0::/user.slice/user-0.slice/session-3.scope\n", sockets=[8])
    (item,) = listeners(proc=host.proc)
    assert (item.origin, item.unit) == ("session", "session-3.scope")
    assert "by hand" in item.describe()
