"""Every WebSocket route of a configuration, with the address at which this host asks it, and its state."""

from __future__ import annotations

import types

import pytest

from module_utils.nginx_websocket.conf.dump import load_dump
from module_utils.nginx_websocket.diagnosis import websocket_routes as room
from tests.unit.diagnosis.seen import UP, page
from tests.unit.websocket.tiny_server import TinyServer, answer, open_and_echo


def tree(http):
    return load_dump(b"# configuration file /nginx.conf:\nevents {}\nhttp {\n" + http.encode() + b"\n}\n")


MADE_UP = "/ws/websocket-route-check"


def carrying(head="/ws/", lines=UP):
    return f"location {head} {{ {lines} proxy_pass http://127.0.0.1:8000; }}"


@pytest.mark.parametrize(
    ("server", "url", "address"),
    [
        (f"listen 80; server_name a.test; {carrying()}", "ws://a.test" + MADE_UP, "127.0.0.1:80"),
        (
            f"listen 80; listen 8443 ssl; server_name *.b.test .c.test d.test; {carrying()}",
            "wss://d.test:8443" + MADE_UP,
            "127.0.0.1:8443",
        ),
        (f"listen [::]:443 ssl; {carrying('= /x')}", "wss://[::1]/x", "[::1]:443"),
        (f"listen 192.0.2.1:80; server_name ~^x; {carrying()}", "ws://192.0.2.1" + MADE_UP, "192.0.2.1:80"),
    ],
)
def test_a_route_has_a_url_and_an_address_to_ask(server, url, address):
    ((found, asked),) = room.websocket_routes(tree(f"server {{ {server} }}"))
    assert (found.url, asked) == (url, address)
    assert found.proxy_pass == "http://127.0.0.1:8000" and found.where == "/nginx.conf:3"


@pytest.mark.parametrize(
    "server",
    [
        f"listen 80; {carrying(lines='')}",
        f"listen 80; {carrying('@ws')}",
        f"listen unix:/run/x; {carrying()}",
    ],
)
def test_what_carries_none_or_cannot_be_asked_is_no_route(server):
    assert list(room.websocket_routes(tree(f"server {{ {server} }}"))) == []


def judged(http, asked=True):
    configuration = tree(http)
    ((item, address),) = room.websocket_routes(configuration)
    room.judge(item, configuration, (1, 22, 1), address, asked)
    return item.state, item.code, item.reason


REACHED = "the route reaches its backend; 404 for a made-up path"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (open_and_echo, ("works", "", "a handshake opens")),
        (
            answer("502 Bad Gateway", page(502).body.encode()),
            ("fails", "", "nginx answers 502: the backend does not answer"),
        ),
        (
            answer("404 Not Found"),
            ("cannot tell", "", REACHED),
        ),
    ],
)
def test_a_route_is_asked_once(behaviour, expected):
    with TinyServer(behaviour) as server:
        assert judged(f"server {{ listen {server.port}; server_name a.test; {carrying()} }}") == expected
    assert len(server.requests) == 1 and b"\r\nHost: a.test:%d\r\n" % server.port in server.requests[0]


HIDDEN = f"{UP} proxy_hide_header Sec-WebSocket-Accept;"


def test_what_the_configuration_settles_is_told_with_its_code():
    with TinyServer(answer("404 Not Found")) as server:
        http = f"server {{ listen {server.port}; server_name a.test; {carrying(lines=HIDDEN)} }}"
        state, code, _ = judged(http)
        assert (state, code) == ("fails", "response-header-hidden")
        assert judged(http, asked=False)[:2] == ("fails", "response-header-hidden")
        assert judged(http.replace(HIDDEN, UP), asked=False) == ("cannot tell", "", "nginx was not asked")
    assert len(server.requests) == 1


@pytest.fixture
def nginx(monkeypatch):
    """Hosts with these nginx: each a configuration, or the words for why it cannot be read."""

    def install(*configurations, notes=()):
        def masters(strangers):
            strangers += notes
            return list(configurations)

        def described(target, conf_path):
            if isinstance(target, str):
                raise room.NginxError(target)
            known = None if target is Ellipsis else target
            return types.SimpleNamespace(
                configuration=known,
                conf_path="/nginx.conf",
                conf_error="broken",
                running=False,
                version=(1, 22, 1),
            )

        monkeypatch.setattr(room, "masters", masters)
        monkeypatch.setattr(room, "find_binary", lambda: "")
        monkeypatch.setattr(room, "describe", described)
        return room.routes_report()

    return install


def test_a_host_without_nginx_says_so(nginx):
    report = nginx(notes=["somebody is no nginx"])
    assert (report["verdict"], report["routes"]) == ("cannot tell", [])
    assert report["sentence"] == (
        "No WebSocket route was found: somebody is no nginx; no nginx was found on this host"
    )


def test_an_nginx_that_cannot_be_read_is_a_note_beside_the_others(nginx):
    good = tree(f"server {{ listen 80; server_name a.test; {carrying()} }}")
    report = nginx(..., "it is gone", good)
    assert report["notes"] == ["/nginx.conf: broken", "it is gone"]
    assert [route["url"] for route in report["routes"]] == ["ws://a.test" + MADE_UP]
    assert report["sentence"] == "1 WebSocket route(s): 1 not settled." and report["verdict"] == "cannot tell"


def test_one_that_fails_makes_the_verdict(nginx):
    both = f"{carrying()} {carrying('/bad/', HIDDEN)}"
    report = nginx(tree(f"server {{ listen 80; server_name a.test; {both} }}"))
    assert (
        report["verdict"] == "fails" and report["sentence"] == "2 WebSocket route(s): 1 fail, 1 not settled."
    )


def test_a_configuration_without_one_says_that(nginx):
    assert nginx(tree("server { listen 80; }"))["sentence"] == "This nginx has no WebSocket route."


def test_very_many_are_cut(nginx):
    many = " ".join(carrying(f"/ws{number}/") for number in range(room.MOST + 1))
    report = nginx(tree(f"server {{ listen 80; server_name a.test; {many} }}"))
    assert len(report["routes"]) == room.MOST and report["notes"] == [
        "more than 200 routes; the rest is left out"
    ]
