"""What a file of somebody else does for its users that the site in its place would not.

The live tree and the staged one are asked the same: a path for every location of the servers that go away.
A path of which the site's own routes speak is the user's decision; all others must lead where they led,
behind the same guards.  Imported only where a file of somebody else is taken over.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Callable, Dict, List, Optional, Sequence, Set, Tuple

from ..behaviour.effective import Level
from ..behaviour.location import Location
from ..behaviour.request import Request
from ..behaviour.route import Route, index_of, route
from ..behaviour.sample import TAIL, literal_of
from ..conf.tree import Configuration, Directive
from ..conf.units import bytes_of, seconds_of
from .answers import host_name
from .destination import (
    ANSWER,
    BACKEND,
    FILES,
    NOTHING,
    REDIRECT,
    UNKNOWN,
    Destination,
    destination,
    guards,
    headers,
)
from .doors import made_up, names, origins, paths, stays, takes_strangers
from .model import Finding, Refused
from .servers import servers

FAIL, OVERWRITE = "fail", "overwrite"
_ACME = "/.well-known/acme-challenge/"
_STRANGER = "name-of-no-site.invalid"
# What a file of a site declares for its own use; nginx refuses the tree where somebody else needs it.
_DECLARED = frozenset(
    b"server include upstream map geo split_clients log_format limit_req_zone limit_conn_zone "
    b"proxy_cache_path".split()
)
_NO_CERTIFICATES = (
    " (a site of this role cannot ask every client for a certificate, because nothing could be proven then: "
    "leave it out of the role)"
)
_HOPS = 3
_SHOWN = 8
# What the site sets by itself, or what is no promise to anybody.
_OWN_HEADERS = frozenset((b"cache-control", b"expires", b"pragma", b"alt-svc"))


@dataclasses.dataclass
class Question:
    """One location of a live server, a URL that leads to it, and both answers."""

    location: Optional[Location]
    """None: the server has none for this path, and answers by itself."""
    server: Level
    url: str
    before: Route
    after: Route
    was: Destination
    now: Destination

    @property
    def place(self) -> str:
        """The location, for people."""
        level = self.location if self.location is not None else self.server
        title = self.location.title() if self.location is not None else "the server"
        return f"{title} ({level.directive.where()})" if level.directive is not None else title

    @property
    def socket(self) -> bool:
        """Whether the site has a WebSocket route there: it writes no other regex locations."""
        return any(found.location is not None and found.location.regex for found in self.after.selections[:1])


def judge_takeover(
    taken: Sequence[str],
    live: Configuration,
    staged: Configuration,
    version: Tuple[int, ...],
    *,
    on_takeover: str = FAIL,
    exists: Callable[[str], bool] = os.path.exists,
) -> List[Finding]:
    """See that a site does what the files did whose place it takes.

    Args:
        taken: those files, as nginx names them.
        live: the tree that has them.
        staged: the tree that has the site instead.
        version: of the nginx, for its defaults.
        on_takeover: ``fail``, or ``overwrite`` to lose things knowingly.
        exists: whether the host has a path.

    Returns:
        What differs and is worth knowing.

    Raises:
        Refused: something would be lost.
    """
    theirs = [server for server in servers(live) if server.file in taken and not server.release]
    reached_by = {id(server.directive): host_name(server) for server in theirs}
    comparison = _Comparison(live, staged, version, exists)
    for level in index_of(live).servers:
        if id(level.directive) in reached_by:
            comparison.compare(level, reached_by[id(level.directive)])
    losses = comparison.losses() + _settings(taken, live, staged)
    if losses and on_takeover != OVERWRITE:
        raise Refused(_refusal(losses, sorted({server.file for server in theirs})))
    return [Finding("lost-in-takeover", loss) for loss in losses] + comparison.findings()


def _settings(taken: Sequence[str], live: Configuration, staged: Configuration) -> List[str]:
    """What the files say for all sites of the host, and nothing would say any more."""
    files = {*taken, *(set(live.files) - set(staged.files))}
    if all(server.file in files for server in servers(live)):
        return []  # there is no other site
    still = {(line.name, tuple(line.args)) for line in _of_http(staged)}
    gone = [
        f"{line.name.decode('utf-8', 'replace')} ({line.where()})"
        for line in _of_http(live)
        if line.file in files and line.name not in _DECLARED and (line.name, tuple(line.args)) not in still
    ]
    return (
        [f"{', '.join(gone)}: set for all sites, and would be gone: keep it in a file of its own"]
        if gone
        else []
    )


def _of_http(tree: Configuration) -> List[Directive]:
    return [line for http in tree.root if http.name == b"http" for line in http.block or ()]


def _refusal(losses: Sequence[str], files: Sequence[str]) -> str:
    told = [f"({number}) {loss}" for number, loss in enumerate(losses[:_SHOWN], 1)]
    if len(losses) > _SHOWN:
        told.append(f"and {len(losses) - _SHOWN} more")
    return (
        f"the site would take the place of {', '.join(files)}, which this role has not written, and do less; "
        f"nothing was changed: {'; '.join(told)}. Say it in the site's variables, or in a file of your own "
        "that its includes name; or set nginx_websocket_on_takeover to overwrite: the backup keeps what "
        "stood there."
    )


class _Comparison:
    """The same questions to two trees."""

    def __init__(
        self,
        live: Configuration,
        staged: Configuration,
        version: Tuple[int, ...],
        exists: Callable[[str], bool],
    ) -> None:
        self.live, self.staged, self.version, self.exists = live, staged, version, exists
        self._losses: List[str] = []
        self._open: Dict[str, List[str]] = {}
        self._seen: Set[Tuple[object, str, str]] = set()
        self._less: Dict[Tuple[str, str, str], List[str]] = {}
        self._headers: Dict[str, str] = {}

    def compare(self, server: Level, name: str) -> None:
        """Ask both trees for everything that one live server has.

        Args:
            server: the server.
            name: a host name that selects it; "" when none does.
        """
        for origin in origins(server, name) if name else ():
            for location, path in paths(server, self.version):
                self._ask(server, location, origin + path)
        for origin in origins(server, _STRANGER) if takes_strangers(server) else ():
            self._ask_strangers(server, origin)

    def losses(self) -> List[str]:
        """What would be lost, a sentence each."""
        opened = [
            f"{guard} guards {', '.join(places)}, and would be gone"
            + (_NO_CERTIFICATES if guard.startswith("ssl_verify_client") else "")
            for guard, places in self._open.items()
        ]
        return self._losses + opened

    def findings(self) -> List[Finding]:
        """What is less where nothing is lost."""
        found = []
        for (name, was, now), places in self._less.items():
            shown = ", ".join(places[:3]) + (" and others" if len(places) > 3 else "")
            fix = "max_body_size of the site or of the route" if "size" in name else "timeout of the route"
            found.append(
                Finding(
                    "less-after-takeover",
                    f"{name} was {was} in {shown}, and is {now} in the site; set {fix}",
                )
            )
        if self._headers:
            lines = ", ".join(f"{name} ({where})" for name, where in self._headers.items())
            found.append(
                Finding(
                    "less-after-takeover",
                    f"response headers that the file sent and the site does not: {lines}; name them in "
                    "security_headers, tls.hsts or a route's cors where they are still wanted",
                )
            )
        return found

    def _ask(self, server: Level, location: Optional[Location], url: str) -> None:
        before = self._route(self.live, url)
        first = before.selections[0].location if before.selections else None
        if before.server is None or before.server.directive is not server.directive:
            return  # another server takes this name here
        if location is not None and (first is None or first.directive is not location.directive):
            return  # another location takes this path
        was = destination(before)
        if was.kind == UNKNOWN or (was.kind == REDIRECT and stays(before, server)):
            return
        if was.kind == FILES and _ACME not in url and not any(map(self._there, was.value)):
            return  # "location = /robots.txt", as it stands in many a file, and there is none
        after = self._follow(url, server)
        asked = Question(location, server, url, before, after, was, destination(after))
        key = (before.level and before.level.directive, was.text, asked.now.text)
        if key in self._seen:
            return  # the same by another door
        self._seen.add(key)
        if self._opened(asked):
            return
        loss = _loss(asked)
        if loss:
            self._losses.append(loss)
        else:
            self._note(asked)

    def _ask_strangers(self, server: Level, origin: str) -> None:
        """Who answers requests for names that no site has."""
        before, after = (self._route(tree, origin + "/").server for tree in (self.live, self.staged))
        if before is None or before.directive is not server.directive:
            return
        if after is None or not set(names(after)) & set(names(server)):
            place = server.directive.where() if server.directive is not None else ""
            at = origin.replace(_STRANGER, "*")
            self._losses.append(
                f"the server ({place}) answers all names that no site has at {at}, and another one would: "
                "set listen.default_server"
            )

    def _opened(self, asked: Question) -> bool:
        """Remember whether a guard would be gone; dot files are nobody's, guarded or not."""
        if asked.now.kind not in (BACKEND, FILES) or b"/." in asked.before.first_uri:
            return False
        still = dict(guards(asked.after.level))
        gone = [f"{name} ({line.where()})" for name, line in guards(asked.before.level) if name not in still]
        for guard in gone:
            self._open.setdefault(guard, []).append(asked.place)
        return bool(gone)

    def _there(self, path: str) -> bool:
        """Whether there is such a file, or its directory where the name is made up."""
        return self.exists(path.partition(TAIL)[0])

    def _route(self, tree: Configuration, url: str) -> Route:
        return route(tree, Request(url), version=self.version, file_kind=made_up)

    def _follow(self, url: str, server: Level) -> Route:
        """The staged tree's answer; redirects from one door of the site to another are followed."""
        found = self._route(self.staged, url)
        for _ in range(_HOPS):
            target = found.answer.redirect_target
            if found.answer.kind != "redirect" or target is None or not stays(found, server):
                break
            found = self._route(self.staged, target.decode("utf-8", "replace"))
        return found

    def _note(self, asked: Question) -> None:
        """Remember what is less than it was, though the way is the same."""
        if asked.now.kind == BACKEND and asked.was.kind == BACKEND:
            for name, worth in (("client_max_body_size", _body), ("proxy_read_timeout", _patience)):
                if asked.socket and worth is _body:
                    continue  # a handshake has no body
                was, now = (found.effective[name].value for found in (asked.before, asked.after))
                if worth(was) > worth(now):
                    places = self._less.setdefault((name, was, now), [])
                    if asked.place not in places:
                        places.append(asked.place)
        if asked.now.kind in (BACKEND, FILES) and not asked.socket:
            sent = headers(asked.after.level)
            for header, directive in headers(asked.before.level).items():
                if header not in sent and header not in _OWN_HEADERS:
                    written = directive.args[0].decode("utf-8", "replace")
                    self._headers.setdefault(written, directive.where())


