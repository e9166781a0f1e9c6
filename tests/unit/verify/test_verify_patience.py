"""One host, or one application, that never comes to an end must not hold up the others of its batch."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
import testinfra

from host_answers.shapes import Misshapen
from verify.as_user.endpoints import Ask, Endpoint
from verify.as_user.outside import User
from verify.host_report import exchanges
from verify.host_report.gather import run_local

#: Seconds that an answer may take here, and between two bytes of one that comes in drops.
PATIENCE, DROP = 0.3, 0.05
WHOLE = b"HTTP/1.1 200 OK\r\nX: " + b"x" * 60 + b"\r\nContent-Length: 2\r\n\r\nok"


@pytest.fixture
def dripping():
    """The port of a server that sends some bytes at a time, each well within the patience."""
    over = threading.Event()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:

        def drip(pieces):
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                for piece in pieces:
                    if over.wait(DROP):
                        return
                    connection.sendall(piece)

        threads = []

        def serve(*pieces):
            threads.append(threading.Thread(target=drip, args=(pieces,)))
            threads[-1].start()
            return server.getsockname()[1]

        yield serve
        over.set()
        for thread in threads:
            thread.join()


def drops(data):
    return [data[at : at + 1] for at in range(len(data))]


INTERIM = [b"HTTP/1.1 100 Continue\r\n\r\n"] * 100 + [WHOLE]


@pytest.mark.parametrize("pieces", [drops(WHOLE), INTERIM], ids=["drops", "interim"])
def test_from_outside(dripping, pieces):
    port = dripping(*pieces)
    answer = User(timeout=PATIENCE).ask(Ask(Endpoint("127.0.0.1", port, "a.test", tls=False), "/"))
    assert (answer.status, "no answer within" in answer.error) == (0, True)


def test_on_the_host(dripping):
    ask = {"address": "127.0.0.1", "port": dripping(*drops(WHOLE)), "target": "/", "host": "a.test"}
    answer = exchanges.ask_backend(ask, PATIENCE)["answer"]
    assert (answer["status"], answer["error"]) == (None, "timed out")


def test_an_answer_in_time_is_whole(dripping):
    port = dripping(WHOLE[:30], WHOLE[30:])
    answer = User(timeout=30.0).ask(Ask(Endpoint("127.0.0.1", port, "a.test", tls=False), "/"))
    assert (answer.status, answer.body, answer.headers["x"]) == (200, "ok", "x" * 60)


def test_a_report_that_never_comes():
    backend = testinfra.get_host("local://").backend
    with pytest.raises(Misshapen, match=r"within 0\.3 s"):
        run_local(backend, b"", PATIENCE, "sh -c %s", "sleep 600; echo {}")
    assert run_local(backend, b"{}", 60.0, "cat").stdout == "{}"
