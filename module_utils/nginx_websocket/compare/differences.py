"""What two trees do differently, summed up: one difference for all requests that part in the same way."""

from __future__ import annotations

import dataclasses
import itertools
import re
import urllib.parse
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple

from ..exchange.masking import masked_url

LOSS, CHANGE, GAIN = "loss", "change", "gain"
"""Weights: somebody loses something; users may see it; users get more."""

GUARD_LOST, SOURCE_SERVED, OPENED, FILE_LOST = "guard-lost", "source-served", "opened", "file-lost"
UPGRADE_LOST, REDIRECT_LOST, PATH_CHANGED = "upgrade-lost", "redirect-lost", "path-changed"
ELSEWHERE, NEIGHBOUR, UNKNOWN = "elsewhere", "neighbour", "unknown"
LET_IN, HEADER_PASSED = "let-in", "header-passed"
BACKEND_MOVED, ROOT_CHANGED, REROUTED, REDIRECTED = "backend-moved", "root-changed", "rerouted", "redirected"
CLOSED, GUARD_CHANGED, LESS, PREFLIGHT = "closed", "guard-changed", "less", "preflight"
BACKEND_HEADERS, HEADERS, SETTINGS, LOGS, STATUS = (
    "backend-headers",
    "headers",
    "settings",
    "logs",
    "status",
)
STRANGERS, MORE = "strangers", "more"

KINDS: Dict[str, Tuple[str, str]] = {
    GUARD_LOST: (LOSS, "a password, address rule or other guard no longer stands before a path"),
    SOURCE_SERVED: (LOSS, "a file that was run is sent as it is, source code and all"),
    OPENED: (LOSS, "a path that was closed on purpose is answered"),
    LET_IN: (LOSS, "pages of another site may open a WebSocket that was refused to them"),
    HEADER_PASSED: (LOSS, "the backend gets a header as a client wrote it, which the live tree takes away"),
    FILE_LOST: (LOSS, "a file that is there is no longer sent"),
    UPGRADE_LOST: (LOSS, "a WebSocket that opened would not"),
    REDIRECT_LOST: (LOSS, "a redirect is gone, and plain HTTP is answered"),
    PATH_CHANGED: (LOSS, "the backend is asked for another path"),
    ELSEWHERE: (LOSS, "something else answers a path"),
    NEIGHBOUR: (LOSS, "a request of another site goes to another server"),
    UNKNOWN: (
        LOSS,
        "what becomes of a request cannot be told, and one side has a file, a handler or a guard",
    ),
    BACKEND_MOVED: (CHANGE, "another backend gets the requests"),
    ROOT_CHANGED: (CHANGE, "the same path is a file of another directory"),
    REROUTED: (CHANGE, "a path that had no file or route of its own gets one"),
    REDIRECTED: (CHANGE, "a redirect within the site comes or changes"),
    CLOSED: (CHANGE, "requests that were answered are refused"),
    GUARD_CHANGED: (CHANGE, "a guard has another rule"),
    LESS: (CHANGE, "a smaller body limit, a shorter timeout, or buffering where there was none"),
    PREFLIGHT: (CHANGE, "nginx answers the preflight requests of other sites' pages by itself"),
    STATUS: (CHANGE, "an error has another status or page"),
    BACKEND_HEADERS: (CHANGE, "the backend gets other headers or parameters"),
    HEADERS: (CHANGE, "browsers get other headers"),
    SETTINGS: (
        CHANGE,
        "compression, error pages, limits, filters, caches or any other directive in force change",
    ),
    LOGS: (CHANGE, "requests are logged elsewhere"),
    STRANGERS: (CHANGE, "another server answers for names that no site has"),
    MORE: (GAIN, "something is answered that was not, or a WebSocket opens that did not"),
}
"""Every kind of difference: its weight and what it means; the heaviest first."""
PLACES = frozenset(
    (
        SOURCE_SERVED,
        OPENED,
        LET_IN,
        FILE_LOST,
        REDIRECT_LOST,
        ELSEWHERE,
        BACKEND_MOVED,
        ROOT_CHANGED,
        REROUTED,
        CLOSED,
    )
) | {STATUS, PREFLIGHT}
"""Kinds that say where a request ends up."""
_BESIDE = frozenset((BACKEND_HEADERS, HEADERS, SETTINGS, LOGS, LESS))
"""Kinds of requests that go the same way all the same."""
_ANYWHERE = frozenset((HEADER_PASSED, BACKEND_HEADERS, HEADERS, SETTINGS, LOGS, LESS, REDIRECTED))
"""Kinds that are one difference wherever they stand: a header that ten locations add, say."""
_USABLE = re.compile(r"(?:https?://[^/?#*\s]+)?/[^?#*\s]*\*?\Z")
"""A path or a URL whose losses are accepted."""
_EXAMPLES = 3
_TOLD = 3


