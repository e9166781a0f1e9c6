"""The suite's view of a site: doors, names, origins, and what is asked."""

from __future__ import annotations

import pytest

from verify.outside import Door
from verify.sites import Site, seconds
from verify.targets import parse
from verify.visits import intruders, redirected, www_pages


def site(**variables):
    given = {"backends": [{"name": "app", "port": 8000}], "websockets": [{"path": "/ws/"}], **variables}
    return Site("a.test", "192.0.2.1", given)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("3600s", 3600), ("1h 30m", 5400), ("90", 90), ("500ms", 0.5), ("1d", 86400), ("2M", 2 * 2592000)],
)
def test_time_as_nginx_writes_it(text, expected):
    assert seconds(text) == expected


def test_origin_leaves_out_the_default_port_only():
    assert Door("192.0.2.1", 443, "a.test", tls=True).origin == "https://a.test"
    assert Door("192.0.2.1", 8443, "a.test", tls=True).origin == "https://a.test:8443"
    assert Door("192.0.2.1", 443, "a.test", tls=False).origin == "http://a.test:443"
    assert Door("192.0.2.1", 443, "a.test", tls=True).url("/ws/x", websocket=True) == "wss://a.test/ws/x"
    assert Door("192.0.2.1", 80, "a.test", tls=False).url("/ws/x", websocket=True) == "ws://a.test/ws/x"


@pytest.mark.parametrize(
    ("variables", "served", "all_doors"),
    [
        ({}, [443], [443, 80]),
        ({"http": {"mode": "serve"}}, [443, 80], [443, 80]),
        ({"http": {"mode": "none"}}, [443], [443]),
        ({"tls": {"enabled": False}}, [80], [80]),
        ({"tls": {"enabled": False}, "http": {"port": 8080}}, [8080], [8080]),
    ],
)
def test_doors(variables, served, all_doors):
    assert [door.port for door in site(**variables).doors()] == served
    assert [door.port for door in site(**variables).all_doors()] == all_doors


def test_a_wildcard_is_tried_by_a_name_that_it_covers():
    names = site(server_names=["a.test", "*.b.test"]).names
    assert names == ("a.test", "nginx-websocket-verify.b.test")


def test_handshakes_of_the_default_policy():
    route = site().routes[0]
    assert route.path == "/ws/probe"
    assert route.timeout == 3600
    assert [shake.origin for shake in site().handshakes(route)] == ["", "https://a.test"]
    assert [shake.origin for shake in intruders(site(), route)] == ["https://nginx-websocket-verify.invalid"]


def test_origins_of_a_route_hide_those_of_the_site():
    one = site(origins=["https://b.test"], websockets=[{"path": "/x", "origins": ["*"]}, {"path": "/y"}])
    anybody, listed = one.routes
    assert anybody.open_to_all
    assert intruders(one, anybody) == []
    assert [shake.origin for shake in one.handshakes(anybody)] == [""]
    assert listed.named_origins == ("https://b.test",)


def test_an_origin_that_is_no_page_is_not_imitated():
    one = site(origins=["null", "https://*.b.test", "https://b.test"])
    assert one.routes[0].named_origins == ("https://b.test",)


@pytest.mark.parametrize(
    ("backend", "address"),
    [
        ({"port": 3000, "ports": [8000, 3000]}, ("127.0.0.1", 3000)),
        ({"ports": [8000, 3000]}, ("127.0.0.1", 8000)),
        ({"servers": [{"host": "10.0.0.1", "port": 9000}]}, ("10.0.0.1", 9000)),
        ({"servers": [{"host": "10.0.0.1", "port": 9000}, {"host": "10.0.0.2", "port": 9000}]}, None),
        ({"socket": "/run/app.sock"}, None),
        ({"port": 8443, "tls": {"enabled": True}}, None),
    ],
)
def test_where_the_backend_is_asked_directly(backend, address):
    assert site(backends=[{"name": "app", **backend}]).backend_address("app") == address


def test_redirects_are_asked_for_only_where_there_are_some():
    assert [ask.door.port for ask in redirected(site())] == [80]
    assert redirected(site(http={"mode": "serve"})) == []
    assert www_pages(site()) == []
    assert {(ask.door.name, ask.door.port) for ask in www_pages(site(redirect_www=True))} == {
        ("www.a.test", 443),
        ("www.a.test", 80),
    }


def test_without_plain_http_www_is_asked_for_by_tls_alone():
    asked = www_pages(site(redirect_www=True, http={"mode": "none"}))
    assert [(ask.door.name, ask.door.port) for ask in asked] == [("www.a.test", 443)]


def test_targets_join_releases_to_sites():
    targets = parse(
        {
            "timeout": 3,
            "hosts": [
                {
                    "name": "h",
                    "address": "192.0.2.1",
                    "sites": [{"name": "a.test"}],
                    "releases": {"a.test": "f" * 32},
                }
            ],
        }
    )
    assert targets.timeout == 3
    assert targets.hosts[0].sites[0].release == "f" * 32
    assert targets.hosts[0].connection is None


def test_an_unknown_key_of_the_targets_is_an_error():
    with pytest.raises(TypeError):
        parse({"hosts": [{"name": "h", "address": "192.0.2.1", "sits": []}]})
