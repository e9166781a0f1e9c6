"""Listen groups and server names."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.server.listen import ListenError, parse_address, reached
from module_utils.nginx_websocket.behaviour.server.names import validate_host
from module_utils.nginx_websocket.behaviour.uri import BadRequest


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("8080", ["*:8080"]),
        ("*:81", ["*:81"]),
        ("127.0.0.1", ["127.0.0.1:80"]),
        ("127.0.0.1:90", ["127.0.0.1:90"]),
        ("[::]:80", ["[::]:80"]),
        ("[::1]", ["[::1]:80"]),
        ("unix:/run/x.sock", ["unix:/run/x.sock"]),
        ("localhost:1", ["127.0.0.1:1"]),
        ("81-83", ["*:81", "*:82", "*:83"]),
    ],
)
def test_listen_forms(value, expected):
    assert [str(address) for address in parse_address(value)] == expected


@pytest.mark.parametrize("value", ["127.0.0.1:x", "0", "70000", "[::1", ":80", "83-81"])
def test_listen_refused(value):
    with pytest.raises(ListenError):
        parse_address(value)


NAMES = """
server { listen 8080; return 200 first; }
server { listen 8080; server_name a.test A2.test; return 200 exact; }
server { listen 8080; server_name *.a.test; return 200 head; }
server { listen 8080; server_name *.b.a.test; return 200 longer; }
server { listen 8080; server_name a.*; return 200 tail; }
server { listen 8080; server_name .dot.test; return 200 dot; }
server { listen 8080; server_name ~^(?<sub>.+)\\.rx$; return 200 $sub; }
server { listen 8080; server_name ~UPPER; return 200 caseless; }
server { listen 8080; server_name ""; return 200 nohost; }
"""


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("a.test", b"exact"), ("A.TEST:99", b"exact"), ("a.test.", b"exact"), ("a2.test", b"exact"),
        ("x.a.test", b"head"), ("x.b.a.test", b"longer"), ("b.a.test", b"head"), ("a.org", b"tail"),
        ("a.co.uk", b"tail"), ("dot.test", b"dot"), ("x.dot.test", b"dot"), ("one.rx", b"one"),
        ("xupperx", b"caseless"), ("nothing", b"first"),
    ],
)  # fmt: skip
def test_names(serve, host, text):
    found = serve(NAMES, headers=[("Host", host)])
    assert found.answer.text == text


def test_request_without_host(serve):
    arguments = {"headers": [("X", "y")], "exact_headers": True}
    assert serve(NAMES, http_version="1.0", **arguments).answer.text == b"first"
    # the first server has no server_name, which is the empty name too, and it came first
    assert serve(NAMES, **arguments).answer.kind == "bad-request"


def test_default_server_wins_over_the_first(serve):
    servers = """
    server { listen 8080; return 200 one; }
    server { listen 8080 default_server; server_name d; return 200 two; }
    """
    assert serve(servers, host="unknown:8080").answer.text == b"two"


def test_sni_gives_the_first_server_and_host_may_switch(serve):
    servers = """
    server { listen 8080 ssl; server_name one.test; return 200 one; }
    server { listen 8080 ssl; server_name two.test; return 200 two; }
    """
    assert serve(servers, scheme="wss", host="two.test:8080").answer.text == b"two"
    switched = serve(servers, scheme="wss", host="two.test:8080", headers=[("Host", "one.test")])
    assert switched.answer.text == b"one"


def test_every_server_of_the_group_has_a_reason(serve):
    found = serve(NAMES, headers=[("Host", "a.test")])
    assert len(found.candidates) == 9
    chosen = [item for item in found.candidates if item.chosen]
    assert [item.names for item in chosen] == [["a.test", "A2.test"]]
    assert "exact name" in chosen[0].reason
    loser = next(item for item in found.candidates if item.names == ["a.*"])
    assert "comes first" in loser.reason


def test_nobody_listens(serve):
    assert serve("server { listen 81; }").answer.kind == "not-listening"


def test_unknown_address_is_said(serve):
    servers = """
    server { listen 127.0.0.1:8080; server_name x; }
    server { listen 127.0.0.2:8080; server_name a.test; }
    """
    found = serve(servers, address="")
    assert str(found.listen.address) == "127.0.0.2:8080"
    assert "127.0.0.1:8080" in found.undecided[0].assumed


def test_host_is_checked_harder_since_1_29_4():
    assert validate_host(b"a b", (1, 18, 0)) == b"a b"
    for version, value in (
        ((1, 22, 1), b"a b"),
        ((1, 29, 4), b"a:x"),
        ((1, 22, 1), b"a..b"),
        ((1, 22, 1), b":80"),
    ):
        with pytest.raises(BadRequest):
            validate_host(value, version)
    assert validate_host(b"a:x", (1, 22, 1)) == b"a"


def test_merge_slashes_is_that_of_the_default_server(serve):
    servers = """
    server { listen 8080; merge_slashes off; server_name first; }
    server { listen 8080; server_name a.test; location / { return 200 $uri; } }
    """
    assert serve(servers, "//x").answer.text == b"//x"


def test_a_name_that_only_ipv6_serves_is_asked_for_there(serve):
    """An IPv4 wildcard of somebody else's does not take it."""
    found = serve(
        "server { listen 8080; server_name other.test; }\n"
        "server { listen [2001:db8::1]:8080; server_name a.test; return 204; }",
        address="",
    )
    assert (str(found.listen.address), found.answer.status) == ("[2001:db8::1]:8080", 204)
    assert "which one a.test leads to is not in the configuration" in found.undecided[0].reason


def test_a_name_that_both_serve_is_asked_for_at_ipv4(serve):
    found = serve(
        "server { listen [2001:db8::1]:8080; server_name a.test; return 204; }\n"
        "server { listen 8080; server_name a.test; return 205; }",
        address="",
    )
    assert (str(found.listen.address), found.answer.status) == ("*:8080", 205)
    assert not found.undecided


def test_what_listens_everywhere_is_reached_on_loopback():
    assert [reached(host) for host in ("0.0.0.0", "127.0.0.5", "::", "fd00::1")] == [
        "127.0.0.1",
        "127.0.0.5",
        "::1",
        "fd00::1",
    ]
