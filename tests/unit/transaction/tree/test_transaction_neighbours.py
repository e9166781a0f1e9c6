"""Claims of two sites on one thing."""

from __future__ import annotations

import os

import pytest

from module_utils.nginx_websocket.transaction.site.model import Refused
from module_utils.nginx_websocket.transaction.surroundings.host import read_tree
from module_utils.nginx_websocket.transaction.tree.neighbours import check, explained
from module_utils.nginx_websocket.transaction.tree.overlay import Overlay


def judge(tree, ours: str, theirs: str):
    mine = tree.write("conf.d/m.conf", ours)
    tree.write("conf.d/t.conf", theirs)
    return check(read_tree(tree.instance()).configuration, frozenset([mine]))


@pytest.mark.parametrize(
    ("ours", "theirs", "what"),
    [
        ("server { server_name a.test; }", "server { listen *:80; server_name A.TEST; }", "a.test on *:80"),
        (
            "server { listen [::]:80; server_name a.test; }",
            "server { listen [::]:80; server_name .a.test; }",
            "a.test",
        ),
        (
            "server { listen 1.2.3.4:80; server_name a.test; }",
            "server { listen 1.2.3.4; server_name a.test; }",
            "1.2.3.4",
        ),
        (
            "server { listen 80 default_server; server_name a.test; }",
            "server { listen 80 default_server; server_name b.test; }",
            "two default servers for *:80",
        ),
        ("map $a $x { default 1; }", "map $b $x { default 2; }", "variable $x"),
        ("map $a $x { default 1; }", "geo $x { default 2; }", "variable $x"),
        ("upstream u { server 1.2.3.4; }", "upstream u { server 1.2.3.5; }", "upstream u"),
        ("log_format f '$uri';", "log_format f '$host';", "log_format f"),
        ("limit_conn_zone $uri zone=z:1m;", "limit_req_zone $uri zone=z:2m rate=1r/s;", "zone z"),
    ],
)
def test_refused_with_both_places(tree, ours, theirs, what):
    with pytest.raises(Refused) as caught:
        judge(tree, ours, theirs)
    message = str(caught.value)
    assert what in message and "conf.d/m.conf:1" in message and "conf.d/t.conf:1" in message


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("server { server_name a.test; }", "server { listen 81; server_name a.test; }"),
        ("server { server_name a.test; }", "server { server_name *.a.test; }"),
        ("server { listen 80; server_name a.test; }", "server { listen [::]:80; server_name a.test; }"),
        ("map $a $x { default 1; }", "map $a $y { default 1; }"),
        (
            "server { server_name a.test; }\nserver { listen 80; listen [::]:80; server_name b.test; }",
            "map $a $x {}",
        ),
    ],
)
def test_nothing_in_common(tree, ours, theirs):
    assert judge(tree, ours, theirs) == []


def test_two_others_may_quarrel_without_us(tree):
    mine = tree.write("conf.d/m.conf", "server { server_name a.test; }")
    tree.write("conf.d/t.conf", "map $a $x { default 1; }\nserver { server_name b.test; }")
    tree.write("conf.d/u.conf", "map $a $x { default 1; }\nserver { server_name b.test; }")
    assert check(read_tree(tree.instance()).configuration, frozenset([mine])) == []


def test_an_exact_address_of_others_hides_our_wildcard(tree):
    findings = judge(
        tree, "server { server_name a.test; }", "server { listen 127.0.0.5:80; server_name b.test; }"
    )
    assert [finding.code for finding in findings] == ["listen-hidden"]
    assert "127.0.0.5:80" in findings[0].message and "conf.d/t.conf:1" in findings[0].message
    both = "server { listen 80; listen 127.0.0.5:80; server_name a.test; }"
    assert judge(tree, both, "server { listen 127.0.0.5:80; server_name b.test; }") == []


def test_a_file_that_is_read_twice_is_said_to_be(tree):
    """By its own name and by a link, as nginx says `duplicate log_format` of it."""
    path = tree.write("conf.d/m.conf", "log_format f '$uri';")
    staged = read_tree(tree.instance()).configuration
    with pytest.raises(Refused, match=r"\Aduplicate log_format\Z"), explained(
        [path], lambda: [(None, Overlay()), (staged, Overlay())]
    ):
        raise Refused("duplicate log_format")
    os.symlink(path, tree.path("sites-enabled/again"))
    staged = read_tree(tree.instance()).configuration
    with pytest.raises(Refused) as caught, explained(
        [path], lambda: [(None, Overlay()), (staged, Overlay())]
    ):
        raise Refused("duplicate log_format")
    said = str(caught.value)
    assert "2 times" in said and "nginx.conf:4" in said and "nginx.conf:5" in said and "duplicate" in said
    assert "by the link" in said and "sites-enabled/again" in said
