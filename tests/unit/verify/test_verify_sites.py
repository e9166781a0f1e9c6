"""The suite's view of a site: endpoints, names, origins, and what is asked."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.exchange.result import Probe
from verify.as_user.endpoints import Endpoint
from verify.as_user.visits import intruders, redirected, www_pages
from verify.sites import Site, seconds
from verify.targets import backend_asks, parse
from verify.test_web import certificate_fix
from verify.test_websocket import straight_to_backend


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
    assert Endpoint("192.0.2.1", 443, "a.test", tls=True).origin == "https://a.test"
    assert Endpoint("192.0.2.1", 8443, "a.test", tls=True).origin == "https://a.test:8443"
    assert Endpoint("192.0.2.1", 443, "a.test", tls=False).origin == "http://a.test:443"
    assert Endpoint("192.0.2.1", 443, "a.test", tls=True).url("/ws/x", websocket=True) == "wss://a.test/ws/x"
    assert Endpoint("192.0.2.1", 80, "a.test", tls=False).url("/ws/x", websocket=True) == "ws://a.test/ws/x"


@pytest.mark.parametrize(
    ("variables", "served", "all_endpoints"),
    [
        ({}, [443], [443, 80]),
        ({"http": {"mode": "serve"}}, [443, 80], [443, 80]),
        ({"http": {"mode": "none"}}, [443], [443]),
        ({"tls": {"enabled": False}}, [80], [80]),
        ({"tls": {"enabled": False}, "http": {"port": 8080}}, [8080], [8080]),
    ],
)
def test_endpoints(variables, served, all_endpoints):
    assert [endpoint.port for endpoint in site(**variables).endpoints()] == served
    assert [endpoint.port for endpoint in site(**variables).all_endpoints()] == all_endpoints


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
    ("backend", "addresses"),
    [
        ({"port": 3000, "ports": [8000, 3000]}, [("127.0.0.1", 3000)]),
        ({"ports": [8000, 3000]}, [("127.0.0.1", 8000)]),
        ({"servers": [{"host": "10.0.0.1", "port": 9000}]}, [("10.0.0.1", 9000)]),
        (
            {
                "servers": [
                    {"host": "10.0.0.1", "port": 9000},
                    {"host": "10.0.0.2", "port": 9000, "backup": True},
                ]
            },
            [("10.0.0.1", 9000), ("10.0.0.2", 9000)],
        ),
        ({"servers": [{"socket": "/run/a.sock"}, {"port": 80}]}, [("/run/a.sock", 0), ("127.0.0.1", 80)]),
        ({"socket": "/run/app.sock"}, [("/run/app.sock", 0)]),
        ({"port": 8443, "tls": {"enabled": True}}, []),
    ],
)
def test_where_the_backend_is_asked_directly(backend, addresses):
    one = site(backends=[{"name": "app", **backend}])
    assert one.backend_addresses("app") == addresses
    asked = [(ask["address"], ask["port"], ask["origin"]) for ask in backend_asks(one)]
    assert asked == [(*place, origin) for place in addresses for origin in ("", "https://a.test")]


def answered(port, status=None, error=""):
    answer = {"status": status, "error": error, "opened": status == 101}
    asked = {"site": "a.test", "route": "/ws/", "origin": "", "address": "127.0.0.1", "port": port}
    return {**asked, "answer": answer}


@pytest.mark.parametrize(
    ("status", "servers", "port"),
    [
        (403, [answered(8000, 403), answered(3000, None, "refused")], 8000),
        (403, [answered(3000, None, "refused"), answered(8000, 403)], 8000),
        (403, [answered(3000, 101), answered(8000, 403)], 8000),
        (502, [answered(3000, None, "refused"), answered(8000, 101)], 8000),
        (504, [answered(3000, None, "timed out"), answered(8000, 101)], 3000),
    ],
)
def test_of_several_servers_the_one_that_nginx_asked_tells(status, servers, port):
    one = site()
    got = Probe("wss://a.test/ws/probe", status=status, error_kind="http-status")
    told = straight_to_backend({"backends": servers}, one, one.routes[0], "", got)
    assert told["port"] == port


def test_a_backend_that_was_not_asked_tells_nothing():
    one = site()
    got = Probe("wss://a.test/ws/probe", status=403)
    assert straight_to_backend({"backends": []}, one, one.routes[0], "", got) is None


def test_redirects_are_asked_for_only_where_there_are_some():
    assert [ask.endpoint.port for ask in redirected(site())] == [80]
    assert redirected(site(http={"mode": "serve"})) == []
    assert www_pages(site()) == []
    assert {(ask.endpoint.name, ask.endpoint.port) for ask in www_pages(site(redirect_www=True))} == {
        ("www.a.test", 443),
        ("www.a.test", 80),
    }


def test_without_plain_http_www_is_asked_for_by_tls_alone():
    asked = www_pages(site(redirect_www=True, http={"mode": "none"}))
    assert [(ask.endpoint.name, ask.endpoint.port) for ask in asked] == [("www.a.test", 443)]


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


@pytest.mark.parametrize(
    ("code", "told"), [(62, "lacks the name www.a.test"), (10, "certbot renew"), (20, "full chain?")]
)
def test_what_to_do_about_a_certificate(code, told):
    assert told in certificate_fix("www.a.test", code)
