"""May a proxy_pass speak plain HTTP where it said https:// or wss://?  Only to a backend of this host."""

from __future__ import annotations

import re
import socket
from typing import Iterator, List, Tuple

from ..conf.tree import Configuration

_OF_THIS_HOST = re.compile(rb"(127(?:\.\d+){3}|localhost|\[::1\])(?::(\d+))?(?:/|$)|unix:")
_SECONDS = 2.0


def given_up(before: Configuration, after: Configuration) -> str:
    """The backend of another host that would get without TLS what it should get in TLS; "" for none.

    Args:
        before: the configuration as it is.
        after: as it would be.
    """
    for old, new in _changed(before, after):
        rest = new[len(b"http://") :]
        tls = old in (b"https://" + rest, b"wss://" + rest)
        if tls and new == b"http://" + rest and not all(map(_OF_THIS_HOST.match, _servers(after, rest))):
            return rest.split(b"/")[0].decode("utf-8", "replace")
    return ""


def not_spoken(before: Configuration, after: Configuration) -> bool:
    """Whether proxy_pass would say https:// to a backend of this host that speaks no TLS.

    Args:
        before: the configuration as it is.
        after: as it would be.
    """
    return any(
        new.startswith(b"https://") and any(map(_plain, _servers(after, new[len(b"https://") :])))
        for _, new in _changed(before, after)
    )


def _changed(before: Configuration, after: Configuration) -> Iterator[Tuple[bytes, bytes]]:
    """What each proxy_pass that is edited says before and after."""
    was, now = (
        [line.args[0] for line in tree.walk() if line.name == b"proxy_pass" and line.args]
        for tree in (before, after)
    )
    return ((old, new) for old, new in zip(was, now) if old != new) if len(was) == len(now) else iter(())


def _servers(tree: Configuration, target: bytes) -> List[bytes]:
    """The addresses of a target: those of its upstream, or itself."""
    name = target.split(b"/")[0]
    lines = [
        line.args[0]
        for block in tree.walk()
        if block.name == b"upstream" and block.args == (name,)
        for line in block.block or ()
        if line.name == b"server" and line.args
    ]
    return lines or [target]


def _plain(server: bytes) -> bool:
    """Whether somebody of this host takes a connection there, and speaks no TLS."""
    import ssl

    found = _OF_THIS_HOST.match(server)
    if found is None or not found.group(2):
        return False
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # who it is, nginx does not ask either
    address = found.group(1).decode().strip("[]"), int(found.group(2))
    try:
        with socket.create_connection(address, _SECONDS) as connection:
            context.wrap_socket(connection).close()
    except (ssl.SSLError, ConnectionResetError, ConnectionAbortedError):
        return True
    except OSError:
        return False
    return False
