"""Where a request ends up, in words by which two trees can be compared."""

from __future__ import annotations

import dataclasses
import urllib.parse
from typing import FrozenSet, Iterable, Optional, Sequence

from ... import codes
from ...behaviour.behaviour import Behaviour
from ...behaviour.effective import Level
from ...behaviour.location import PASS_DIRECTIVES, all_locations
from ...conf.tree import Directive
from ...exchange.masking import masked_url

BACKEND, HANDLER, FILE, LISTING = "backend", "handler", "file", "listing"
REDIRECT, ANSWER, REFUSED, NOBODY, UNKNOWN = "redirect", "answer", "refused", "nobody", "unknown"

REAL = frozenset((BACKEND, HANDLER, FILE, LISTING))
"""What holds something that somebody may want, or may not be given."""
_NOBODY = {
    "not-listening": "nobody listens there",
    codes.TLS_NOT_ENABLED: "the port speaks no TLS",
    codes.PLAIN_HTTP_TO_TLS_PORT: "the port speaks TLS only",
}
_BY_ITSELF = ("auto-redirect", "directory")
CLOSED_ON_PURPOSE = ("return", "closed", "internal", "refused")


@dataclasses.dataclass(frozen=True)
class Destination:
    """Where a request ends up."""

    kind: str
    """A kind of this module."""
    value: FrozenSet[str] = frozenset()
    """What it is known by: addresses, a path, a status.  Two that share one are the same."""
    text: str = ""
    """For people."""
    at: str = ""
    """``file:line`` of what decides."""
    status: int = 0
    own: bool = False
    """Of a file: whether it is the one that was asked for, and no page that stands for all;
    of a redirect: whether nginx adds a slash by itself; of a refusal: whether somebody wrote it."""
    protocol: str = ""
    """Of a backend: "http", "https", "fastcgi" …"""


def destination(found: Behaviour) -> Destination:
    """Sum a behaviour up.

    Args:
        found: of a request that every guard lets pass.
    """
    answer = found.answer
    at = _where(found, answer.directive)
    if answer.kind in _NOBODY:
        return Destination(NOBODY, frozenset((answer.kind,)), _NOBODY[answer.kind], at)
    if answer.kind == "proxy" and found.upstream is not None:
        places = frozenset(map(_local, found.upstream.servers))
        text = f"is passed to {_listed(found.upstream.servers)}"
        return Destination(BACKEND, places, text, at, answer.err_status, protocol=found.upstream.scheme)
    if answer.kind == "pass" and found.gateway is not None:
        if found.gateway.target is None:
            return Destination(UNKNOWN, text="is passed to a backend that a variable names", at=at)
        places = frozenset(map(_local, found.gateway.servers))
        text = f"is passed to {_listed(found.gateway.servers)} by {found.gateway.protocol}"
        return Destination(BACKEND, places, text, at, answer.err_status, protocol=found.gateway.protocol)
    if answer.kind == "handler" and answer.directive is not None:
        name = answer.directive.name.decode("utf-8", "replace")
        return Destination(HANDLER, frozenset((name,)), f"is answered by {name}", at, answer.err_status)
    if answer.kind == "static" and answer.path:
        return _file(found, at)
    if answer.kind == "autoindex":
        return Destination(LISTING, frozenset((answer.path,)), f"is the list of {answer.path}", at)
    if answer.kind == "redirect":
        target = (answer.redirect_target or b"").decode("utf-8", "replace")
        known = frozenset((_normal(target),)) if target else frozenset()
        text = f"is redirected to {masked_url(target) or 'a place that a variable names'}"
        return Destination(REDIRECT, known, text, at, answer.status, answer.code in _BY_ITSELF)
    if answer.kind == "return" and answer.status < 400:
        body = (answer.text or b"").decode("utf-8", "replace")
        return Destination(
            ANSWER, frozenset((f"{answer.status} {body}",)), f"is answered with {answer.status}", at
        )
    if answer.kind in ("undecided", "stream"):
        return Destination(UNKNOWN, text=answer.reason or "cannot be told", at=at)
    written = answer.kind in CLOSED_ON_PURPOSE or answer.code == "internal"
    return _refused(answer.status or 400, at, written, answer.text or b"")


def _file(found: Behaviour, at: str) -> Destination:
    answer = found.answer
    if answer.status >= 400:
        if answer.err_status:
            text = f"is answered with {answer.status} and {answer.path}"
            return Destination(
                REFUSED, frozenset((f"{answer.status} {answer.path}",)), text, at, answer.status
            )
        return _refused(answer.status, at, False)
    asked = found.route.first_uri.decode("utf-8", "replace")
    own = answer.path.endswith(asked) if not asked.endswith("/") else f"{asked}index." in answer.path
    if not own:
        # An alias, or a file of another ending (gzip_static, try_files $uri.html)
        last = asked.rstrip("/").rpartition("/")[2]
        own = bool(last) and answer.path.rpartition("/")[2].startswith(last)
    return Destination(FILE, frozenset((answer.path,)), f"is the file {answer.path}", at, answer.status, own)


def _refused(status: int, at: str, written: bool, body: bytes = b"") -> Destination:
    text = "is not answered" if status == 444 else f"is answered with {status}"
    known = f"{status} {body.decode('utf-8', 'replace')}"
    return Destination(REFUSED, frozenset((known,)), text, at, status, written)


def _where(found: Behaviour, directive: Optional[Directive]) -> str:
    if directive is None:
        level = found.route.level or found.route.server
        directive = level.directive if level is not None else None
    return directive.where() if directive is not None else ""


def _listed(servers: Sequence[str]) -> str:
    return ", ".join(servers) or "a backend without an address"


def _local(address: str) -> str:
    """``localhost`` and the loopback addresses are one place."""
    for name in ("localhost:", "[::1]:"):
        if address.startswith(name):
            return "127.0.0.1:" + address[len(name) :]
    return address if ":" in address else f"{address}:80"


def passed_to(http: Level, servers: Iterable[Level]) -> FrozenSet[str]:
    """The addresses that some servers pass requests to, as far as they are written.

    Args:
        http: with the ``upstream`` blocks.
        servers: of one tree.
    """
    named = {
        block.args[0]: [line.args[0] for line in block.children(b"server") if line.args]
        for block in http.own(b"upstream")
        if block.args
    }
    found = set()
    for server in servers:
        for level in (server, *all_locations(server)):
            for line in level.own(*PASS_DIRECTIVES):
                target = line.args[0].rpartition(b"://")[2].partition(b"/")[0] if line.args else b"$"
                found.update(named.get(target, [target]))
    return frozenset(_local(one.decode("utf-8", "replace")) for one in found if b"$" not in one)


def split(url: str) -> urllib.parse.SplitResult:
    """The parts of a URL; one that no browser could use has a path alone."""
    try:
        parts = urllib.parse.urlsplit(url)
        _number = parts.port
        return parts
    except ValueError:
        return urllib.parse.SplitResult("", "", url, "", "")


def _normal(target: str) -> str:
    """A URL without what makes no difference: case of the host, the scheme's own port."""
    parts = split(target)
    if not parts.netloc:
        return target
    host = parts.netloc.lower()
    own = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    if own and host.endswith(own):
        host = host[: -len(own)]
    return parts._replace(netloc=host, path=parts.path or "/").geturl()


def host_of(url: str) -> str:
    """The host of a URL without ``www.``; "" for a path."""
    host = (split(url).hostname or "").lower()
    return host[4:] if host.startswith("www.") else host
