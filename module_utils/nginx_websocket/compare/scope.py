"""What a change touches: the servers that differ, the ways into them, and the neighbours that feel it.

Nobody tells what was changed; both trees are laid side by side.
"""

from __future__ import annotations

import collections
import dataclasses
from typing import Any, Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple

from ..behaviour.effective import Level
from ..behaviour.regex import CannotDecide, RegexError
from ..behaviour.route import Index, index_of, virtual_names
from ..behaviour.server.listen import ListenGroup, reached
from ..behaviour.server.names import server_names, validate_host
from ..behaviour.uri import BadRequest
from ..conf.tree import Configuration, Directive
from .pattern import texts
from .requests.paths import TAIL
from .written.definitions import NAMING, named_in, used_by

Version = Tuple[int, ...]
Shape = Tuple[bytes, Tuple[bytes, ...], Optional[Tuple[Any, ...]]]
"""Name, arguments and block of a directive."""
RELEASE = b"/.well-known/nginx-websocket/"
STRANGER = "name-of-no-site.invalid"
_NAMED = frozenset((b"upstream", b"perl_set", b"js_set"))
"""Directives of http that count only for who names them by their first argument; `written` has others."""


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One way into a site: scheme, host name, port and local address."""

    origin: str
    """``https://a.test:8443``."""
    address: str
    """Of the listening socket, as `Request.address` has it."""
    key: Tuple[str, str, int]
    """Family, host and port of its listen group."""
    before: Optional[Level] = dataclasses.field(compare=False)
    after: Optional[Level] = dataclasses.field(compare=False)
    """The server that answers there; None where nobody listens."""
    name: str = ""
    stranger: bool = False
    """Whether the name is that of no site."""

    @property
    def servers(self) -> Tuple[int, int]:
        """Equal for endpoints that lead to the same servers."""
        return id(self.before), id(self.after)

    @property
    def pair(self) -> Tuple[Tuple[int, int], str, str]:
        """What two endpoints share that lead to the same: both servers, and the port's scheme."""
        scheme, _mark, rest = self.origin.partition("://")
        return self.servers, scheme, rest.partition(self.name)[2]


class Side:
    """One of the two trees."""

    def __init__(self, configuration: Configuration, version: Version) -> None:
        """Index the tree.

        Args:
            configuration: the tree.
            version: nginx's version.
        """
        self.configuration, self.version = configuration, version
        self.index: Index = index_of(configuration)
        self.groups = {_key(group): group for group in self.index.groups if not group.quic}
        self._texts: Dict[int, Shape] = {}

    def text(self, server: Optional[Level]) -> Optional[Shape]:
        """What stands in a server, whatever its place and its spaces are; None for no server."""
        if server is None or server.directive is None:
            return None
        key = id(server.directive)
        if key not in self._texts:
            self._texts[key] = shape(server.directive)
        return self._texts[key]

    def server(self, key: Tuple[str, str, int], name: str) -> Optional[Level]:
        """The server of a name at an address; None where nobody listens."""
        group = self.groups.get(key)
        if group is None:
            return None
        return self.named(key, name) or group.default

    def named(self, key: Tuple[str, str, int], name: str) -> Optional[Level]:
        """The server that has a name at an address, by its ``server_name``."""
        group = self.groups.get(key)
        if group is None or group.default is None:
            return None
        try:
            match = virtual_names(self.index, group, self.version).lookup(name.encode())
        except (CannotDecide, RegexError):
            return None
        return match.server if match is not None else None


def shape(directive: Directive) -> Shape:
    """Name, arguments and block of a directive, to be compared with another's."""
    block = None
    if directive.block is not None:
        block = tuple(shape(child) for child in directive.block if not _of_release(child))
    return directive.name, tuple(directive.args), block


def _of_release(directive: Directive) -> bool:
    """Whether it is the location that tells the release: it differs always, and no user sees it."""
    return (
        directive.name == b"location" and directive.args[-1:] != () and directive.args[-1].startswith(RELEASE)
    )


