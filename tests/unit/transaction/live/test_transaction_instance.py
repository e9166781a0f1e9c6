"""Which of several masters a transaction works on."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.host.listeners import Listener
from module_utils.nginx_websocket.host.masters import Master
from module_utils.nginx_websocket.transaction.live import instance


def master(pid: int) -> Master:
    return Master(
        pid=pid, exe="/usr/sbin/nginx", exe_deleted=False, argv=[], conf_path=f"/etc/{pid}.conf", prefix="",
        error_log="", directives="", origin="unknown", unit="", started=float(pid), start_ticks=pid, user="",
        ppid=1,
    )  # fmt: skip


def test_of_several_the_one_that_has_the_web_s_ports_is_meant(monkeypatch):
    sockets = [
        Listener("tcp4", "0.0.0.0", port, inode=port, pid=pid, pids=[pid])
        for pid, port in ((7, 8080), (8, 443))
    ]
    monkeypatch.setattr(instance, "listeners", lambda: sockets)
    both = [master(7), master(8)]
    assert instance._choose(both, "", "").master is both[1]
    assert instance._choose(both, "", "/etc/7.conf").master is both[0]


def test_for_a_single_one_no_socket_is_looked_at(monkeypatch):
    monkeypatch.setattr(instance, "listeners", lambda: pytest.fail("looked"))
    only = master(7)
    assert instance._choose([only], "", "").master is only
