"""What both trees show to fail, seen before anything is changed: refused then, in check mode as well.

``nginx -t`` accepts all of it; users, verification or the reload would not.
"""

from __future__ import annotations

import os
from typing import Dict, FrozenSet, Iterator, List, Optional, Sequence, Tuple

from ...behaviour.behaviour import Behaviour, behaviour
from ...behaviour.content.files import local_files, root_of
from ...behaviour.effective import Level
from ...behaviour.location import PASS_DIRECTIVES, Location, all_locations, find_location, locations_of
from ...behaviour.regex import CannotDecide, RegexError
from ...behaviour.request import Request
from ...behaviour.route import index_of
from ...behaviour.server.listen import ListenGroup
from ...compare.requests.paths import paths_to
from ...compare.scope import local_address
from ...conf.tree import Configuration, Directive
from ..site.model import Refused
from ..site.servers import servers
from ..surroundings.host import Host
from .placement import Placement

_REPLACED = (b"add_header", b"proxy_set_header", b"proxy_hide_header")
"""Lists of which a location has all or nothing (``ngx_conf_merge_*`` of arrays)."""


def see_ahead(
    host: Host, live: Configuration, staged: Configuration, placements: Sequence[Placement]
) -> None:
    """See that nothing is changed into what is known to fail.

    Args:
        host: the host, with its nginx.
        live: the tree on the disk.
        staged: the tree as it would be.
        placements: the sites, and under which path nginx reads each.

    Raises:
        Refused: it would fail; the message has the place, the value and the remedy.
    """
    if host.nginx.master is not None:
        _sockets(live, staged)
    for placement in placements:
        name = placement.site.name
        for level in index_of(staged).servers:
            if level.directive is not None and level.directive.file == placement.shown:
                _include(name, level, placement.shown, host.nginx.version)
        _pages(name, placement, staged, host.nginx.version)


# -- sockets --------------------------------------------------------------------------------------


def _sockets(live: Configuration, staged: Configuration) -> None:
    """A reload binds new sockets while it still holds the old ones: some cannot stand beside each other."""
    old, new = (
        {_key(group): group for group in index_of(tree).groups if not group.quic} for tree in (live, staged)
    )
    for key, group in new.items():
        if key in old or _covered(key, new):
            continue
        bound = (one for one in old.values() if not _covered(_key(one), old))
        held = next((one for one in bound if _clash(group, one)), None)
        if held is None:
            continue
        line, theirs = group.listens[0].directive, held.listens[0].directive
        both = " for IPv4 too (ipv6only=off)" if _dual(held) else ""
        raise Refused(
            f"{_at(line)} would listen on {group.address}, and the running nginx holds {held.address}{both} "
            f"({_at(theirs)}): a reload cannot bind the one while the other is open. Write the same address "
            f"there that nginx has now (listen.addresses), or change {_at(theirs)} to the addresses that are "
            "wanted, restart nginx once, and run again."
        )


def _key(group: ListenGroup) -> Tuple[str, str, int]:
    return group.address.family, group.address.host, group.address.port


def _covered(key: Tuple[str, str, int], groups: Dict[Tuple[str, str, int], ListenGroup]) -> bool:
    """Whether nginx opens no socket of its own for it, because a wildcard of the port is there."""
    family, host, port = key
    wildcard = "::" if family == "inet6" else "0.0.0.0"  # nosec B104 # read, not bound
    if family == "unix" or host == wildcard:
        return False
    group = groups[key]
    bound = any(listen.has("bind") for listen in group.listens)
    return not bound and (family, wildcard, port) in groups


def _dual(group: ListenGroup) -> bool:
    return group.address.family == "inet6" and not group.ipv6only


def _clash(one: ListenGroup, other: ListenGroup) -> bool:
    """Whether the kernel refuses to bind one while the other listens."""
    if "unix" in (one.address.family, other.address.family) or one.address.port != other.address.port:
        return False
    if one.address.family == other.address.family:
        return one.address.wildcard != other.address.wildcard
    return _dual(one) or _dual(other)


def _at(directive: Optional[Directive]) -> str:
    return directive.where() if directive is not None else "a server without listen"


# -- pages ----------------------------------------------------------------------------------------


