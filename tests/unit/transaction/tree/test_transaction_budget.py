"""Room for sockets: bytes spliced at the directive, never lowered, refused where no host would grant it."""

from __future__ import annotations

import os
import resource

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.site.model import Refused
from module_utils.nginx_websocket.transaction.tree import budget
from module_utils.nginx_websocket.transaction.tree.files import Filesystem


def changes(path, sockets, **more):
    nginx = Instance("/usr/sbin/nginx", path, **more)
    return budget.budget_changes(sockets, load(path), nginx, Filesystem())


def after(tmp_path, content, sockets=5000):
    path = tmp_path / "nginx.conf"
    path.write_bytes(content)
    (change,) = changes(str(path), sockets)
    assert change.before.content == content
    return change.after.content


DEBIAN = b"""\
user www-data;
worker_processes auto; # as many as cores

events {
\tworker_connections 768;\t# multi_accept on;
}

http { }
"""


def test_a_socket_takes_two_connections_and_two_descriptors():
    assert budget.connections(5000) == 2 * 5000 + budget.PLAIN
    assert budget.descriptors(5000) >= budget.connections(5000) + budget.PLAIN


def test_only_the_bytes_at_the_directives_change(tmp_path):
    wanted = DEBIAN.replace(b"768", b"11024").replace(b"events", b"worker_rlimit_nofile 12048;\nevents")
    assert after(tmp_path, DEBIAN) == wanted


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        (b"events {}", b"worker_rlimit_nofile 12048;\nevents { worker_connections 11024; }"),
        (
            b"worker_rlimit_nofile 100;\r\nevents {\r\n}\r\n",
            b"worker_rlimit_nofile 12048;\r\nevents {\r\n    worker_connections 11024;\r\n}\r\n",
        ),
        (
            b"worker_rlimit_nofile 65536;events{worker_connections '1';}",
            b"worker_rlimit_nofile 65536;events{worker_connections 11024;}",
        ),
    ],
)
def test_other_ways_to_write_it(tmp_path, content, wanted):
    assert after(tmp_path, content) == wanted


def test_what_is_large_enough_stays(tmp_path):
    path = tmp_path / "nginx.conf"
    path.write_bytes(after(tmp_path, DEBIAN))
    assert changes(str(path), 5000) == []
    assert changes(str(path), 100) == []
    assert changes(str(path), 5001) != []


def test_without_a_number_nothing_is_looked_at(tmp_path):
    path = tmp_path / "nginx.conf"
    path.write_bytes(b"http { }")
    assert changes(str(path), 0) == []
    with pytest.raises(Refused, match="no events block"):
        changes(str(path), 1)


def test_the_file_that_holds_the_directive_is_changed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/events.conf").write_bytes(b"events { worker_connections 1; }\n")
    os.symlink("real/events.conf", tmp_path / "events.conf")
    (tmp_path / "nginx.conf").write_bytes(b"worker_rlimit_nofile 99999;\ninclude events.conf;\n")
    (change,) = changes(str(tmp_path / "nginx.conf"), 5000)
    assert change.path == str(tmp_path / "real/events.conf")
    assert change.after.content == b"events { worker_connections 11024; }\n"


def test_a_limit_that_the_master_may_not_raise_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "nginx.conf"
    path.write_bytes(DEBIAN)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    monkeypatch.setattr(budget, "_may_exceed", lambda pid: False)
    monkeypatch.setattr(budget, "_most_a_process", lambda: 0)
    assert changes(str(path), (hard - 2 * budget.PLAIN) // 2, master=os.getpid())
    with pytest.raises(Refused, match=rf"may not go beyond {hard}.*LimitNOFILE="):
        changes(str(path), hard, master=os.getpid())
    monkeypatch.setattr(budget, "_may_exceed", lambda pid: True)
    assert changes(str(path), hard, master=os.getpid())


def test_more_than_the_kernel_allows_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "nginx.conf"
    path.write_bytes(DEBIAN)
    monkeypatch.setattr(budget, "_most_a_process", lambda: 4096)
    with pytest.raises(Refused, match=r"sysctl fs\.nr_open=4098"):
        changes(str(path), 1025, master=os.getpid())


def test_local_ports_are_counted(monkeypatch):
    codes = [finding.code for finding in budget.budget_findings(70_000, None)]
    assert codes == ["local-ports"]
    assert budget.budget_findings(100, None) == []
