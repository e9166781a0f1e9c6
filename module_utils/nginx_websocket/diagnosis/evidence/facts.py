"""What is asked, and everything that was seen: the only input of the rules."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Dict, List, Optional, Sequence, Tuple

from ...behaviour.request import Request as RouteRequest
from ...exchange.endpoint import Address, Endpoint, parse_url
from ...exchange.handshake import USER_AGENT
from ...exchange.result import NO_CONNECTION

if TYPE_CHECKING:
    from ...behaviour.content.upstream import Upstream
    from ...behaviour.effective import Level
    from ...behaviour.route import Route
    from ...behaviour.stream import Passage
    from ...conf.tree import Configuration, Directive, Include
    from ...exchange.result import Probe
    from ...host.containers.inside import Inside
    from ...host.describe import Nginx
    from ...host.listeners import Listener
    from ...host.stopped_units import StoppedUnit
    from ..experiments.search import Request, Search
    from .errorlog import LogLine

Version = Tuple[int, ...]
DEFAULT_VERSION: Version = (1, 22, 1)


@dataclasses.dataclass
class Question:
    """One URL, and what is known of the client that cannot open it."""

    url: str
    origin: Optional[str] = None
    """Value of the Origin header; None asks as a page of the site itself, "" sends none."""
    host: str = ""
    """Host header, when it is not the URL's."""
    headers: Sequence[Tuple[str, str]] = ()
    subprotocols: Sequence[str] = ()
    alpn: Sequence[str] = ()
    """What the client offers in ALPN; browsers offer http/1.1 alone for a socket."""
    ping_interval: float = 0.0
    """Longest silence of the application in seconds; 0 when it is not known."""
    hold: float = 0.0
    """Seconds that a socket must live in silence; 0 for a short look."""
    connections: int = 0
    """Sockets that must be open at the same time; 0 when it is not known."""
    cafile: Optional[str] = None
    verify: bool = True
    """Whether a certificate must verify; switched off where only its issuer is unknown to this host."""
    timeout: float = 5.0
    address: str = ""
    """Address to connect to in place of what the name resolves to: IP, IP:port, [IPv6]:port."""
    other_ports: bool = False
    """Whether processes of this host that nginx does not ask may be asked for a WebSocket, too."""

    @property
    def endpoint(self) -> Endpoint:
        """The URL taken apart.

        Raises:
            ValueError: it is no ws, wss, http or https URL.
        """
        return parse_url(self.url)

    @property
    def own_origin(self) -> str:
        """The Origin of a page of the site itself."""
        scheme = self.endpoint.origin.partition("://")[0]
        return f"{scheme}://{self.host}" if self.host else self.endpoint.origin

    @property
    def sent_origin(self) -> Optional[str]:
        """The Origin that is sent: every browser sends one; None sends none."""
        return self.own_origin if self.origin is None else self.origin or None

    @property
    def host_header(self) -> str:
        """The Host that the client sends."""
        return self.host or self.endpoint.host_header

    def client_headers(self) -> List[Tuple[str, str]]:
        """Everything that the client sends besides the handshake's own headers."""
        found: List[Tuple[str, str]] = [("Host", self.host_header)]
        if not any(name.lower() == "user-agent" for name, _ in self.headers):
            found.append(("User-Agent", USER_AGENT))
        if self.sent_origin is not None and not any(name.lower() == "origin" for name, _ in self.headers):
            found.append(("Origin", self.sent_origin))
        if self.subprotocols:
            found.append(("Sec-WebSocket-Protocol", ", ".join(self.subprotocols)))
        return found + list(self.headers)

    def route_request(self, address: str = "", remote: str = "") -> RouteRequest:
        """The request as the static analysis takes it."""
        endpoint = self.endpoint
        scheme = "wss" if endpoint.tls else "ws"
        host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
        return RouteRequest(
            url=f"{scheme}://{host}:{endpoint.port}{endpoint.target}",
            headers=self.client_headers(),
            address=address,
            remote=remote,
        )


@dataclasses.dataclass
class ConfigTest:
    """What ``nginx -t`` says about the configuration on disk."""

    valid: bool
    messages: List[str]
    """Lines of level warn and above, without nginx's prefix."""
    command: str = ""

    @property
    def error(self) -> str:
        """The message that made it fail; empty when it did not."""
        if self.valid:
            return ""
        return next((m for m in self.messages if "[emerg]" in m), self.messages[-1] if self.messages else "")


@dataclasses.dataclass
class NewerFile:
    """A file of the configuration that changed after the workers started."""

    path: str
    changed: float
    """Seconds since the epoch."""
    content: bool
    """True when its content changed (mtime); False when only its inode did (renamed into place, owner,
    mode)."""


@dataclasses.dataclass
class Hop:
    """One handshake on the way, or a plain request there."""

    name: str
    """"loopback", "public", "plain", "direct", "again" and the like."""
    words: str
    probe: Probe

    @property
    def opened(self) -> bool:
        """A WebSocket opened and was not closed while it was watched."""
        return self.probe.lasting


