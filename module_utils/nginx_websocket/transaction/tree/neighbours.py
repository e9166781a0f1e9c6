"""What ``nginx -t`` lets pass, or says without naming both sides: claims of two sites on one thing."""

from __future__ import annotations

import contextlib
from typing import Callable, Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Tuple, TypeVar

from ...conf.tree import Configuration, Directive, printable
from ..site.model import Finding, Refused
from ..site.servers import Server, servers
from .overlay import Overlay

Claimant = TypeVar("Claimant", Server, Directive)
_VARIABLE_BLOCKS = (b"map", b"geo", b"split_clients")


def check(configuration: Configuration, ours: FrozenSet[str]) -> List[Finding]:
    """Find claims of the candidate that somebody else makes too.

    Args:
        configuration: the staged tree.
        ours: files, as nginx names them, that this transaction writes.

    Returns:
        What is legal but worth knowing.

    Raises:
        Refused: the same server name on the same socket, the same default server, or the same
            variable, upstream or zone name; both places are named.
    """
    _names(servers(configuration), ours)
    _things(configuration, ours)
    return list(_hidden(servers(configuration), ours))


def _names(found: List[Server], ours: FrozenSet[str]) -> None:
    taken: Dict[Tuple[str, str], Server] = {}
    defaults: Dict[Tuple[str, str], Server] = {}
    for server in found:
        for address in server.addresses():
            for name in server.names:
                both = _clash(taken, (str(address), name), server, ours)
                if both:
                    raise Refused(
                        f"two servers claim {name} on {address}: {both[0].where()} and, in a file that is "
                        f"not this site's, {both[1].where()}. nginx would "
                        "only warn and let the first win. Remove the name there, or from the site."
                    )
        for listen in server.listens:
            if not listen.has("default_server"):
                continue
            for address in listen.addresses:
                both = _clash(defaults, ("default", str(address)), server, ours)
                if both:
                    raise Refused(
                        f"two default servers for {address}: {both[0].where()} and, in a file that is not "
                        f"this site's, {both[1].where()}"
                    )


def _clash(
    taken: Dict[Tuple[str, str], Claimant], key: Tuple[str, str], found: Claimant, ours: FrozenSet[str]
) -> Optional[Tuple[Claimant, Claimant]]:
    """Note who claims something; where one of ours and somebody else's do, both, ours first."""
    other = taken.setdefault(key, found)
    if (other.file in ours) == (found.file in ours):
        return None
    return (found, other) if found.file in ours else (other, found)


def _things(configuration: Configuration, ours: FrozenSet[str]) -> None:
    taken: Dict[Tuple[str, str], Directive] = {}
    for http in configuration.root:
        if http.name != b"http":
            continue
        for directive in http.block or ():
            for kind, name in _claimed(directive):
                both = _clash(taken, (kind, name), directive, ours)
                if both:
                    raise Refused(
                        f"{kind} {name} is defined twice: {both[0].where()} and, in a file that is not this "
                        f"site's, {both[1].where()}. "
                        "Use another name in the site."
                    )


def _claimed(directive: Directive) -> Iterable[Tuple[str, str]]:
    """The names that one directive of http takes for itself in the whole of http."""
    arguments = [printable(argument) for argument in directive.args]
    if directive.name in _VARIABLE_BLOCKS and arguments and directive.block is not None:
        yield "variable", arguments[-1]
    elif directive.name == b"upstream" and arguments:
        yield "upstream", arguments[0]
    elif directive.name == b"log_format" and arguments:
        yield "log_format", arguments[0]
    elif directive.name in (b"limit_req_zone", b"limit_conn_zone", b"proxy_cache_path"):
        for argument in arguments:
            key, _, value = argument.partition("=")
            if key in ("zone", "keys_zone"):
                yield "zone", value.partition(":")[0]


def _hidden(found: List[Server], ours: FrozenSet[str]) -> Iterable[Finding]:
    """An exact address of somebody else takes its connections away from our wildcard (init_connection)."""
    seen = set()
    for mine in found:
        if mine.file not in ours:
            continue
        wildcards = {(address.family, address.port) for address in mine.addresses() if address.wildcard}
        exact = {str(address) for address in mine.addresses() if not address.wildcard}
        for theirs in found:
            if theirs.file in ours:
                continue
            for address in theirs.addresses():
                hides = not address.wildcard and (address.family, address.port) in wildcards
                if hides and str(address) not in exact and str(address) not in seen:
                    seen.add(str(address))
                    yield Finding(
                        "listen-hidden",
                        f"connections to {address} never reach this site: {theirs.where()} listens on that "
                        "very address, which hides "
                        f"the site's listen on all addresses ({mine.where()})",
                        f"let the site listen on {address} too, or the other server on all addresses",
                    )


@contextlib.contextmanager
def explained(
    paths: Sequence[str], trees: Callable[[], Sequence[Tuple[Optional[Configuration], Overlay]]]
) -> Iterator[None]:
    """Where something is refused and nginx reads one of our files twice, say that: it is why.

    Args:
        paths: the files that this transaction writes.
        trees: gives the tree as it would be and the live one, each with its files; None where it cannot be
            read.
    """
    try:
        yield
    except Refused as refused:
        for configuration, overlay in trees():
            for path in paths:
                double = configuration and read_twice(configuration, overlay, path)
                if double:
                    raise Refused(f"{double}. What follows from it: {refused}", refused.errors) from refused
        raise


def read_twice(staged: Configuration, overlay: Overlay, path: str) -> str:
    """Say that nginx would read one file more than once, which defines everything in it twice; "" if not.

    Args:
        staged: the tree as it would be.
        overlay: its files, with links resolved.
        path: the file.
    """
    wanted = overlay.resolve(path)
    found = [
        f"{include.directive.where()} (include {include.pattern}"
        + ("" if file == path else f", by the link {file}")
        + ")"
        for include in staged.includes
        for file in include.files
        if overlay.resolve(file) == wanted
    ]
    if len(found) < 2:
        return ""
    return (
        f"nginx reads {path} {len(found)} times, so that everything in it stands twice: "
        f"{'; '.join(found)}. Take one of these includes away, or remove the link"
    )
