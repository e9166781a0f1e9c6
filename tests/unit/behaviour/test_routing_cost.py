"""Routing one URL in a large configuration costs next to nothing once it is loaded: counted, not timed."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import sys

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route

SERVER = """
    server {
        listen 80; listen 127.0.0.%d:8080; server_name s%d.test *.s%d.test ~^x%d\\.;
        location / { proxy_pass http://127.0.0.1:9; }
        location ~ \\.php$ { return 404; }
        location /a/ { location ~ ^/a/(.*)$ { proxy_pass http://127.0.0.1:9; } }
    }"""


def calls(work):
    """How many functions of Python a piece of work calls; the same in every run."""
    count = 0

    def counting(_frame, event, _argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(counting)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def of_many(configure, servers):
    text = "\n".join(SERVER % (number % 250 + 1, number, number, number) for number in range(servers))
    return configure("events {} http {\nserver_names_hash_max_size 9999;\n%s\n}" % text)


def test_one_url_among_a_thousand_servers(configure):
    configuration = of_many(configure, 1000)
    found = route(configuration, Request("ws://www.s777.test/a/b", address="127.0.0.1:80"))
    assert [location.title() for location in found.locations] == ["location /a/", "location ~ ^/a/(.*)$"]
    assert found.server_match.name == b"*.s777.test"


def test_what_a_route_costs_does_not_grow_with_the_servers(configure):
    costs = {}
    for servers in (10, 1000):
        configuration = of_many(configure, servers)
        request = Request("ws://s7.test/", address="127.0.0.1:80")
        first = calls(lambda configuration=configuration, request=request: route(configuration, request))
        again = calls(lambda configuration=configuration, request=request: route(configuration, request))
        costs[servers] = first, again
    assert costs[1000][0] < 150 * costs[10][0], "the first route makes an index, once"
    assert costs[1000][1] < 1.2 * costs[10][1], costs
