"""Routing one URL in a large configuration costs next to nothing once it is loaded."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import time

from module_utils.nginx_conf.request import Request
from module_utils.nginx_conf.route import route


def test_one_url_among_a_thousand_servers(configure):
    server = """
    server {
        listen 80; listen 127.0.0.%d:8080; server_name s%d.test *.s%d.test ~^x%d\\.;
        location / { proxy_pass http://127.0.0.1:9; }
        location ~ \\.php$ { return 404; }
        location /a/ { location ~ ^/a/(.*)$ { proxy_pass http://127.0.0.1:9; } }
    }"""
    text = "\n".join(server % (number % 250 + 1, number, number, number) for number in range(1000))
    configuration = configure("events {} http {\nserver_names_hash_max_size 9999;\n%s\n}" % text)
    started = time.process_time()
    found = route(configuration, Request("ws://www.s777.test/a/b", address="127.0.0.1:80"))
    first = time.process_time() - started
    assert [location.title() for location in found.locations] == ["location /a/", "location ~ ^/a/(.*)$"]
    assert found.server_match.name == b"*.s777.test"
    assert first < 0.1
    started = time.process_time()
    for number in range(100):
        route(configuration, Request("ws://s%d.test/" % number, address="127.0.0.1:80"))
    assert (time.process_time() - started) / 100 < 0.01
