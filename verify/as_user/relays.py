"""Endpoints that are reached through another program: for each a socket of this machine, to be dialled."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Callable, Dict, Generator, List, Sequence

from verify.as_user.relay import DATA, END, HEADER, MOST, OPEN, READY, exactly, frame
from verify.as_user.way import ADDRESS, carried
from verify.targets import Targets

#: Takes a socket that has been dialled, an address and a port, and sees to the rest.
Carry = Callable[[socket.socket, str, int], None]
#: Seconds for the program in a container to start, on a busy machine.
STARTING = 120.0


@contextlib.contextmanager
def relayed(targets: Targets) -> Generator[None, None, None]:
    """Open the sockets of every target that has no direct way, and note them in its sites."""
    with contextlib.ExitStack() as held:
        for target in targets.hosts:
            if not target.through:
                continue
            each = any(ADDRESS in part for part in target.through)
            carry = held.enter_context((_one_by_one if each else _together)(target.through))
            directory = held.enter_context(tempfile.TemporaryDirectory(prefix="nws-"))
            target.sites = [dataclasses.replace(site, relays=directory) for site in target.sites]
            places = {
                (endpoint.address, endpoint.port, endpoint.relay)
                for site in target.sites
                for endpoint in site.possible_endpoints()
            }
            for address, port, path in sorted(places):
                held.enter_context(_listening(path, address, port, carry))
        yield


@contextlib.contextmanager
def _one_by_one(command: Sequence[str]) -> Generator[Carry, None, None]:
    """Start the command anew for each connection, on both ends of it."""
    running: List[subprocess.Popen[bytes]] = []

    def carry(caller: socket.socket, address: str, port: int) -> None:
        with caller:
            running.append(
                subprocess.Popen(
                    carried(command, address, port),
                    stdin=caller.fileno(),
                    stdout=caller.fileno(),
                    stderr=subprocess.DEVNULL,
                )
            )

    try:
        yield carry
    finally:
        for process in running:
            process.terminate()
            process.wait()


@contextlib.contextmanager
def _together(command: Sequence[str]) -> Generator[Carry, None, None]:
    """Start the command once, wait until it runs, and have it carry all connections (relay.py)."""
    with subprocess.Popen(
        command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        to_host, from_host = process.stdin.fileno(), process.stdout.fileno()
        callers: Dict[int, socket.socket] = {}
        numbers = itertools.count(1)
        writing = threading.Lock()
        ready, ended = threading.Event(), threading.Event()

        def tell(number: int, kind: int, data: bytes = b"") -> None:
            # A program that has ended ends every connection, which those who wait for it see.
            with writing, contextlib.suppress(OSError):
                told = frame(number, kind, data)
                while told and not ended.is_set():
                    told = told[os.write(to_host, told) :]

        def ask(number: int, caller: socket.socket) -> None:
            with contextlib.suppress(OSError):
                while data := caller.recv(MOST):
                    tell(number, DATA, data)
            tell(number, END)

        def answer() -> None:
            while len(head := exactly(from_host, HEADER.size)) == HEADER.size:
                number, kind, length = HEADER.unpack(head)
                if length > MOST:  # no program of ours: nothing more is believed
                    break
                data = exactly(from_host, length)
                if kind == READY:
                    ready.set()
                elif number in callers:
                    with contextlib.suppress(OSError):
                        if kind == DATA:
                            callers[number].sendall(data)
                        else:
                            callers.pop(number).shutdown(socket.SHUT_WR)
            ended.set()
            ready.set()
            for caller in list(callers.values()):
                hang_up(caller)

        def hang_up(caller: socket.socket) -> None:
            with contextlib.suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)

        def carry(caller: socket.socket, address: str, port: int) -> None:
            number = next(numbers)
            callers[number] = caller
            tell(number, OPEN, f"{address} {port}".encode())
            threading.Thread(target=ask, args=(number, caller), daemon=True).start()
            if ended.is_set():
                hang_up(caller)

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        ready.wait(STARTING)
        try:
            yield carry
        finally:
            process.kill()
            answering.join()
            with writing:  # nobody writes into what is closed, and may be another's by then
                process.stdin.close()


@contextlib.contextmanager
def _listening(path: str, address: str, port: int, carry: Carry) -> Generator[None, None, None]:
    """Have whoever dials the socket carried to an address and port."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    Path(path).chmod(0o600)
    listener.listen(128)

    def serve() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            carry(caller, address, port)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
