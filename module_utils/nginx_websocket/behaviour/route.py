"""What nginx does with one request: the phases, in order.

Rules of ``ngx_http_core_run_phases``: server rewrite, find location, location rewrite, ``try_files``,
content.  Each decision is recorded, and whatever configuration and request do not determine is listed in
``Route.undecided`` together with what was assumed.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
from typing import Dict, List, Optional, Sequence, Tuple, Union

from .. import codes
from ..conf.tree import Configuration, Directive
from .access.addresses import UNIX
from .access.guards import certificate_guard
from .built_in import built_in
from .content.files import FileKind
from .content.upstream import Upstream
from .effective import Effective, Level, Version, effective_directives, http_level
from .location import Found, Location, Loser, explain_losers, path_of
from .phases import Answer, Entered, Walker
from .regex import CannotDecide, RegexError
from .request import Request, guessed_host, receive
from .rewrite import Hooks, Step, Undecided, printable
from .server.listen import ListenGroup, groups_for, listen_groups
from .server.names import NameMatch, VirtualNames, server_names, validate_host
from .uri import BadRequest, parse_target, split_absolute
from .variables import Exchange, Map, maps_of


@dataclasses.dataclass
class Candidate:
    """A server of the listen group and why it was or was not chosen."""

    server: Level
    names: List[str]
    chosen: bool
    reason: str


@dataclasses.dataclass
class Route:
    """Everything nginx does with one request, in order."""

    configuration: Configuration
    request: Request
    version: Version
    listen: Optional[ListenGroup] = None
    listen_reason: str = ""
    server: Optional[Level] = None
    server_match: Optional[NameMatch] = None
    host: bytes = b""
    """The name that selects the server: Host without port, lower case."""
    steps: List[Step] = dataclasses.field(default_factory=list)
    selections: List[Found] = dataclasses.field(default_factory=list)
    """Every location search, in order (rewrites and internal redirects search again)."""
    locations: List[Location] = dataclasses.field(default_factory=list)
    """The location in the end, outer block first; empty when the server itself answers."""
    entered: List[Entered] = dataclasses.field(default_factory=list)
    """Every location that the request got to, in order, with the guards that nginx asks there."""
    level: Optional[Level] = None
    """The level whose directives are in force."""
    uri: str = ""
    """Normalised URI after all rewrites."""
    args: str = ""
    answer: Answer = dataclasses.field(default_factory=lambda: Answer("undecided"))
    effective: Dict[str, Effective] = dataclasses.field(default_factory=dict)
    upstream: Optional[Upstream] = None
    undecided: List[Undecided] = dataclasses.field(default_factory=list)
    first_uri: bytes = b""
    searched: bytes = b""
    """The URI of the first search."""
    exchange: Optional[Exchange] = None
    """The request as it is at the end: what its variables are worth then."""

    @property
    def location(self) -> Optional[Location]:
        """The innermost location."""
        return self.locations[-1] if self.locations else None

    @functools.cached_property
    def losers(self) -> List[Loser]:
        """Locations that match the URI of the first search and were not taken, with the reason."""
        if not self.selections or self.server is None:
            return []
        try:
            return explain_losers(self.server, self.searched, self.selections[0], self.version)
        except (CannotDecide, RegexError, RecursionError):
            return []

    @property
    def candidates(self) -> List[Candidate]:
        """Every server of the listen group, and why it was or was not chosen."""
        return _candidates(self) if self.listen is not None and self.server is not None else []


@dataclasses.dataclass
class Index:
    """What all routes of one configuration share; built once and kept beside it."""

    http: Level
    servers: List[Level]
    groups: List[ListenGroup]
    names: Dict[Tuple[int, Version], VirtualNames] = dataclasses.field(default_factory=dict)
    maps: Optional[Tuple[Dict[bytes, Map], Dict[bytes, Directive]]] = None


_KEPT = 4
"""Configurations whose index is kept; callers ask many URLs of one or two configurations."""

_indices: collections.OrderedDict[int, Tuple[Configuration, Index]] = collections.OrderedDict()


def index_of(configuration: Configuration) -> Index:
    """Servers and listen groups of a configuration, kept for the next route."""
    key = id(configuration)
    if key in _indices:
        _indices.move_to_end(key)
        return _indices[key][1]
    http = http_level(configuration)
    servers = [Level("server", d, http) for d in http.own(b"server") if d.block is not None]
    result = Index(http, servers, listen_groups(servers))
    _indices[key] = (configuration, result)
    while len(_indices) > _KEPT:
        _indices.popitem(last=False)
    return result


def virtual_names(index: Index, group: ListenGroup, version: Version) -> VirtualNames:
    """The names of a listen group, built once."""
    key = (id(group), version)
    if key not in index.names:
        index.names[key] = VirtualNames(group, version)
    return index.names[key]


def route(
    configuration: Configuration,
    request: Union[Request, str],
    *,
    version: Sequence[int] = (1, 22, 1),
    file_kind: Optional[FileKind] = None,
    admitted: bool = True,
) -> Route:
    """Follow one request through the configuration.

    Args:
        configuration: a loaded configuration.
        request: the request, or just its URL.
        version: version of the nginx that will run it; defaults differ between versions.
        file_kind: tells what is at a path ("file", "directory", ""); without it everything that
            depends on files is undecided.
        admitted: follow the request as if every guard on its way let it pass; else the first that
            certainly refuses it answers (``error_page`` included).

    Returns:
        The route; ``answer.kind`` is "undecided" when the configuration cannot tell.

    Raises:
        ValueError: the URL of the request is not usable.
    """
    if isinstance(request, str):
        request = Request(request)
    result = Route(configuration, request, tuple(version))
    try:
        _follow(result, index_of(configuration), file_kind, admitted)
    except BadRequest as error:
        result.answer = Answer("bad-request", 400, reason=str(error))
    except CannotDecide as error:
        result.undecided.append(Undecided(str(error)))
        result.answer = Answer("undecided", reason=str(error))
    except RegexError as error:
        result.answer = Answer("error", 500, reason=str(error))
    except RecursionError:
        text = "blocks are nested too deeply to be followed"
        result.undecided.append(Undecided(text))
        result.answer = Answer("undecided", reason=text)
    return result


def _follow(result: Route, index: Index, file_kind: Optional[FileKind], admitted: bool) -> None:
    request, version = result.request, result.version
    host, port = request.local_address()
    group = _pick_group(result, index, host, port)
    if group is None or group.default is None:
        result.answer = Answer("not-listening", reason=f"no server listens on port {port} of {host}")
        return
    result.listen = group
    names = virtual_names(index, group, version)
    tls = group.ssl or group.default.on(b"ssl", False)
    if request.tls and not tls:
        result.answer = Answer(
            codes.TLS_NOT_ENABLED, reason="the listen address has no ssl; the TLS hello is refused"
        )
    initial, sni_match = _by_sni(result, names) if request.tls and tls else (group.default, None)
    result.server, result.server_match = initial, sni_match or NameMatch(initial, "default")
    authority, raw_target = split_absolute(request.raw_target())
    target = parse_target(raw_target, merge_slashes=initial.on(b"merge_slashes", True), version=version)

    def select(name: bytes) -> Level:
        match = sni_match if sni_match is not None and sni_match.name == name else names.find(name)
        server = match.server if match is not None else names.default
        result.server, result.server_match = server, match or NameMatch(server, "default")
        return server

    received = receive(request, authority, version, select, initial)
    server, match, name = result.server, result.server_match, received.host
    assert match is not None
    result.host = name
    if request.tls and not tls:
        return
    exchange = Exchange(version, index.http, server, server, built_in)
    if index.maps is None:
        index.maps = maps_of(index.http)
    exchange.maps, exchange.opaque = index.maps
    exchange.method = request.method.encode()
    exchange.line = b" ".join(
        (exchange.method, request.raw_target(), b"HTTP/" + request.http_version.encode())
    )
    exchange.uri, exchange.args, exchange.unparsed = target.uri, target.args, target.unparsed
    exchange.quoted, exchange.plus = target.quoted, target.plus
    exchange.valid_unparsed = target.valid_unparsed
    exchange.headers, exchange.host, exchange.tls = received.headers, name, request.tls
    exchange.sni = request.server_name().encode()
    exchange.protocol = b"HTTP/" + request.http_version.encode()
    exchange.server_port = port
    exchange.server_address = _known_address(group, host)
    exchange.remote, exchange.prefix = request.remote, result.configuration.prefix
    exchange.proxied = request.proxy_line
    if request.address.startswith(UNIX):
        exchange.remote = UNIX
    if match.match is not None:
        exchange.keep(match.match)
    result.first_uri = target.uri
    _walk(result, exchange, file_kind, admitted, _answered_before(exchange, tls, admitted))


def _walk(
    result: Route,
    exchange: Exchange,
    file_kind: Optional[FileKind],
    admitted: bool,
    before: Optional[Answer],
) -> None:
    walker = Walker(exchange, Hooks(result.steps, result.undecided, file_kind), admitted)
    try:
        result.answer = walker.run(before)
    finally:
        result.selections = walker.selections
        result.entered = walker.entered
        result.exchange = exchange
        result.level = exchange.level
        result.locations = path_of(exchange.level)
        result.uri, result.args = printable(exchange.uri), printable(exchange.args)
        result.effective = effective_directives(exchange.level, exchange.version)
        result.upstream = walker.upstream
        result.searched = walker.searched


def _answered_before(exchange: Exchange, tls: bool, admitted: bool) -> Optional[Answer]:
    """What nginx answers before the first phase (``ngx_http_process_request``)."""
    if tls and not exchange.tls:
        return Answer(codes.PLAIN_HTTP_TO_TLS_PORT, 497, reason="the listen address expects TLS")
    guard = certificate_guard(exchange.server, exchange.tls)
    if guard is None or admitted:
        return None
    return Answer("refused", 496, None, guard.directive, guard.reason, code=guard.kind)


def _known_address(group: ListenGroup, host: str) -> str:
    from .server.listen import canonical_host

    family, text = canonical_host(host)
    if family:
        return text
    return "" if group.address.wildcard else group.address.host


def _pick_group(result: Route, index: Index, host: str, port: int) -> Optional[ListenGroup]:
    """The listen group; when only a name is known and several groups fit, one that has the name."""
    groups = groups_for(index.groups, host, port)
    if len(groups) <= 1:
        if groups:
            result.listen_reason = f"the connection reaches {groups[0].address}"
        return groups[0] if groups else None
    name = guessed_host(result.request, result.version)
    inet = [g for g in groups if g.address.family == "inet"] or groups
    # A name that only an IPv6 address serves is not asked for at an IPv4 one.
    named = [g for g in (*inet, *groups) if virtual_names(index, g, result.version).lookup(name) is not None]
    wildcard = [g for g in inet if g.address.wildcard]
    chosen = (named or wildcard or inet)[0]
    if len(inet) > 1 or chosen not in inet:
        others = ", ".join(str(g.address) for g in groups if g is not chosen)
        reason = (
            f"several addresses listen on port {port}; which one {host} leads to is not in the configuration"
        )
        result.undecided.append(Undecided(reason, None, f"{chosen.address} (not {others})"))
    result.listen_reason = f"port {port}; assumed {chosen.address}"
    return chosen


def _by_sni(result: Route, names: VirtualNames) -> Tuple[Level, Optional[NameMatch]]:
    """``ngx_http_ssl_servername``: the server whose certificate and request-line settings are used."""
    sni = result.request.server_name()
    if not sni:
        return names.default, None
    try:
        host = validate_host(sni.encode("utf-8", "surrogateescape"), result.version)
    except BadRequest:
        return names.default, None
    match = names.find(host)
    if match is None:
        return names.default, None
    return match.server, NameMatch(match.server, match.how, host, match.match)


def _candidates(result: Route) -> List[Candidate]:
    """Say for every server of the group why it was chosen or not."""
    group, match, host = result.listen, result.server_match, result.host
    assert group is not None
    shown = printable(host) or "a request without Host"
    candidates: List[Candidate] = []
    for server in group.servers:
        chosen = server is result.server
        if chosen and match is not None and match.how != "default":
            reason = f"{match.how} name {printable(match.name)}"
        elif chosen and len(group.servers) == 1:
            # nginx does not look at the names of an address's only server
            fits = "has this name" if _would_match(server, host, result.version) else "takes every name"
            reason = f"the only server of the address, and it {fits}"
        elif chosen:
            kind = "default_server" if group.default_explicit else "first server of the address"
            reason = f"no name matches {shown}; {kind}"
        elif match is not None and match.how != "default" and _would_match(server, host, result.version):
            reason = f"{match.how} name {printable(match.name)} of another server comes first"
        else:
            reason = f"its names do not match {shown}"
        names = [printable(name) for name in server_names(server)]
        candidates.append(Candidate(server, names, chosen, reason))
    return candidates


def _would_match(server: Level, host: bytes, version: Version) -> bool:
    """Whether the server, were it alone, would have a name for the host."""
    alone = ListenGroup(address=None, servers=[server], default=server)  # type: ignore[arg-type]
    try:
        return VirtualNames(alone, version).lookup(host) is not None
    except (CannotDecide, RegexError):
        return False
