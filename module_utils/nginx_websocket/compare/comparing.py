"""Asks two trees the same requests, and says where their answers differ."""

from __future__ import annotations

import dataclasses
import time
import urllib.parse
from typing import Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from ..behaviour.behaviour import Behaviour, behaviour
from ..behaviour.content.files import FileKind, local_files
from ..behaviour.effective import Level
from ..behaviour.request import Request
from ..behaviour.uri import escape_uri
from ..behaviour.variables import Map, maps_of
from ..conf.tree import Configuration
from . import destination as to
from .access_log import Asked, Traffic, known_hosts, traffic
from .destination import destination, passed_to
from .differences import (
    NEIGHBOUR,
    PLACES,
    SETTINGS,
    STRANGERS,
    Accepted,
    Comparison,
    Gathering,
    Parting,
    other_way,
)
from .files_below import files_below
from .logs_of import DEFAULT, logs_of
from .partings import Pair, partings
from .paths import TAIL
from .requests import FOREIGN, PLAIN, REMOTE, Variant, paths_of, request, roots_of, variants
from .scope import RELEASE, Door, Scope, Side, local_address
from .traits import Traits, traits_of

Version = Tuple[int, ...]
SECONDS = 2.0
"""CPU for a usual host."""
_HOPS = 3
_OF_THE_LOG = 0.5
"""Share of the time that is left for what users ask most, before all other ways to ask."""


@dataclasses.dataclass(frozen=True)
class World:
    """What of the host a comparison may look at."""

    files: FileKind = local_files
    read_logs: bool = True
    look_below: bool = True
    """Whether files below the roots are looked for."""
    default_log: str = DEFAULT
    now: float = 0.0
    """Seconds since 1970; 0 for the clock's."""
    seconds: float = SECONDS
    accepted: Tuple[str, ...] = ()
    """Paths (``/old/*``) or URLs (``https://a.test/old/*``) whose losses are meant."""


def compare(
    before: Configuration,
    after: Configuration,
    *,
    version: Sequence[int],
    urls: Iterable[str] = (),
    world: Optional[World] = None,
) -> Comparison:
    """Compare what users see of two trees.

    Args:
        before: the live tree.
        after: the staged one.
        version: of the nginx that runs both.
        urls: further ones that matter: the site's own WebSockets, say.
        world: what may be looked at; by default this host.

    Returns:
        The differences, and what was left out.
    """
    return _Comparing(before, after, tuple(version), world or World()).run(list(urls))


