"""Which port a backend really answers on: found by asking, not by process names."""

from __future__ import annotations

import dataclasses
import os
import re
import threading
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..exchange.endpoint import address_text, parse_url
from ..exchange.handshake import request_headers
from ..exchange.masking import masked_url
from ..exchange.probe import probe
from ..exchange.result import Probe
from .listeners import Listener, listeners
from .processes.proc import Proc

DEFAULT_PORTS = (8000, 3000)

UPGRADES = "upgrades"
REFUSES = "refuses"
IGNORES = "ignores"
UNKNOWN = "unknown"

_NGINX = re.compile(r"^(nginx|openresty|tengine|freenginx|angie)")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclasses.dataclass
class Candidate:
    """What one port said."""

    port: int
    listening: bool
    """Whether a socket listens there; for a backend on another host, whether one took the connection."""
    address: str = ""
    """The address to give to proxy_pass: ``127.0.0.1:8000``, ``[::1]:8000``; empty when nothing answers."""
    bound_to: List[str] = dataclasses.field(default_factory=list)
    """The addresses that the sockets are bound to."""
    process: Optional[Listener] = None
    is_nginx: bool = False
    """nginx itself listens there: passing to it would be a loop."""
    answers: bool = False
    """Whether an HTTP response came."""
    status: Optional[int] = None
    """Status of the plain request."""
    server: str = ""
    upgrade: str = UNKNOWN
    """``upgrades`` (101), ``refuses`` (knows WebSockets, refused this one), ``ignores``, ``unknown``."""
    upgrade_status: Optional[int] = None
    evidence: List[str] = dataclasses.field(default_factory=list)
    """What was asked and what came, one line each."""

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        data = dataclasses.asdict(self)
        data["process"] = self.process.to_dict() if self.process else None
        return data


@dataclasses.dataclass
class Backend:
    """The port to pass to, and why."""

    port: Optional[int]
    """None when nothing answers and nothing was configured."""
    address: str
    """``host:port`` for proxy_pass."""
    answered: bool
    """Whether the port was chosen because it answers; False when the configured one is kept."""
    upgrade: str
    """What the chosen port does with an upgrade."""
    why: str
    warning: str
    """What a person must know: nothing answers, cannot upgrade, another port was passed over."""
    candidates: List[Candidate]

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        data = dataclasses.asdict(self)
        data["candidates"] = [candidate.to_dict() for candidate in self.candidates]
        return data


