"""Sockets to backends, counted in the kernel's own tables."""

from __future__ import annotations

import dataclasses
import os
import socket
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.transaction import socket_watch
from module_utils.nginx_websocket.transaction.live import sockets, workers
from module_utils.nginx_websocket.transaction.site.instance import Instance
from module_utils.nginx_websocket.transaction.surroundings.host import Host

CONF = """\
worker_shutdown_timeout 10s;
events {}
http {
    upstream pooled { server 127.0.0.1:8100; server [::1]:8101; keepalive 4; }
    upstream plain { server unix:/run/app.sock; server app.internal; }
    server {
        location /a/ { proxy_pass http://pooled; }
        location /b/ { proxy_pass https://127.0.0.1:8443/; }
        location /c/ { proxy_pass http://unix:/run/other.sock:/x; }
        location /d/ { fastcgi_pass 127.0.0.1:9000; }
    }
}
"""


def test_where_a_configuration_passes_requests_to(tmp_path: Path) -> None:
    main = tmp_path / "nginx.conf"
    main.write_text(CONF)
    found = sockets.backends(load(str(main)))
    assert {8100, 8101, 80, 8443, 9000} <= found.ports
    assert found.paths == {"/run/app.sock", "/run/other.sock"}
    assert found.pooled == {8100, 8101}
    assert found.idle == 4
    assert found.cut.startswith("10s (")
    assert not found.local_clients


def test_what_a_configuration_leaves_unsaid(tmp_path: Path) -> None:
    trees = []
    for name, keepalive in (("live", 8), ("candidate", 2)):
        main = tmp_path / f"{name}.conf"
        main.write_text(
            f"events {{}} http {{ upstream u {{ server 127.0.0.1:8100; keepalive {keepalive}; }}\n"
            "server { location / { proxy_pass https://127.0.0.1; } } }"
        )
        trees.append(load(str(main)))
    found = sockets.backends(*trees)
    assert 443 in found.ports
    # Workers of both may still be there: the larger pool counts.
    assert found.idle == 8
    assert found.cut == ""


Ends = Tuple[socket.socket, ...]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def pooled(listener: socket.socket) -> Ends:
    """An idle connection to the backend."""
    client = socket.create_connection(listener.getsockname()[:2])
    return client, listener.accept()[0]


#: Where clients come in: the tests' nginx listens here.
FRONT = socket.create_server(("127.0.0.1", 0))


def connect(listener: socket.socket) -> Ends:
    """A connection to the backend, and the one of the client for whom it is open."""
    return (*pooled(listener), *pooled(FRONT))


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """This process as nginx: master, worker and owner of the sockets."""
    monkeypatch.setattr(workers, "all_of", lambda master: frozenset({os.getpid()}))
    monkeypatch.setattr(workers, "serving", lambda master: frozenset({os.getpid()}))
    instance = Instance("/usr/sbin/nginx", "/etc/nginx/nginx.conf", master=os.getpid())
    return Host(instance)


def watch(host: Host, listener: socket.socket, keepalive: int = 0) -> socket_watch.SocketWatch:
    made = socket_watch.SocketWatch(host)
    port = listener.getsockname()[1]
    ports = frozenset({port})
    made._backends = sockets.Backends(ports, frozenset(), ports if keepalive else frozenset(), keepalive)
    made._first = made._count()
    return made


def close(pair: Ends) -> None:
    for end in pair:
        end.close()


def test_a_socket_that_ends_is_lost(host: Host, listener: socket.socket) -> None:
    stays, goes = connect(listener), connect(listener)
    with watch(host, listener):
        close(goes)
        comes = connect(listener)
    assert host.outcome.sockets == {"before": 2, "after": 2, "lost": 1}
    assert [finding.code for finding in host.outcome.findings] == ["sockets-lost"]
    close(stays)
    close(comes)


def test_nothing_lost_nothing_said(host: Host, listener: socket.socket) -> None:
    stays = connect(listener)
    with watch(host, listener):
        pass
    assert host.outcome.sockets == {"before": 1, "after": 1, "lost": 0}
    assert host.outcome.findings == []
    close(stays)


def test_in_check_mode_nothing_is_counted(host: Host, listener: socket.socket) -> None:
    """What may end no socket has nothing to say of any, and need not read the kernel's tables three times."""
    host.check = True
    goes = connect(listener)
    with watch(host, listener):
        close(goes)
    assert host.outcome.sockets == {} and host.outcome.findings == []


