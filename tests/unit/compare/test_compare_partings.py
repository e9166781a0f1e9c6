"""One request in two trees: where the two part, of which kind it is, and where it is not one."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.compare.parting.partings import Pair, partings
from tests.unit.compare.trees import PROXY, UPGRADE, compared, parted, tree


def kinds(live: str, staged: str, path: str = "/", **more) -> List[str]:
    return [one.kind for one in parted(live, staged, path, **more)]


def told(live: str, staged: str, path: str = "/", **more) -> List[Tuple[str, str, str]]:
    return [(one.kind, one.was, one.now) for one in parted(live, staged, path, **more)]


OTHER = "proxy_pass http://127.0.0.1:9000;"
APP = f"location / {{ {PROXY} }} "
SPA_ALONE = "root /srv/app; location / { try_files $uri /index.html; }"


@pytest.mark.parametrize(
    ("live", "staged", "path", "kind"),
    [
        (APP, f"location / {{ {OTHER} }}", "/", "backend-moved"),
        (APP, "location / { return 403; }", "/", "elsewhere"),
        (APP, "root /srv/app; location / { try_files $uri /index.html; }", "/", "elsewhere"),
        ("location / { fastcgi_pass u:1; }", "root /srv/app;", "/index.php", "source-served"),
        (APP, "root /srv/app;", "/index.php", "elsewhere"),
        ("root /srv/app;", "root /srv/other;", "/robots.txt", "file-lost"),
        ("root /srv/app;", APP, "/robots.txt", "file-lost"),
        ("location / { return 301 /x; }", "location / { return 301 /y; }", "/", "redirected"),
        ("location / { return 301 /x; }", "location / { return 301 http://b.test/x; }", "/", "elsewhere"),
        ("location / { return 301 /x; }", APP, "/", "redirect-lost"),
        ("location / { return 301 http://b.test/x; }", APP, "/", "elsewhere"),
        ("location / { return 403; }", APP, "/", "opened"),
        ("location / { return 403; }", "location / { return 301 /x; }", "/", "rerouted"),
        ("location / { return 403; }", "location / { return 404; }", "/", "status"),
        ("root /srv/none;", APP, "/x", "rerouted"),
        ("root /srv/none;", "location / { return 403; }", "/x", "status"),
        ("root /srv/app;", "location / { return 404; }", "/robots.txt", "file-lost"),
        (SPA_ALONE, "location / { return 404; }", "/x", "elsewhere"),
        (SPA_ALONE, "location / { return 404; }", "/.env", "closed"),
        (SPA_ALONE, "location /x { return 404; }", "/x", "closed"),
        ("location / { return 200 a; }", "location / { return 200 b; }", "/", "elsewhere"),
    ],
)
def test_where_a_request_ends_up_has_a_kind(live, staged, path, kind):
    assert kinds(live, staged, path)[0] == kind
    assert kinds(live, live, path) == [] and kinds(staged, staged, path) == []


def test_an_address_that_the_site_knows_is_another_application():
    staged = f"location / {{ {OTHER} }}"
    assert kinds(APP, staged, known=frozenset(("127.0.0.1:9000",)))[0] == "elsewhere"
    assert kinds(APP, staged, known=frozenset(("127.0.0.1:8000",)))[0] == "backend-moved"


def test_a_port_that_nobody_listened_on_is_more():
    other = "server { listen 81; server_name a.test; return 204; }"
    assert kinds(other, APP) == ["more"]
    assert kinds(other, "location / { return 403; }") == ["status"]


def test_the_slash_behind_a_directory_without_an_index_led_to_nothing():
    assert kinds("root /srv/app;", APP, "/assets", behind=True) == ["rerouted"]
    assert kinds("root /srv/app;", APP, "/manual", behind=True) == ["file-lost"]


CHALLENGE = "/.well-known/acme-challenge/token"
RENEWED = f"location /.well-known/acme-challenge/ {{ root /srv/acme; }} {APP}"


def test_challenges_of_a_certificate():
    """A directory of their own is a loss when it goes; where nobody spoke of them, the site may."""
    moved = RENEWED.replace("/srv/acme", "/srv/other")
    assert kinds(RENEWED, moved, CHALLENGE) == ["elsewhere"]
    assert kinds(RENEWED, APP, CHALLENGE) == ["elsewhere"]
    assert "elsewhere" not in kinds(RENEWED, moved, "/x")
    closed = "location /.well-known/acme-challenge/ { return 404; } "
    own = closed.replace("404", "403")
    assert kinds(APP, own + APP, CHALLENGE) == ["closed"]
    assert kinds(APP, own.replace("/.well-known/acme-challenge/", "/x/") + APP, "/x/y") == ["elsewhere"]
    assert kinds(own.replace("return 403;", PROXY) + APP, own + APP, CHALLENGE) == ["elsewhere"]


def test_a_websocket_is_one_by_its_method_too():
    """``Upgrade`` with another method is a header like others."""
    live, staged = f"location / {{ {UPGRADE} }}", APP
    assert kinds(live, staged, handshake=True)[0] == "upgrade-lost"
    upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    assert "upgrade-lost" not in kinds(live, staged, method="POST", headers=upgrade)
    assert "upgrade-lost" not in kinds(live, staged)
    assert kinds(staged, live, handshake=True) == ["more"]


def test_pages_of_others_that_are_refused_are_closed():
    refused = f'location / {{ if ($http_origin = "https://b.test") {{ return 403; }} {PROXY} }}'
    origin = [("Origin", "https://b.test")]
    assert kinds(APP, refused, headers=origin, foreign="https://b.test") == ["closed"]
    assert kinds(APP, refused, headers=origin) == ["elsewhere"]
    assert kinds(APP, refused) == []
    live, staged = (body.replace(PROXY, UPGRADE) for body in (APP, refused))
    assert kinds(live, staged, headers=origin, foreign="https://b.test", handshake=True) == ["closed"]
    assert kinds(live, staged, headers=origin, handshake=True) == ["upgrade-lost"]


@pytest.mark.parametrize(
    ("live", "staged", "expected"),
    [
        (
            "add_header X-A 1;",
            "",
            [("headers", "nginx adds X-A: 1", "nginx adds no X-A")],
        ),
        (
            "",
            "add_header X-A 1;",
            [
                (
                    "headers",
                    "nginx adds no X-A",
                    "nginx adds X-A: 1, beside what the application may send itself",
                )
            ],
        ),
        (
            "",
            "add_header X-A 1; proxy_hide_header X-A;",
            [
                ("headers", "nginx adds no X-A", "nginx adds X-A: 1"),
                ("headers", "the backend's x-a is passed on", "the backend's x-a is kept back"),
            ],
        ),
        (
            "proxy_hide_header X-A;",
            "",
            [("headers", "the backend's x-a is kept back", "the backend's x-a is passed on")],
        ),
        (
            "add_header X-A 1;",
            "add_header X-A 1 always;",
            [("headers", "nginx adds X-A: 1", "nginx adds X-A: 1")],
        ),
        ("add_header X-A $geo_x;", "add_header X-A $geo_x;", []),
        ("add_header X-A 1;", "add_header x-a 1;", []),
        (
            "proxy_read_timeout 60s;",
            "proxy_read_timeout 30s;",
            [("less", "proxy_read_timeout is 60s", "proxy_read_timeout is 30s")],
        ),
        ("proxy_read_timeout 30s;", "proxy_read_timeout 60s;", []),
        (
            "proxy_buffering off;",
            "proxy_buffering on;",
            [("less", "proxy_buffering is off", "proxy_buffering is on")],
        ),
        ("proxy_buffering on;", "proxy_buffering off;", []),
        ("proxy_buffering off;", "proxy_buffering off;", []),
        ("add_header X-A 1;", "add_header X-A 2;", [("headers", "nginx adds X-A: 1", "nginx adds X-A: 2")]),
    ],
)
def test_what_an_answer_and_its_way_have_more_or_less(live, staged, expected):
    before, after = f"{live} {APP}", f"{staged} {APP}"
    found = [one for one in told(before, after) if one[0] in ("headers", "less", "more")]
    assert found == expected


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("10m", "1m", "less"),
        ("1m", "10m", "more"),
        ("0", "1m", "less"),
        ("1m", "0", "more"),
        ("1m", "1m", ""),
    ],
)
def test_a_body_may_be_as_long_as_before(old, new, kind):
    bodies = [f"client_max_body_size {size}; {APP}" for size in (old, new)]
    found = [one for one in parted(*bodies) if one.name == "client_max_body_size"]
    assert [one.kind for one in found] == ([kind] if kind else [])


def test_a_named_location_limits_no_body():
    live = f"location / {{ client_max_body_size 10m; try_files $uri @app; }} location @app {{ {PROXY} }}"
    small = live.replace("location @app {", "location @app { client_max_body_size 2m;")
    assert [one for one in parted(live, small, "/x") if one.name == "client_max_body_size"] == []


@pytest.mark.parametrize("number", ["1", "2", "3"])
def test_each_header_of_a_name_is_compared_with_the_one_in_its_place(number):
    lines = "".join(f"proxy_set_header {name} {value}; " for name, value in zip(("X-A", "x-a", "X-A"), "123"))
    live, staged = (f"location / {{ {text} {PROXY} }}" for text in (lines, lines.replace(f"{number};", "4;")))
    ((kind, was, now),) = told(live, staged)
    name = "x-a" if number == "2" else "X-A"
    assert (kind, was, now) == (
        "backend-headers",
        f"the backend gets {name}: {number}",
        f"the backend gets {name}: 4",
    )
    assert kinds(live, live) == []
    fewer = f"location / {{ {lines.replace('proxy_set_header X-A 3; ', '')} {PROXY} }}"
    assert told(live, fewer) == [("backend-headers", "the backend gets X-A: 3", "the backend gets no X-A")]


def test_a_header_is_the_same_in_any_case_and_a_parameter_is_not():
    made = [f"location / {{ proxy_set_header {name} 1; {PROXY} }}" for name in ("X-A", "x-a")]
    assert told(*made) == []
    made = [f"location / {{ fastcgi_param {name} 1; fastcgi_pass u:1; }}" for name in ("HTTPS", "https")]
    assert [one[1:] for one in told(*made)] == [
        ("the backend gets HTTPS: 1", "the backend gets no HTTPS"),
        ("the backend gets no https", "the backend gets https: 1"),
    ]


def test_what_a_script_is_asked_for_is_a_path_in_each_line_of_it():
    lines = "fastcgi_param SCRIPT_NAME /a; fastcgi_param SCRIPT_NAME /b;"
    made = [f"location / {{ {text} fastcgi_pass u:1; }}" for text in (lines, lines.replace("/b", "/c"))]
    assert kinds(*made) == ["path-changed"]


def test_an_unknown_value_is_the_same_where_the_same_is_written():
    live = f"location / {{ proxy_set_header X-A $geoip_city; {PROXY} }}"
    assert kinds(live, live) == []
    assert kinds(live, live.replace("$geoip_city", "$geoip_city_name")) != []
    assert "backend-headers" in kinds(live, live.replace("$geoip_city", "x"))


@pytest.mark.parametrize(
    ("live", "staged", "expected"),
    [
        ("access_log /a;", "access_log /a;", []),
        ("access_log /a;", "access_log /b;", [("logs", "the access log is /a", "the access log is /b")]),
        ("access_log /a;", "access_log off;", [("logs", "the access log is /a", "the access log is off")]),
        ("error_log /a;", "error_log /b;", [("logs", "the error log is /a", "the error log is /b")]),
    ],
)
def test_another_log_is_told(live, staged, expected):
    assert told(f"{live} {APP}", f"{staged} {APP}") == expected


PASSWORD = "auth_basic S; auth_basic_user_file u;"


@pytest.mark.parametrize(
    ("live", "staged", "expected"),
    [
        (PASSWORD, "", ["guard-lost"]),
        ("", PASSWORD, ["closed"]),
        (PASSWORD, PASSWORD.replace("S;", "T;"), ["guard-changed"]),
        (f"satisfy all; {PASSWORD}", f"satisfy any; {PASSWORD}", ["guard-changed"]),
        ("allow 192.0.2.1; deny all;", "allow 192.0.2.2; deny all;", ["guard-changed"]),
        ("allow 192.0.2.1; deny all;", "allow all;", ["guard-lost"]),
        ("allow all;", "allow 192.0.2.1; deny all;", ["guard-changed"]),
        (f"deny all; {PASSWORD}", "deny all;", ["guard-lost"]),
        ("limit_req zone=a;", "", ["settings"]),
    ],
)
def test_a_guard_is_lost_changed_or_new(live, staged, expected):
    """One that lets everybody in is lost, whatever it is called."""
    made = [f"location / {{ {lines} {PROXY} }} " for lines in (live, staged)]
    assert kinds(*made, remote="198.51.100.1") == expected


@pytest.mark.parametrize("gone", ["location / { return 404; }", "location / { return 403; }"])
def test_a_guard_before_what_is_gone_was_of_no_use_any_more(gone):
    """Nobody gets in by it: that is told, and is no loss of a guard."""
    found = kinds(f"location / {{ {PASSWORD} {PROXY} }}", gone)
    assert "guard-lost" not in found and found[0] == "status"


def test_a_file_of_the_same_name_elsewhere_is_another_root():
    live = "root /srv/app; location / { try_files $uri /index.html; }"
    manual = live.replace("root /srv/app;", "root /srv/app/manual;")
    assert kinds(live, manual, "/x") == ["root-changed"]
    assert kinds(live, live.replace("/index.html;", "/index.php;"), "/x")[0] != "root-changed"


def refused(live: str, staged: str) -> List[Tuple[str, str]]:
    """What those get who are not let in: kind and name of each parting."""
    sent = Request("http://a.test/", address="127.0.0.1:80", remote="198.51.100.1")
    inside = [behaviour(tree(body), sent, admitted=True) for body in (live, staged)]
    outside = tuple(behaviour(tree(body), sent) for body in (live, staged))
    pair = Pair(inside[0], inside[1], inside[1], shut=(outside[0], outside[1]))
    return [(one.kind, one.name) for one in partings(pair)]


def test_who_is_not_let_in_gets_another_error_or_page():
    live = f"location / {{ deny all; {PROXY} }} "
    paged = "error_page 403 = @no; location @no { proxy_pass http://127.0.0.1:9000; } " + live
    assert refused(live, live) == []
    assert ("status", "") in refused(live, paged)
    more = paged.replace("@no { ", "@no { proxy_set_header X-Why a; ")
    assert refused(paged, more) == [("backend-headers", "X-Why")]
    assert refused(paged, paged.replace("@no { ", "@no { add_header X-A 1 always; ")) == [("headers", "X-A")]


def test_what_cannot_be_told_in_the_same_way_is_the_same():
    live = f"location / {{ if ($geoip_city = x) {{ return 403; }} {PROXY} }} "
    assert "unknown" not in kinds(live, live, same_text=True)
    other = live.replace("$geoip_city", "$geoip_region")
    assert "unknown" in kinds(live, other, same_text=True)


def test_a_preflight_that_nginx_answers_itself_is_told_as_one():
    staged = f"location / {{ if ($request_method = OPTIONS) {{ return 204; }} {PROXY} }} "
    assert kinds(APP, staged, method="OPTIONS")[0] == "preflight"
    assert kinds(APP, staged.replace("OPTIONS", "HEAD"), method="HEAD")[0] == "elsewhere"


def test_servers_without_a_name_are_told_apart_by_what_they_listen_to():
    """Nothing becomes of names that no site has where the server that answers them gets a line more."""
    nameless = "server {{ listen 80 default_server; {} location / {{ return 404; }} }} "
    other = "server { listen 80; server_name b.test; location / { return 200; } }"
    found = compared(nameless.format("") + other, nameless.format("add_header X y;") + other).differences
    assert not {one.parting.kind for one in found} & {"strangers", "neighbour"}, [
        one.sentence() for one in found
    ]
    moved = compared(nameless.format("") + other, other.replace("80;", "80 default_server;")).differences
    assert {one.parting.kind for one in moved} & {"strangers", "neighbour"}


def test_a_location_is_no_directory_whose_slash_is_a_file():
    live = f"location = /graphql/ {{ {PROXY} }} location / {{ return 404; }}"
    both = f"location = /graphql {{ {PROXY} }} {live}"
    kinds = {one.parting.kind for one in compared(live, both, urls=["http://a.test/graphql"]).differences}
    assert "file-lost" not in kinds and "redirected" in kinds, kinds