def _words(directive: Directive) -> Iterator[bytes]:
    yield from directive.args
    for child in directive.block or ():
        yield from _words(child)


def _key(group: ListenGroup) -> Tuple[str, str, int]:
    return group.address.family, group.address.host, group.address.port


class Scope:
    """The servers that differ between two trees, and all that follows from it."""

    def __init__(self, before: Side, after: Side) -> None:
        """Lay the trees side by side.

        Args:
            before: the live tree.
            after: the staged one.
        """
        self.before, self.after = before, after
        ours, theirs = (collections.Counter(map(side.text, side.index.servers)) for side in (before, after))
        self.gone = [server for server in before.index.servers if before.text(server) not in theirs]
        self.new = [server for server in after.index.servers if after.text(server) not in ours]
        self.environment = _environment(before, after)
        files = [side.configuration.files for side in (before, after)]
        edited = {path for path in {*files[0], *files[1]} if files[0].get(path) != files[1].get(path)}
        # A map or an upstream beside a server is a part of it, though the server says what it said.
        for side, found in ((before, self.gone), (after, self.new)):
            found += [
                server
                for server in side.index.servers
                if server not in found
                and server.directive is not None
                and server.directive.file in edited
                and self._uses(server)
            ]
        self._changed = {id(server) for server in (*self.gone, *self.new)}

    def touches(self, server: Optional[Level]) -> bool:
        """Whether a server is one that differs."""
        return id(server) in self._changed

    @property
    def nothing(self) -> bool:
        """Whether both trees do the same for sure."""
        return not self._changed and not self.environment

    def names(self) -> FrozenSet[str]:
        """The server names of the servers that differ, in lower case."""
        return frozenset(
            name.decode("utf-8", "surrogateescape").lower()
            for server in (*self.gone, *self.new)
            for name in server_names(server)
            if name
        )

    def endpoints(self) -> List[Endpoint]:
        """The ways into the servers that differ, in both trees; endpoints of real names first."""
        found: List[Endpoint] = []
        hosts = [host for name in sorted(self.names(), key=_plain_first) for host in self._hosts(name)]
        for key in self._keys():
            for host in dict.fromkeys((*hosts, STRANGER)):
                pair = self.before.server(key, host), self.after.server(key, host)
                new = self.before.named(key, host) is None and not self.touches(pair[0])
                if host != STRANGER and new:
                    continue  # nobody was meant by that name until now
                if any(map(self.touches, pair)):
                    found += self._endpoints(key, host, pair)
        return sorted(found, key=lambda endpoint: endpoint.stranger)

    def neighbours(self) -> Iterator[Tuple[Tuple[str, str, int], str, Level, Optional[Level]]]:
        """Names of servers that do not differ, for which others would answer: where, name, both servers."""
        for key, group in self.before.groups.items():
            if group.default is None:
                continue
            for server in group.servers:
                if self.touches(server):
                    continue
                for name in server_names(server):
                    for host in self._hosts(name.decode("utf-8", "surrogateescape").lower()):
                        was, now = self.before.server(key, host), self.after.server(key, host)
                        if was is server and self.before.text(was) != self.after.text(now):
                            yield key, host, server, now

    def feeling(self) -> List[Endpoint]:
        """Endpoints of servers that do not differ and that use something of http that does, one a server."""
        if not self.environment:
            return []
        found, seen = [], set()
        for key in self._keys():
            group = self.before.groups.get(key)
            for server in group.servers if group is not None else ():
                if self.touches(server) or id(server) in seen or not self._uses(server):
                    continue
                seen.add(id(server))
                for name in server_names(server):
                    hosts = self._hosts(name.decode("utf-8", "surrogateescape").lower())
                    for host in hosts[:1]:
                        pair = self.before.server(key, host), self.after.server(key, host)
                        if pair[0] is server:
                            found += list(self._endpoints(key, host, pair))[:1]
                    if hosts:
                        break
        return found

    def _uses(self, server: Level) -> bool:
        if not self.environment:
            return False
        if None in self.environment or server.directive is None:
            return True
        # nginx takes names of upstreams and variables in any case.
        words = b"\n".join(_words(server.directive)).lower()
        return any(name.lower() in words for name in self.environment if name is not None)

    def _keys(self) -> List[Tuple[str, str, int]]:
        return sorted({**self.before.groups, **self.after.groups}, key=lambda key: (key[0] == "unix", key[2]))

    def _hosts(self, name: str) -> List[str]:
        """A host that a browser could ask for, for one server name."""
        if name.startswith("~"):
            hosts = [text.decode("utf-8", "replace") for text in texts(name[1:].encode())]
        elif name.startswith("."):
            hosts = [name[1:], TAIL.decode() + name]
        elif name.endswith(".*"):
            hosts = [name[:-1] + "example"]
        else:
            hosts = [name.replace("*", TAIL.decode())]
        return [host for host in hosts if _usable(host, self.before.version)][:2]

    def _endpoints(
        self, key: Tuple[str, str, int], host: str, pair: Tuple[Optional[Level], Optional[Level]]
    ) -> Iterator[Endpoint]:
        port = key[2]
        for tls in sorted({_tls(side.groups[key], server) for side, server in self._answering(key, pair)}):
            shown = "" if port in (0, 443 if tls else 80) else f":{port}"
            yield Endpoint(
                f"{'https' if tls else 'http'}://{host}{shown}",
                local_address(key),
                key,
                *pair,
                host,
                host == STRANGER,
            )

    def _answering(
        self, key: Tuple[str, str, int], pair: Tuple[Optional[Level], Optional[Level]]
    ) -> Iterator[Tuple[Side, Level]]:
        for side, server in zip((self.before, self.after), pair):
            if server is not None:
                yield side, server


