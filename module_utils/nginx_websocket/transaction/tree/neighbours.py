"""What ``nginx -t`` lets pass, or says without naming both sides: claims of two sites on one thing."""

from __future__ import annotations

import contextlib
from typing import Callable, Dict, FrozenSet, Iterable, Iterator, List, Optional, Sequence, Tuple

from ...conf.tree import Configuration, Directive, printable
from ..site.model import Finding, Refused
from ..site.servers import Server, servers
from .overlay import Overlay

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
    defaults: Dict[str, Server] = {}
    for server in found:
        for address in server.addresses():
            for name in server.names:
                other = taken.setdefault((str(address), name), server)
                if other is not server and _crosses(other.file, server.file, ours):
                    mine, theirs = (server, other) if server.file in ours else (other, server)
                    raise Refused(
                        f"two servers claim {name} on {address}: {mine.where()} and, in a file that is not "
                        f"this site's, {theirs.where()}. nginx would "
                        "only warn and let the first win. Remove the name there, or from the site."
                    )
        for listen in server.listens:
            if not listen.has("default_server"):
                continue
            for address in listen.addresses:
                other = defaults.setdefault(str(address), server)
                if other is not server and _crosses(other.file, server.file, ours):
                    mine, theirs = (server, other) if server.file in ours else (other, server)
                    raise Refused(
                        f"two default servers for {address}: {mine.where()} and, in a file that is not this "
                        f"site's, {theirs.where()}"
                    )


def _crosses(one: str, two: str, ours: FrozenSet[str]) -> bool:
    return (one in ours) != (two in ours)


def _things(configuration: Configuration, ours: FrozenSet[str]) -> None:
    taken: Dict[Tuple[str, str], Directive] = {}
    for http in configuration.root:
        if http.name != b"http":
            continue
        for directive in http.block or ():
            for kind, name in _claimed(directive):
                other = taken.setdefault((kind, name), directive)
                if other is not directive and _crosses(other.file, directive.file, ours):
                    mine, theirs = (directive, other) if directive.file in ours else (other, directive)
                    raise Refused(
                        f"{kind} {name} is defined twice: {mine.where()} and, in a file that is not this "
                        f"site's, {theirs.where()}. "
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
