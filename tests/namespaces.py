"""A function run in a network, processes and mounts of its own, by a fork of this process.

So what is imported is imported once for thousands of cases: an import costs as much as a case.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import traceback
from typing import Any, Callable, NoReturn

_CLONE_NEWNS, _CLONE_NEWPID, _CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000  # <sched.h>
SECONDS = 300
"""What takes longer has failed."""
_OWN = "mount --make-rprivate / && mount -t proc none /proc && ip link set lo up && "


def run(function: Callable[[], Any], setup: str) -> Any:
    """What a function returns, as JSON has it; a text with the traceback where it raised.

    Args:
        function: is called in new namespaces; every process that it leaves behind ends with it.
        setup: a shell command that runs there before it, with the loopback up.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _in_namespaces(function, setup, write)
    os.close(write)
    with open(read, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    return json.loads(data) if data else "it ended without a result"


def _in_namespaces(function: Callable[[], Any], setup: str, write: int) -> NoReturn:
    """Never returns: what runs here is a copy of the caller."""
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        first = os.fork()  # The first process of the new namespace; with it all others end.
        if first:
            os.close(write)
            os.waitpid(first, 0)
        else:
            _tell(write, _result(function, setup))
    except BaseException:
        _tell(write, traceback.format_exc())
    finally:
        os._exit(0)


def _result(function: Callable[[], Any], setup: str) -> Any:
    def end(*_: object) -> NoReturn:
        raise TimeoutError(f"not done after {SECONDS} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        subprocess.run(["sh", "-c", _OWN + setup], check=True, stdin=subprocess.DEVNULL)
        return function()
    except Exception:
        return traceback.format_exc()


def _tell(write: int, result: Any) -> None:
    with open(write, "wb") as file:
        file.write(json.dumps(result).encode())
