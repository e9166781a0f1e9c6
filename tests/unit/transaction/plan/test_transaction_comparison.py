"""What is refused before it goes live, and what is told: takeovers, changes, neighbours, going back."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from module_utils.nginx_websocket.compare.comparing import compare
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.transaction.plan import comparison
from module_utils.nginx_websocket.transaction.plan.comparison import judge_change, tell_change
from module_utils.nginx_websocket.transaction.site.instance import Instance
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
    losses = modes.get("on_takeover", "fail"), modes.get("on_loss", "fail"), modes.get("accept", "").split()
    try:
        judge_change(host, live, staged, [], foreign, losses)
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


def test_one_loss_is_accepted_and_every_other_still_refuses() -> None:
    """By its path, by what it begins with, by the whole URL; a loss of another path is no part of it."""
    other = "location /older { proxy_pass http://127.0.0.1:9001; } "
    for accept in ("/old/*", "/old/ /old/websocket-route-check", "http://a.test/old/*"):
        said, codes = judged(tree(ELSEWHERE + API), tree(API), FILE, accept=accept)
        assert said == "" and "lost-in-takeover" in codes, (accept, said)
        said, _codes = judged(tree(ELSEWHERE + other + API), tree(API), FILE, accept=accept)
        assert "http://a.test/older" in said and "/old/" not in said.partition("(1)")[2], (accept, said)
        assert "nginx_websocket_accept_losses" in said
    for accept in ("/old", "https://a.test/old/*", "http://b.test/old/*"):
        assert judged(tree(ELSEWHERE + API), tree(API), FILE, accept=accept)[0], accept
    for unusable in ("old/*", "/a*b", "*"):
        assert (
            "must" in judged(tree(API), tree(API), accept=unusable)[0]
            or "write /path" in (judged(tree(API), tree(API), accept=unusable)[0])
        )


def test_many_header_differences_are_one_line_and_losses_come_first() -> None:
    headers = "".join(f"add_header X-{number} a; " for number in range(12))
    said, _codes = judged(tree(headers + ELSEWHERE + API), tree(API), FILE)
    lines = said.splitlines()
    assert "/old/" in lines[1] and lines[1].startswith("  (1) ") and "X-" not in said
    host = Host(Instance("/usr/sbin/nginx", MAIN, version=(1, 22, 1)))
    tell_change(host, tree(headers + ELSEWHERE + API), tree(API))
    [finding] = host.outcome.findings
    summary, path, *rest = finding.message.splitlines()
    assert "differences" in summary and "/old/" in path
    [line] = [one for one in rest if "browsers get other headers" in one]
    assert f"gone: X-0 ({FILE}:1), X-1 ({FILE}:1)" in line and line.count("X-") == 12


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


NEIGHBOUR = "server { listen 80; server_name b.test; access_log off; location / { return 204; } }"


def test_a_takeover_keeps_what_the_file_says_for_all_sites() -> None:
    """A change of our own file is no takeover: what it sets for others is compared as requests meet it."""
    live, staged = tree(API, "server_tokens off; keepalive_requests 7;", NEIGHBOUR), tree(API, "", NEIGHBOUR)
    said, _codes = judged(live, staged, FILE)
    assert f"keepalive_requests ({FILE}:1): set for all sites, and would be gone" in said
    said, codes = judged(live, staged, FILE, on_takeover="overwrite")
    assert said == "" and codes.count("lost-in-takeover") >= 1
    assert "set for all sites" not in judged(live, staged)[0]


def told(live: Configuration, staged: Configuration, accept: str = "") -> str:
    """All that is told where nothing is refused."""
    host = Host(Instance("/usr/sbin/nginx", MAIN, version=(1, 22, 1)))
    judge_change(host, live, staged, [], (), ("accept", "accept", accept.split()))
    return "\n".join(finding.message for finding in host.outcome.findings)


def test_a_loss_says_who_accepted_it() -> None:
    words = "(accepted by nginx_websocket_accept_losses)"
    assert words in told(tree(GUARDED + API), tree(API), "/admin/*")
    assert words not in told(tree(GUARDED + API), tree(API))


def test_a_lost_client_certificate_says_why_the_role_cannot_ask_for_it() -> None:
    words = "cannot ask every client for a certificate"
    before = "ssl_verify_client on; ssl_client_certificate /ca; ssl_certificate /c; ssl_certificate_key /k;"
    body = API.replace("location", "listen 443 ssl; location", 1)
    assert words in told(tree(body, before), tree(body, before.replace("client on", "client off")))
    assert words not in told(tree(GUARDED + API), tree(API))


def test_headers_are_told_as_gone_new_and_changed() -> None:
    live = "add_header X-Gone a; add_header X-Same a; add_header X-Other a; "
    staged = "add_header X-Same a; add_header X-Other b; add_header X-New a; "
    said = told(tree(live + API), tree(staged + API))
    assert "gone: X-Gone" in said and "new: X-New" in said and "X-Same" not in said
    assert "X-Other: a, then" in said and "X-Other: b" in said, said


@pytest.mark.parametrize(("number", "rest"), [(8, ""), (9, "and 1 more"), (11, "and 3 more")])
def test_a_long_list_is_cut_and_says_so(number: int, rest: str) -> None:
    lost = "".join(GUARDED.replace("/admin/", f"/p{one}/").replace("S", f"S{one}") for one in range(number))
    said, _codes = judged(tree(lost + API), tree(API))
    assert (rest in said) if rest else (" more; all of it" not in said)
    assert f"({min(number, 8)})" in said and "(9)" not in said


def test_what_users_gain_is_not_told_when_going_back() -> None:
    upgrade = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; '
    lines = "proxy_http_version 1.1; " + API.replace("proxy_pass", upgrade + "proxy_pass")
    host = Host(Instance("/usr/sbin/nginx", MAIN, version=(1, 22, 1)))
    tell_change(host, tree("proxy_http_version 1.1; " + API), tree(lines))
    assert [one["weight"] for one in host.outcome.comparison["differences"]] == ["gain"]
    assert host.outcome.findings == []


@pytest.mark.parametrize(
    ("built_in", "used"), [("/opt/access.log", "/opt/access.log"), ("", comparison.DEFAULT)]
)
def test_requests_are_looked_for_where_this_nginx_logs(monkeypatch, built_in: str, used: str) -> None:
    asked = []

    def seen(live, staged, *, version, urls, world):
        asked.append(world.default_log)
        return compare(live, staged, version=version, urls=urls, world=world)

    monkeypatch.setattr(comparison, "compare", seen)
    host = Host(Instance("/usr/sbin/nginx", MAIN, version=(1, 22, 1), access_log=built_in))
    tell_change(host, tree(API), tree(API))
    assert asked == [used]