def _body(value: str) -> float:
    """Bytes of a body that may come; 0 means that there is no limit, and what is no size counts as none."""
    found = bytes_of(value)
    return 0.0 if found is None else found or float("inf")


def _patience(value: str) -> float:
    """Seconds; what is no time counts as none."""
    return seconds_of(value) or 0.0


def _loss(asked: Question) -> str:
    """What would be lost there; "" when nothing is."""
    was, now = asked.was, asked.now
    turns = f"{asked.place} is {was.text} now, and {asked.url} would be {now.text}"
    if was.kind == NOTHING:
        # Closed on purpose, and open to the application's depths.
        shut = asked.before.answer.kind in ("return", "closed") and now.kind == BACKEND
        return turns if shut else ""
    if was.kind == now.kind and was.value & now.value:
        return ""
    if _ACME in asked.url:
        return f"{turns}: set http.acme_root" if was.kind == FILES else ""
    if now.kind in (BACKEND, FILES, ANSWER, REDIRECT) and _spoken_of(asked):
        return ""
    return turns


def _spoken_of(asked: Question) -> bool:
    """Whether the site's own routes speak of this path.

    They do by a WebSocket route, by an exact location, and by a prefix as long as the live location's.
    """
    taken = asked.after.selections[0].location if asked.after.selections else None
    if taken is None:
        return False
    if taken.regex or taken.exact or asked.location is None:
        return True
    live = asked.location
    return len(taken.name) >= len(literal_of(live.name) if live.regex else live.name)
