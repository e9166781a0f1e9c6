"""Backends that fail in the ways backends fail, asked directly: small real servers, no nginx."""

from __future__ import annotations

import socket

import pytest

from module_utils.nginx_websocket.diagnosis.experiments.search import Laboratory, Request, good_handshake
from tests.cases.lab_backend import LabBackend


def free_port(host="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        return sock.getsockname()[1]


@pytest.fixture
def backend(tmp_path):
    started = []

    def start(**spec):
        host = spec.pop("host", "127.0.0.1")
        port = free_port(host)
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        started.append(LabBackend({"mode": "echo", "addr": address, **spec}, str(tmp_path)))
        return (host, port)

    yield start
    for server in started:
        server.close()


def request(target="/ws/x", **headers):
    pairs = [("Host", "app.example.test")] + [
        (name.replace("_", "-"), value) for name, value in headers.items()
    ]
    return Request(target, pairs)


def search(address, sent, client=None, paths=(), scheme="http"):
    client = client or good_handshake(sent)
    return Laboratory(address, None, 2.0).search(sent, client, paths, scheme)


def test_a_right_request_opens_and_nothing_else_is_tried(backend):
    found = search(backend(), good_handshake(request()))
    assert found.as_sent.opened
    assert len(found.tried) == 1


def test_missing_upgrade_headers_are_fatal(backend):
    found = search(backend(), request(), good_handshake(request()))
    assert found.opening is not None
    assert found.fatal[:2] == ["Upgrade", "Connection"]


def test_http10_alone_is_fatal(backend):
    sent = good_handshake(request())
    sent.version = "1.0"
    found = search(backend(), sent, good_handshake(request()))
    assert found.fatal == ["version"]


def test_the_close_after_101_over_http10_is_found(backend):
    sent = good_handshake(request())
    sent.version = "1.0"
    found = search(backend(accept_http10=True, close_if_http10=True), sent, good_handshake(request()))
    assert found.fatal == ["version"]


def test_a_wrong_host_is_told_from_a_wrong_origin(backend):
    client = good_handshake(request(Origin="https://app.example.test"))
    sent = client.with_header("Host", "127.0.0.1:8000")
    assert search(backend(origin="same-host"), sent, client).fatal == ["Host"]
    assert search(backend(origin=["https://other.test"]), sent, client).fatal == ["Origin"]


def test_the_scheme_header_is_found(backend):
    client = good_handshake(request(Origin="https://app.example.test"))
    found = search(backend(origin="same-host-proto"), client, client, scheme="https")
    assert found.fatal == ["X-Forwarded-Proto"]


def test_the_forwarded_header_a_backend_distrusts_is_found(backend):
    client = good_handshake(request())
    found = search(backend(reject_forwarded=True), client.with_header("X-Forwarded-For", "10.0.0.1"), client)
    assert found.fatal == ["X-Forwarded-For"]


def test_a_lost_query_and_a_lost_header_are_found(backend):
    client = good_handshake(request("/ws/x?token=abc", X_Auth="1"))
    assert search(backend(token="abc"), request_without_query(client), client).fatal == ["query"]
    sent = client.with_header("X-Auth", None)
    assert search(backend(need_header=["x-auth", "1"]), sent, client).fatal == ["X-Auth"]


def request_without_query(client):
    return Request(client.path, client.headers)


def test_a_path_the_backend_knows_is_found(backend):
    client = good_handshake(request("/app/ws"))
    found = search(backend(path="/ws"), client, client, paths=[("without the prefix /app/", "/ws")])
    assert found.opening is not None
    assert found.opening.path == "/ws"
    assert found.fatal == ["path"]


def test_two_host_lines_are_fatal(backend):
    client = good_handshake(request())
    sent = Request(client.target, [("Host", "a"), *client.headers])
    assert search(backend(), sent, client).fatal == ["hosts"]


@pytest.mark.parametrize(
    "spec",
    [
        {"mode": "http", "status": 404},
        {"mode": "http", "status": 200, "body": "hi"},
        {"token": "abc"},
        {"origin_status": 403, "hosts": ["nobody"]},
    ],
)
def test_a_backend_that_refuses_everything_opens_nothing(backend, spec):
    found = search(backend(**spec), good_handshake(request()))
    assert found.opening is None
    assert found.as_sent.status in (200, 401, 403, 404)


def test_a_closed_port_is_asked_once():
    found = search(("127.0.0.1", free_port()), good_handshake(request()))
    assert found.as_sent.error_kind == "connect-refused"
    assert len(found.tried) == 1


def test_a_silent_backend_is_asked_once(backend):
    found = search(backend(mode="silent"), good_handshake(request()))
    assert found.as_sent.error_kind == "answer-timeout"
    assert len(found.tried) == 1


def test_another_protocol_and_tls(backend):
    assert (
        search(backend(mode="raw"), good_handshake(request())).as_sent.error_kind == "closed-without-answer"
    )


def test_a_listener_on_ipv6_alone(backend):
    host, port = backend(host="::1")
    assert search(("127.0.0.1", port), good_handshake(request())).as_sent.error_kind == "connect-refused"
    assert search((host, port), good_handshake(request())).as_sent.opened


def test_a_dropped_connection_is_a_timeout(backend):
    # A full accept queue drops SYN packets as a firewall's DROP does.
    found = Laboratory(backend(mode="full"), None, 1.0).search(
        good_handshake(request()), good_handshake(request()), (), "http"
    )
    assert found.as_sent.error_kind == "connect-timeout"


def test_the_socket_that_closes_after_101(backend):
    found = search(backend(close_after=0.1), good_handshake(request()))
    assert found.as_sent.opened
    assert found.as_sent.closed_after is not None
    assert found.opening is None