@dataclasses.dataclass
class BackendFacts:
    """One backend address, asked directly."""

    server: str
    """As it stands in the configuration."""
    address: Optional[Address]
    """None when the name does not resolve."""
    resolved: List[str] = dataclasses.field(default_factory=list)
    """IP addresses that the name has now."""
    listeners: List[Listener] = dataclasses.field(default_factory=list)
    """Sockets of this host on that port, whatever their address."""
    search: Optional[Search] = None
    plain: Optional[Probe] = None
    other_scheme: Optional[Probe] = None
    """The same request with TLS where nginx speaks plain, and the other way round."""
    with_name: Optional[Probe] = None
    """With TLS and a server name, where nginx sends none."""
    with_line: Optional[Probe] = None
    """Behind a line of the PROXY protocol, where it closes the connection without one."""
    other_port: Optional[Tuple[Listener, Probe]] = None
    """Another port of this host on which the path opens."""
    unit: Optional[StoppedUnit] = None
    """Where nobody listens: the unit that speaks of this port or socket, and does not run."""
    others: List[Listener] = dataclasses.field(default_factory=list)
    """Other processes of this host that listen and were not asked: they may be strangers."""
    sent: Optional[Request] = None
    client: Optional[Request] = None
    held: Optional[Probe] = None
    each: List[Tuple[str, Probe]] = dataclasses.field(default_factory=list)
    """Where the socket opens: every address of the server, with its answer to nginx's own request."""
    session: Optional[Probe] = None
    """Socket.IO: polling and then the upgrade, both straight to this backend."""

    @property
    def as_sent(self) -> Optional[Probe]:
        """Its answer to nginx's own request, before any experiment; None when none was made."""
        return self.search.as_sent if self.search is not None else None

    @property
    def opens(self) -> bool:
        """Whether nginx's own request opens the socket here, and it stays open while it is watched."""
        return self.as_sent is not None and self.as_sent.lasting

    @property
    def direct(self) -> Optional[Probe]:
        """Nginx's own request, sent to it directly; None when it was not asked."""
        return self.as_sent or self.held or self.plain


@dataclasses.dataclass
class Facts:
    """Everything that the rules may look at.  What was not seen is None or empty."""

    question: Question
    version: Version = DEFAULT_VERSION
    live: bool = False
    """Whether a host was asked at all; False when only a dump was read."""
    configuration: Optional[Configuration] = None
    route: Optional[Route] = None
    request: Optional[RouteRequest] = None
    """The request that the route follows, as it reaches the first server of nginx."""
    passage: Optional[Passage] = None
    """The ``stream`` server of the same nginx that takes the connection first."""
    repeated: List[Probe] = dataclasses.field(default_factory=list)
    """Handshakes through nginx one after the other, where the servers of the upstream differ."""
    stray_files: List[Tuple[str, str, int]] = dataclasses.field(default_factory=list)
    """Files on disk that no include takes, with a WebSocket location for this path: path, words, line."""
    nginx: Optional[Nginx] = None
    nginx_choice: str = ""
    test: Optional[ConfigTest] = None
    listeners: List[Listener] = dataclasses.field(default_factory=list)
    """Listening sockets on the URL's port."""
    owner: Optional[Listener] = None
    """The one that takes the connection."""
    owner_is_nginx: bool = False
    container: str = ""
    """Name of the container that publishes the URL's port; "" where that is not known."""
    inside: Optional[Inside] = None
    """The container whose nginx answers; None where it is one of this host's own."""
    resolved: List[str] = dataclasses.field(default_factory=list)
    local: List[str] = dataclasses.field(default_factory=list)
    """Those of the resolved addresses that this host has."""
    hops: List[Hop] = dataclasses.field(default_factory=list)
    many: List[Probe] = dataclasses.field(default_factory=list)
    """Handshakes made at the same time; the sockets were all open together."""
    many_reason: str = ""
    session: List[Probe] = dataclasses.field(default_factory=list)
    """Socket.IO: polling and then the upgrade with its session, through nginx."""
    backends: List[BackendFacts] = dataclasses.field(default_factory=list)
    elsewhere: Optional[BackendFacts] = None
    """Where no backend is asked: ports to which other locations lead, and whether the socket opens there."""
    log: List[LogLine] = dataclasses.field(default_factory=list)
    log_readable: bool = False
    emergencies: List[LogLine] = dataclasses.field(default_factory=list)
    newer_files: List[NewerFile] = dataclasses.field(default_factory=list)
    workers_started: float = 0.0
    old_workers: int = 0
    """Workers that are shutting down: sockets from before a reload live there."""
    limits: Dict[str, int] = dataclasses.field(default_factory=dict)
    """``files``: descriptors a worker may have; ``used``: what its fullest worker has open."""
    firewall: List[str] = dataclasses.field(default_factory=list)
    notes: List[str] = dataclasses.field(default_factory=list)
    """What could not be looked at, and why."""
    not_given: Optional[Include] = None
    """The include of a file that was not given, where that might decide otherwise than what was read."""

    @property
    def server(self) -> Optional[Level]:
        """The server that answers."""
        return self.route.server if self.route is not None else None

    @property
    def level(self) -> Optional[Level]:
        """The level of the configuration that is in force for the answer."""
        return self.route.level if self.route is not None else None

    @property
    def upstream(self) -> Optional[Upstream]:
        """The request that goes to the backend, where one is asked."""
        return self.route.upstream if self.route is not None else None

    def in_force(self, *names: bytes) -> List[Directive]:
        """The directives of some names that are in force for the answer."""
        return self.level.nearest(*names)[1] if self.level is not None else []

    def hop(self, name: str) -> Optional[Hop]:
        """The hop of that name."""
        return next((hop for hop in self.hops if hop.name == name), None)

    @property
    def main_hop(self) -> Optional[Hop]:
        """The handshake that stands for the client's: the public one where it reached this host, else local.

        Clients of Socket.IO open a session first; where that opens the socket, nothing else counts.
        """
        session = self.hop("session")
        if session is not None:
            return session
        public, local = self.hop("public"), self.hop("loopback")
        if public is None:
            return local
        unreached = public.probe.error_kind in ("dns", *NO_CONNECTION)
        return local if unreached and local is not None else public

    def logged(self, code: str) -> Optional[LogLine]:
        """The first line of the log that has this code."""
        return next((line for line in self.log if line.code == code), None)
