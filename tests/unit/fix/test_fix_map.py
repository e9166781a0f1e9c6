"""A location that serves pages as well gets a map: its plain requests take to the backend what they took."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load

SITE = """\
server {
    listen 80;
    server_name chat.test;
    location %s {
        proxy_pass http://127.0.0.1:9001;
        proxy_set_header Host $host;%s
    }
}
"""


def plain_connection(host, path="/page"):
    text = host.text().encode()
    tree = load(
        "/c",
        read=lambda name: b"events {} http { include x; }" if name == "/c" else text,
        glob=lambda _: ["x"],
    )
    found = route(tree, Request(f"http://chat.test{path}"), version=host.nginx.version)
    return [header.value for header in found.upstream.values("Connection")]


@pytest.mark.parametrize(
    ("more", "entry", "sent"),
    [
        ("", "''      close;", ["close"]),
        ('\n        proxy_set_header Connection "";', "''      '';", []),
        ("\n        proxy_set_header Connection keep-alive;", "''      keep-alive;", ["keep-alive"]),
        ("\n        proxy_set_header Connection close;", "''      close;", ["close"]),
    ],
)
def test_plain_requests_of_a_general_location_keep_their_connection(host, more, entry, sent):
    host.put(SITE % ("/", more))
    assert plain_connection(host) == sent
    done = host.fix()
    assert done.outcome == "applied", done.message
    assert "map $http_upgrade $connection_upgrade {" in host.text() and entry in host.text()
    assert "proxy_set_header Connection $connection_upgrade;" in host.text()
    assert plain_connection(host) == sent
    told = [finding.message for finding in done.findings if finding.code == "changes-for-users"]
    assert not any("Connection" in text for text in told), told
    assert host.fix().changed is False and host.rollback().outcome == "applied"
    assert host.text() == SITE % ("/", more)


@pytest.mark.parametrize(
    ("name", "mapped"),
    [("/", True), ("/ws/", False), ("= /ws/room", False), ("~ ^/ws/", False)],
)
def test_a_location_of_sockets_alone_needs_none(host, name, mapped):
    host.put(SITE % (name, ""))
    assert host.fix().outcome == "applied"
    assert ("map " in host.text()) == mapped, host.text()


def test_an_applications_directory_is_general_where_the_socket_is_deep_in_it(host):
    host.put(SITE % ("/board/", ""))
    assert host.fix("ws://chat.test/board/api/live/ws").outcome == "applied"
    assert "map " in host.text()


def test_its_name_is_nobody_elses(host):
    taken = "# $connection_upgrade is what we once had\n" + SITE % ("/", "")
    host.put(taken)
    assert host.fix().outcome == "applied"
    assert "map $http_upgrade $connection_upgrade_2 {" in host.text()


def test_a_map_that_is_there_is_used(host):
    own = "map $http_upgrade $mine { default upgrade; '' close; }\n"
    host.put(own + SITE % ("/", ""))
    assert host.fix().outcome == "applied"
    assert host.text().count("map ") == 1 and "Connection $mine;" in host.text()


def test_a_variable_that_no_map_has_gives_way_to_the_one_that_is_there(host):
    own = "map $http_upgrade $connection_upgrade_app { default upgrade; '' close; }\n"
    lines = (
        "\n        proxy_http_version 1.1;\n        proxy_set_header Upgrade $http_upgrade;"
        "\n        proxy_set_header Connection $connection_upgrade;"
    )
    host.put(own + SITE % ("/", lines))
    assert host.fix().outcome == "applied"
    assert host.text() == own + SITE % (
        "/",
        lines.replace("$connection_upgrade;", "$connection_upgrade_app;"),
    )


def test_lines_that_come_end_as_those_of_the_file(host):
    host.put((SITE % ("/", "")).replace("\n", "\r\n"))
    assert host.fix().outcome == "applied"
    assert "map " in host.text() and "\n" not in host.text().replace("\r\n", "")
