"""All connections to a container through one program: each has its own bytes, and an end of its own."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from verify.as_user import relays, way
from verify.as_user.relay import HEADER, MOST, READY
from verify.sites import Site
from verify.targets import Target, Targets


@pytest.fixture
def echo():
    """A port of this machine that sends back what it got once the caller has ended, and then ends."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer(caller):
        with caller:
            got = b""
            while more := caller.recv(MOST):
                got += more
            caller.sendall(got[::-1])

    def serve():
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(caller,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def targets(port, through):
    """A host without a direct way, whose only site is on a port."""
    site = Site("a.test", "web1.invalid", {"tls": {"enabled": False}, "http": {"port": port}})
    return Targets([Target("web1", "web1.invalid", sites=[site], through=through)])


def asked(place, data):
    """Send all of it, end, and return all that comes back."""
    got = b""

    def send():
        with contextlib.suppress(OSError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)

    with place.connect(30) as sock:
        threading.Thread(target=send, daemon=True).start()
        while more := sock.recv(MOST):
            got += more
    return got


def test_many_at_once_and_each_gets_its_own(echo):
    hosts = targets(echo, [sys.executable, str(way.RELAY)])
    sent = [bytes([number]) * (number * 9973) + b"end" for number in range(20)]
    with relays.relayed(hosts), ThreadPoolExecutor(20) as pool:
        place = hosts.hosts[0].sites[0].plain_endpoint()
        assert place.relay
        got = list(pool.map(lambda data: asked(place, data), sent))
    assert got == [data[::-1] for data in sent]


def test_where_nobody_listens_the_connection_ends(echo):
    hosts = targets(1, [sys.executable, str(way.RELAY)])
    with relays.relayed(hosts):
        assert asked(hosts.hosts[0].sites[0].plain_endpoint(), b"") == b""


@pytest.mark.parametrize(
    "said",
    [b"", b"Error: no such container\n", HEADER.pack(0, READY, 0) + HEADER.pack(1, 2, 2**31) + b"x" * 99],
)
def test_a_program_that_is_none_of_ours_ends_every_connection(echo, said):
    told = f"import os; os.write(1, {said!r})"
    hosts = targets(echo, [sys.executable, "-c", told])
    with relays.relayed(hosts):
        assert asked(hosts.hosts[0].sites[0].plain_endpoint(), b"hello") == b""
