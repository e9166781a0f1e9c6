"""What several sites on one host must not do to each other."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Tuple

from .identifiers import all_names, stem
from .specification import Reader

Site = Dict[str, Any]
Socket = Tuple[str, int]


def sockets(site: Site) -> Iterator[Tuple[Socket, bool]]:
    """Yield address (``*`` for all) and port of each socket of a site, and whether it speaks TLS."""
    for address in site["listen"]["addresses"] or ["*"]:
        if site["http"]["mode"] != "none":
            yield (address, site["http"]["port"]), False
        if site["tls"]["enabled"]:
            yield (address, site["tls"]["port"]), True


def refuse_clashes(sites: List[Site], variable: str, reader: Reader) -> None:
    """Refuse sites that nginx would let override each other, or refuse to load together.

    Args:
        sites: Completed sites.
        variable: Name of the list in messages.
        reader: Keeps what is refused.
    """
    names: Dict[Tuple[Socket, str], int] = {}
    stems: Dict[str, int] = {}
    files: Dict[str, int] = {}
    kinds: Dict[Socket, Tuple[int, bool, bool]] = {}
    defaults: Dict[Socket, int] = {}
    for index, site in enumerate(sites):
        place = f"{variable}[{index}]"
        first = stems.setdefault(stem(site["name"]), index)
        if first != index:
            reader.refuse(f"{place}.name", site["name"], f"a name that {variable}[{first}] does not have", "")
            continue
        if site["file"] and files.setdefault(site["file"], index) != index:
            other = f"{variable}[{files[site['file']]}]"
            reader.refuse(
                f"{place}.file", site["file"], f"a file that {other} does not have", "A file holds one site."
            )
        for socket, tls in sockets(site):
            for name in all_names(site):
                first = names.setdefault((socket, name), index)
                if first != index:
                    fix = "nginx would give all requests to the first of the two."
                    expected = f"a name that {variable}[{first}] does not claim on port {socket[1]}"
                    reader.refuse(f"{place}.server_names", name, expected, fix)
            proxied = site["listen"]["proxy_protocol"]
            first, other_tls, other_proxied = kinds.setdefault(socket, (index, tls, proxied))
            if tls != other_tls:
                expected = (
                    f"a port that {variable}[{first}] does not use {'with' if other_tls else 'without'} TLS"
                )
                reader.refuse(
                    f"{place}.{'tls' if tls else 'http'}.port", socket[1], expected, "Choose another port."
                )
            if proxied != other_proxied:
                expected = f"the same as {variable}[{first}], which listens on the same socket"
                reader.refuse(
                    f"{place}.listen.proxy_protocol", proxied, expected, "It holds for a socket, not a site."
                )
            if site["listen"]["default_server"] and defaults.setdefault(socket, index) != index:
                expected = f"one default server for port {socket[1]}, which {variable}[{defaults[socket]}] is"
                reader.refuse(f"{place}.listen.default_server", True, expected, "Set it to false.")


def endpoint_urls(site: Site) -> List[str]:
    """Return the WebSocket URLs, without a path, at which a site is served: the TLS side first."""
    endpoints = []
    if site["tls"]["enabled"]:
        endpoints.append(("wss", site["tls"]["port"], 443))
    if site["http"]["mode"] == "serve":
        endpoints.append(("ws", site["http"]["port"], 80))
    return [
        f"{scheme}://{site['name']}" + ("" if port == usual else f":{port}")
        for scheme, port, usual in endpoints
    ]