def _tls(group: ListenGroup, server: Level) -> bool:
    return group.ssl or server.on(b"ssl", False)


def local_address(key: Tuple[str, str, int]) -> str:
    """An address of this host at which a listen group answers, as `Request.address` has it."""
    family, host, port = key
    if family == "unix":
        return f"unix:{host}"
    shown = reached(host)
    return f"[{shown}]:{port}" if family == "inet6" else f"{shown}:{port}"


def _usable(host: str, version: Version) -> bool:
    try:
        plain = host.encode("ascii")
        return bool(plain) and not set(plain) & set(b" /?#@:%[]") and bool(validate_host(plain, version))
    except (UnicodeEncodeError, BadRequest):
        return False


def _plain_first(name: str) -> Tuple[bool, str]:
    return name.startswith(("~", "*", ".", "www.")) or name.endswith("*"), name


def _environment(before: Side, after: Side) -> Set[Optional[bytes]]:
    """Words by which servers use what differs in http besides them; None for what counts for every server."""
    ours, theirs = (collections.Counter(map(shape, _common(side.index.http))) for side in (before, after))
    changed = {*(ours - theirs), *(theirs - ours)}
    names: Set[Optional[bytes]] = set()
    for name, args, _block in changed:
        if name in _NAMED and args:
            names.add(args[0].lstrip(b"$"))
        elif name not in NAMING:
            names.add(None)
    for side in (before, after):
        known = side.index.http.once(named_in)
        different = {key for key, lines in known.items() if any(shape(line) in changed for line in lines)}
        # A map of a map counts for who names the outer one alone.
        while True:
            more = {
                key for key, lines in known.items() if key not in different and used_by(lines) & different
            }
            if not more:
                break
            different |= more
        names |= {key.rpartition(b" ")[2].lstrip(b"$") for key in different}
    return names


def _common(http: Level) -> Sequence[Directive]:
    return [directive for directive in http.body() if directive.name not in (b"server", b"include")]
