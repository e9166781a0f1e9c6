"""May a proxy_pass lead to another port?  Only from one where nobody listens, and never to a neighbour's.

An application that is down for a moment comes back, and what answers at another port may be anybody's.
"""

from __future__ import annotations

import re
import socket
from typing import List, Optional, Sequence, Set

from .. import codes
from ..behaviour.effective import Level
from ..behaviour.server.names import real_names
from ..conf.tree import Configuration, Directive
from ..diagnosis.asking.elsewhere import port_of
from ..diagnosis.evidence.facts import BackendFacts, Facts
from ..transaction.surroundings.host import listed

WRONG = codes.WRONG_BACKEND
DOWN = codes.BACKEND_DOWN


def forbidden(facts: Facts, causes: Sequence[str], before: Configuration, after: Configuration) -> str:
    """Why no request may go to another port; "" where none does, or it may.

    Args:
        facts: what was seen of the URL.
        causes: codes of the causes that the edits cure.
        before: the configuration as it is.
        after: as it would be.
    """
    backend = _moved_to(facts, before, after)
    if backend is None and WRONG in causes and _targets(before) != _targets(after):
        backend = next((one for one in facts.backends if one.other_port is not None), None)
    if backend is None or backend.other_port is None:
        return ""
    place = _place(backend)
    if WRONG in causes:
        return (
            f"an application answers at {backend.server}, so that port counts, though the WebSocket opens at "
            f"{place}. If that is the right one, write its port into proxy_pass"
        )
    if DOWN in causes and _answers(backend):
        return f"something listens at {backend.server} by now. Run again"
    readers = _readers(before, backend.other_port[0].port)
    own = facts.route.server.directive if facts.route is not None and facts.route.server is not None else None
    if readers and own is not None and not any(_kin(own, reader) for reader in readers):
        return (
            f"the WebSocket opens at {place}, but that is where requests for "
            f"{listed(sorted({_named(reader) for reader in readers}))} go, which is another site. Start this "
            "site's own application, or write the port into proxy_pass if it is meant"
        )
    return ""


def told(facts: Facts, causes: Sequence[str], before: Configuration, after: Configuration) -> str:
    """What to say of a proxy_pass that leads to another port; "" where none does."""
    backend = _moved_to(facts, before, after)
    if backend is None or backend.other_port is None or DOWN not in causes:
        return ""
    return (
        f"nothing listens at {backend.server}; the WebSocket opens at {_place(backend)} "
        f"({backend.other_port[0].describe()}), so proxy_pass leads there. If the application at "
        f"{backend.server} is only stopped, start it, and leave the file as it was"
    )


def _moved_to(facts: Facts, before: Configuration, after: Configuration) -> Optional[BackendFacts]:
    """The backend whose other port more lines lead to than before."""
    known = [*facts.backends, *([facts.elsewhere] if facts.elsewhere is not None else [])]
    backend = next((one for one in known if one.other_port is not None), None)
    if backend is None or backend.other_port is None:
        return None
    end = b":%d" % backend.other_port[0].port
    lines = [
        sum(
            bool(line.args) and line.name in (b"proxy_pass", b"server") and end in line.args[0] + b"/"
            for line in tree.walk()
        )
        for tree in (before, after)
    ]
    return backend if lines[1] > lines[0] else None


def _targets(tree: Configuration) -> List[bytes]:
    """What every proxy_pass and every server of an upstream leads to; the paths do not count."""
    return [
        b"/".join(line.args[0].split(b"/")[:3])
        for line in tree.walk()
        if line.name in (b"proxy_pass", b"server") and line.args
    ]


def _place(backend: BackendFacts) -> str:
    assert backend.other_port is not None
    listener = backend.other_port[0]
    return f"{listener.address}:{listener.port}"


def _answers(backend: BackendFacts) -> bool:
    """Whether somebody takes a connection at the named port, now that some seconds have gone by."""
    if not isinstance(backend.address, tuple):
        return False
    try:
        socket.create_connection(backend.address, 1.0).close()
    except OSError:
        return False
    return True


def _readers(tree: Configuration, port: int) -> List[Directive]:
    """The servers whose requests go to a port of this host, by proxy_pass, its upstream or a variable."""
    targets: Set[bytes] = {
        block.args[0]
        for block in tree.walk()
        if block.name == b"upstream" and block.args
        for line in block.block or ()
        if line.name == b"server" and line.args and line.args[0].endswith(b":%d" % port)
    }
    found: List[Directive] = []
    for directive in tree.walk():
        if directive.name not in (b"proxy_pass", b"set") or not directive.args:
            continue
        match = re.match(rb"https?://([^/]+)", directive.args[0])
        to_upstream = directive.name == b"proxy_pass" and match is not None and match.group(1) in targets
        if port_of(directive) != port and not to_upstream:
            continue
        server = directive.parent
        while server is not None and server.name != b"server":
            server = server.parent
        if server is not None:
            found.append(server)
    return found


def _names(server: Directive) -> Set[bytes]:
    return real_names(Level("server", server, None))


def _kin(one: Directive, other: Directive) -> bool:
    """Whether two servers are of one site: the same, or one of its names."""
    same = (one.file, one.start) == (other.file, other.start)
    return same or bool(_names(one) & _names(other))


def _named(server: Directive) -> str:
    return b" ".join(sorted(_names(server))[:2]).decode("utf-8", "replace") or "a server without a name"
