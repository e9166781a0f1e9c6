"""Which requests are asked: what the locations on a path's way look at, and what a client may make up."""

from __future__ import annotations

import dataclasses

import pytest

from module_utils.nginx_websocket.compare.comparing import compare
from tests.unit.compare.trees import PROXY, UPGRADE, compared, tree, world

GUARDED = f'location /ws/ {{ if ($http_origin !~ "^(|https://a[.]test)$") {{ return 403; }} {UPGRADE} }} '
FASTCGI = "fastcgi_pass 127.0.0.1:9000;"
GRPC = "grpc_pass 127.0.0.1:9000;"
TO = "return 301 https://b.test"


def told(live, staged):
    return {(one.parting.kind, one.weight) for one in compared(live, staged).differences}


@pytest.mark.parametrize(
    ("lines", "passing"),
    [
        pytest.param('proxy_set_header X-Remote-User "";', PROXY, id="a portal's user"),
        pytest.param("proxy_set_header X-Remote-User $remote_user;", PROXY, id="the user of a password"),
        pytest.param("proxy_set_header X-Client-DN $ssl_client_s_dn;", PROXY, id="a client certificate"),
        pytest.param('proxy_set_header Proxy "";', PROXY, id="the environment of a CGI program"),
        pytest.param("proxy_pass_request_headers off;", PROXY, id="whatever it is"),
        pytest.param('fastcgi_param HTTP_PROXY "";', FASTCGI, id="the same by FastCGI"),
        pytest.param('grpc_set_header X-Remote-User "";', GRPC, id="by gRPC"),
    ],
)
def test_a_header_that_clients_could_forge_again_is_a_loss(lines, passing):
    with_it, without = f"location / {{ {lines} {passing} }}", f"location / {{ {passing} }}"
    assert ("header-passed", "loss") in told(with_it, without)
    assert "header-passed" not in {kind for kind, _weight in told(without, with_it)}


@pytest.mark.parametrize("lines", ['proxy_set_header Authorization "";', 'proxy_set_header Cookie "";'])
def test_what_browsers_send_by_themselves_is_no_forgery(lines):
    assert told(f"location / {{ {lines} {PROXY} }}", f"location / {{ {PROXY} }}") == {
        ("backend-headers", "change")
    }


def test_what_a_connection_says_of_itself_is_no_forgery():
    """Early-Data is empty in all requests but those of RFC 8470."""
    lines = "proxy_set_header Early-Data $ssl_early_data; proxy_set_header TE $http_te;"
    found = told(f"location / {{ {lines} {PROXY} }}", f"location / {{ {PROXY} }}")
    assert found <= {("backend-headers", "change")}


def test_a_header_with_another_writer_is_one_difference():
    """Neither tree lets the client's own one through, or it is told with the header that is missing."""
    live = f"location / {{ proxy_set_header X-Real-IP $remote_addr; {PROXY} }}"
    (found,) = compared(live, f"location / {{ {PROXY} }}").differences
    assert (found.parting.kind, found.parting.now) == ("backend-headers", "the backend gets no X-Real-IP")


@pytest.mark.parametrize(
    ("live", "staged", "kind"),
    [
        (f"location / {{ {TO}$request_uri; }}", f"location / {{ {TO}$uri; }}", "redirected"),
        (
            "location / { rewrite ^/(?!x)(.*) /x/$1 permanent; }",
            "location / { rewrite ^/(?!x)(.*) /x/$1? permanent; }",
            "redirected",
        ),
        (f"location / {{ {PROXY} }}", "location / { proxy_pass http://127.0.0.1:8000$uri; }", "path-changed"),
        (
            f"location / {{ add_header X-A $arg_a; {PROXY} }}",
            f"location / {{ add_header X-A $arg_b; {PROXY} }}",
            "headers",
        ),
        (
            f"location / {{ add_header X-A $cookie_a; {PROXY} }}",
            f"location / {{ {PROXY} }}",
            "headers",
        ),
    ],
)
def test_what_comes_of_a_query_or_a_cookie_is_seen(live, staged, kind):
    assert kind in {found for found, _weight in told(live, staged)}


def test_only_the_location_that_looks_at_origin_is_asked_with_origins():
    files = " ".join(f"location /files{number}/ {{ root /srv; }}" for number in range(8))
    alone, beside = (compared(GUARDED + more, GUARDED + more + "gzip on;").asked for more in ("", files))
    # Two paths of each location, three of its name without a slash; no more than once each.
    assert beside - alone <= 8 * 3


def test_another_way_into_another_location_is_followed():
    """A rewrite leads only a handshake to the location that names a page; so only then it is asked with."""
    door = "location /in/ { if ($http_upgrade) { rewrite ^ /ws/ last; } root /srv; } "
    named = f'location /ws/ {{ if ($http_origin = "https://partner.test") {{ return 403; }} {UPGRADE} }} '
    found = compared(door + named, door + named.replace("return 403;", "")).differences
    asked = {example for one in found for example in one.examples}
    assert any("partner.test" in example and "/in/" in example for example in asked), asked


def test_a_second_port_of_a_server_is_asked_in_other_ways_where_it_matters():
    """The same paths once more, and what a condition on the port's TLS could answer otherwise."""
    listens = "listen 81; "
    once, twice = (compared(more + GUARDED, more + GUARDED + "gzip on;").asked for more in ("", listens))
    door = "if ($scheme = https) { return 404; } "
    looked = compared(listens + door + GUARDED, listens + door + GUARDED + "gzip on;").asked
    assert once < twice < 2 * once <= looked


def test_where_no_time_is_left_it_is_said_what_was_not_asked():
    trees = tree(GUARDED), tree(GUARDED + "gzip on;")
    found = compare(*trees, version=(1, 22, 1), world=dataclasses.replace(world(), seconds=0.0))
    assert "other ways to ask for them were not asked: the comparison may take 0 seconds" in found.notes
