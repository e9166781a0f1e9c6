"""Directives where nginx takes them, and where not; tests/differential/contexts.py asks nginx about each."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.conf.contexts import miscounted, misplaced
from module_utils.nginx_websocket.conf.load import load

GOOD = """\
user www; events { worker_connections 10; }
stream {
    upstream s { server a:1; } map $a $b { default proxy_pass; }
    server { listen 1; proxy_pass s; proxy_buffer_size 1k; }
}
http {
    map $http_upgrade $c { default upgrade; listen close; } types { a/b root; }
    upstream u { server a; keepalive 2; keepalive_timeout 5s; }
    server {
        listen 80; if ($a) { return 1; }
        location / {
            limit_except GET { deny all; proxy_pass http://u; }
            if ($a) { root /; proxy_pass http://u; }
            location /a { strange on; unknown { proxy_pass x; listen 1; } }
        }
    }
}
"""


def names(text):
    tree = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    return [directive.name.decode() for directive in misplaced(tree)]


def test_nothing_is_misplaced_where_nginx_takes_it_or_nobody_knows():
    assert names(GOOD) == []


@pytest.mark.parametrize(
    ("site", "found"),
    [
        ("server { map $a $b { } }", ["map"]),
        ("server { location / { if ($a) { proxy_set_header A b; } limit_except GET { add_header A b; } } }",
         ["proxy_set_header", "add_header"]),
        ("server { proxy_pass http://u; if ($a) { proxy_pass http://u; } }", ["proxy_pass", "proxy_pass"]),
        ("location / { root /; } return 1;", ["location", "return"]),
        ("server { location / { listen 80; server_name a; server { } } }",
         ["listen", "server_name", "server"]),
        ("server { if ($a) { try_files a b; } }", ["try_files"]),
    ],
)  # fmt: skip
def test_what_nginx_refuses_is_found(site, found):
    assert names(f"events {{}} http {{ {site} }}") == found


def test_a_file_of_sites_alone_has_no_top():
    assert names("map $a $b { } server { listen 80; server_name a; }") == []
    assert names("server { location / { listen 80; } }") == ["listen"]


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("proxy_read_timeout", True),
        ("proxy_read_timeout 1h", False),
        ("proxy_read_timeout 1h 2h", True),
        ("rewrite ^ /a last", False),
        ("rewrite ^ /a last x", True),
        ("try_files $uri", True),
        ("try_files a b c d e f g", False),
        ("somebodys a b c d e f g", False),
    ],
)
@pytest.mark.parametrize("block", ["server { LINE; }", "server { location / { if ($a) { LINE; } } }"])
@pytest.mark.parametrize("whole", ["http { BLOCK }", "BLOCK"])
def test_words_are_counted_as_nginx_counts_them(line, wrong, block, whole):
    text = whole.replace("BLOCK", block.replace("LINE", line)).encode()
    tree = load("/n.conf", read=lambda path: text, glob=lambda pattern: [])
    (found,) = (one for one in tree.walk() if one.name == line.split()[0].encode())
    assert miscounted(found) is wrong


@pytest.mark.parametrize(
    "text", ["stream { server { proxy_pass; } }", "types { root; }", "proxy_pass {}", "root;"]
)
def test_words_of_others_are_not_counted(text):
    tree = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    assert not any(map(miscounted, tree.walk()))
