"""Asks both trees one request, and gathers where their behaviours part."""

from __future__ import annotations

import collections
import dataclasses
from typing import DefaultDict, Dict, Iterator, List, Optional, Set, Tuple

from ..behaviour.behaviour import Behaviour, behaviour
from ..behaviour.content.files import FileKind
from ..behaviour.request import Request
from ..conf.tree import Directive
from .differences import PLACES, Gathering, Parting
from .parting import destination as to
from .parting.destination import destination, passed_to
from .parting.partings import Pair, partings
from .requests.variants import PLAIN, REMOTE, Variant, request
from .scope import RELEASE, Endpoint, Scope, Side, local_address

Version = Tuple[int, ...]
_HOPS = 3


@dataclasses.dataclass
class Seen:
    """What the requests for one path came upon, in both trees."""

    proxied: bool = False
    """Whether a tree passes one of them on to HTTP, or nobody can tell."""
    passed: bool = False
    """The same of any protocol, FastCGI say."""
    entered: Set[Directive] = dataclasses.field(default_factory=set)
    """The blocks that they came through."""

    def take(self, before: Behaviour, after: Behaviour, *others: Behaviour) -> None:
        """Add what became of one more request, and of those that it led to."""
        both = before, after
        self.proxied |= any(one.upstream is not None or one.answer.kind == "undecided" for one in both)
        self.passed |= self.proxied or any(one.gateway is not None for one in both)
        self.entered.update(*map(_blocks, (*both, *others)))


class Asking:
    """The requests that were made, and what was seen of them."""

    def __init__(self, scope: Scope, gathering: Gathering, version: Version, files: FileKind) -> None:
        """Begin without any request.

        Args:
            scope: the two trees, and what differs.
            gathering: takes what parts.
            version: of the nginx that runs both.
            files: tells what is at a path of the host.
        """
        self.scope, self.gathering, self.version = scope, gathering, version
        self.asked: Dict[Tuple[Endpoint, str, Variant], List[Parting]] = {}
        self.seen: DefaultDict[Tuple[Endpoint, str], Seen] = collections.defaultdict(Seen)
        self._look = files
        self._files: Dict[str, str] = {}
        self._backends = passed_to(scope.before.index.http, scope.gone)

    def ask(
        self, endpoint: Endpoint, path: str, variant: Variant, hits: int = 0, whose: str = ""
    ) -> List[Parting]:
        """Ask both trees for a path, and gather where their answers part.

        Args:
            endpoint: where.
            path: escaped.
            variant: how.
            hits: how often users asked for it within the last day.
            whose: name of the neighbour whose request it is; empty for the site's own.

        Returns:
            All that parts, with what has been gathered before.
        """
        if path.encode("latin-1", "replace").startswith(RELEASE):
            return []
        key = (endpoint, path, variant)
        new = key not in self.asked
        if new:
            self.asked[key] = self._parted(endpoint, path, variant)
        found = self.asked[key]
        example = (
            f"{variant.title or ('' if variant.method == 'GET' else variant.method)} {endpoint.origin}{path}"
        )
        self.gathering.take(self._news(endpoint, path, variant, found), example.strip(), hits, whose, new=new)
        return found

    def _news(self, endpoint: Endpoint, path: str, variant: Variant, found: List[Parting]) -> List[Parting]:
        """What another way to ask shows that the plain request has not shown already."""
        plain = self.asked.get((endpoint, path, PLAIN), []) if variant != PLAIN else []
        if not any(parting.kind in PLACES for parting in plain):
            return found
        return [parting for parting in found if parting.kind not in PLACES]

    def _parted(self, endpoint: Endpoint, path: str, variant: Variant) -> List[Parting]:
        asked = request(endpoint, path, variant)
        try:
            before = self._behaviour(self.scope.before, asked)
            after = self._behaviour(self.scope.after, asked)
        except ValueError:
            return []  # a line of a log that no browser could have sent
        same = self.scope.before.text(endpoint.before) == self.scope.after.text(endpoint.after)
        end = self._followed(before, after, asked, endpoint)
        foreign = variant.origin if variant.origin and variant.origin != endpoint.origin else ""
        behind = self._behind(before, endpoint, path, variant)
        shut = self._shut(before, after, asked) if end is after else None
        known = self._backends
        pair = Pair(before, after, end, behind, variant.upgrade, variant.method, foreign, shut, known, same)
        self.seen[endpoint, path].take(before, after, end, *filter(None, (behind, *(shut or ()))))
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

    def _behind(
        self, before: Behaviour, endpoint: Endpoint, path: str, variant: Variant
    ) -> Optional[Behaviour]:
        """What the live tree answers where it only adds a slash to the name of a directory."""
        if before.answer.code != "directory" or path.endswith("/"):
            return None
        try:
            return self._behaviour(
                self.scope.before, request(endpoint, f"{path.partition('?')[0]}/", variant)
            )
        except ValueError:
            return None

    def _behaviour(self, side: Side, asked: Request, *, admitted: bool = True) -> Behaviour:
        return behaviour(side.configuration, asked, version=self.version, files=self._kind, admitted=admitted)

    def _kind(self, path: str) -> str:
        """What is at a path, looked at once for both trees."""
        if path not in self._files:
            self._files[path] = self._look(path)
        return self._files[path]

    def _followed(self, before: Behaviour, after: Behaviour, asked: Request, endpoint: Endpoint) -> Behaviour:
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
                key = (
                    endpoint.key[0],
                    endpoint.key[1],
                    parts.port or (443 if parts.scheme == "https" else 80),
                )
                if key not in self.scope.after.groups:
                    break
                found = self._behaviour(
                    self.scope.after,
                    dataclasses.replace(asked, url=target, address=local_address(key), remote=REMOTE),
                )
            except ValueError:
                break
        return found


def _blocks(found: Behaviour) -> Iterator[Directive]:
    """The blocks of the configuration that a request came through."""
    for level in (found.route.level, *(visit.level for visit in found.visits)):
        for outer in level.chain() if level is not None else ():
            if outer.directive is not None:
                yield outer.directive
