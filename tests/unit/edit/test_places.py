"""How far a location reaches that a cure brings, and what of a path it is named by."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.location import all_locations
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import index_of, route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.cures import Fault, cures
from module_utils.nginx_websocket.edit.memory import edited
from module_utils.nginx_websocket.edit.places import scope

PASS = "proxy_pass http://127.0.0.1:9001;"


def tree(server, http=""):
    text = f"events {{}}\nhttp {{\n{http}server {{\nlisten 80;\nserver_name app.test;\n{server}\n}}\n}}\n"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def offered(configuration, url, code, **more):
    """The files with each cure."""
    found = route(configuration, Request(url))
    return [
        edited(configuration, edits).files["/n.conf"].decode()
        for edits in cures(configuration, found, Fault(code, **more))
    ]


def location(configuration, name):
    [found] = [
        one
        for server in index_of(configuration).servers
        for one in all_locations(server)
        if one.name == name.encode()
    ]
    return found


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/ws", "/ws"),
        ("/ws/room-7", "/ws/"),
        ("/api/mqtt/ws/x", "/api/mqtt/ws/"),
        ("/ws/chat/lobby/", "/ws/"),
        ("/api/v1/streaming", "/api/v1/streaming"),
        ("/api/websocket", "/api/websocket"),
        ("/hubs/chat", "/hubs/"),
        ("/live/websocket", "/live/websocket"),
        ("/", "/"),
    ],
)
def test_a_new_location_takes_what_speaks_of_websockets_and_no_more(path, name):
    assert scope(path) == name


@pytest.mark.parametrize(
    ("meant", "head"),
    [
        ("/chatt/", "location ^~ /chat/ {"),
        ("/caht/", "location ^~ /chat/ {"),
        ("/chat/rom", "location ^~ /chat/room {"),
        ("= /chat/rooms", "location = /chat/room {"),
    ],
)
def test_a_copy_has_the_name_that_was_meant(meant, head):
    before = tree(f"location / {{ root /w; }}\nlocation {meant} {{ {PASS} }}")
    name = meant.split()[-1]
    found = offered(before, "ws://app.test/chat/room", "wrong-location", meant=location(before, name))
    copies = [text for text in found if text.count(PASS) == 2]
    assert copies and head in copies[0], found


def test_a_copy_stands_in_the_location_around_the_one_that_was_meant():
    before = tree(f"location / {{\nallow 10.0.0.0/8;\ndeny all;\nlocation /chatt/ {{ {PASS} }}\n}}")
    meant = location(before, "/chatt/")
    [first, *_] = [
        text for text in offered(before, "ws://app.test/chat/room", "wrong-location", meant=meant)
        if text.count(PASS) == 2
    ]  # fmt: skip
    assert first.index("deny all;") < first.index("location ^~ /chat/ {") < first.index("location /chatt/ {")


def test_a_rewrite_that_leads_nowhere_stays_in_its_location():
    before = tree(f"location /a/ {{\nrewrite ^/a/(.*)$ /$1 last;\n{PASS}\n}}")
    found = offered(before, "ws://app.test/a/ws", "location-without-handler")
    assert "rewrite ^/a/(.*)$ /$1 break;" in found[0]


UPGRADE = "proxy_set_header Upgrade $http_upgrade;"


@pytest.mark.parametrize(
    ("lines", "server", "expected"),
    [
        (UPGRADE, "", f"{UPGRADE}\nproxy_pass http://127.0.0.1:9001;"),
        (
            f"{UPGRADE}\nexpires 1d;",
            "127.0.0.1:9100",
            f"{UPGRADE}\nproxy_pass http://127.0.0.1:9100;\nexpires",
        ),
        ("proxy_set_header Host a;", "", ""),
        ("expires 1d;", "", ""),
    ],
)
def test_a_location_with_lines_for_the_upgrade_gets_its_proxy_pass(lines, server, expected):
    before = tree(f"location / {{ {PASS} }}\nlocation /ws {{\n{lines}\n}}")
    found = offered(before, "ws://app.test/ws", "location-without-handler", server=server)
    if expected:
        assert expected in found[0]
    else:  # a location of its own, as ever
        assert found and all("location = /ws" in text or "location ^~ /ws" in text for text in found)


def test_a_try_files_beside_no_proxy_pass_stays():
    before = tree(f"location / {{ try_files $uri /i.html; }}\nlocation /ws/ {{ {PASS} }}")
    assert all("try_files" in text for text in offered(before, "ws://app.test/x", "return-status"))


def test_an_upstream_whose_name_is_nearly_there_is_the_one():
    before = tree(
        "location / { proxy_pass http://chat_serv/x; }", "upstream chat_server { server 127.0.0.1:1; }\n"
    )
    found = offered(before, "ws://app.test/ws", "upstream-host-not-found")
    assert "proxy_pass http://chat_server/x;" in found[0]
    other = tree(
        "location / { proxy_pass http://elsewhere/x; }", "upstream chat_server { server 127.0.0.1:1; }\n"
    )
    assert not offered(other, "ws://app.test/ws", "upstream-host-not-found")


@pytest.mark.parametrize(
    ("name", "target", "new"),
    [
        ("/board/api/live/", "/api/live/ws", "http://127.0.0.1:9001/api/live/;"),
        ("/board/api/live/", "/socket/ws", "http://127.0.0.1:9001/socket/;"),
    ],
)
def test_the_uri_part_is_the_one_that_makes_the_path_that_opened(name, target, new):
    before = tree(f"location {name} {{ {PASS} }}")
    found = offered(before, "ws://app.test/board/api/live/ws", "proxy-pass-keeps-prefix", target=target)
    assert any(new in text for text in found), found


@pytest.mark.parametrize(
    ("meant", "uri", "new"),
    [
        ("/", "/", "http://127.0.0.1:9001/ws/;"),
        ("/", "", "http://127.0.0.1:9001;"),
        ("/wss/", "/", "http://127.0.0.1:9001/;"),
    ],
)
def test_a_copy_with_a_longer_name_sends_the_same_path(meant, uri, new):
    before = tree(
        f"location /w {{ root /w; }}\nlocation {meant} {{ proxy_pass http://127.0.0.1:9001{uri}; }}"
    )
    found = offered(before, "ws://app.test/ws/room", "wrong-location", meant=location(before, meant))
    copies = [text for text in found if "location ^~ /ws/ {" in text]
    assert copies and f"location ^~ /ws/ {{ proxy_pass {new}" in copies[0], found


@pytest.mark.parametrize("winner", ["^~ /room/", "~ ^/room"])
def test_a_regex_that_does_not_get_its_turn_gets_it_within_the_location_that_wins(winner):
    before = tree(f"location {winner} {{\n  proxy_pass http://b;\n}}\nlocation ~ /live$ {{ {PASS} }}")
    code = "regex-order" if "~ ^" in winner else "shadowed-by-prefix-caret"
    found = offered(before, "ws://app.test/room/7/live", code, meant=location(before, "/live$"))
    nested = f"location {winner} {{\n  location ~ /live$ {{ {PASS} }}\n  proxy_pass http://b;"
    assert [nested in text for text in found].index(True) < [
        text.count("^~ /room/7/live") for text in found
    ].index(1)


def test_a_location_that_closes_its_paths_gets_no_location_within():
    before = tree(f"location ~ ^/room {{\n  return 404;\n}}\nlocation ~ /live$ {{ {PASS} }}")
    found = offered(before, "ws://app.test/room/7/live", "regex-order", meant=location(before, "/live$"))
    assert found and all("location ~ ^/room {\n  return 404;\n}" in text for text in found)


def test_an_exact_location_with_a_slash_too_many_loses_it():
    before = tree(f"location = /live/ {{ {PASS} }}")
    assert (
        f"location = /live {{ {PASS} }}"
        in offered(before, "ws://app.test/live", "trailing-slash-redirect")[0]
    )


def test_a_path_is_stripped_by_a_rewrite_alone_where_the_uri_part_serves_others():
    before = tree("location /push {\nproxy_pass http://127.0.0.1:9001/;\n}")
    found = offered(before, "ws://app.test/push/ws", "proxy-pass-double-slash", target="/ws")
    assert any(
        "rewrite ^/push(/.*)$ $1 break;\nproxy_pass http://127.0.0.1:9001/;" in text for text in found[:6]
    ), found


def test_a_file_that_two_servers_include_is_edited_once():
    files = {
        "/n.conf": b"events {}\nhttp {\nserver { include a; }\nserver { listen 81; include a; }\n}\n",
        "/a": b"location /ws/ { proxy_pass ws://127.0.0.1:9001; }\n",
    }
    before = load("/n.conf", read=files.__getitem__, glob=lambda pattern: [])
    found = route(before, Request("ws://app.test/ws/"))
    [edits] = cures(before, found, Fault("proxy-pass-ws-scheme"))
    assert edited(before, edits).files["/a"] == b"location /ws/ { proxy_pass http://127.0.0.1:9001; }\n"


@pytest.mark.parametrize(
    ("used", "server", "right"),
    [
        ("$vit", "set $vite 127.0.0.1:9001;", "$vite"),
        ("${vit}", "set $vite 127.0.0.1:9001;", "${vite}"),
        ("$remote_adr", "", "$remote_addr"),
        ("$shop", "location ~ ^/(?<shops>[a-z]+)$ { return 404; }", "$shops"),
        ("$back", "set $backe 1; set $bac 1;", ""),
        ("$wholly_else", "set $vite 127.0.0.1:9001;", ""),
    ],
)
def test_a_variable_that_nothing_defines_gets_the_one_name_that_is_near(used, server, right):
    before = tree(f"{server} location /ws/ {{ proxy_pass http://{used}; }}")
    found = offered(before, "ws://app.test/ws/", "nginx-config-invalid", variable=used.strip("${}"))
    assert [f"proxy_pass http://{right};" in text for text in found] == ([True] if right else [])


def test_a_path_without_the_slash_gets_a_copy_where_several_backends_could_be_meant():
    before = tree(f"location / {{ proxy_pass http://b; }}\nlocation /live/ {{ {PASS} }}")
    found = offered(before, "ws://app.test/live", "trailing-slash-redirect")
    assert f"location = /live {{ {PASS}\n}}" in found[0] and f"location /live/ {{ {PASS} }}" in found[0]


def test_the_uri_part_of_the_very_path_is_the_path_that_opened():
    before = tree(f"location /zigbee/api {{ {PASS} }}")
    found = offered(before, "ws://app.test/zigbee/api", "proxy-pass-keeps-prefix", target="/api")
    assert any("http://127.0.0.1:9001/api;" in text for text in found)


def test_a_rewrite_with_a_slash_too_many_loses_it():
    before = tree(f"location /r/ {{\nrewrite ^/r/(.*)$ //$1 break;\n{PASS}\n}}")
    found = offered(before, "ws://app.test/r/ws", "rewrite-changes-path", target="/ws")
    assert "rewrite ^/r/(.*)$ /$1 break;" in found[0]


def test_wss_in_proxy_pass_is_https_or_else_http():
    before = tree("location /ws/ { proxy_pass wss://127.0.0.1:9001; }")
    found = offered(before, "ws://app.test/ws/", "proxy-pass-ws-scheme")
    assert ["https://" in text for text in found] == [True, False] and "http://127" in found[1]
