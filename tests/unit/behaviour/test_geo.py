"""``geo`` blocks: the longest network that holds the client's address (ngx_http_geo_module.c)."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load

LISTS = "default 1;\n10.0.0.0/8 0;\n10.1.0.0/16 1;\n10.1.2.3 0;\n2001:db8::/32 0;\n"


def answer(entries, remote, source="", headers=()):
    text = (
        f"events {{}}\nhttp {{\ngeo {source}$out {{\n{entries}}}\nserver {{\nlisten 80;\n"
        "if ($out) {\nreturn 403;\n}\nlocation / {\nreturn 204;\n}\n}\n}\n"
    )
    configuration = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    return route(configuration, Request("http://a.test/", remote=remote, headers=headers))


@pytest.mark.parametrize(
    ("remote", "status"),
    [
        ("10.9.9.9", 204),
        ("10.1.9.9", 403),
        ("10.1.2.3", 204),
        ("192.0.2.1", 403),
        ("2001:db8::7", 204),
        ("::ffff:10.9.9.9", 204),
    ],
)
def test_the_longest_network_decides(remote, status):
    assert answer(LISTS, remote).answer.status == status


def test_the_later_of_two_alike_counts():
    assert answer("10.0.0.0/8 1;\n10.0.0.0/8 0;\n", "10.9.9.9").answer.status == 204


def test_another_source_than_the_connection():
    found = answer(LISTS, "192.0.2.1", "$http_x_real ", [("X-Real", "10.9.9.9")])
    assert found.answer.status == 204


@pytest.mark.parametrize(
    ("entries", "remote"),
    [
        (LISTS, ""),
        (LISTS, "unix:"),
        ("ranges;\n10.0.0.0-10.255.255.255 0;\n", "10.9.9.9"),
        ("proxy 10.0.0.1;\ndefault 1;\n", "10.9.9.9"),
        ("delete 10.0.0.0/8;\n", "10.9.9.9"),
    ],
)
def test_what_the_block_does_not_hold_stays_open(entries, remote):
    assert [item.directive.name for item in answer(entries, remote).undecided] == [b"if"]
