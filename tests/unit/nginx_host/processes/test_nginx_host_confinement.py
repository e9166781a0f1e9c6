"""What a confined master may not do, from its /proc."""

from __future__ import annotations

import os

import pytest

from module_utils.nginx_websocket.host.processes.confinement import confinement
from tests.unit.nginx_host.fake_proc import FakeProc

MASTER, OURSELVES = 50, 40
ALL = 0x1FFFFFFFFFF


@pytest.fixture
def host(tmp_path, monkeypatch):
    fake = FakeProc(tmp_path / "proc")
    monkeypatch.setattr(os, "getpid", lambda: OURSELVES)  # in a container it is 1, which is init here
    fake.add(OURSELVES, "/usr/bin/python3", label="unconfined")
    return fake


def test_a_master_like_ourselves_is_not_confined(host):
    host.add(MASTER, "nginx", label="unconfined")
    assert confinement(MASTER, host.proc) == []


def test_one_that_is_gone_is_not_confined(host):
    assert confinement(MASTER, host.proc) == []


def test_a_view_of_the_file_system_of_its_own(host):
    host.add(MASTER, "nginx", mounts="mnt:[2]")
    (said,) = confinement(MASTER, host.proc)
    assert said.startswith("it has its own view of the file system")


def test_capabilities_that_nginx_would_need(host):
    host.add(MASTER, "nginx", capabilities=ALL & ~(1 << 10 | 1 << 1 | 1 << 2 | 1 << 30))
    assert confinement(MASTER, host.proc) == [
        "it lacks CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH (reading files of other users)",
        "it lacks CAP_NET_BIND_SERVICE (ports below 1024)",
    ]


@pytest.mark.parametrize(
    ("label", "enforcing", "confined"),
    [
        ("nginx (enforce)", None, True),
        ("nginx (complain)", None, False),
        ("system_u:system_r:httpd_t:s0", "1", True),
        ("system_u:system_r:httpd_t:s0", "0", False),
        ("unconfined", None, False),
    ],
)
def test_labels_of_selinux_and_apparmor(host, tmp_path, label, enforcing, confined):
    switch = tmp_path / "enforce"
    if enforcing is not None:
        switch.write_text(enforcing)
    host.add(MASTER, "nginx", label=label)
    found = confinement(MASTER, host.proc, enforcing=str(switch))
    assert found == ([f"its security label is {label}"] if confined else [])
