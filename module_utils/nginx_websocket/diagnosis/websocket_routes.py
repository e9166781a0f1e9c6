"""Every WebSocket route that a configuration has, and its state: what to show when no URL is asked about."""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, Iterator, List, Tuple

from ..behaviour.effective import Level
from ..behaviour.location import Location, all_locations
from ..behaviour.route import index_of, route
from ..behaviour.sample import sample_path
from ..behaviour.server.listen import Address, listens_of, reached
from ..behaviour.server.names import server_names
from ..behaviour.upgrade.meant import carries_upgrade, titled
from ..conf.tree import Configuration
from ..exchange.endpoint import address_text
from ..exchange.masking import masked_url
from ..host.binary import NginxError, find_binary
from ..host.describe import describe
from ..host.masters import masters
from ..report.none import no_request
from .asking.browsers_view import handshake
from .deciding.static_rules import suspects
from .evidence.facts import DEFAULT_VERSION, Facts, Question
from .words.discreet import discreet
from .words.findings import CANNOT_TELL, FAILS, WORKS

MOST = 200
"""Routes that are listed; handshakes are sent to the first ``ASKED``."""
ASKED = 40

_SECONDS = 3.0
"""For each handshake."""


@dataclasses.dataclass
class WebSocketRoute:
    """One location that carries an upgrade."""

    url: str
    location: str
    where: str
    server: str
    proxy_pass: str
    state: str = CANNOT_TELL
    reason: str = ""
    code: str = ""

    def as_data(self) -> Dict[str, Any]:
        """Plain data for JSON."""
        data = dataclasses.asdict(self)
        data["url"] = masked_url(self.url)
        data["proxy_pass"], data["reason"] = discreet(self.proxy_pass), discreet(self.reason)
        return data


def websocket_routes(configuration: Configuration) -> Iterator[Tuple[WebSocketRoute, str]]:
    """Locations that carry an upgrade, each with a URL that leads to it and the address to ask."""
    for server in index_of(configuration).servers:
        addresses = [
            (address, listen.has("ssl"))
            for listen in listens_of(server)
            for address in listen.addresses
            if address.family != "unix"
        ]
        for location in all_locations(server):
            if not carries_upgrade(location) or location.named or not addresses:
                continue
            path = sample_path(location, DEFAULT_VERSION)
            if path is None:
                continue
            address, tls = next((entry for entry in addresses if entry[1]), addresses[0])
            local = address_text((reached(address.host), address.port))
            yield described(server, location, address, tls, path), local


def described(server: Level, location: Location, address: Address, tls: bool, path: str) -> WebSocketRoute:
    """A location with a URL that leads to it, by a name of its server."""
    names = [name.decode("utf-8", "replace") for name in server_names(server)]
    host = next((name for name in names if name and name[0] not in "~*._" and "*" not in name), "")
    if not host:
        host = reached(address.host)
        host = f"[{host}]" if address.family == "inet6" else host
    scheme, usual = ("wss", 443) if tls else ("ws", 80)
    port = "" if address.port == usual else f":{address.port}"
    passes = location.own(b"proxy_pass")
    return WebSocketRoute(
        url=f"{scheme}://{host}{port}{path}",
        location=titled(location),
        where=location.where(),
        server=" ".join(names),
        proxy_pass=passes[0].args[0].decode("utf-8", "replace") if passes else "",
    )


def list_routes(*, binary: str = "", conf_path: str = "") -> Dict[str, Any]:
    """The WebSocket routes of every nginx that runs on this host, each asked once.

    Args:
        binary: nginx binary, where none runs.
        conf_path: main configuration file, likewise.

    Returns:
        ``routes`` (plain data) and ``notes``.
    """
    notes: List[str] = []
    found: List[WebSocketRoute] = []
    targets: List[Any] = list(masters(strangers=notes)) or [
        path for path in [binary or find_binary()] if path
    ]
    if not targets:
        notes.append("no nginx was found on this host")
    for target in targets:
        try:
            nginx = describe(target, conf_path=conf_path if isinstance(target, str) else "")
        except NginxError as error:
            notes.append(str(error))
            continue
        if nginx.configuration is None:
            notes.append(f"{nginx.conf_path}: {nginx.conf_error}")
            continue
        for item, address in websocket_routes(nginx.configuration):
            if len(found) >= MOST:
                notes.append(f"more than {MOST} routes; the rest is left out")
                break
            asked = nginx.running and len(found) < ASKED
            judge(item, nginx.configuration, nginx.version, address, asked)
            found.append(item)
    return {"routes": [item.as_data() for item in found], "notes": notes}


def routes_report(*, binary: str = "", conf_path: str = "") -> Dict[str, Any]:
    """The list in the shape of a diagnosis, so that one report serves both."""
    data = list_routes(binary=binary, conf_path=conf_path)
    states = [item["state"] for item in data["routes"]]
    verdict = (
        FAILS
        if FAILS in states
        else (WORKS if states and all(state == WORKS for state in states) else CANNOT_TELL)
    )
    counts = ", ".join(
        f"{states.count(state)} {words}"
        for state, words in ((WORKS, "open"), (FAILS, "fail"), (CANNOT_TELL, "not settled"))
        if state in states
    )
    sentence = (
        f"{len(states)} WebSocket route(s): {counts}." if states else "This nginx has no WebSocket route."
    )
    if not states and data["notes"]:
        sentence = "No WebSocket route was found: " + "; ".join(data["notes"])
    return {**no_request(verdict, sentence, data["notes"]), "routes": data["routes"]}


def judge(
    item: WebSocketRoute,
    configuration: Configuration,
    version: Tuple[int, ...],
    address: str,
    asked: bool,
) -> None:
    """Fill in the state of a route: by the configuration where that settles it, else by one handshake."""
    question = Question(item.url, timeout=_SECONDS, address=address)
    facts = Facts(question, version=tuple(version), live=asked, configuration=configuration)
    facts.route = route(configuration, question.route_request(address), version=version)
    certain = next((suspect for suspect in suspects(facts) if suspect.certain), None)
    if not asked:
        item.state = FAILS if certain is not None else CANNOT_TELL
        item.reason = certain.finding.title if certain is not None else "nginx was not asked"
        item.code = certain.code if certain is not None else ""
        return
    host, port = question.route_request(address).local_address()
    probe = handshake(question, (host, port))
    if probe.opened:
        item.state, item.reason = WORKS, "a handshake opens"
    elif certain is not None:
        item.state, item.reason, item.code = FAILS, certain.finding.title, certain.code
    elif probe.status in (502, 504):
        item.state, item.reason = FAILS, f"nginx answers {probe.status}: the backend does not answer"
    else:
        # The path is made up: a real one may open where this one is refused.
        item.reason = f"the route reaches its backend; {probe.status or probe.error} for a made-up path"
