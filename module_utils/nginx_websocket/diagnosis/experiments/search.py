"""Experiments with the backend: which property of nginx's request makes it refuse?

The request that nginx sends is asked again, directly.  When it fails, requests that differ from it in one
property after the other are tried until one opens; then each difference is put back alone.  A property that
breaks the opening request by itself is a cause; no guess from a status code is needed.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Callable, Dict, List, Optional, Sequence, Tuple

from ...exchange.endpoint import Address
from ...exchange.handshake import new_key
from ...exchange.result import NO_CONNECTION, Probe
from .exchange import ask, header_value

Headers = List[Tuple[str, str]]
RIGHT = "with a right handshake"
WITH_SLASH = "with one slash between proxy_pass and the rest"
LIMIT = 20
"""Requests that one search may send to a backend."""


@dataclasses.dataclass
class Request:
    """A request as it stands on the wire."""

    target: str
    headers: Headers
    version: str = "1.1"
    method: str = "GET"

    def value(self, name: str) -> Optional[str]:
        """First value of a header."""
        return header_value(self.headers, name)

    def with_header(self, name: str, value: Optional[str]) -> Request:
        """A copy in which the header has this one value, or is absent."""
        headers: Headers = []
        placed = value is None
        for key, old in self.headers:
            if key.lower() != name.lower():
                headers.append((key, old))
            elif not placed:
                headers.append((key, value or ""))
                placed = True
        if not placed:
            headers.append((name, value or ""))
        return dataclasses.replace(self, headers=headers)

    def values(self, name: str) -> List[str]:
        """All values of a header, in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def path(self) -> str:
        """Target without its query."""
        return self.target.split("?")[0]

    @property
    def query(self) -> str:
        """Query with its question mark; empty without one."""
        return self.target[len(self.path) :]


HANDSHAKE = ("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version")


def good_handshake(request: Request) -> Request:
    """The same request with a handshake that is right (RFC 6455, section 4.1)."""
    # A name with a colon in it is no header of HTTP; servers refuse the whole request for it.
    headers = [pair for pair in request.headers if ":" not in pair[0]]
    good = dataclasses.replace(request, version="1.1", method="GET", headers=headers)
    for name, value in zip(HANDSHAKE, ("websocket", "Upgrade", new_key(), "13")):
        good = good.with_header(name, value)
    return good


# ---------------------------------------------------------------------------------------- properties


def _all_hosts(base: Request, source: Request) -> Request:
    headers = [pair for pair in base.headers if pair[0].lower() != "host"]
    return dataclasses.replace(base, headers=[("Host", value) for value in source.values("Host")] + headers)


