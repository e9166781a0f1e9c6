"""Which guard an edit may leave behind, and how a proxy_pass gets another port."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit import places
from module_utils.nginx_websocket.edit.fault import Fault
from module_utils.nginx_websocket.edit.judge import _guards_lost
from module_utils.nginx_websocket.edit.memory import edited

PASS = "proxy_pass http://127.0.0.1:8000;"
PASSWORD = "auth_basic S; auth_basic_user_file u;"


def tree(lines, http=""):
    text = f"events {{}}\nhttp {{\n{http}\nserver {{\nlisten 80;\n{lines}\n}}\n}}\n"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def lost(was, now, own):
    sides = (behaviour(tree(lines), Request("http://a.test/ws/x"), admitted=True) for lines in (was, now))
    return _guards_lost(*sides, own)


@pytest.mark.parametrize(
    ("was", "own", "kept"),
    [
        ("location /ws/ { deny all; root /srv; }", True, True),
        ("location /ws/ { deny all; root /srv; }", False, False),
        (f"location /ws/ {{ deny all; {PASSWORD} root /srv; }}", True, False),
        ("location /ws/ { allow 192.0.2.1; deny all; root /srv; }", True, False),
        (f"location /ws/ {{ deny all; {PASS} }}", True, False),
        (f"location /ws/ {{ {PASSWORD} root /srv; }}", True, False),
    ],
)
def test_only_a_place_that_lets_nobody_in_may_be_left(was, own, kept):
    """What denies all and passes nothing on is what answers wrongly; every other guard stays."""
    assert (lost(was, f"location /ws/ {{ {PASS} }}", own) == "") is kept


def passes(to, server, http=""):
    """The lines of the file after the cure that leads to this server."""
    before = tree(f"location / {{ proxy_pass {to}; }}", http)
    found = route(before, Request("ws://a.test/ws/x"))
    made = list(places.other_port(before, found, Fault("backend-down", server=server)))
    return [edited(before, edits).files["/n.conf"].decode() for edits in made]


@pytest.mark.parametrize(
    ("to", "server", "expected"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8001", "proxy_pass http://127.0.0.1:8001;"),
        ("http://localhost:8000", "127.0.0.1:8001", "proxy_pass http://localhost:8001;"),
        ("http://[::1]:8000/x", "[::1]:8001", "proxy_pass http://[::1]:8001/x;"),
        ("http://127.0.0.1:8000/x", "192.0.2.7:8001", "192.0.2.7:8001/x;"),
    ],
)
def test_the_port_changes_and_the_rest_stays(to, server, expected):
    (text,) = passes(to, server)
    assert expected in text and ":8000" not in text


def test_an_upstream_with_several_servers_is_left_as_it_is():
    one = "upstream u {\nserver 127.0.0.1:8000;\n}"
    (text,) = passes("http://u", "127.0.0.1:8001", one)
    assert "server 127.0.0.1:8001;" in text and "proxy_pass http://u;" in text
    assert passes("http://u", "127.0.0.1:8001", one.replace("}", "server 127.0.0.1:8002;\n}")) == []
    assert passes("http://127.0.0.1:8000", "") == []
