"""What the host itself says: addresses, listeners, nginx -t, files, limits, the firewall."""

from __future__ import annotations

import dataclasses
import os
import socket
import types

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.diagnosis.evidence import host_state
from tests.unit.diagnosis.seen import socket_of


def test_addresses_of_this_host_are_known_by_binding():
    assert host_state.is_local("127.0.0.1") and not host_state.is_local("192.0.2.1")
    assert host_state.is_local(host_state.own_address())
    assert host_state.own_address(socket.AF_INET6)


def test_a_name_has_its_addresses_once_each():
    assert host_state.resolve("127.0.0.1") == ["127.0.0.1"]
    assert host_state.resolve("nobody.invalid") == [] and host_state.resolve("a" * 70 + ".test") == []


def listener(address, family="tcp", port=80):
    return dataclasses.replace(socket_of(1, port, address), family=family)


@pytest.mark.parametrize(
    ("held", "address", "taken"),
    [
        (["127.0.0.1", "0.0.0.0"], "127.0.0.1", 0),
        (["0.0.0.0", "127.0.0.1"], "127.0.0.1", 1),
        (["0.0.0.0"], "192.0.2.1", 0),
        (["127.0.0.2"], "127.0.0.1", None),
        (["::"], "::1", 0),
    ],
)
def test_the_exact_address_takes_the_connection_before_the_wildcard(held, address, taken):
    listeners = [listener(one, "tcp6" if ":" in one else "tcp") for one in held]
    found = host_state.covering(listeners, address, 80)
    assert found is (None if taken is None else listeners[taken])
    assert host_state.covering(listeners, address, 81) is None
    assert host_state.covering([listener("/run/x", "unix")], address, 80) is None


def test_whether_all_of_ipv6_takes_ipv4_is_asked_of_the_kernel():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = host_state.covering([listener("::", "tcp6", port)], "127.0.0.1", port)
        assert found is not None
    assert host_state.covering([listener("::", "tcp6", port)], "127.0.0.1", port) is None


def test_the_master_of_a_socket_is_the_one_that_holds_it_or_whose_worker_does():
    own = types.SimpleNamespace(pid=5, workers=[types.SimpleNamespace(pid=6)])
    other = types.SimpleNamespace(pid=7, workers=[])
    for pid, master in ((5, own), (6, own), (7, other), (8, None)):
        assert host_state.master_of(socket_of(pid, 80), [own, other]) is master
    assert host_state.master_of(None, [own]) is None


def nginx(tmp_path, script, *, master=None):
    binary = tmp_path / "nginx"
    binary.write_text("#!/bin/sh\n" + script)
    binary.chmod(0o755)
    return types.SimpleNamespace(
        binary=types.SimpleNamespace(path=str(binary)),
        conf_path="/etc/nginx/nginx.conf",
        master=master,
        pid_path=str(tmp_path / "nginx.pid"),
    )


def test_nginx_is_asked_with_its_masters_own_options(tmp_path):
    master = types.SimpleNamespace(prefix="/opt/nginx/", directives="daemon off;")
    test = host_state.run_config_test(nginx(tmp_path, 'echo "$@" >&2; exit 0', master=master))
    assert test.valid and test.error == "" and test.messages == []
    assert test.command.endswith("nginx -p /opt/nginx/ -c /etc/nginx/nginx.conf -g daemon off; -t")


def test_what_nginx_says_is_kept_without_its_prefix(tmp_path):
    words = (
        'echo "nginx: [warn] conflicting server name in /etc/nginx/x:3" >&2\n'
        'echo "2026/01/02 03:04:05 [emerg] 12#12: unknown directive in /etc/nginx/nginx.conf:7" >&2\n'
        'echo "nginx: configuration file test failed" >&2\nexit 1'
    )
    test = host_state.run_config_test(nginx(tmp_path, words))
    assert not test.valid and test.error == "[emerg] unknown directive in /etc/nginx/nginx.conf:7"
    assert test.messages[0] == "[warn] conflicting server name in /etc/nginx/x:3" and len(test.messages) == 2


