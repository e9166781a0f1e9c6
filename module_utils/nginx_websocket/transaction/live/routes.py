"""Does a WebSocket URL of a site open, through the running nginx?"""

from __future__ import annotations

import dataclasses
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, Optional, Sequence, Tuple, Union

from ... import codes
from ...conf.tree import Configuration
from ...exchange.masking import masked_url
from ...exchange.probe import probe
from ...exchange.result import NO_CONNECTION, Probe
from ..site.model import Finding, RouteCheck, Site
from ..site.servers import Server, servers
from .answers import dial_address

_PROBE_TIMEOUT = 5.0
_THREADS = 8
_DOWN = (*NO_CONNECTION, "closed-without-answer", "answer-timeout", "dns")
_DUMB = ("pong-timeout", "bad-frame")
"""Opened, and does not speak WebSocket."""
_SILENT = ("connect-timeout", "answer-timeout")


@dataclasses.dataclass
class LiveCheck:
    """What came of one URL."""

    failure: str = ""
    """nginx is to blame: reason to undo."""
    finding: Optional[Finding] = None
    """The backend is to blame: reason to tell."""
    down: str = ""
    """The backend, with its site, that does not answer."""


def check_live(sites: Sequence[Site], configuration: Configuration) -> List[LiveCheck]:
    """Open every WebSocket URL through the running nginx, on the host itself.

    Where one does not open, the backend is asked directly: a backend that refuses the same way, or does
    not listen, is no fault of the release.

    Args:
        sites: with their URLs.
        configuration: the tree that nginx serves, for the addresses it listens on.
    """
    work = [(site, check) for site in sites for check in site.routes]
    if not work:
        return []
    found = servers(configuration)
    with ThreadPoolExecutor(max_workers=min(_THREADS, len(work))) as pool:
        return _told_once(list(pool.map(lambda item: _check(item[0], item[1], found), work)))


def _told_once(checks: List[LiveCheck]) -> List[LiveCheck]:
    """A backend that is down is down for all its URLs: one finding, which counts the others."""
    down: Dict[str, List[LiveCheck]] = {}
    for check in checks:
        if check.down:
            down.setdefault(check.down, []).append(check)
    for first, *others in down.values():
        if others and first.finding is not None:
            more = f"; so it is with {len(others)} more of its URLs"
            first.finding = dataclasses.replace(first.finding, message=first.finding.message + more)
            for other in others:
                other.finding = None
    return checks


def _check(site: Site, check: RouteCheck, found: Sequence[Server]) -> LiveCheck:
    through = probe(
        check.url,
        address=_front(check.url, found),
        origin=check.origin or None,
        subprotocols=check.subprotocols,
        headers=check.headers,
        timeout=_PROBE_TIMEOUT,
        assess=False,
        proxy_protocol=_proxied(check.url, found),
    )
    if through.opened and not (check.must_open and through.error_kind in _DUMB):
        return LiveCheck()
    if check.must_open:
        return LiveCheck(failure=f"{masked_url(check.url)} does not open yet: {through.summary()}")
    # One with several servers has the address of each.
    one_by_one = [dataclasses.replace(check, backend=where) for where in check.backend.split()]
    if not one_by_one:
        return verdict(site.name, check, through, None)
    with ThreadPoolExecutor(max_workers=min(_THREADS, len(one_by_one))) as pool:
        answers = list(zip(one_by_one, pool.map(ask_backend, one_by_one)))
    asked, direct = telling(through, answers)
    return verdict(site.name, asked, through, direct)


def telling(through: Probe, answers: Sequence[Tuple[RouteCheck, Probe]]) -> Tuple[RouteCheck, Probe]:
    """Which of a backend's servers says whose fault it is.

    A server that refuses as nginx did is where the refusal comes from, and one that hangs is where a silence
    does. Else one that opens speaks against nginx, which would have found it; one that is down says least.

    Args:
        through: the probe through nginx, not opened.
        answers: each server and what it answered, in the backend's order.
    """
    silent = through.error_kind == "answer-timeout" or through.status == 504

    def signs(answer: Tuple[RouteCheck, Probe]) -> Tuple[bool, bool, bool, bool]:
        direct = answer[1]
        return (
            not direct.opened and direct.status is not None and direct.status == through.status,
            silent and direct.error_kind in _SILENT,
            direct.opened,
            direct.status is not None,
        )

    return max(answers, key=signs)


