"""Which processes are nginx masters: the host's rule and the verification's judge one table."""

from __future__ import annotations

import os

import pytest

from module_utils.nginx_websocket.host.binary import NginxError
from module_utils.nginx_websocket.host.describe import describe
from module_utils.nginx_websocket.host.masters import choose, masters
from module_utils.nginx_websocket.host.processes.genuine import NotGenuine, executable
from tests.unit.nginx_host.fake_proc import FakeProc
from verify.host_report import processes

MALLORY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to other users")


@pytest.fixture
def host(tmp_path):
    return FakeProc(tmp_path / "proc")


@pytest.fixture
def nginx(tmp_path):
    """A binary and a configuration of root's."""
    (tmp_path / "sbin").mkdir()
    (tmp_path / "etc").mkdir()
    binary = tmp_path / "sbin/nginx"
    binary.write_text("#!/bin/sh\necho nginx version: nginx/1.22.1\n")
    binary.chmod(0o755)
    (tmp_path / "etc/nginx.conf").write_text("events {}\n")
    return binary


def genuine(host, nginx):
    return title(nginx), {}


def of_a_worker(host, nginx):
    return title(nginx), {"uid": 33}


def of_a_setuid_program(host, nginx):
    return title(nginx), {"uids": (1000, 0, 0, 0)}


def with_a_saved_id(host, nginx):
    return title(nginx), {"uids": (0, 0, 1000, 0)}


def with_a_setuid_executable(host, nginx):
    nginx.chmod(0o4755)  # sudo sets all its ids to 0, and asks for a password under any title
    return title(nginx), {}


def with_an_executable_of_somebody(host, nginx):
    os.chown(nginx, MALLORY, 0)
    return title(nginx), {}


def with_an_executable_for_all(host, nginx):
    nginx.chmod(0o757)
    return title(nginx), {}


def with_a_directory_for_all_above_the_executable(host, nginx):
    nginx.parent.chmod(0o777)
    return title(nginx), {}


def with_a_prefix_of_somebody(host, nginx):
    os.chown(nginx.parent.parent / "etc", MALLORY, 0)
    return title(nginx, f" -p {nginx.parent.parent}/etc"), {}


def with_a_main_file_of_somebody(host, nginx):
    os.chown(nginx.parent.parent / "etc/nginx.conf", MALLORY, 0)
    return title(nginx, f" -c {nginx.parent.parent}/etc/nginx.conf"), {}


def with_a_main_file_in_a_directory_for_all(host, nginx):
    (nginx.parent.parent / "etc").chmod(0o1777)
    return title(nginx, f" -c {nginx.parent.parent}/etc/nginx.conf"), {}


def with_a_joined_option(host, nginx):
    os.chown(nginx.parent.parent / "etc", MALLORY, 0)
    return title(nginx, f" -p{nginx.parent.parent}/etc"), {}


def with_prefix_and_main_file_of_root(host, nginx):
    return title(nginx, f" -p {nginx.parent.parent}/etc -c nginx.conf"), {}


def title(binary, options=""):
    return f"nginx: master process {binary}{options}"


STRANGERS = [of_a_worker, of_a_setuid_program, with_a_saved_id, with_a_setuid_executable]
DISTRUSTED = [
    with_an_executable_of_somebody,
    with_an_executable_for_all,
    with_a_directory_for_all_above_the_executable,
    with_a_prefix_of_somebody,
    with_a_main_file_of_somebody,
    with_a_main_file_in_a_directory_for_all,
    with_a_joined_option,
]
GENUINE = [genuine, with_prefix_and_main_file_of_root]


@pytest.mark.parametrize("case", [*STRANGERS, *DISTRUSTED, *GENUINE], ids=lambda case: case.__name__)
def test_who_counts_as_a_master(host, nginx, monkeypatch, case):
    text, how = case(host, nginx)
    host.add(10, text, exe=str(nginx), **how)
    said = []
    found = masters(host.proc, strangers=said)
    choice = choose(found, strangers=said)
    assert bool(said) == (case in STRANGERS)
    assert [bool(master.distrust) for master in found] == ([] if said else [case in DISTRUSTED])
    assert (choice.master is not None, choice.distrusted) == (case in GENUINE, case in DISTRUSTED)
    if said:
        assert said[0] in choice.why

    monkeypatch.setattr(processes, "PROC", str(host.directory))
    left_out = []
    counted, _ = processes.masters_and_workers("", "", left_out)
    assert ([master["pid"] for master in counted], bool(left_out)) == (
        ([10], False) if case in GENUINE else ([], True)
    )


@pytest.mark.parametrize("case", [*STRANGERS, *DISTRUSTED], ids=lambda case: case.__name__)
def test_nobody_gets_in_the_way_of_the_genuine_one(host, nginx, tmp_path, monkeypatch, case):
    (tmp_path / "real").mkdir()
    real = tmp_path / "real/nginx"
    real.write_bytes(nginx.read_bytes())
    real.chmod(0o755)
    host.add(9, title(real), exe=str(real), cgroup="0::/x\n")
    text, how = case(host, nginx)
    # As the newer of a binary upgrade, in a unit: both would win over the other.
    host.add(10, text, exe=str(nginx), ppid=9, **how)
    assert choose(masters(host.proc)).master.pid == 9
    monkeypatch.setattr(processes, "PROC", str(host.directory))
    assert [master["pid"] for master in processes.masters_and_workers("", "", [])[0]] == [9]


@pytest.mark.parametrize("case", DISTRUSTED, ids=lambda case: case.__name__)
def test_nothing_of_a_distrusted_one_is_executed(host, nginx, tmp_path, case):
    proof = tmp_path / "executed"
    nginx.write_text(f"#!/bin/sh\ntouch {proof}\n")
    text, how = case(host, nginx)
    host.add(10, text, exe=str(nginx), **how)
    (found,) = masters(host.proc)
    with pytest.raises(NginxError, match=r"only root may be able to write it: "):
        describe(found, proc=host.proc)
    assert not proof.exists()


def test_another_process_with_that_id_is_not_executed(host, nginx):
    host.add(10, title(nginx), exe=str(nginx), ticks=100)
    with executable(10, 100, host.proc) as descriptor:
        assert os.path.samestat(os.fstat(descriptor), os.stat(nginx))
    with pytest.raises(NotGenuine, match="ended"), executable(10, 99, host.proc):
        pass


def test_what_is_judged_is_what_is_executed(host, nginx, tmp_path):
    host.add(10, title(nginx), exe=str(nginx))
    with executable(10, 100, host.proc) as descriptor:
        nginx.unlink()
        nginx.write_text("#!/bin/sh\n")
        os.chown(nginx, MALLORY, 0)
        assert os.fstat(descriptor).st_uid == 0


def test_an_executable_that_may_not_be_looked_at_is_named(host, nginx, monkeypatch):
    host.add(10, title(nginx), exe=str(nginx))
    real = os.stat

    def refuse(path, *args, **kwargs):
        if str(path).endswith("/exe"):
            raise PermissionError(13, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "stat", refuse)
    choice = choose(masters(host.proc))
    assert choice.distrusted
    assert "become: true" in choice.why