def _pages(name: str, placement: Placement, staged: Configuration, version: Tuple[int, ...]) -> None:
    """A front page that nginx itself would answer with 500, because its files are not there."""
    for url, address in _fronts(placement, staged):
        found = behaviour(
            staged, Request(url, address=address), version=version, files=local_files, admitted=True
        )
        if found.answer.kind != "error" or found.answer.status != 500:
            continue
        raise Refused(
            f"site {name}: {url} would be answered with 500: {found.answer.reason}{_missing(found)}. Nothing "
            "was changed."
        )


def _fronts(placement: Placement, staged: Configuration) -> Iterator[Tuple[str, str]]:
    for server in servers(staged):
        if server.file != placement.shown:
            continue
        host = next((one for one in server.names if one and not set(one) & set("*~")), "")
        for listen in server.listens if host else ():
            tls = listen.has("ssl")
            for address in listen.addresses:
                if address.family == "inet":
                    port = "" if address.port == (443 if tls else 80) else f":{address.port}"
                    scheme = "https" if tls else "http"
                    key = (address.family, address.host, address.port)
                    yield f"{scheme}://{host}{port}/", local_address(key)


def _missing(found: Behaviour) -> str:
    level = found.route.level
    if level is None:
        return ""
    _kind, value, at = root_of(level)
    root = value.decode("utf-8", "replace")
    if "$" in root or not root.startswith("/"):
        return ""
    line = at.nearest(b"root", b"alias")[1][-1] if at is not None else None
    where = f" ({_at(line)})" if line is not None else ""
    if not os.path.isdir(root):
        return f"; its directory {root}{where} does not exist: create it, or set spa.root"
    return f"; there is no page for it in {root}{where}: put the site's files there, or set spa.root"


# -- includes -------------------------------------------------------------------------------------


def _include(name: str, server: Level, shown: str, version: Tuple[int, ...]) -> None:
    """What a file of the user's own says in vain: a location never reached, a list that is replaced."""
    for location in locations_of(server).all():
        if location.directive is None or location.directive.file == shown or location.named:
            continue
        taker = _never(server, location, version)
        if taker is not None:
            raise Refused(
                f"site {name}: {location.title()} ({location.directive.where()}) would never be reached: "
                f"{taker} takes its requests. {_cure(location)}"
            )
    locations = [one for one in all_locations(server) if not one.name.startswith(b"/.well-known/")]
    for word in _REPLACED:
        for line in server.own(word):
            wanted = PASS_DIRECTIVES if word.startswith(b"proxy_") else (b"try_files", *PASS_DIRECTIVES)
            answering = [one for one in locations if one.own(*wanted)]
            if line.file == shown or not answering or not all(one.own(word) for one in answering):
                continue
            first = answering[0].own(word)[0]
            raise Refused(
                f"site {name}: {word.decode()} {_words(line)} ({line.where()}) would reach nobody: every "
                f"location of the site has {word.decode()} lines of its own ({first.where()}), and then has "
                "these alone. "
                + (
                    "Put it into security_headers."
                    if word == b"add_header"
                    else "Write it into a location of your own in that file."
                )
            )


def _words(line: Directive) -> str:
    return b" ".join(line.args[:1]).decode("utf-8", "replace")


def _never(server: Level, location: Location, version: Tuple[int, ...]) -> Optional[str]:
    """Who takes all requests that a location is written for; None where it gets one, or nobody can tell."""
    takers: List[str] = []
    for path in paths_to(location, version):
        try:
            found = find_location(server, path, version).location
        except (CannotDecide, RegexError, RecursionError):
            return None
        chain = _directives(found)
        if location.directive in chain:
            return None
        if found is not None and found.directive is not None:
            takers.append(f"{found.title()} ({found.directive.where()})")
    return takers[0] if takers else None


def _directives(location: Optional[Location]) -> FrozenSet[Optional[Directive]]:
    return frozenset(level.directive for level in location.chain()) if location is not None else frozenset()


def _cure(location: Location) -> str:
    if location.regex:
        return "nginx takes the first regular expression that matches: make the route that takes it narrower."
    name = location.name.decode("utf-8", "replace")
    return f"Write location ^~ {name} there: a prefix with ^~ stands before regular expressions."
