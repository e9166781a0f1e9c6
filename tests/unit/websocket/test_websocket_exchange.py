"""One exchange for everybody: the probe and the diagnosis' experiments read the same answer."""

from __future__ import annotations

import socket

import pytest
from tiny_server import TinyServer

from module_utils.nginx_websocket.diagnosis.experiments.exchange import ask
from module_utils.nginx_websocket.exchange.connection import Deadline
from module_utils.nginx_websocket.exchange.exchange import exchange
from module_utils.nginx_websocket.exchange.handshake import NotHttp
from module_utils.nginx_websocket.exchange.probe import probe
from module_utils.nginx_websocket.exchange.response import Response

CHUNKED = (
    b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n7\r\nno way!\r\n4\r\n bye\r\n0\r\n\r\n"
)


def read(*pieces, method="GET", limit=2048):
    response = Response(method, limit)
    for piece in pieces:
        response.feed(piece)
    return response


@pytest.mark.parametrize("size", [1, 2, 5, 17, 1000])
def test_chunks_are_undone_however_they_arrive(size):
    response = read(*[CHUNKED[at : at + size] for at in range(0, len(CHUNKED), size)])
    assert (response.head.status, response.body, response.complete) == (403, b"no way! bye", True)


def test_a_chunk_whose_line_has_no_end_is_enough_some_time():
    response = Response("GET", limit=100)
    response.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5;" + b"x" * 70_000)
    assert (response.complete, response.body) == (True, b"hello")


@pytest.mark.parametrize(
    "data, body, complete",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more", b"hello", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"hel", False),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 X\r\nContent-Length: 1\r\n\r\nx", b"x", True),
    ],
)
def test_where_a_body_ends(data, body, complete):
    response = read(data)
    assert (response.body, response.complete) == (body, complete)


def test_a_head_request_gets_no_body():
    response = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", method="HEAD")
    assert response.complete


def test_frames_behind_a_101_are_not_the_body():
    response = read(b"HTTP/1.1 101 X\r\n\r\n\x81\x02hi")
    assert (response.body, response.rest) == (b"", b"\x81\x02hi")


def test_something_else_is_no_response():
    with pytest.raises(NotHttp):
        read(b"SSH-2.0-OpenSSH\r\n")


def test_a_body_that_does_not_end_is_left_when_its_own_time_is_over():
    """A response may stream for ever; the deadline of the head is not for its body."""

    def behave(talk):
        talk.read_request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
        talk.wait_for_client()

    deadline = Deadline(5.0)
    with TinyServer(behave) as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
        response = exchange(sock, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", deadline, seconds=0.05)
    assert (response.body, response.complete) == (b"part", False)
    assert deadline.left() > 0, "it was waited for until the very end"


def test_the_probe_and_an_experiment_see_the_same_refusal():
    def behave(talk):
        talk.read_request()
        talk.send(CHUNKED)

    with TinyServer(behave) as server:
        seen = probe(f"ws://127.0.0.1:{server.port}/ws")
    with TinyServer(behave) as server:
        asked = ask(("127.0.0.1", server.port), "/ws", [("Host", "x"), ("Sec-WebSocket-Key", "k")])
    assert (seen.status, seen.body) == (asked.status, asked.body) == (403, "no way! bye")
