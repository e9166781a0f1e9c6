"""Doors that are reached through another program: for each a socket of this machine, to be dialled."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Generator, List, Sequence

from verify.targets import Targets
from verify.way import carried


@contextlib.contextmanager
def relayed(targets: Targets) -> Generator[None, None, None]:
    """Open the sockets of every target that has no direct way, and note them in its sites."""
    with contextlib.ExitStack() as held:
        for target in targets.hosts:
            if not target.through:
                continue
            directory = held.enter_context(tempfile.TemporaryDirectory(prefix="nws-"))
            target.sites = [dataclasses.replace(site, relays=directory) for site in target.sites]
            places = {
                (door.address, door.port, door.relay)
                for site in target.sites
                for door in site.possible_doors()
            }
            for address, port, path in sorted(places):
                held.enter_context(_listening(path, carried(target.through, address, port)))
        yield


@contextlib.contextmanager
def _listening(path: str, command: Sequence[str]) -> Generator[None, None, None]:
    """Start the command for whoever dials the socket, on both ends of that connection."""
    running: List[subprocess.Popen[bytes]] = []
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
            with caller:
                running.append(
                    subprocess.Popen(
                        command, stdin=caller.fileno(), stdout=caller.fileno(), stderr=subprocess.DEVNULL
                    )
                )

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for process in running:
            process.terminate()
            process.wait()
