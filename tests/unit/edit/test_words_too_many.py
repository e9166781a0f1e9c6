"""Cures of what nginx refuses for one word, of old TLS, of circles, and of a mirror's copy."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.cures import Fault, cures
from module_utils.nginx_websocket.edit.memory import edited

UP = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
URL = "ws://app.test/ws/x"


def tree(http):
    text = f"events {{}}\nhttp {{\n{http}\n}}\n"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def site(body, listen="80"):
    return "server {\nlisten %s;\nserver_name app.test;\n%s\n}\n" % (listen, body)


def texts(configuration, code, name=b"", index=0, url=URL):
    """The files as each candidate would leave them; the finding names a directive by its name."""
    named = [item for item in configuration.walk() if item.name == name]
    fault = Fault(code, directive=named[index] if named else None)
    found = route(configuration, Request(url))
    return [
        edited(configuration, edits).files["/n.conf"].decode() for edits in cures(configuration, found, fault)
    ]


@pytest.mark.parametrize("word", ["default_server", "default"])
def test_a_second_default_server_is_an_ordinary_one(word):
    other = site("return 404;", "80 %s reuseport" % word)
    found = texts(tree(site("", "80 default_server") + other), "nginx-config-invalid", b"listen", 1)
    assert len(found) == 1
    assert "listen 80 reuseport;" in found[0]
    assert "listen 80 default_server;" in found[0]


@pytest.mark.parametrize(
    ("to", "new"),
    [
        ("http://app:8000", "proxy_pass http://app;"),
        ("https://app:8000/x/", "proxy_pass https://app/x/;"),
        ("http://other:8000", ""),
        ("http://app", ""),
    ],
)
def test_an_upstream_block_names_its_ports_itself(to, new):
    pool = "upstream app { server 127.0.0.1:8000; }\n"
    found = texts(
        tree(pool + site("location / { proxy_pass %s; }" % to)), "nginx-config-invalid", b"proxy_pass"
    )
    assert [new in text for text in found] == ([True] if new else [])


def test_another_line_that_nginx_refuses_has_no_cure_here():
    assert texts(tree(site("js_import main.js;")), "nginx-config-invalid", b"js_import") == []
    assert texts(tree(site("")), "nginx-config-invalid") == []


def test_the_source_of_a_map_gets_its_http():
    lines = UP.replace('"upgrade"', "$c")
    configuration = tree(
        "map $upgrade $c { default upgrade; '' close; }\n" + site("location / { %s }" % lines)
    )
    assert "map $http_upgrade $c {" in texts(configuration, "missing-map")[0]


@pytest.mark.parametrize(
    ("line", "cured"),
    [
        ("ssl_protocols TLSv1 TLSv1.1;", True),
        ("ssl_protocols SSLv3;", True),
        ("ssl_protocols TLSv1.1 TLSv1.2;", False),
        ("", False),
    ],
)
def test_old_tls_alone_gives_way(line, cured):
    configuration = tree(site(line + "\nlocation / { proxy_pass http://b; }", "443 ssl"))
    found = texts(configuration, "tls-handshake-failed", url="wss://app.test/ws")
    assert ["ssl_protocols TLSv1.2 TLSv1.3;" in text for text in found] == [True] * (2 * cured)


def test_a_rewrite_that_leads_back_to_itself_stays():
    body = "location / { rewrite ^(.*)$ /app$1 last; %s proxy_pass http://b; }" % UP
    assert any("/app$1 break;" in text for text in texts(tree(site(body)), "return-status"))


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (UP, ""),
        ("", UP),
        ("proxy_set_header Host $host; %s" % UP, ""),
        ("", "proxy_set_header X-A b; %s" % UP),
    ],
)
def test_a_copy_goes_out_without_the_upgrade(outer, inner):
    body = "%s location /ws { mirror /copy; %s proxy_pass http://b; }" % (outer, UP)
    body += " location = /copy { %s proxy_pass http://c; }" % inner
    configuration = tree(site(body))
    (text,) = texts(configuration, "mirror-upgraded")
    after = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    sent = {
        header.name.lower(): header.value
        for header in route(after, Request("ws://app.test/copy")).upstream.headers
    }
    assert "upgrade" not in sent
    assert "connection" not in sent
    assert ("x-a" in sent) == ("X-A" in inner)
    assert ("$host" in outer) == (sent.get("host") == "app.test")
    own = {header.name.lower() for header in route(after, Request(URL)).upstream.headers}
    assert "upgrade" in own


@pytest.mark.parametrize("target", ["off", "/ws/copy"])
def test_a_copy_that_has_no_place_of_its_own_is_left_alone(target):
    body = "location /ws { mirror %s; %s proxy_pass http://b; }" % (target, UP)
    assert texts(tree(site(body)), "mirror-upgraded") == []
