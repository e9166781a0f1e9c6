"""Sockets between nginx and its backends, counted in the kernel's own tables."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys

import pytest
from test_transaction_workers import TITLES, master, wait

from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.transaction.live import sockets
from module_utils.nginx_websocket.transaction.live.sockets import Backends


def tree_of(text):
    return load_dump(b"# configuration file /nginx.conf:\n" + text.encode() + b"\n")


def backends(text):
    return sockets.backends(tree_of(text))


@pytest.mark.parametrize(
    ("line", "ports", "paths"),
    [
        ("proxy_pass http://127.0.0.1:3000/x;", {3000}, set()),
        ("proxy_pass http://app;", {80}, set()),
        ("proxy_pass https://app/x:9;", {443}, set()),
        ("grpc_pass grpcs://app;", {443}, set()),
        ("fastcgi_pass 127.0.0.1:9000;", {9000}, set()),
        ("proxy_pass http://unix:/run/app.sock:/x;", set(), {"/run/app.sock"}),
        ("uwsgi_pass unix:/run/u.sock;", set(), {"/run/u.sock"}),
        ("return 200;", set(), set()),
    ],
)
def test_where_requests_are_passed_to(line, ports, paths):
    found = backends(f"events {{}} http {{ server {{ listen 80; location / {{ {line} }} }} }}")
    assert (found.ports, found.paths, found.pooled) == (ports, paths, frozenset())
    assert not found.local_clients and found.cut == "" and found.idle == 0


def test_pools_and_what_cuts_sockets_are_seen():
    found = backends(
        """worker_shutdown_timeout 10s;
        events {}
        http {
            upstream a { server 127.0.0.1:3000; server unix:/run/a; keepalive 16; }
            upstream b { server 127.0.0.1:3001; keepalive 4; }
            upstream c { server 127.0.0.1:3002; }
            server { listen unix:/run/nginx; location / { proxy_pass http://a; } }
        }""",
    )
    assert found.ports == {3000, 3001, 3002, 80} and found.paths == {"/run/a"}
    assert found.pooled == {3000, 3001} and found.idle == 20 and found.local_clients
    assert found.cut.startswith("10s (") and found.cut.endswith(":1)")


@contextlib.contextmanager
def connection(port):
    with socket.create_connection(("127.0.0.1", port)) as near:
        yield near


def test_connections_to_backends_are_counted_and_those_of_pools_do_not_last():
    with contextlib.ExitStack() as stack:
        pid = stack.enter_context(master(TITLES[0], TITLES[1]))
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(3)]
        plain, pooled, other = (server.getsockname()[1] for server in servers)
        for port in (plain, plain, pooled, other):
            stack.enter_context(connection(port))
        found = sockets.opened(pid, Backends(frozenset([plain, pooled]), frozenset(), frozenset([pooled])))
        assert (len(found.all), len(found.lasting), found.clients) == (3, 2, frozenset())
        assert found.lasting < found.all


CLIENT = """\
import socket, sys
held = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print("in", flush=True)
sys.stdin.read()
"""


def test_clients_are_those_who_came_to_what_the_master_listens_on():
    with contextlib.ExitStack() as stack:
        pid = stack.enter_context(master(TITLES[0]))
        own = set(sockets.socket_inodes(pid, sockets.Proc()))
        lines = [line.split() for line in sockets._lines(pid, "tcp")]
        (port,) = (int(line[1].split(":")[1], 16) for line in lines if line[9] in {str(one) for one in own})
        client = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", CLIENT, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        )
        assert client.stdout is not None and client.stdout.readline() == b"in\n"
        found = sockets.opened(pid, Backends(frozenset(), frozenset(), frozenset()))
        assert found.all == frozenset() and found.clients is not None and len(found.clients) == 1
        itself = sockets.opened(pid, Backends(frozenset([port]), frozenset(), frozenset()))
        assert itself.clients == frozenset(), "nginx is its own backend there"
        client.communicate()


def test_connections_over_unix_sockets_are_counted_at_the_accepting_end(tmp_path):
    path = str(tmp_path / "app.sock")
    with master(TITLES[0]) as pid, socket.socket(socket.AF_UNIX) as server, socket.socket(
        socket.AF_UNIX
    ) as near:
        server.bind(path)
        server.listen()
        near.connect(path)
        far, _ = server.accept()
        with far:
            where = Backends(frozenset(), frozenset([path]), frozenset())
            assert len(sockets.opened(pid, where).all) == 1
        wait(lambda: not sockets.opened(pid, where).all)


def test_a_backend_without_a_listener_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        tree = tree_of(
            f"""events {{}} http {{ server {{ listen 80;
            location /a {{ proxy_pass http://127.0.0.1:{port}; }}
            location /b {{ proxy_pass http://localhost:1; }}
            location /c {{ proxy_pass http://192.0.2.1:1; }}
            location /d {{ proxy_pass http://unix:{tmp_path}/gone; }} }} }}"""
        )
        assert sockets.silent_backends(tree, frozenset(tree.files)) == [f"{tmp_path}/gone", "127.0.0.1:1"]
        assert sockets.silent_backends(tree, frozenset()) == []
