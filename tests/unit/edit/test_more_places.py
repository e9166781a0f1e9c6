"""Cures of a location's words: percent signs, ports that are missing, twins of a header, decoded paths."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.behaviour.upgrade.verdict import obstacles
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.cures import Fault, cures
from module_utils.nginx_websocket.edit.lines import map_mended
from module_utils.nginx_websocket.edit.memory import edited

UP = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'


def tree(server, http=""):
    text = f"events {{}}\nhttp {{\n{http}server {{\nlisten 80;\nserver_name app.test;\n{server}\n}}\n}}\n"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def texts(configuration, fault, url="ws://app.test/ws/x"):
    """The files as each candidate would leave them."""
    found = route(configuration, Request(url))
    return [
        edited(configuration, edits).files["/n.conf"].decode() for edits in cures(configuration, found, fault)
    ]


@pytest.mark.parametrize(
    ("written", "url", "head"),
    [
        ("/my%20app/", "ws://app.test/my%20app/ws", 'location "/my app/" {'),
        ("^~ /caf%C3%A9/", "ws://app.test/caf%C3%A9/ws", "location ^~ /café/ {"),
        ("= /a%20b", "ws://app.test/a%20b", 'location = "/a b" {'),
        ("~ ^/a%20b/", "ws://app.test/a%20b/ws", 'location ~ "^/a b/" {'),
    ],
)
def test_a_location_with_percent_signs_is_written_decoded(written, url, head):
    configuration = tree("location %s { %s proxy_pass http://b; }\nlocation / { root html; }" % (written, UP))
    found = obstacles(route(configuration, Request(url)))[0]
    assert found.code == "wrong-location"
    assert "percent signs" in found.meant.why
    assert head in texts(configuration, Fault(found.code, meant=found.meant.location), url)[0]


@pytest.mark.parametrize("written", ["/my%20app/", "= /my%20app", "~ ^/my%20app/"])
def test_a_path_that_is_not_meant_by_percent_signs_stays_a_stranger(written):
    configuration = tree("location %s { %s proxy_pass http://b; }\nlocation / { root html; }" % (written, UP))
    found = obstacles(route(configuration, Request("ws://app.test/other/ws")))[0]
    assert found.meant is None


@pytest.mark.parametrize(
    ("server", "http", "wanted"),
    [
        (
            "location / { proxy_pass http://app; }",
            "upstream app { server 127.0.0.1; }\n",
            "server 127.0.0.1:8000;",
        ),
        ("location / { proxy_pass http://app; }", "upstream app { server [::1]; }\n", "server [::1]:8000;"),
        ("location / { proxy_pass http://127.0.0.1; }", "", "proxy_pass http://127.0.0.1:8000;"),
        ("location / { proxy_pass http://localhost/a; }", "", "proxy_pass http://localhost:8000/a;"),
        ("location / { proxy_pass http://127.0.0.1:9000/; }", "", "proxy_pass http://127.0.0.1:8000/;"),
    ],
)
def test_a_port_that_is_known_is_written_where_none_is(server, http, wanted):
    assert wanted in texts(tree(server, http), Fault("backend-down", server="127.0.0.1:8000"))[0]


@pytest.mark.parametrize("to", ["http://unix:/run/a.sock:/", "http://$app"])
def test_no_port_is_written_into_what_is_no_address(to):
    assert (
        texts(tree("location / { proxy_pass %s; }" % to), Fault("backend-down", server="127.0.0.1:8000"))
        == []
    )


def test_another_pool_of_the_file_is_offered_beside_the_server_of_this_one():
    pools = "upstream a { server 127.0.0.1:1; }\nupstream b { server 127.0.0.1:8000; }\n"
    found = texts(
        tree("location / { proxy_pass http://a/x; }", pools), Fault("wrong-backend", server="127.0.0.1:8000")
    )
    assert "server 127.0.0.1:8000; }\nupstream b" in found[0]
    assert "proxy_pass http://b/x;" in found[1]


@pytest.mark.parametrize(
    ("lines", "gone"),
    [
        ("proxy_set_header Connection keep-alive; %s" % UP, "keep-alive"),
        ("%s proxy_set_header Upgrade h2c;" % UP, "h2c"),
    ],
)
def test_the_wrong_one_of_two_lines_goes(lines, gone):
    configuration = tree("location / { %s proxy_pass http://b; }" % lines)
    assert any(
        gone not in text and "Connection" in text and "$http_upgrade" in text
        for text in texts(configuration, Fault("connection-header-wrong"))
    )


def test_two_right_lines_stay():
    configuration = tree("location / { %s proxy_set_header Connection Upgrade; proxy_pass http://b; }" % UP)
    assert texts(configuration, Fault("connection-header-wrong")) == []


@pytest.mark.parametrize(
    ("to", "new"),
    [
        ("http://127.0.0.1:1$uri", "http://127.0.0.1:1$request_uri"),
        ("http://127.0.0.1:1$uri$is_args$args", "http://127.0.0.1:1$request_uri"),
        ("http://b$document_uri", "http://b$request_uri"),
    ],
)
def test_a_decoded_path_gives_way_to_what_the_client_sent(to, new):
    fault = Fault("proxy-pass-normalizes-path", target="/ws/x")
    assert f"proxy_pass {new};" in texts(tree("location / { proxy_pass %s; }" % to), fault)[0]


def test_a_word_stands_before_the_regular_expressions_of_a_map():
    lines = UP.replace('"upgrade"', "$c")
    mapping = "map $http_upgrade $c {\n    default upgrade;\n    ~.+ close;\n}\n"
    configuration = tree("location / { %s proxy_pass http://b; }" % lines, mapping)
    found = route(configuration, Request("ws://app.test/ws/x"))
    texts_ = [
        edited(configuration, edits).files["/n.conf"].decode() for edits in map_mended(configuration, found)
    ]
    assert any("{\n    websocket upgrade;\n    default upgrade;" in text for text in texts_)