def verdict(site: str, check: RouteCheck, through: Probe, direct: Optional[Probe]) -> LiveCheck:
    """Whose fault it is that a URL does not open through nginx.

    Args:
        site: name of the site.
        check: the URL.
        through: the probe through nginx, not opened.
        direct: the same straight to the backend; None when the backend is not known.
    """
    url = masked_url(check.url)
    own_answer = (
        through.status is not None
        and (300 <= through.status < 400 or "<center>nginx" in through.body)
        and through.status < 500
    )
    if through.status == 401 and through.header("www-authenticate"):
        return LiveCheck(
            finding=Finding(
                "behind-password",
                f"site {site}: {url} stands behind a password; nginx answered 401, and whether the "
                "WebSocket opens for who has it was not tried",
            )
        )
    if direct is None:
        if own_answer or through.status is None:
            return LiveCheck(failure=f"{url} does not open through nginx: {through.summary()}")
        return LiveCheck(
            finding=Finding("route-not-open", f"site {site}: {url} does not open: {through.summary()}")
        )
    if direct.opened:
        return LiveCheck(
            failure=f"{url} opens straight at the backend ({direct.address}) but not through nginx: "
            f"{through.summary()}"
        )
    if direct.error_kind in _DOWN:
        if through.status is None or through.status >= 500:
            return LiveCheck(
                down=f"{site} {check.backend}",
                finding=Finding(
                    codes.BACKEND_DOWN,
                    f"site {site}: the backend {check.backend} of {url} does not answer ({direct.error}); "
                    f"nginx says {through.status or through.error}",
                    "start the backend; nothing needs to be deployed again",
                ),
            )
        return LiveCheck(
            failure=f"nginx does not pass {url} to its backend {check.backend} (which is down: "
            f"{direct.error}) but answers itself: {through.summary()}"
        )
    if through.status != direct.status and own_answer:
        return LiveCheck(
            failure=f"{url} is answered by nginx itself, not by the backend: {through.summary()}; the "
            f"backend says: {direct.summary()}"
        )
    return LiveCheck(
        finding=Finding(
            "backend-refuses",
            f"site {site}: the backend {check.backend} itself does not open {url}: {direct.summary()} "
            f"(through nginx: {through.status or through.error})",
            "look at the backend: the WebSocket route, its library, its check of Origin, Host or token",
        )
    )


def ask_backend(check: RouteCheck) -> Probe:
    """Probe the one server of the backend as nginx would ask it."""
    backend = check.backend
    scheme, _, rest = backend.partition("://")
    if not rest:
        scheme, rest = "http", backend
    address: Union[str, Tuple[str, int]]
    if rest.startswith("unix:"):
        address = rest[len("unix:") :].partition(":")[0]
    else:
        parts = urllib.parse.urlsplit("//" + rest)
        address = (parts.hostname or "", parts.port or (443 if scheme == "https" else 80))
    asked = urllib.parse.urlsplit(check.url)
    target = asked.path + ("?" + asked.query if asked.query else "")
    # As nginx does it: the SNI of the backend's own, the Host of the site.
    name = check.server_name or asked.hostname
    url = "{}://{}{}".format("wss" if scheme == "https" else "ws", name, target or "/")
    secure = asked.scheme in ("wss", "https")
    headers = [("X-Forwarded-Proto", "https" if secure else "http"), ("X-Forwarded-For", "127.0.0.1")]
    if check.server_name:
        headers.append(("Host", asked.hostname or ""))
    return probe(
        url,
        address=address,
        origin=check.origin or None,
        subprotocols=check.subprotocols,
        timeout=_PROBE_TIMEOUT,
        assess=False,
        headers=headers,
    )


def _port(url: str) -> int:
    parts = urllib.parse.urlsplit(url)
    return parts.port or (443 if parts.scheme in ("wss", "https") else 80)


def _front(url: str, found: Sequence[Server]) -> Tuple[str, int]:
    """The host's own address at which nginx takes connections for a URL."""
    port = _port(url)
    host = (urllib.parse.urlsplit(url).hostname or "").lower()
    taken = frozenset(address for server in found for address in server.addresses())
    named = [server for server in found if host in server.names] or list(found)
    for server in named:
        for address in sorted(server.addresses(), key=lambda item: (item.family, not item.wildcard)):
            dial = dial_address(address, taken) if address.port == port else None
            if dial:
                return dial, port
    return "127.0.0.1", port


def _proxied(url: str, found: Sequence[Server]) -> bool:
    port = _port(url)
    return any(
        listen.has("proxy_protocol") and any(address.port == port for address in listen.addresses)
        for server in found
        for listen in server.listens
    )
