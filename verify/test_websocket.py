"""The WebSocket routes, as a browser and as a program open them."""

from __future__ import annotations

from typing import Any, Dict, Optional, Tuple

import pytest

from module_utils.nginx_websocket.exchange.frames import close_meaning
from module_utils.nginx_websocket.exchange.result import Probe
from verify.as_user import visits
from verify.as_user.endpoints import Handshake
from verify.as_user.visits import Crowd
from verify.results import Down, Fail, Finding
from verify.sites import Route, Site
from verify.targets import Target

#: Close codes of RFC 6455 section 7.4 and the IANA registry: an error of the server (1011) or of a gateway
#: behind it (1014), a connection that was lost (1006); a breach of policy, as for a wrong token; an
#: application's own.
BROKE, POLICY, OWN = (1006, 1011, 1014), 1008, 3000


def test_websocket_opens(
    target: Target,
    site: Site,
    route: Route,
    crowd: Crowd,
    request: pytest.FixtureRequest,
    fail: Fail,
    finding: Finding,
    down: Down,
) -> None:
    """Without an Origin, and from every page that may: 101, and the ping comes back.

    Where it does not, the host's own handshake straight to the backend tells whose fault it is: a backend
    that does not open there either is no reason to undo a release of nginx. One that does not answer at all
    is an application that is down, which is no success either.
    """
    for shake in site.handshakes(route):
        got = crowd.open(shake)
        if got.opened:
            if not got.pong:
                finding(unanswered_ping(shake, got), "no-pong")
            continue
        if asks_for_a_password(got):
            finding(
                f"{route.shown} of {site.name} stands behind a password; 401, and no WebSocket was tried",
                "behind-password",
            )
            continue
        direct = straight_to_backend(request.getfixturevalue("report"), site, route, shake.origin, got)
        if direct is None or direct["opened"]:
            fail(
                f"the WebSocket {route.shown} of {site.name} does not open",
                sent=shake,
                got=outcome(got) + ("; straight to the backend it opens" if direct else ""),
                fix="ansible-playbook playbooks/diagnose.yml tells which location answers and why",
            )
        told = direct["error"] or f"status {direct['status']}"
        if got.status and got.status < 500 and got.status != direct["status"]:
            fail(
                f"the WebSocket {route.shown} of {site.name} does not even reach its backend",
                sent=shake,
                got=f"{outcome(got)}; straight to the backend: {told}",
                fix="ansible-playbook playbooks/diagnose.yml tells which location answers and why",
            )
        text = (
            f"the backend of {route.shown} ({where(direct)}) opens no WebSocket itself: "
            f"{told}; through nginx: {outcome(got)}"
        )
        if direct["status"] is None:
            down(site.name, route.backend, text)
        else:
            finding(text, "backend-refuses")


def test_strange_origin_is_refused(
    target: Target, site: Site, route: Route, crowd: Crowd, fail: Fail
) -> None:
    """A page of somebody else may not use the visitor's session: 403."""
    asked = visits.intruders(site, route)
    if not asked:
        pytest.skip("every Origin may open this route")
    for shake in asked:
        got = crowd.open(shake)
        if got.opened or got.status != 403:
            fail(
                f"the WebSocket {route.shown} of {site.name} does not refuse a strange Origin",
                sent=shake,
                got=f"{outcome(got)}, expected 403",
                fix="check origins of the site and of the route",
            )


def straight_to_backend(
    report: Dict[str, Any], site: Site, route: Route, origin: str, got: Probe
) -> Optional[Dict[str, Any]]:
    """Return the backend's own answer to the same handshake, None when it was not asked.

    Of several servers, the one that refuses in the same way, or is as silent, is where nginx went; else one
    that opens speaks against nginx, and one that is down says least.
    """
    asked = [
        {**ask, **ask["answer"]}
        for ask in report["backends"]
        if (ask["site"], ask["route"], ask["origin"]) == (site.name, route.shown, origin)
    ]
    silent = got.status == 504 or got.error_kind == "answer-timeout"

    def signs(direct: Dict[str, Any]) -> Tuple[bool, bool, bool, bool]:
        return (
            not direct["opened"] and direct["status"] is not None and direct["status"] == got.status,
            silent and "timed out" in direct["error"],
            bool(direct["opened"]),
            direct["status"] is not None,
        )

    return max(asked, key=signs, default=None)


def where(direct: Dict[str, Any]) -> str:
    """Return the place of a server as people write it."""
    return f"{direct['address']}:{direct['port']}" if direct["port"] else f"unix:{direct['address']}"


def asks_for_a_password(probe: Probe) -> bool:
    """Return whether the answer is that of a guard which lets in who has a password."""
    return probe.status == 401 and any(name.lower() == "www-authenticate" for name, _ in probe.headers)


def outcome(probe: Probe) -> str:
    """Return what became of a handshake, in a few words."""
    if probe.opened:
        return "101, open"
    if probe.status:
        return f"{probe.status} {probe.reason}".strip()
    return probe.error


def unanswered_ping(shake: Handshake, probe: Probe) -> str:
    """Return what to say of a WebSocket that opened and gave no pong."""
    if not probe.close_code:
        return (
            f"{shake.path} opened and answered no ping: the application may wait for a first message or a "
            "token"
        )
    what = f"{shake.path} opened and was closed by the application with {probe.close_code}"
    meaning = close_meaning(probe.close_code)
    if probe.close_code in BROKE:
        return f"{what} ({meaning}): the application broke down while it served this; look at its log"
    if probe.close_code == POLICY or probe.close_code >= OWN:
        return f"{what} ({meaning or 'a code of its own'}): it may ask for a valid token"
    return f"{what} ({meaning or 'no meaning is registered'})"