class _Comparing:
    """One comparison: its budget, its doors, and what it found."""

    def __init__(self, before: Configuration, after: Configuration, version: Version, world: World) -> None:
        self.version, self.world = version, world
        self.started = time.process_time()
        self.until = self.started + world.seconds
        self.scope = Scope(Side(before, version), Side(after, version))
        self.gathering = Gathering(Accepted(world.accepted) if world.accepted else None)
        self.result = Comparison()
        self._asked: Dict[Tuple[Door, str, Variant], List[Parting]] = {}
        self._files: Dict[str, str] = {}
        self._proxied: Dict[Tuple[Door, str], bool] = {}
        self._backends = passed_to(self.scope.before.index.http, self.scope.gone)

    def run(self, urls: List[str]) -> Comparison:
        result = self.result
        if not self.scope.nothing:
            self._sites(urls)
            self._neighbours()
            result.differences = self.gathering.differences()
            result.asked = len(self._asked)
        result.seconds = time.process_time() - self.started
        return result

    # -- the site's own requests ------------------------------------------------------------------

    def _sites(self, urls: List[str]) -> None:
        first: Dict[object, Door] = {}
        others: List[Door] = []
        for door in self.scope.doors():
            if door.stranger and self._stranger(door):
                continue
            if first.setdefault(door.pair, door) is not door and not door.stranger:
                others.append(door)
        doors = list(first.values())
        known = {door: traits_of(*self._with_maps(door)) for door in doors}
        paths = {door: paths_of((door.before, door.after), known[door], self.version) for door in doors}
        for url in urls:
            for door in doors:
                if url.startswith(door.origin + "/"):
                    paths[door].append(urllib.parse.urlsplit(url).path)
        self._all("paths of locations", [(door, path, PLAIN) for door in doors for path in paths[door]])
        day = self._day() if self.world.read_logs else Traffic()
        rest = self._log(doors, day, time.process_time() + (self.until - time.process_time()) * _OF_THE_LOG)
        self._all("other ways to ask for them", self._other_ways(doors, paths, known))
        self._all(
            "paths at other names", [(door, path, PLAIN) for door in others for path in self._few(door)]
        )
        if self.world.look_below:
            self._below(doors, known)
        self._log_further(doors, rest)

    def _with_maps(self, door: Door) -> List[Tuple[Optional[Level], Dict[bytes, Map]]]:
        sides = (self.scope.before, door.before), (self.scope.after, door.after)
        return [(server, maps_of(side.index.http)[0]) for side, server in sides]

    def _few(self, door: Door) -> List[str]:
        return ["/", f"/{TAIL.decode()}"]

    def _all(
        self, what: str, wanted: Sequence[Tuple[Door, str, Variant]], *, neighbour: bool = False
    ) -> None:
        """Ask all of these; what the budget has no room for is told."""
        for number, (door, path, variant) in enumerate(wanted):
            if time.process_time() > self.until:
                self.result.notes.append(
                    f"{len(wanted) - number} of {len(wanted)} {what} were not asked: the comparison may take "
                    f"{self.world.seconds:g} seconds"
                )
                return
            self._ask(door, path, variant, whose=door.name if neighbour else "")

    def _other_ways(
        self, doors: List[Door], paths: Dict[Door, List[str]], known: Dict[Door, Traits]
    ) -> List[Tuple[Door, str, Variant]]:
        """Other ways to ask for paths that were asked for plainly."""
        wanted: List[Tuple[Door, str, Variant]] = []
        for door in doors:
            for path in dict.fromkeys(paths[door]):
                proxied = self._proxied.get((door, path), False)
                wanted += [(door, path, way) for way in variants(known[door], door.origin, proxied=proxied)]
        return wanted

    def _below(self, doors: List[Door], known: Dict[Door, Traits]) -> None:
        wanted = []
        cut: List[str] = []
        for door in doors:
            prefix = self.scope.before.configuration.prefix
            found = files_below(roots_of((door.before, door.after), prefix), seconds=0.15)
            cut += [root for root in found.cut if root not in cut]
            for path in found.paths:
                wanted.append(
                    (door, escape_uri(path.encode("utf-8", "surrogateescape")).decode("latin-1"), PLAIN)
                )
        self._all("files", wanted)
        self.result.notes += [
            f"not every file below {root} was asked for: some of each kind were" for root in cut
        ]

    def _day(self) -> Traffic:
        """What the live servers were asked for within the last day."""
        side = self.scope.before
        others = [server for server in side.index.servers if not self.scope.touches(server)]
        logs, notes = logs_of(
            side.index.http,
            self.scope.gone,
            others,
            prefix=side.configuration.prefix,
            default=self.world.default_log,
        )
        found = traffic(logs, known_hosts(self.scope.names()), now=self.world.now or time.time())
        self.until += min(found.seconds, 1.0)
        found.notes = notes + found.notes
        return found

    def _log(self, doors: List[Door], day: Traffic, until: float) -> List[Tuple[Asked, int]]:
        """Ask what users ask most, for a while; returns what is left."""
        result = self.result
        result.day = day.total
        result.notes += day.notes
        if self.world.read_logs and not day.total and self.scope.gone:
            result.notes.append("no request of the last day was read from an access log")
        return self._log_further(doors, day.counts.most_common(), until)

    def _log_further(
        self, doors: List[Door], counted: List[Tuple[Asked, int]], until: Optional[float] = None
    ) -> List[Tuple[Asked, int]]:
        result = self.result
        for number, (asked, count) in enumerate(counted):
            door = _door_of(asked, doors)
            if door is None:
                continue
            if time.process_time() > (self.until if until is None else until):
                return counted[number:]
            origin = asked.origin or (door.origin if asked.upgrade else None)
            method = asked.method if asked.method.isalpha() else "GET"
            variant = Variant("", method, origin, asked.upgrade)
            parted = self._ask(door, asked.path, variant, count)
            result.hits += count
            result.same_hits += 0 if any(map(other_way, parted)) else count
        return []

    # -- one request ------------------------------------------------------------------------------

    def _ask(self, door: Door, path: str, variant: Variant, hits: int = 0, whose: str = "") -> List[Parting]:
        if path.encode("latin-1", "replace").startswith(RELEASE):
            return []
        key = (door, path, variant)
        new = key not in self._asked
        if new:
            self._asked[key] = self._parted(door, path, variant)
        found = self._asked[key]
        example = (
            f"{variant.title or ('' if variant.method == 'GET' else variant.method)} {door.origin}{path}"
        )
        self.gathering.take(self._news(door, path, variant, found), example.strip(), hits, whose, new=new)
        return found

    def _news(self, door: Door, path: str, variant: Variant, found: List[Parting]) -> List[Parting]:
        """What another way to ask shows that the plain request has not shown already."""
        plain = self._asked.get((door, path, PLAIN), []) if variant != PLAIN else []
        if not any(parting.kind in PLACES for parting in plain):
            return found
        return [parting for parting in found if parting.kind not in PLACES]

    def _parted(self, door: Door, path: str, variant: Variant) -> List[Parting]:
        asked = request(door, path, variant)
        try:
            before = self._behaviour(self.scope.before, asked)
            after = self._behaviour(self.scope.after, asked)
        except ValueError:
            return []  # a line of a log that no browser could have sent
        self._proxied[(door, path)] = any(
            one.upstream is not None or one.answer.kind == "undecided" for one in (before, after)
        )
        same = self.scope.before.text(door.before) == self.scope.after.text(door.after)
        end = self._followed(before, after, asked, door)
        foreign = variant.origin if variant.origin and variant.origin != door.origin else ""
        behind = self._behind(before, door, path, variant)
        shut = self._shut(before, after, asked) if end is after else None
        known = self._backends
        pair = Pair(before, after, end, behind, variant.upgrade, variant.method, foreign, shut, known, same)
        return partings(pair)

    def _shut(
        self, before: Behaviour, after: Behaviour, asked: Request
    ) -> Optional[Tuple[Behaviour, Behaviour]]:
        """What those get who are not let in, where a guard of either tree refuses them."""
        if not any(guard.passes is False for one in (before, after) for guard in one.guards):
            return None
        return (
            self._behaviour(self.scope.before, asked, admitted=False),
            self._behaviour(self.scope.after, asked, admitted=False),
        )

    def _behind(self, before: Behaviour, door: Door, path: str, variant: Variant) -> Optional[Behaviour]:
        """What the live tree answers where it only adds a slash to the name of a directory."""
        if before.answer.code != "directory" or path.endswith("/"):
            return None
        try:
            return self._behaviour(self.scope.before, request(door, f"{path.partition('?')[0]}/", variant))
        except ValueError:
            return None

    def _behaviour(self, side: Side, asked: Request, *, admitted: bool = True) -> Behaviour:
        return behaviour(side.configuration, asked, version=self.version, files=self._kind, admitted=admitted)

    def _kind(self, path: str) -> str:
        """What is at a path, looked at once for both trees."""
        if path not in self._files:
            self._files[path] = self.world.files(path)
        return self._files[path]

    def _followed(self, before: Behaviour, after: Behaviour, asked: Request, door: Door) -> Behaviour:
        """``after``, or where its redirects lead within the site."""
        was, names = destination(before), self.scope.names()
        found = after
        for _hop in range(_HOPS):
            now = destination(found)
            target = next(iter(now.value), "") if now.kind == to.REDIRECT else ""
            if not target or was.value & now.value:
                break
            parts = to.split(target)
            if (parts.hostname or "") not in names or parts.scheme not in ("http", "https"):
                break
            try:
                key = (door.key[0], door.key[1], parts.port or (443 if parts.scheme == "https" else 80))
                if key not in self.scope.after.groups:
                    break
                found = self._behaviour(
                    self.scope.after,
                    dataclasses.replace(asked, url=target, address=local_address(key), remote=REMOTE),
                )
            except ValueError:
                break
        return found

    # -- others -----------------------------------------------------------------------------------

    def _stranger(self, door: Door) -> bool:
        """Names that no site has: told once where another server would answer for them."""
        group = self.scope.before.groups.get(door.key)
        if door.before is None or group is None:
            return True  # nobody listened there
        ours = [self.scope.touches(server) for server in (door.before, door.after)]
        if ours[0] and ours[1] and self._alike(door.before, door.after):
            return False
        if door.after is None and ours[0]:
            return True  # the port is closed, which the site's own names tell
        kind = NEIGHBOUR if group.default_explicit else STRANGERS
        was, now = (_named(server) for server in (door.before, door.after))
        at = [
            server.directive.where() if server and server.directive else ""
            for server in (door.before, door.after)
        ]
        parting = Parting(kind, f"goes to the server {was}", f"to {now}", at[0], at[1], (), "default_server")
        self.gathering.take([parting], f"names that no site has at {local_address(door.key)}")
        return True

    def _alike(self, one: Optional[Level], other: Optional[Level]) -> bool:
        if one is None or other is None:
            return False
        names = {*_names(one)}, {*_names(other)}
        # Servers without a name are told apart by their file and what they listen to.
        return bool(names[0] & names[1]) if any(names) else _listens(one) == _listens(other)

    def _neighbours(self) -> None:
        for key, host, was, now in self.scope.neighbours():
            at = [one.directive.where() if one is not None and one.directive else "" for one in (was, now)]
            texts = f"goes to the server {_named(was)}", f"to {_named(now)}"
            parting = Parting(NEIGHBOUR, *texts, at[0], at[1])
            self.gathering.take([parting], f"{host} at {local_address(key)}", whose=host)
        for parting, key, host in self._sockets():
            whose = host if parting.kind == NEIGHBOUR else ""
            self.gathering.take([parting], f"every request at {local_address(key)}", whose=whose)
        doors = self.scope.feeling()
        known = {door: traits_of(*self._with_maps(door)) for door in doors}
        paths = {door: paths_of((door.before, door.after), known[door], self.version) for door in doors}
        plain = [(door, path, PLAIN) for door in doors for path in paths[door]]
        self.until = max(self.until, time.process_time() + self.world.seconds / 4)
        self._all("requests of neighbours", plain, neighbour=True)
        self._all("other requests of neighbours", self._other_ways(doors, paths, known), neighbour=True)

    def _sockets(self) -> Iterable[Tuple[Parting, Tuple[str, str, int], str]]:
        """Options of a socket that our servers share with others, and that would change for them."""
        for key, group in self.scope.before.groups.items():
            other = self.scope.after.groups.get(key)
            theirs = [server for server in group.servers if not self.scope.touches(server)]
            if other is None or not theirs:
                continue
            for name in ("ssl", "proxy_protocol", "http2"):
                was, now = getattr(group, name), getattr(other, name)
                if was != now:
                    texts = [f"the socket is {'with' if value else 'without'} {name}" for value in (was, now)]
                    kind = SETTINGS if name == "http2" else NEIGHBOUR
                    yield Parting(kind, texts[0], texts[1], name=name), key, _named(theirs[0])


