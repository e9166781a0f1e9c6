"""What is refused before it goes live, and what is told: takeovers, changes, neighbours, going back."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.transaction.live.instance import Instance
from module_utils.nginx_websocket.transaction.plan.comparison import judge_change, tell_change
from module_utils.nginx_websocket.transaction.site.model import Refused
from module_utils.nginx_websocket.transaction.surroundings.host import Host

MAIN, FILE, OTHER = "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/a.conf", "/etc/nginx/conf.d/b.conf"
API = "location / { proxy_pass http://127.0.0.1:8000; } "
GUARDED = 'location /admin/ { auth_basic "S"; auth_basic_user_file u; proxy_pass http://127.0.0.1:8000; } '
ELSEWHERE = "location /old/ { proxy_pass http://127.0.0.1:9000; } "


def tree(body: str, before: str = "", other: str = "") -> Configuration:
    made = {
        MAIN: f"events {{}} http {{ include {FILE}; include {OTHER}; }}".encode(),
        FILE: f"{before} server {{ listen 80; server_name a.test; access_log off; {body} }}".encode(),
        OTHER: other.encode(),
    }
    return load(MAIN, prefix="/usr/share/nginx", read=made.__getitem__, glob=lambda pattern: [pattern])


def judged(live: Configuration, staged: Configuration, *foreign: str, **modes: str) -> Tuple[str, List[str]]:
    """Why it is refused, and the codes of what is told."""
    host = Host(Instance("/usr/sbin/nginx", MAIN, version=(1, 22, 1)))
    try:
        judge_change(host, live, staged, [], foreign, **modes)
    except Refused as refusal:
        return str(refusal), []
    assert host.outcome.comparison["summary"]
    return "", [finding.code for finding in host.outcome.findings]


@pytest.mark.parametrize("lost", [GUARDED, "location /closed/ { return 403; } "])
def test_a_change_of_a_site_that_nobody_means_is_refused(lost: str) -> None:
    said, _codes = judged(tree(lost + API), tree(API))
    assert said.startswith("users would lose something") and f"({FILE}:1)" in said
    assert "nginx_websocket_on_loss to accept" in said and "nothing was changed" in said
    said, codes = judged(tree(lost + API), tree(API), on_loss="accept")
    assert said == "" and "lost-by-change" in codes


def test_what_a_change_may_be_meant_to_do_is_told() -> None:
    assert judged(tree(ELSEWHERE + API), tree(API)) == ("", ["changes-for-users"])
    assert judged(tree(API), tree(API + " ")) == ("", [])


def test_a_takeover_loses_nothing_in_silence() -> None:
    said, _codes = judged(tree(ELSEWHERE + API), tree(API), FILE)
    assert f"would take the place of {FILE}, which this role has not written" in said
    assert "nginx_websocket_on_takeover to overwrite" in said and "http://a.test/old/" in said
    said, codes = judged(tree(ELSEWHERE + API), tree(API), FILE, on_takeover="overwrite")
    assert said == "" and "lost-in-takeover" in codes


def test_a_neighbour_is_touched_by_nothing() -> None:
    """A map that it uses, a name that another server takes, a socket that gets another protocol."""
    other = "server { listen 80; server_name b.test; access_log off; location / { proxy_pass http://u; } }"
    for live, staged in (
        ("upstream u { server 127.0.0.1:1; }", "upstream u { server 127.0.0.1:2; }"),
        ("", "server { listen 80; server_name b.test; return 204; }"),
    ):
        upstream = "" if live else "upstream u { server 127.0.0.1:1; } "
        said, _codes = judged(tree(API, upstream + live, other), tree(API, upstream + staged, other))
        assert "of the neighbour b.test" in said, (live, said)


def test_going_back_is_never_refused() -> None:
    host = Host(Instance("/usr/sbin/nginx", MAIN, version=(1, 22, 1)))
    tell_change(host, tree(GUARDED + API), tree(API))
    assert [finding.code for finding in host.outcome.findings] == ["changes-for-users"]
