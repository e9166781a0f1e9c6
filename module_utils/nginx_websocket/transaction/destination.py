"""Where a request ends up and what holds on its way, in words by which two trees can be compared."""

from __future__ import annotations

import dataclasses
from typing import Dict, FrozenSet, List, Optional, Tuple

from ..behaviour.content.files import root_of
from ..behaviour.effective import Level
from ..behaviour.location import Location
from ..behaviour.route import Route
from ..conf.tree import Directive

BACKEND, FILES, REDIRECT, ANSWER = "backend", "files", "redirect", "answer"
NOTHING, UNKNOWN = "nothing", "unknown"

_NOTHING = frozenset(
    (
        "not-listening",
        "tls-not-enabled",
        "plain-http-to-tls-port",
        "not-found",
        "forbidden",
        "closed",
        "error",
        "return",
    )
)
_OF_FILES = frozenset(("static", "autoindex", "redirect", "not-found", "forbidden"))


@dataclasses.dataclass(frozen=True)
class Destination:
    """Where a request ends up."""

    kind: str
    """``BACKEND``, ``FILES``, ``REDIRECT``, ``ANSWER`` (nginx's own), ``NOTHING`` or ``UNKNOWN``."""
    value: FrozenSet[str] = frozenset()
    """What it is known by: addresses, a path, a status.  Two that share one are the same."""
    text: str = ""
    """What is done with the request."""


def destination(found: Route) -> Destination:
    """Sum a route up.

    Args:
        found: of a request that is no handshake.
    """
    answer, upstream = found.answer, found.upstream
    if answer.kind == "proxy" and upstream is not None:
        places = frozenset(map(_local, upstream.servers))
        return Destination(BACKEND, places, f"passed to {', '.join(upstream.servers)}")
    if answer.kind in ("pass", "handler") and answer.directive is not None:
        name = answer.directive.name.decode()
        target = answer.directive.args[0].decode("utf-8", "replace") if answer.directive.args else ""
        if answer.kind == "pass":
            return Destination(BACKEND, frozenset((target,)), f"passed to {target}")
        return Destination(ANSWER, frozenset((name,)), f"answered by {name}")
    if answer.kind == "redirect" and answer.code not in ("auto-redirect", "directory"):
        target = (answer.redirect_target or b"").decode("utf-8", "replace")
        return Destination(REDIRECT, frozenset((target,)), f"redirected to {target or 'another place'}")
    if answer.kind == "return" and answer.status < 400:
        return Destination(ANSWER, frozenset((str(answer.status),)), f"answered with {answer.status}")
    if answer.kind in _OF_FILES and answer.code != "internal":
        path = _file(found)
        if path:
            return Destination(FILES, frozenset((path,)), f"the file {path}")
    if answer.kind in _NOTHING:
        text = f"answered with {answer.status}" if answer.status else "answered by nobody"
        return Destination(NOTHING, frozenset((text,)), text)
    return Destination(UNKNOWN)


def _file(found: Route) -> str:
    """The file that is looked for first, whether it exists or not; "" when variables decide."""
    level = (found.selections[0].location if found.selections else None) or found.server
    if level is None:
        return ""
    name, value, at = root_of(level)
    if b"$" in value:
        return ""
    uri = found.first_uri
    if name == b"alias":
        if not isinstance(at, Location) or at.regex:
            return ""
        uri = uri[len(at.name) :]
    else:
        value = value.rstrip(b"/")
    path = (value + uri).decode("utf-8", "replace")
    return path if path.startswith("/") else f"{found.configuration.prefix.rstrip('/')}/{path}"


def guards(level: Optional[Level]) -> List[Tuple[str, Directive]]:
    """What lets only some clients in: rules by address, password, certificate, another's word, method.

    Args:
        level: the level whose directives are in force.

    Returns:
        Name and directive of each; an inherited one counts (``ngx_conf_merge_*``).
    """
    if level is None:
        return []
    found = []
    denying = [rule for rule in level.nearest(b"allow", b"deny")[1] if rule.name == b"deny"]
    found += [("allow and deny", rule) for rule in denying[:1]]
    for name in (b"auth_basic", b"auth_request", b"ssl_verify_client"):
        lines = level.nearest(name)[1]
        if lines and lines[-1].args[:1] not in ((b"off",), (b"optional",), (b"optional_no_ca",)):
            found.append((name.decode(), lines[-1]))
    return found + [("limit_except", line) for line in level.own(b"limit_except")[:1]]


def headers(level: Optional[Level]) -> Dict[bytes, Directive]:
    """The ``add_header`` lines in force, by name in lower case (all or nothing of a level)."""
    lines = level.nearest(b"add_header")[1] if level is not None else []
    return {line.args[0].lower(): line for line in lines if line.args}


def _local(address: str) -> str:
    """``localhost`` and the loopback addresses are one place."""
    for name in ("localhost:", "[::1]:"):
        if address.startswith(name):
            return "127.0.0.1:" + address[len(name) :]
    return address