@dataclasses.dataclass(frozen=True)
class Parting:
    """Where the behaviours of two trees part, for one request."""

    kind: str
    """A code of this module."""
    was: str
    """What becomes of the request in the live tree."""
    now: str
    """What would become of it."""
    was_at: str = ""
    """``file:line`` of the directive that decides, in the live tree."""
    now_at: str = ""
    group: Tuple[str, ...] = ()
    """What makes two partings of one kind and one place the same; ``was`` and ``now`` when it is empty."""
    name: str = ""
    """Of a header, a limit or a guard."""
    anywhere: bool = False
    """Whether it is one difference wherever it stands: a header that ten locations add, say."""

    def key(self) -> Tuple[object, ...]:
        """Equal for partings that are one difference."""
        at = ("", "") if self.anywhere or self.kind in _ANYWHERE else (self.was_at, self.now_at)
        return self.kind, self.name, at, self.group or (self.was, self.now)


def other_way(parting: Parting) -> bool:
    """Whether the request goes another way: elsewhere, behind other guards, by another path."""
    return parting.kind not in _BESIDE


@dataclasses.dataclass
class Difference:
    """All requests that part in the same way."""

    parting: Parting
    examples: List[str] = dataclasses.field(default_factory=list)
    """A few of the requests, secrets masked."""
    requests: int = 0
    """How many different requests part so."""
    hits: int = 0
    """How many requests of the last day were such ones."""
    whose: str = ""
    """Name of the neighbour whose request it is; "" for the site's own."""
    accepted: bool = False
    """Whether somebody has said that these requests may lose what they lose."""

    @property
    def weight(self) -> str:
        """``LOSS``, ``CHANGE`` or ``GAIN``; whatever changes for a neighbour is a loss."""
        return LOSS if self.whose else KINDS[self.parting.kind][0]

    def take(self, example: str, hits: int, *, new: bool = True) -> None:
        """Count one more request.

        Args:
            example: the request in words; secrets in it are masked here.
            hits: how often it came within the last day.
            new: whether it was not counted before.
        """
        self.requests += new
        self.hits += hits
        if len(self.examples) < _EXAMPLES:
            masked = shown(example)
            if masked not in self.examples:
                self.examples.append(masked)

    def where(self) -> str:
        """One word for the requests: the path, or what the paths of all examples begin with."""
        if len(self.examples) < 2:
            return self.examples[0] if self.examples else ""
        parts = [example.rpartition("/")[0].split("/") for example in self.examples]
        shared = "/".join(
            each[0] for each in itertools.takewhile(lambda column: len({*column}) == 1, zip(*parts))
        )
        return f"{shared}/…" if shared.count("/") > 2 else self.examples[0]

    def sentence(self) -> str:
        """For people: which requests, what becomes of them now, and what would."""
        parting = self.parting
        more = self.requests - len(self.examples)
        asked = ", ".join(self.examples) + (f" and {more:,} more like these" if more > 0 else "")
        often = f" ({self.hits:,} of the last day's requests)" if self.hits else ""
        was = f"{parting.was} ({parting.was_at})" if parting.was_at else parting.was
        now = f"{parting.now} ({parting.now_at})" if parting.now_at else parting.now
        whose = f"of the neighbour {self.whose}: " if self.whose else ""
        return f"{whose}{asked}{often}: now {was}; then {now}"

    def as_dict(self) -> Dict[str, Any]:
        """For a module's result."""
        parting = self.parting
        return {
            "kind": parting.kind,
            "weight": self.weight,
            "name": parting.name,
            "was": parting.was,
            "was_at": parting.was_at,
            "now": parting.now,
            "now_at": parting.now_at,
            "examples": self.examples,
            "requests": self.requests,
            "hits": self.hits,
            "neighbour": self.whose,
            "accepted": self.accepted,
        }