OTHERS: Dict[str, Callable[[Request, Request], Request]] = {
    "method": lambda base, source: dataclasses.replace(base, method=source.method),
    "version": lambda base, source: dataclasses.replace(base, version=source.version),
    "path": lambda base, source: dataclasses.replace(base, target=source.path + base.query),
    "query": lambda base, source: dataclasses.replace(base, target=base.path + source.query),
    "hosts": _all_hosts,
}
"""Properties that are no header's."""
PROPERTIES = (
    *("method", "Upgrade", "Connection", "version", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Host"),
    *("hosts", "path", "query", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"),
    *("X-Forwarded-Port", "Origin"),
)
"""In the order in which causes are looked for; any other header comes behind them."""


def apply(name: str, base: Request, source: Request) -> Request:
    """``base`` with one property of ``source``; an unknown name is a header's."""
    if name in OTHERS:
        return OTHERS[name](base, source)
    values = source.values(name)
    if len(values) > 1 and name.lower() != "host":
        kept = [pair for pair in base.headers if pair[0].lower() != name.lower()]
        return dataclasses.replace(base, headers=kept + [(name, value) for value in values])
    return base.with_header(name, source.value(name))


def differences(one: Request, other: Request) -> List[str]:
    """Names of the properties in which two requests differ, in the order in which causes are looked for."""
    names = list(PROPERTIES)
    known = {name.lower() for name in names} | {"user-agent"}
    for key, _ in one.headers + other.headers:
        if key.lower() not in known:
            known.add(key.lower())
            names.append(key)
    return [name for name in names if _differs(name, one, other)]


def _differs(name: str, one: Request, other: Request) -> bool:
    if name == "Sec-WebSocket-Key":
        # It differs in every request and never matters but by its absence.
        return (one.value(name) is None) != (other.value(name) is None)
    if name == "hosts":
        return len(one.values("Host")) != len(other.values("Host"))
    if name in OTHERS:
        return bool(getattr(one, name) != getattr(other, name))
    if name in ("Upgrade", "Connection"):
        return list(map(str.lower, one.values(name))) != list(map(str.lower, other.values(name)))
    return one.value(name) != other.value(name) or len(one.values(name)) != len(other.values(name))


# ---------------------------------------------------------------------------------------- the search


@dataclasses.dataclass
class Search:
    """What the experiments with one backend showed."""

    as_sent: Probe
    opening: Optional[Request] = None
    """A request that opened; None when none did."""
    opening_probe: Optional[Probe] = None
    fatal: List[str] = dataclasses.field(default_factory=list)
    """Properties of the opening request that, replaced by nginx's alone, break it."""
    tried: List[Tuple[str, Probe]] = dataclasses.field(default_factory=list)
    """Every experiment: what was changed in words, and its answer."""


class Laboratory:
    """Sends experiments to one backend.

    Args:
        address: of the backend.
        tls_name: None for plain, else the TLS server name ("" for none).
        timeout: seconds for each answer.
        hold: seconds for which an opened socket is watched: some backends refuse by closing it.
    """

    def __init__(
        self, address: Address, tls_name: Optional[str], timeout: float = 4.0, hold: float = 0.0
    ) -> None:
        """Nothing is sent yet."""
        self.hold = hold
        self.address = address
        self.tls_name = tls_name
        self.timeout = timeout

    def send(self, request: Request, hold: float = 0.0, proxy_line: bool = False) -> Probe:
        """One experiment; behind a line of the PROXY protocol where that is asked for."""
        key = request.value("Sec-WebSocket-Key")
        headers = (request.with_header("Sec-WebSocket-Key", new_key()) if key else request).headers
        return ask(
            self.address,
            request.target,
            headers,
            version=request.version,
            method=request.method,
            tls_name=self.tls_name,
            timeout=self.timeout,
            hold=hold or self.hold,
            proxy_line=proxy_line,
        )

    def search(self, sent: Request, client: Request, paths: Sequence[Tuple[str, str]], scheme: str) -> Search:
        """Look for what makes the backend refuse.

        Args:
            sent: nginx's request.
            client: the client's request to nginx.
            paths: targets that another proxy_pass would send, each with words for it.
            scheme: "http" or "https", as the client sees the site.
        """
        result = Search(self.send(sent))
        result.tried.append(("as nginx sends it", result.as_sent))
        if settled(result.as_sent):
            return result
        for words, candidate in candidates(sent, client, paths, scheme, own_hosts(self.address, client)):
            if len(result.tried) >= LIMIT:
                break
            probe = self.send(candidate)
            result.tried.append((words, probe))
            if probe.lasting:
                result.opening, result.opening_probe = candidate, probe
                break
            if probe.error_kind in NO_CONNECTION:
                break
        if result.opening is not None:
            self._put_back(result, sent)
        return result

    def _put_back(self, result: Search, sent: Request) -> None:
        assert result.opening is not None
        names = differences(result.opening, sent)
        for name in names:
            probe = self.send(apply(name, result.opening, sent))
            result.tried.append((f"the request that opens, with nginx's {name}", probe))
            if not probe.lasting:
                result.fatal.append(name)
        if not result.fatal:
            # Only together do they break it: the first in nginx's order of importance stands for all.
            result.fatal = names[:1]


def settled(probe: Probe) -> bool:
    """Whether no experiment could tell more: it opened and stayed, or nobody was reached."""
    silent = ("dns", "tls", "answer-timeout", "closed-without-answer", "not-http")
    return probe.lasting or (not probe.opened and probe.error_kind in (*NO_CONNECTION, *silent))


def own_hosts(address: Address, client: Request) -> List[str]:
    """Names by which a backend may know itself: with its own port, which neither $host nor $http_host has."""
    if isinstance(address, str):
        return []
    port = address[1]
    name = (client.value("Host") or "").rpartition(":")[0] or client.value("Host") or ""
    return [f"{name}:{port}", f"{address[0]}:{port}", f"localhost:{port}"]


def candidates(
    sent: Request,
    client: Request,
    paths: Sequence[Tuple[str, str]],
    scheme: str,
    hosts: Sequence[str] = (),
) -> List[Tuple[str, Request]]:
    """Requests to try, each with words for what was changed, those nearest to nginx's own first."""
    base = good_handshake(sent)
    found: List[Tuple[str, Request]] = [(RIGHT, base)]
    if len(sent.values("Host")) > 1:
        base = base.with_header("Host", client.value("Host"))
        found.append(("with one Host line", base))
    single: List[Tuple[str, Request]] = _once(base)
    for name in differences(client, base):
        if name in ("X-Forwarded-Proto", "hosts"):
            continue
        if name in client_only(client) or name in (
            "path",
            "query",
            "Host",
            "X-Forwarded-For",
            "Sec-WebSocket-Protocol",
        ):
            single.append((f"with the client's {name}", apply(name, base, client)))
    single += _trusted(base, client)
    proto = base.with_header("X-Forwarded-Proto", scheme)
    if base.value("X-Forwarded-Proto") != scheme:
        single.append((f"with X-Forwarded-Proto {scheme}", proto))
        single.append(
            (f"with X-Forwarded-Proto {scheme} and the client's Host", apply("Host", proto, client))
        )
    whole = dataclasses.replace(base, target=client.target)
    for name, value in client.headers:
        whole = whole.with_header(name, value)
    whole = good_handshake(whole.with_header("X-Forwarded-For", None))
    single.append(("as the client sends it", whole))
    single += [(words, dataclasses.replace(base, target=target)) for words, target in paths]
    single += [(f"with Host {host}", base.with_header("Host", host)) for host in hosts]
    if client.value("Origin") is not None:
        single.append(("without Origin", base.with_header("Origin", None)))
        single.append(("as the client sends it, without Origin", whole.with_header("Origin", None)))
    if base.value("Authorization") is not None:
        single.append(("without Authorization", base.with_header("Authorization", None)))
    seen = [base]
    for words, request in single:
        if not any(not differences(request, other) for other in seen):
            seen.append(request)
            found.append((words, request))
    return found


def _trusted(base: Request, client: Request) -> List[Tuple[str, Request]]:
    """Headers that applications trust before Host, with the page's own values, and all of them left out."""
    page = (client.value("Origin") or "").partition("://")[2] or client.value("Host") or ""
    https = (client.value("Origin") or "").startswith("https://")
    port = page.rpartition(":")[2] if re.search(r":\d+$", page) else ""
    right: Dict[str, Optional[str]] = {
        "X-Forwarded-Host": page,
        "X-Forwarded-Server": page,
        "X-Original-Host": page,
        "X-Forwarded-Port": port or ("443" if https else "80"),
        "X-Forwarded-Scheme": "https" if https else "http",
        "Forwarded": None,
    }
    sent = [key for key in right if base.value(key) is not None and base.value(key) != right[key]]
    found = [(f"with {key} {right[key]}", base.with_header(key, right[key])) for key in sent]
    if base.value("Host") != page and client.value("Host") != page:
        found.append((f"with Host {page}", base.with_header("Host", page)))
    return found


def _once(base: Request) -> List[Tuple[str, Request]]:
    """Each header that nginx sends twice, with its last line alone; Host has a property of its own."""
    names = dict.fromkeys(key.lower() for key, _ in base.headers if len(base.values(key)) > 1)
    return [
        (f"with one {name} line", base.with_header(name, base.values(name)[-1]))
        for name in names
        if name != "host"
    ]


def client_only(client: Request) -> List[str]:
    """Names of the headers that a client added to those every handshake has."""
    usual = {name.lower() for name in (*HANDSHAKE, "Host", "User-Agent", "Origin", "Sec-WebSocket-Protocol")}
    return [name for name, _ in client.headers if name.lower() not in usual]


def without_prefix(target: str, prefix: str) -> List[str]:
    """The target as a ``proxy_pass`` with ``/`` would pass it on; none when the prefix is not there."""
    stem = prefix.rstrip("/")
    if not stem or not target.startswith(stem):
        return []
    rest = target[len(stem) :]
    return [rest if rest.startswith("/") else "/" + rest]
