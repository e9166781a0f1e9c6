"""The servers that the configuration has already, each with its place."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Counter, Dict, Iterator, List, Optional, Sequence

from ..conf.tree import Configuration, Directive, printable


@dataclasses.dataclass
class ServerBlock:
    """One ``server`` of ``http``."""

    names: List[str]
    """``server_name`` as written; empty when there is none."""
    listen: List[str]
    """``listen`` as written; ``["80"]``, nginx's default for root, when there is none."""
    file: str
    line: int
    certificate: str
    certificate_key: str

    def to_dict(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        return dataclasses.asdict(self)


def server_blocks(configuration: Configuration) -> List[ServerBlock]:
    """List the servers of ``http``, in the order in which nginx reads them."""
    found = []
    for http in configuration.root:
        if http.name != b"http":
            continue
        for server in http.children(b"server"):
            if server.block is None:
                continue
            found.append(
                ServerBlock(
                    names=[printable(name) for line in server.children(b"server_name") for name in line.args],
                    listen=[
                        " ".join(printable(word) for word in line.args) for line in server.children(b"listen")
                    ]
                    or ["80"],
                    file=server.file,
                    line=server.line,
                    certificate=_first(server, b"ssl_certificate"),
                    certificate_key=_first(server, b"ssl_certificate_key"),
                )
            )
    return found


def _first(block: Directive, name: bytes) -> str:
    """First argument of the first directive of that name; empty without one."""
    for directive in block.children(name):
        if directive.args:
            return printable(directive.args[0])
    return ""


def upstream_port(configuration: Configuration, name: str) -> Optional[int]:
    """The port of the first server of an upstream; None where there is no such upstream, or no port.

    Args:
        configuration: what nginx reads.
        name: of the upstream.
    """
    for directive in configuration.walk():
        if directive.name == b"upstream" and directive.args and os.fsdecode(directive.args[0]) == name:
            for server in directive.children(b"server"):
                port = os.fsdecode(server.args[0]).rpartition(":")[2] if server.args else ""
                return int(port) if port.isascii() and port.isdigit() else None
    return None


def proxied_port(configuration: Configuration, name: str, ports: Sequence[int]) -> Optional[int]:
    """The port of this host to which the servers of a name pass most of what they pass.

    Args:
        configuration: what nginx reads; whoever wrote the servers.
        name: one of their names.
        ports: candidates; others are another application's.

    Returns:
        None where they pass to none of them.
    """
    found: Counter[int] = Counter()
    for http in configuration.root:
        for server in http.children(b"server") if http.name == b"http" else ():
            names = [word for line in server.children(b"server_name") for word in line.args]
            if os.fsencode(name) in names:
                found.update(port for port in _passed(configuration, server) if port in ports)
    return found.most_common(1)[0][0] if found else None


def _passed(configuration: Configuration, block: Directive) -> Iterator[int]:
    for directive in block.block or ():
        if directive.name == b"proxy_pass" and directive.args:
            host = os.fsdecode(directive.args[0]).partition("://")[2].partition("/")[0]
            local = host.rpartition(":")[0] in ("127.0.0.1", "localhost", "[::1]")
            port = host.rpartition(":")[2]
            if local and port.isascii() and port.isdigit():
                yield int(port)
            elif ":" not in host:
                named = upstream_port(configuration, host)
                if named is not None:
                    yield named
        yield from _passed(configuration, directive)
