"""Ask the running nginx which release it serves.

Each server of a site answers with its id at a path that contains the id, to the host itself only.  An
nginx that runs an older tree does not know the path.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import FrozenSet, List, Optional, Sequence, Tuple

from ...behaviour.server.listen import Address, Listen
from ...conf.tree import Configuration
from ...exchange.connection import Deadline, Failure, proxy_protocol_line
from ...exchange.exchange import exchange
from ...exchange.handshake import NotHttp
from ...exchange.tls import make_context
from ..site.instance import Instance
from ..site.model import NotProven
from ..site.release import LOCATION
from ..site.servers import Server, servers

_TIMEOUT = 3.0
_PATIENCE = 2.0
_CONNECTIONS = 3
"""New connections in a row that must all be answered right; with many servers one each is enough."""
_MANY = 32
_THREADS = 8
_LOOPBACK_SPARE = "127.0.0.2"


@dataclasses.dataclass(frozen=True)
class Question:
    """One socket to ask, for one host name."""

    address: Address
    """As nginx listens."""
    dial: str
    """Address to connect to, and from: the server then sees the host itself."""
    tls: bool
    proxy_protocol: bool
    host: str
    release: str
    where: str
    """``file:line`` of the server."""

    def key(self) -> Tuple[Address, str, str]:
        """What is asked of whom, wherever it stands in the files."""
        return self.address, self.host, self.release

    def describe(self) -> str:
        """For a message."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.host} at {self.dial} port {self.address.port} ({self.where})"


def dial_address(address: Address, taken: FrozenSet[Address]) -> Optional[str]:
    """The host's own address through which a listening socket is reached; None when there is none.

    Args:
        address: as nginx listens.
        taken: all addresses that some server listens on; an exact one hides the wildcard
            (ngx_http_init_connection).
    """
    if address.family == "unix":
        return None
    if not address.wildcard:
        return address.host if _ours(address.family, address.host) else None
    choices = ["127.0.0.1", _LOOPBACK_SPARE] if address.family == "inet" else ["::1"]
    for host in choices:
        if Address(address.family, host, address.port) not in taken and _ours(address.family, host):
            return host
    return None


def _ours(family: str, host: str) -> bool:
    """Whether this host has the address at this moment: ``[::]`` can be bound where IPv6 is off."""
    try:
        with socket.socket(socket.AF_INET6 if family == "inet6" else socket.AF_INET) as trial:
            trial.bind((host, 0))
        return True
    except OSError:
        return False


def questions(configuration: Configuration, nginx: Instance) -> List[Question]:
    """Everything to ask about the releases in a configuration.

    Args:
        configuration: the tree that should be running.
        nginx: its version decides how ``http2`` sockets speak.
    """
    found = servers(configuration)
    taken = frozenset(address for server in found for address in server.addresses())
    asked: List[Question] = []
    for server in found:
        host = host_name(server)
        if not server.release or not host:
            continue
        switched = list(server.directive.children(b"ssl"))
        for listen in server.listens:
            tls = listen.has("ssl") or any(line.args == (b"on",) for line in switched)
            only_h2 = listen.has("http2") and not tls and nginx.version < (1, 25, 1)
            if listen.has("quic") or only_h2:
                continue
            for address in listen.addresses:
                dial = dial_address(address, taken)
                if dial:
                    proxied = _proxied(listen, address, found)
                    where = server.where()
                    asked.append(Question(address, dial, tls, proxied, host, server.release, where))
    return asked


def host_name(server: Server) -> str:
    """A host name that selects a server; "" when only a regex or nothing would."""
    for name in server.names:
        if not name.startswith("~") and "*" not in name:
            return name
    for name in server.names:
        if name.startswith("*."):
            return "nginx-websocket-check" + name[1:]
    return ""


def _proxied(listen: Listen, address: Address, found: Sequence[Server]) -> bool:
    """Whether the socket wants a PROXY line; one server's option counts for all on the socket."""
    return listen.has("proxy_protocol") or any(
        other.has("proxy_protocol") and address in other.addresses
        for server in found
        for other in server.listens
    )


def ask(question: Question) -> str:
    """Ask once over a new connection.

    Returns:
        "" when the server answered with the release id, else what happened instead.
    """
    line = f"GET {LOCATION}{question.release} HTTP/1.1"
    request = f"{line}\r\nHost: {question.host}\r\nConnection: close\r\n\r\n".encode()
    try:
        with contextlib.closing(_connect(question)) as connection:
            response = exchange(connection, request, Deadline(_TIMEOUT))
    except (OSError, ValueError, Failure, NotHttp) as error:
        return f"no answer ({error})"
    head = response.head
    assert head is not None
    if head.status == 200 and question.release.encode() in response.body:
        return ""
    return f'answered "{head.status} {head.reason}" instead of release {question.release}'


def _connect(question: Question) -> socket.socket:
    there = (question.dial, question.address.port)
    plain = socket.create_connection(there, _TIMEOUT, source_address=(question.dial, 0))
    try:
        if question.proxy_protocol:
            plain.sendall(proxy_protocol_line(plain))
        if not question.tls:
            return plain
        # Who we talk to is settled by the id, not by the certificate.
        return make_context(verify=False, alpn=False).wrap_socket(plain, server_hostname=question.host)
    except BaseException:
        plain.close()
        raise


def prove(asked: Sequence[Question], deadline: float, *, settled: bool = False) -> None:
    """Ask all questions until each is answered right several times in a row.

    Args:
        asked: from ``questions``.
        deadline: ``time.monotonic()`` value at which to give up.
        settled: nothing was reloaded, so all workers are of one kind and one right answer is enough.

    Raises:
        NotProven: a server answers something else, or nothing; the message names it.
    """
    patience = min(deadline, time.monotonic() + _PATIENCE)
    rounds = _CONNECTIONS if len(asked) <= _MANY and not settled else 1
    if not asked:
        return
    with ThreadPoolExecutor(max_workers=min(_THREADS, len(asked))) as pool:
        answers = pool.map(lambda question: _insist(question, rounds, patience), asked)
        wrong = [answer for answer in answers if answer]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise NotProven("the running nginx does not serve the release: " + wrong[0] + more)


def prove_untouched(kept: Sequence[Question], undone: Sequence[Question], deadline: float) -> None:
    """See that an nginx which did not take a reload serves what it should all the same.

    Args:
        kept: everything to ask about the releases that should be served.
        undone: the same of the tree that should not; at least one of the two must ask something.
        deadline: ``time.monotonic()`` value at which to give up.

    Raises:
        NotProven: a kept release is not served, one of the others is, or there is nothing to ask.
    """
    gone = [question for question in undone if question.key() not in {one.key() for one in kept}]
    if not kept and not gone:
        raise NotProven("no server could be asked for its release")
    prove(kept, deadline)
    for question in gone:
        if any(not ask(question) for _ in range(_CONNECTIONS)):
            raise NotProven(f"{question.describe()} still serves release {question.release}, which is undone")


def _insist(question: Question, rounds: int, patience: float) -> str:
    right = 0
    while right < rounds:
        problem = ask(question)
        if not problem:
            right += 1
            continue
        right = 0
        if time.monotonic() >= patience:
            return f"{question.describe()} {problem}"
        time.sleep(0.05)
    return ""