def test_words_of_a_private_file_are_not_shown(tmp_path):
    private = tmp_path / "secret.conf"
    private.write_text("token")
    private.chmod(0o600)
    words = f"""echo 'nginx: [emerg] unknown directive "hush" in {private}:1' >&2; exit 1"""
    assert "hush" not in host_state.run_config_test(nginx(tmp_path, words)).error


@pytest.mark.parametrize(
    ("before", "after"), [(None, None), ("", ""), ("12\n", "12\n")], ids=["absent", "empty", "of a master"]
)
def test_a_pid_file_that_the_test_left_behind_goes_and_any_other_stays(tmp_path, before, after):
    path = tmp_path / "nginx.pid"
    if before is not None:
        path.write_text(before)
    host_state.run_config_test(nginx(tmp_path, f"[ -e {path} ] || : > {path}"))
    assert (path.read_text() if path.exists() else None) == after


def test_an_nginx_that_cannot_be_run_refuses_nothing(tmp_path):
    missing = nginx(tmp_path, "")
    os.unlink(missing.binary.path)
    test = host_state.run_config_test(missing)
    assert test.valid and "nginx -t could not be run" in test.messages[0]


def test_files_that_changed_after_the_workers_started(tmp_path):
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites/a").write_text("# a\n")
    main = tmp_path / "nginx.conf"
    main.write_text(f"events {{}}\nhttp {{ include {tmp_path}/sites/*; }}\n")
    configuration = load(str(main))
    for path in (tmp_path / "sites/a", main, tmp_path / "sites"):
        os.utime(path, (1000, 1000))
    now = os.stat(main).st_ctime
    assert host_state.newer_files(configuration, str(main), 0.0) == []
    assert host_state.newer_files(configuration, str(main), now + 10) == []
    found = host_state.newer_files(configuration, str(main), now - 3600)
    assert [file.path for file in found] == sorted([str(main), f"{tmp_path}/sites", f"{tmp_path}/sites/a"])
    assert not any(file.content for file in found), "their inodes changed, not what they hold"
    (tmp_path / "sites/a").write_text("# b\n")
    found = host_state.newer_files(configuration, str(main), now - 3600)
    assert [file.path for file in found if file.content] == [f"{tmp_path}/sites/a"]
    assert host_state.newer_files(None, str(tmp_path / "gone"), 1.0) == []


def test_a_directory_may_be_a_moment_newer_than_the_workers_and_a_file_may_not(tmp_path):
    """A transaction renames, and reloads at once."""
    (tmp_path / "sites").mkdir()
    main = tmp_path / "nginx.conf"
    main.write_text(f"events {{}}\nhttp {{ include {tmp_path}/sites/*; }}\n")
    started = os.stat(tmp_path / "sites").st_ctime - host_state.RENAMED / 2
    os.utime(main)
    found = host_state.newer_files(load(str(main)), str(main), started)
    assert [file.path for file in found] == [str(main)]
    found = host_state.newer_files(load(str(main)), str(main), started - host_state.RENAMED)
    assert [file.path for file in found] == [str(main), f"{tmp_path}/sites"]
    at_once = os.stat(main).st_ctime - host_state.MARGIN / 2
    assert host_state.newer_files(None, str(main), at_once) == []


def test_the_descriptors_of_a_worker_are_counted():
    def workers(*pids):
        return types.SimpleNamespace(workers=[types.SimpleNamespace(pid=pid) for pid in pids])

    import resource

    found = host_state.worker_limits(workers(os.getpid()))
    assert found["files"] == resource.getrlimit(resource.RLIMIT_NOFILE)[0] and found["used"] > 2
    assert host_state.worker_limits(workers(2**22 + 1)) == {}


def test_rules_that_drop_the_port_are_quoted(tmp_path, monkeypatch):
    lines = ("tcp dport 443 drop", "tcp dport 4430 drop", "tcp dport 443 accept")
    rules = {"nft": "\\n".join(lines), "ufw": "443 DENY Anywhere"}
    for name, text in rules.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\nprintf '{text}\\n'\n")
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert host_state.firewall_drops(443) == ["nft: tcp dport 443 drop", "ufw: 443 DENY Anywhere"]
    assert host_state.firewall_drops(80) == []
