"""What a site's file must say, told from the site's variables and never by rendering them."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, Iterator, List, Tuple

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.splice import apply, delete
from module_utils.nginx_websocket.conf.tree import Configuration, ConfSyntaxError, Directive
from tests.unit.role.test_hostile_values import skeleton

Pass = Tuple[str, Any, str, Tuple[str, ...]]
"""Path of a route ("~" for each WebSocket route), its backend's place among all, the scheme, and what the
location says because of that backend: directives, each with how many words follow."""

#: Of a location that passes requests on, these belong to the backend; all else belongs to the route.
BACKEND = (b"proxy_pass", b"proxy_connect_timeout", b"proxy_ssl_")
TLS = ("proxy_ssl_server_name", "proxy_ssl_name")
VERIFIED = ("proxy_ssl_verify", "proxy_ssl_verify_depth", "proxy_ssl_trusted_certificate")
HEAD, TAIL = "http {\n", "}\n"


def complaint(content: str, site: Dict[str, Any], good: Any) -> str:
    """Return what is wrong with the file of a site, empty for nothing.

    Args:
        content: The file.
        site: The variables that it was made from.
        good: `frame` of the file of the site unchanged.
    """
    try:
        if frame(content) != good:
            return "other directives than meant"
        found = passes(content)
    except (ConfSyntaxError, AssertionError) as error:
        return f"no file that nginx reads: {error}"
    meant = meant_passes(site)
    return "" if found == meant else f"requests go {found - meant}, meant was {meant - found}"


def frame(content: str) -> Any:
    """Return the skeleton of a file without what its locations say because of their backends.

    A route may name another backend, and says other things of it then; where and how often anything else
    stands does not depend on any value.
    """
    tree = parsed(content)
    edits = [delete(one) for location in locations(tree) for one in of_backend(location)]
    rest = apply(tree.files["/n.conf"], edits).decode()
    return skeleton(rest[len(HEAD) : -len(TAIL)])


def passes(content: str) -> Counter[Pass]:
    """Return which routes lead to which backend, as the file has it."""
    tree = parsed(content)
    upstreams = [block.args[0] for block in tree.root[0].children(b"upstream")]
    found: Counter[Pass] = Counter()
    for location in locations(tree):
        scheme, _, upstream = next(location.children(b"proxy_pass")).args[0].partition(b"://")
        place = upstreams.index(upstream) if upstream in upstreams else upstream
        said = sorted(f"{one.name.decode()} {len(one.args)}" for one in of_backend(location))
        found[location.args[0].decode(), place, scheme.decode(), tuple(said)] += 1
    return found


def meant_passes(site: Dict[str, Any]) -> Counter[Pass]:
    """Return the same, as the variables have it."""
    names = [backend["name"] for backend in site["backends"]]
    meant: Counter[Pass] = Counter()
    for kind in ("websockets", "api", "uploads"):
        for route in site.get(kind, []):
            place = names.index(route.get("backend", names[0]))
            backend = site["backends"][place]
            tls = backend.get("tls", {})
            said = ["proxy_pass", *(["proxy_connect_timeout"] if backend.get("connect_timeout") else [])]
            said += TLS if tls.get("enabled") else []
            said += VERIFIED if tls.get("enabled") and tls.get("verify", True) else []
            path = "~" if kind == "websockets" else route["path"]
            scheme = "https" if tls.get("enabled") else "http"
            meant[path, place, scheme, tuple(sorted(f"{name} 1" for name in said))] += 1
    return meant


def parsed(content: str) -> Configuration:
    """Return the tree of a site's file, read as part of ``http``; what it includes counts as empty."""
    text = f"{HEAD}{content}{TAIL}".encode()
    return load("/n.conf", read=lambda path: text if path == "/n.conf" else b"", glob=lambda pattern: [])


def locations(tree: Configuration) -> Iterator[Directive]:
    """Yield every location that passes requests on."""
    for directive in tree.walk():
        if directive.name == b"location" and any(directive.children(b"proxy_pass")):
            yield directive


def of_backend(location: Directive) -> List[Directive]:
    """Return what a location says because of its backend."""
    return [one for one in location.block or () if one.block is None and one.name.startswith(BACKEND)]