def detect_backend(
    ports: Sequence[int] = DEFAULT_PORTS,
    *,
    host: str = "127.0.0.1",
    http_path: str = "/",
    websocket_path: str = "/",
    configured: Optional[int] = None,
    live: Optional[int] = None,
    host_header: str = "",
    origin: Optional[str] = None,
    timeout: float = 3.0,
    proc: Optional[Proc] = None,
) -> Backend:
    """Find the candidate port on which a listening process really answers.

    Every port is asked twice: a plain GET, then an opening handshake (and, when that is refused, a
    plain GET of the same path, to see whether the upgrade made the difference).

    Args:
        ports: candidates, in the order of preference.
        host: where the backend is; on loopback the process table tells who listens, and an address
            other than 127.0.0.1 is found.
        http_path: path of the plain request.
        websocket_path: path of the handshake.
        configured: the port to keep when nothing answers.
        live: the port that the live site passes to.  It counts first; while it is silent, another is only
            taken where a system unit holds it, for everybody may bind a port that is free.
        host_header: ``Host`` to send; by default the address.
        origin: ``Origin`` of the handshake.
        timeout: seconds for each request.
        proc: the /proc to read.

    Raises:
        ValueError: a path, port, host or header that cannot be sent.

    Returns:
        The first port that knows WebSockets; else the first that answers HTTP; else ``configured``,
        with a warning.
    """
    order = list(dict.fromkeys(ports))
    ask = _Question(http_path, websocket_path, host_header, origin, timeout)
    ask.check(host, order)
    local = host in _LOOPBACK
    table = listeners(order, proc=proc) if local else []
    candidates = [_candidate(port, local, [item for item in table if item.port == port]) for port in order]
    # Ports are independent, and each may hang until its timeout.
    threads = [threading.Thread(target=ask.candidate, args=(item, host), daemon=True) for item in candidates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _choose(candidates, host, configured, live if len(order) > 1 else None)


def _candidate(port: int, local: bool, sockets: List[Listener]) -> Candidate:
    """What the process table says about one port."""
    candidate = Candidate(port=port, listening=bool(sockets))
    candidate.bound_to = sorted({item.address for item in sockets})
    if sockets:
        owned = [item for item in sockets if item.pid is not None] or sockets
        candidate.process = owned[0]
        name = os.path.basename(candidate.process.exe)
        title = candidate.process.argv[0] if candidate.process.argv else ""
        candidate.is_nginx = bool(_NGINX.match(name)) or title.startswith("nginx: ")
        where = ", ".join(candidate.bound_to)
        candidate.evidence.append(f"port {port} listens on {where}: {candidate.process.describe()}")
    elif local:
        candidate.evidence.append(f"port {port}: no process listens there")
    return candidate


def addresses(host: str, bound_to: Sequence[str]) -> List[str]:
    """The addresses worth asking: the wished one first, then where the socket is bound.

    A socket bound to ``0.0.0.0`` answers on 127.0.0.1, one on ``::`` as a rule on both.
    """
    order = [host]
    for bound in bound_to:
        order += {"0.0.0.0": ["127.0.0.1"], "::": ["127.0.0.1", "::1"]}.get(bound, [bound])  # nosec B104 # read, not bound
    return [address for address in dict.fromkeys(order) if not address.startswith("fe80:")]


class _Question:
    """The requests that every port gets."""

    def __init__(
        self, http_path: str, websocket_path: str, host_header: str, origin: Optional[str], timeout: float
    ) -> None:
        self.http_path = http_path
        self.websocket_path = websocket_path
        self.headers: List[Tuple[str, Optional[str]]] = [("Host", host_header)] if host_header else []
        self.origin = origin
        self.timeout = timeout

    def check(self, host: str, ports: Sequence[int]) -> None:
        """Refuse what cannot be sent, before any port is asked."""
        for path in (self.http_path, self.websocket_path):
            if not path.startswith("/"):
                raise ValueError(f"path {path!r} does not begin with /")
            for port in ports:
                parse_url(f"ws://{address_text((host, port))}{path}")
        request_headers(host, key="key", origin=self.origin, changes=self.headers)

    def ask(self, address: str, port: int, path: str, *, upgrade: bool) -> Probe:
        """One request."""
        return probe(
            f"ws://{address_text((address, port))}{path}",
            address=(address, port),
            headers=self.headers,
            origin=self.origin if upgrade else None,
            timeout=self.timeout,
            upgrade=upgrade,
            ping=False,
        )

    def candidate(self, candidate: Candidate, host: str) -> None:
        """Ask one port, on the first of its addresses that takes a connection."""
        if candidate.is_nginx:
            candidate.evidence.append(f"port {candidate.port} is nginx itself; passing to it would be a loop")
            return
        for address in addresses(host, candidate.bound_to):
            plain = self.ask(address, candidate.port, self.http_path, upgrade=False)
            candidate.evidence.append(_told(plain, "GET", self.http_path))
            if plain.error_kind.startswith("connect-") or plain.error_kind == "dns":
                continue
            candidate.listening = True
            candidate.address = address_text((address, candidate.port))
            candidate.answers = plain.status is not None
            candidate.status, candidate.server = plain.status, plain.server
            self.upgrade(candidate, address, plain)
            return

    def upgrade(self, candidate: Candidate, address: str, plain: Probe) -> None:
        """Ask for a WebSocket, and judge the answer."""
        opened = self.ask(address, candidate.port, self.websocket_path, upgrade=True)
        candidate.evidence.append(_told(opened, "upgrade", self.websocket_path))
        candidate.upgrade_status = opened.status
        candidate.answers = candidate.answers or opened.status is not None
        candidate.server = candidate.server or opened.server
        if opened.opened:
            candidate.upgrade = UPGRADES
            return
        if opened.status is None or opened.error_kind == "bad-handshake":
            return
        if self.websocket_path != self.http_path or plain.status is None:
            plain = self.ask(address, candidate.port, self.websocket_path, upgrade=False)
            candidate.evidence.append(_told(plain, "GET", self.websocket_path))
        candidate.upgrade, meaning = refusal(opened, plain)
        candidate.evidence.append(meaning)


def refusal(opened: Probe, plain: Probe) -> Tuple[str, str]:
    """Judge an answer other than 101 to an upgrade.

    Args:
        opened: the refused handshake.
        plain: an ordinary GET of the same path.

    Returns:
        ``REFUSES``, ``IGNORES`` or ``UNKNOWN``, and the meaning in one sentence.
    """
    status, server = opened.status, opened.server.lower()
    if status == 426:
        return REFUSES, "426: a WebSocket server that wants another version of the protocol or other headers"
    if (status == 404 and server.startswith("uvicorn")) or "Unsupported upgrade request" in opened.body:
        # With a library an unknown WebSocket route is 403.  Without one the upgrade is an ordinary GET;
        # before uvicorn 0.18 it was a 400 of its own.
        return IGNORES, (
            f"{status} from uvicorn: it has no WebSocket library and cannot upgrade; install one into its "
            "environment (pip install 'uvicorn[standard]') and restart it"
        )
    if status != plain.status:
        if status in (400, 401, 403):
            return REFUSES, (
                f"{status} to the upgrade but {plain.status} to a plain GET of the same path: it knows "
                "WebSockets and refuses this one (path, token or Origin)"
            )
        if status in (404, 500, 503):
            return UNKNOWN, f"{status} to the upgrade, {plain.status} to a plain GET of the same path"
        return REFUSES, f"{status} to the upgrade but {plain.status} to a plain GET: it sees the upgrade"
    if status in (401, 403):
        return (
            UNKNOWN,
            f"{status} to the upgrade and to a plain GET alike: refused before that",
        )
    if status == 404:
        return IGNORES, (
            "404 to the upgrade and to a plain GET alike: no such path, or a server without WebSockets"
        )
    return IGNORES, f"{status} to the upgrade and to a plain GET alike: it ignores the upgrade"


def _told(result: Probe, verb: str, path: str) -> str:
    """One request and its answer as evidence, secrets masked."""
    asked = f"{verb} {masked_url(path)}"
    where = result.address or "no connection"
    if result.opened:
        return f"{where}: {asked} → 101, WebSocket opens"
    if result.status is None or result.error_kind == "bad-handshake":
        return f"{where}: {asked} → {result.to_dict()['error']}"
    return f"{where}: {asked} → {result.status} {result.reason} (Server: {result.server or 'none'})"


def _stranger(chosen: Candidate, before: Optional[Candidate]) -> str:
    """Why a port must not get the live site's traffic just because it answers; "" where it may."""
    now, then = chosen.process, before.process if before else None
    if now is None:
        return ""  # on another host: there is no telling
    if then is not None and now.user == then.user and now.user:
        return ""
    if then is not None:
        return (
            f"another user ({now.user or 'unknown'}) than the live one's ({then.user or 'unknown'}) holds it"
        )
    return "" if now.origin == "unit" else "no system unit holds it, and everybody may bind a free port"


def _choose(
    candidates: List[Candidate], host: str, configured: Optional[int], live: Optional[int] = None
) -> Backend:
    """Take the live port, else the first that knows WebSockets, else the first that answers, else none."""
    answering = [item for item in candidates if item.answers]
    capable = [item for item in answering if item.upgrade in (UPGRADES, REFUSES)]
    before = next((item for item in candidates if item.port == live), None)
    if before is not None and before.answers:
        capable = [before]
    elif live and answering:
        chosen = (capable or answering)[0]
        why = _stranger(chosen, before)
        if why:
            held = chosen.process.describe() if chosen.process else ""
            said = (
                f"the live site passes to port {live}, which does not answer; port {chosen.port} does, but "
                f"is not taken: {why} ({held}). If it is your application, name its port"
            )
            address = address_text((host, live))
            return Backend(live, address, False, UNKNOWN, f"port {live} is kept", said, candidates)
    if not answering:
        return _nobody(candidates, host, configured)
    chosen = (capable or answering)[0]
    first = answering[0]
    warnings = []
    if live and chosen.port != live:
        by = f" ({chosen.process.describe()})" if chosen.process else ""
        warnings.append(f"the backend moves from port {live}, which does not answer, to {chosen.port}{by}")
    if chosen is not first and chosen is not before:
        warnings.append(
            f"port {first.port} answers too, and comes first, but does not upgrade: {first.evidence[-1]}"
        )
    if chosen.upgrade not in (UPGRADES, REFUSES):
        warnings.append(f"port {chosen.port} answers but does not upgrade: {chosen.evidence[-1]}")
    verbs = {UPGRADES: "opens a WebSocket", REFUSES: "answers and knows WebSockets"}
    return Backend(
        port=chosen.port,
        address=chosen.address,
        answered=True,
        upgrade=chosen.upgrade,
        why=f"port {chosen.port} {verbs.get(chosen.upgrade, 'answers HTTP')}",
        warning="; ".join(warnings),
        candidates=candidates,
    )


def _nobody(candidates: List[Candidate], host: str, configured: Optional[int]) -> Backend:
    """No candidate answers: the configured port stays, with a warning."""
    evidence = "; ".join(line for item in candidates for line in item.evidence)
    kept = f"; the configured port {configured} is kept" if configured else ""
    return Backend(
        port=configured,
        address=address_text((host, configured)) if configured else "",
        answered=False,
        upgrade=UNKNOWN,
        why=f"no candidate answers{kept}",
        warning="no backend answers on port "
        + " or ".join(str(item.port) for item in candidates)
        + f"{kept}. Evidence: {evidence}",
        candidates=candidates,
    )
