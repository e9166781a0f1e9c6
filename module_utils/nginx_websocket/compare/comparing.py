"""Compares two trees: which requests are asked of both, within a budget, and what came of them."""

from __future__ import annotations

import dataclasses
import time
import urllib.parse
from typing import Callable, Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from ..behaviour.content.files import FileKind, local_files
from ..behaviour.effective import Level
from ..behaviour.uri import escape_uri
from ..behaviour.variables import Map, maps_of
from ..conf.tree import Configuration, Directive
from .asking import Asking
from .differences import Accepted, Comparison, Gathering, other_way
from .logs.access_log import Asked, Traffic, known_hosts, traffic
from .logs.of_servers import DEFAULT, logs_of
from .neighbours import moved, unnamed
from .requests.files_below import files_below
from .requests.paths import TAIL
from .requests.site_paths import paths_of, roots_of
from .requests.traits import Traits, traits_of
from .requests.variants import FOREIGN, PLAIN, Variant, variants
from .scope import Endpoint, Scope, Side, local_address

Version = Tuple[int, ...]
SECONDS = 2.0
"""CPU for a usual host."""
_AT_OTHER_NAMES = ("/", f"/{TAIL.decode()}")
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
    """One comparison: its budget, its endpoints, and what it found."""

    def __init__(self, before: Configuration, after: Configuration, version: Version, world: World) -> None:
        self.version, self.world = version, world
        self.started = time.process_time()
        self.until = self.started + world.seconds
        self.scope = Scope(Side(before, version), Side(after, version))
        self.gathering = Gathering(Accepted(world.accepted) if world.accepted else None)
        self.result = Comparison()
        self.asking = Asking(self.scope, self.gathering, version, world.files)
        self._traits: Dict[Tuple[Endpoint, FrozenSet[Directive]], Traits] = {}

    def run(self, urls: List[str]) -> Comparison:
        result = self.result
        if not self.scope.nothing:
            self._sites(urls)
            self._neighbours()
            result.differences = self.gathering.differences()
            result.asked = len(self.asking.asked)
        result.seconds = time.process_time() - self.started
        return result

    # -- the site's own requests ------------------------------------------------------------------

    def _sites(self, urls: List[str]) -> None:
        first: Dict[object, Endpoint] = {}
        others: List[Endpoint] = []
        for endpoint in self.scope.endpoints():
            if endpoint.stranger and self._unnamed(endpoint):
                continue
            if first.setdefault(endpoint.pair, endpoint) is not endpoint and not endpoint.stranger:
                others.append(endpoint)
        endpoints = list(first.values())
        paths = self._paths(endpoints)
        for url in urls:
            for endpoint in endpoints:
                if url.startswith(endpoint.origin + "/"):
                    paths[endpoint].append(urllib.parse.urlsplit(url).path)
        self._all(
            "paths of locations",
            [(endpoint, path, PLAIN) for endpoint in endpoints for path in paths[endpoint]],
        )
        day = self._day() if self.world.read_logs else Traffic()
        rest = self._log(
            endpoints, day, time.process_time() + (self.until - time.process_time()) * _OF_THE_LOG
        )
        self._other_ways("other ways to ask for them", endpoints, paths)
        self._all(
            "paths at other names",
            [(endpoint, path, PLAIN) for endpoint in others for path in _AT_OTHER_NAMES],
        )
        if self.world.look_below:
            self._below(endpoints)
        self._log_further(endpoints, rest)

    def _paths(self, endpoints: List[Endpoint]) -> Dict[Endpoint, List[str]]:
        """The paths that the servers behind each endpoint know."""
        return {
            endpoint: paths_of(
                (endpoint.before, endpoint.after), traits_of(*self._with_maps(endpoint)), self.version
            )
            for endpoint in endpoints
        }

    def _with_maps(self, endpoint: Endpoint) -> List[Tuple[Optional[Level], Dict[bytes, Map]]]:
        sides = (self.scope.before, endpoint.before), (self.scope.after, endpoint.after)
        return [(server, maps_of(side.index.http)[0]) for side, server in sides]

    def _all(
        self, what: str, wanted: Sequence[Tuple[Endpoint, str, Variant]], *, neighbour: bool = False
    ) -> bool:
        """Ask all of these, and say whether the budget had room for them; what it had none for is told."""
        for number, (endpoint, path, variant) in enumerate(wanted):
            if time.process_time() > self.until:
                self.result.notes.append(
                    f"{len(wanted) - number} of {len(wanted)} {what} were not asked: the comparison may take "
                    f"{self.world.seconds:g} seconds"
                )
                return False
            self.asking.ask(endpoint, path, variant, whose=endpoint.name if neighbour else "")
        return True

    def _other_ways(
        self,
        what: str,
        endpoints: List[Endpoint],
        paths: Dict[Endpoint, List[str]],
        *,
        neighbour: bool = False,
    ) -> None:
        """Ask in other ways for paths that were asked for plainly: by what the locations on the way look at.

        Another way may enter other locations, which look at more.
        """
        asked: Set[Tuple[Endpoint, str, Variant]] = set()
        if time.process_time() > self.until:
            self.result.notes.append(
                f"{what} were not asked: the comparison may take {self.world.seconds:g} seconds"
            )
            return
        while True:
            wanted = [way for way in self._ways(endpoints, paths) if way not in asked]
            if not wanted or not self._all(what, wanted, neighbour=neighbour):
                return
            asked.update(wanted)

    def _ways(
        self, endpoints: List[Endpoint], paths: Dict[Endpoint, List[str]]
    ) -> Iterator[Tuple[Endpoint, str, Variant]]:
        """The other ways; at one port of a server alone, where nothing on the way looks at ports or TLS."""
        seen = self.asking.seen
        ports: Dict[Tuple[int, int], List[Endpoint]] = {}
        for endpoint in endpoints:
            ports.setdefault(endpoint.servers, []).append(endpoint)
        for endpoint in endpoints:
            alike = ports[endpoint.servers]
            for path in dict.fromkeys(paths[endpoint]):
                key = (endpoint, path)
                entered = seen[key].entered
                traits = self._looked_at(endpoint, frozenset(entered))
                first = next(one for one in alike if seen[one, path].entered >= entered)
                if first is not endpoint and not traits.asks_port:
                    continue
                origins = [one.origin for one in (endpoint, *alike)]
                for way in variants(traits, origins, proxied=seen[key].proxied, passed=seen[key].passed):
                    yield endpoint, path, way

    def _looked_at(self, endpoint: Endpoint, entered: FrozenSet[Directive]) -> Traits:
        """What the locations that a path of an endpoint enters look at."""
        if (endpoint, entered) not in self._traits:
            self._traits[endpoint, entered] = traits_of(*self._with_maps(endpoint), entered=entered)
        return self._traits[endpoint, entered]

    def _below(self, endpoints: List[Endpoint]) -> None:
        wanted = []
        cut: List[str] = []
        for endpoint in endpoints:
            prefix = self.scope.before.configuration.prefix
            found = files_below(roots_of((endpoint.before, endpoint.after), prefix), seconds=0.15)
            cut += [root for root in found.cut if root not in cut]
            for path in found.paths:
                wanted.append(
                    (endpoint, escape_uri(path.encode("utf-8", "surrogateescape")).decode("latin-1"), PLAIN)
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

    def _log(self, endpoints: List[Endpoint], day: Traffic, until: float) -> List[Tuple[Asked, int]]:
        """Ask what users ask most, for a while; returns what is left."""
        result = self.result
        result.day = day.total
        result.notes += day.notes
        if self.world.read_logs and not day.total and self.scope.gone:
            result.notes.append("no request of the last day was read from an access log")
        return self._log_further(endpoints, day.counts.most_common(), until)

    def _log_further(
        self, endpoints: List[Endpoint], counted: List[Tuple[Asked, int]], until: Optional[float] = None
    ) -> List[Tuple[Asked, int]]:
        result = self.result
        for number, (asked, count) in enumerate(counted):
            endpoint = _endpoint_of(asked, endpoints)
            if endpoint is None:
                continue
            if time.process_time() > (self.until if until is None else until):
                return counted[number:]
            origin = asked.origin or (endpoint.origin if asked.upgrade else None)
            method = asked.method if asked.method.isalpha() else "GET"
            variant = Variant("", method, origin, asked.upgrade)
            parted = self.asking.ask(endpoint, asked.path, variant, count)
            result.hits += count
            result.same_hits += 0 if any(map(other_way, parted)) else count
        return []

    # -- others -----------------------------------------------------------------------------------

    def _unnamed(self, endpoint: Endpoint) -> bool:
        """Take what becomes of names that no site has; say whether that is all about them."""
        parted = unnamed(self.scope, endpoint)
        if parted:
            self.gathering.take(parted, f"names that no site has at {local_address(endpoint.key)}")
        return parted is not None

    def _neighbours(self) -> None:
        for parting, requests, whose in moved(self.scope):
            self.gathering.take([parting], requests, whose=whose)
        endpoints = self.scope.feeling()
        paths = self._paths(endpoints)
        plain = [(endpoint, path, PLAIN) for endpoint in endpoints for path in paths[endpoint]]
        self.until = max(self.until, time.process_time() + self.world.seconds / 4)
        self._all("requests of neighbours", plain, neighbour=True)
        self._other_ways("other requests of neighbours", endpoints, paths, neighbour=True)


def _endpoint_of(asked: Asked, endpoints: List[Endpoint]) -> Optional[Endpoint]:
    """Where a request of the log was sent to; where the line does not tell, the first endpoint with TLS."""
    fits: List[Callable[[Endpoint], bool]] = [lambda endpoint: not endpoint.stranger]
    if asked.tls is not None:
        fits.append(lambda endpoint: endpoint.origin.startswith("https") == asked.tls)
    if asked.host:
        fits.append(lambda endpoint: endpoint.name == asked.host)
    for number in range(len(fits), 0, -1):
        found = [endpoint for endpoint in endpoints if all(fit(endpoint) for fit in fits[:number])]
        if found:
            return next((endpoint for endpoint in found if endpoint.origin.startswith("https")), found[0])
    return None


__all__ = ["FOREIGN", "World", "compare"]