def _names(server: Level) -> List[str]:
    return [
        argument.decode("utf-8", "replace").lower()
        for line in server.own(b"server_name")
        for argument in line.args
    ]


def _listens(server: Level) -> Tuple[str, List[Tuple[bytes, ...]]]:
    """A server's file, and its listen lines."""
    file = server.directive.file if server.directive is not None else ""
    return file, [line.args for line in server.own(b"listen")]


def _named(server: Optional[Level]) -> str:
    """A server for people."""
    if server is None:
        return "nobody"
    names = [name for name in _names(server) if name]
    return names[0] if names else "without a name"


def _door_of(asked: Asked, doors: List[Door]) -> Optional[Door]:
    """The door that a request of the log came through; where the line does not tell, the first with TLS."""
    fits: List[Callable[[Door], bool]] = [lambda door: not door.stranger]
    if asked.tls is not None:
        fits.append(lambda door: door.origin.startswith("https") == asked.tls)
    if asked.host:
        fits.append(lambda door: door.name == asked.host)
    for number in range(len(fits), 0, -1):
        found = [door for door in doors if all(fit(door) for fit in fits[:number])]
        if found:
            return next((door for door in found if door.origin.startswith("https")), found[0])
    return None


__all__ = ["FOREIGN", "World", "compare"]