def test_a_short_request_at_the_beginning_is_nobodys_loss(host: Host, listener: socket.socket) -> None:
    counted = watch(host, listener)
    short = connect(listener)
    with counted:
        close(short)
    assert host.outcome.sockets["lost"] == 0


def test_idle_connections_that_nginx_may_keep_are_not_lost(host: Host, listener: socket.socket) -> None:
    pairs = [connect(listener) for _ in range(3)]
    with watch(host, listener, keepalive=2):
        for pair in pairs:
            close(pair)
    assert host.outcome.sockets == {"before": 3, "after": 0, "lost": 1}


def inode(one: socket.socket) -> str:
    return str(os.fstat(one.fileno()).st_ino)


def test_idle_connections_without_a_client_are_nobodys_loss(host: Host, listener: socket.socket) -> None:
    # Of a pool of which no configuration speaks any more, as after a rollback.
    stays, idle = connect(listener), pooled(listener)
    with watch(host, listener):
        close(idle)
    assert host.outcome.sockets == {"before": 2, "after": 1, "lost": 0}
    assert host.outcome.findings == []
    close(stays)


def test_clients_that_come_by_a_unix_socket_are_not_held_against_it(
    host: Host, listener: socket.socket
) -> None:
    one = pooled(listener)
    counted = watch(host, listener)
    counted._backends = dataclasses.replace(counted._backends, local_clients=True)
    with counted:
        close(one)
    assert host.outcome.sockets["lost"] == 1


def test_every_worker_may_keep_idle_connections(
    monkeypatch: pytest.MonkeyPatch, host: Host, listener: socket.socket
) -> None:
    monkeypatch.setattr(workers, "serving", lambda master: frozenset({1, 2}))
    pairs = [connect(listener) for _ in range(5)]
    with watch(host, listener, keepalive=2):
        for pair in pairs:
            close(pair)
    assert host.outcome.sockets == {"before": 5, "after": 0, "lost": 1}


def test_the_end_that_connects_is_counted(host: Host, listener: socket.socket) -> None:
    pair = connect(listener)
    assert watch(host, listener)._first == sockets.Open(
        frozenset({inode(pair[0])}), frozenset({inode(pair[0])}), frozenset({inode(pair[3])})
    )
    close(pair)


def test_sockets_of_other_users_are_not_nginx_s(
    monkeypatch: pytest.MonkeyPatch, host: Host, listener: socket.socket
) -> None:
    monkeypatch.setattr(workers, "all_of", lambda master: frozenset())
    pair = connect(listener)
    assert watch(host, listener)._first == sockets.Open()
    close(pair)


def test_ipv6_is_counted_too(host: Host) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with listener:
        pair = connect(listener)
        with watch(host, listener):
            close(pair)
    assert host.outcome.sockets == {"before": 1, "after": 0, "lost": 1}


def test_unix_sockets_are_counted_while_they_are_connected(host: Host, tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        accepted = listener.accept()[0]
        where = sockets.Backends(frozenset(), frozenset({path}), frozenset())
        # The listening socket has the path, too.
        assert sockets.opened(os.getpid(), where).all == frozenset({inode(accepted)})
        close((client, accepted))
        assert sockets.opened(os.getpid(), where) == sockets.Open()


@pytest.mark.parametrize(
    ("cut", "changed", "survives", "told"),
    [
        ("10s (nginx.conf:1)", True, True, ["sockets-will-end"]),
        ("10s (nginx.conf:1)", False, True, []),
        ("10s (nginx.conf:1)", True, False, []),
        ("", True, True, []),
    ],
)
def test_sockets_that_nginx_will_end_are_told(
    host: Host, listener: socket.socket, cut: str, changed: bool, survives: bool, told: List[str]
) -> None:
    pair = connect(listener) if survives else None
    counted = watch(host, listener)
    counted._backends = dataclasses.replace(counted._backends, cut=cut)
    with counted:
        host.outcome.changed = changed
    assert [finding.code for finding in host.outcome.findings] == told
    if pair:
        close(pair)


def test_where_no_nginx_runs_nothing_is_counted(listener: socket.socket) -> None:
    host = Host(Instance("/usr/sbin/nginx", "/etc/nginx/nginx.conf", master=None))
    counted = watch(host, listener)
    with counted:
        # Started by the transaction: there was nothing that could be lost.
        counted._kept = sockets.Open()
    assert not host.outcome.sockets
