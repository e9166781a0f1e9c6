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