@dataclasses.dataclass
class Comparison:
    """What two trees do with the same requests."""

    differences: List[Difference] = dataclasses.field(default_factory=list)
    asked: int = 0
    """Different requests that both trees were asked."""
    hits: int = 0
    """Requests of the last day among them."""
    same_hits: int = 0
    """Of these, how many go the same way."""
    day: int = 0
    """All requests of the last day that the log told of."""
    notes: List[str] = dataclasses.field(default_factory=list)
    """What was left out, and why."""
    seconds: float = 0.0
    """CPU that it took."""

    def of(self, weight: str) -> List[Difference]:
        """The differences of one weight, those that most people meet first."""
        return [found for found in self.differences if found.weight == weight]

    def summary(self) -> str:
        """One sentence: how many requests go the same way."""
        if not self.day:
            kinds = len(self.differences)
            found = f"{kinds} difference{'s' * (kinds != 1)}" if kinds else "no difference"
            return f"{self.asked:,} requests were compared: {found}"
        left = f"; {self.day - self.hits:,} rare ones were not compared" if self.day > self.hits else ""
        others = "".join(
            f"; {one.hits:,} ({one.where()}) would not: now {one.parting.was}, then {one.parting.now}"
            for one in [one for one in self.differences if one.hits and other_way(one.parting)][:_TOLD]
        )
        return f"of {self.day:,} requests of the last day {self.same_hits:,} go the same way{others}{left}"

    def as_dict(self) -> Dict[str, Any]:
        """For a module's result."""
        return {
            "summary": self.summary(),
            "asked": self.asked,
            "last_day": self.day,
            "last_day_compared": self.hits,
            "last_day_same": self.same_hits,
            "differences": [difference.as_dict() for difference in self.differences],
            "notes": self.notes,
        }


class Gathering:
    """Collects differences while requests are asked."""

    def __init__(self, accepted: Optional[Callable[[str], bool]] = None) -> None:
        """Begin with none.

        Args:
            accepted: tells of a URL whether its request may lose what it has; by default none may.
        """
        self._accepted = accepted
        self._found: Dict[Tuple[object, ...], Difference] = {}

    def take(
        self, partings: Sequence[Parting], example: str, hits: int = 0, whose: str = "", *, new: bool = True
    ) -> None:
        """Add what became of one request.

        Args:
            partings: where it parts.
            example: the request in words.
            hits: how often it came within the last day.
            whose: name of the neighbour whose request it is.
            new: whether it was not asked before.
        """
        for parting in partings:
            lost = not whose and KINDS[parting.kind][0] == LOSS
            accepted = lost and self._accepted is not None and self._accepted(example.rpartition(" ")[2])
            key = (*parting.key(), whose, accepted)
            if key not in self._found:
                self._found[key] = Difference(parting, whose=whose, accepted=accepted)
            self._found[key].take(example, hits, new=new)

    def differences(self) -> List[Difference]:
        """All of them: losses first, and what most requests meet before the rest."""
        order = (LOSS, CHANGE, GAIN)
        return sorted(
            self._found.values(),
            key=lambda one: (order.index(one.weight), list(KINDS).index(one.parting.kind), -one.hits),
        )


def shown(example: str) -> str:
    """A request in words without the secrets of its URL; the URL comes last."""
    words, _space, url = example.rpartition(" ")
    masked = masked_url(url)
    return f"{words} {masked}" if words else masked


def unusable(patterns: Iterable[str]) -> List[str]:
    """Those that are no path and no URL; ``*`` may stand at the end alone."""
    return [one for one in patterns if not _USABLE.match(one)]


class Accepted:
    """Tells whether a request's loss is accepted: by its whole path, or by what its path begins with."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Take patterns that are usable: ``/health``, ``/old/*``, ``https://a.test/old/*``."""
        self._patterns = [self._normal(one) for one in patterns]

    def __call__(self, url: str) -> bool:
        """Whether one of the patterns fits a URL, whatever its query."""
        asked = self._normal(url.partition("?")[0])
        path = "/" + asked.partition("://")[2].partition("/")[2]
        return any(
            (seen.startswith(pattern[:-1]) if pattern.endswith("*") else seen == pattern)
            for pattern in self._patterns
            for seen in ((path,) if pattern.startswith("/") else (asked,))
        )

    @staticmethod
    def _normal(text: str) -> str:
        """A URL or path without escapes, so that both are written alike; the host in lower case."""
        scheme, mark, rest = text.partition("://")
        if not mark:
            return urllib.parse.unquote(text)
        host, slash, path = rest.partition("/")
        return f"{scheme.lower()}://{host.lower()}{slash}{urllib.parse.unquote(path)}"
