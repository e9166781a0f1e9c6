"""A function run in a network, processes and an /etc/nginx of its own, by a fork of this process."""

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
_SETUP = (
    "mount --make-rprivate / && mount -t proc none /proc && ip link set lo up && "
    "for d in /run /var/log/nginx /var/lib/nginx_websocket /www /data; do mkdir -p $d; "
    "mount -t tmpfs -o mode=755 none $d; done && chmod 700 /var/lib/nginx_websocket && "
    "cp -a /etc/nginx /run/etc && mount --bind /run/etc /etc/nginx && "
    "mkdir -p /run/lock /www/wwwroot /etc/nginx/tls && cp /tmp/cert.pem /tmp/key.pem /etc/nginx/tls/ && "
    "cp /etc/hosts /run/hosts && echo '127.0.0.1 chat.example.test' >> /run/hosts && "
    "mount --bind /run/hosts /etc/hosts"
)
CERTIFICATE = (
    "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=chat.example.test "
    "-addext subjectAltName=DNS:chat.example.test -keyout /tmp/key.pem -out /tmp/cert.pem 2>/dev/null"
)
"""Makes the certificate of all cases, once."""


def run(function: Callable[[], Any]) -> Any:
    """What a function returns, as JSON has it; a text with the traceback where it raised."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        os.close(read)
        _in_namespaces(function, write)
    os.close(write)
    with open(read, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    return json.loads(data) if data else "it ended without a result"


def _in_namespaces(function: Callable[[], Any], write: int) -> NoReturn:
    """Never returns: what runs here is a copy of the caller."""
    try:
        if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        first = os.fork()  # The first process of the new namespace; with it all others end.
        if first:
            os.close(write)
            os.waitpid(first, 0)
        else:
            _tell(write, _result(function))
    except BaseException:
        _tell(write, traceback.format_exc())
    finally:
        os._exit(0)


def _result(function: Callable[[], Any]) -> Any:
    def end(*_: object) -> NoReturn:
        raise TimeoutError(f"not done after {SECONDS} s")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        subprocess.run(["sh", "-c", _SETUP], check=True, stdin=subprocess.DEVNULL)
        return function()
    except Exception:
        return traceback.format_exc()


def _tell(write: int, result: Any) -> None:
    with open(write, "wb") as file:
        file.write(json.dumps(result).encode())
