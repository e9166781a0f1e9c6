"""What a condition of an ``if`` compares, and small words of a request that conditions look at."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.uri import escape_args
from module_utils.nginx_websocket.conf.load import load


def tree(lines, http=""):
    text = f"events {{}} http {{ {http} server {{ listen 80; server_name a.test; root /srv; {lines} }} }}"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def holds(condition, headers=(), files=None, path="/"):
    """Whether the condition holds for a GET with these headers."""
    sent = Request(f"http://a.test{path}", address="127.0.0.1:80", headers=headers)
    found = behaviour(
        tree(f"location / {{ if {condition} {{ return 418; }} return 200; }}"), sent, files=files
    )
    assert found.answer.status in (418, 200)
    return found.answer.status == 418


@pytest.mark.parametrize(
    ("condition", "true", "false"),
    [
        ("($http_x)", ["1", "a", "00"], ["0", ""]),
        ("($http_x = a)", ["a"], ["A", "ab", ""]),
        ("($http_x != a)", ["A", "ab", ""], ["a"]),
        ("($http_x ~ ^a)", ["a", "ab"], ["A", "ba", ""]),
        ("($http_x ~* ^a)", ["a", "AB"], ["ba", ""]),
        ("($http_x !~ ^a)", ["A", "ba", ""], ["a", "ab"]),
        ("($http_x !~* ^a)", ["ba", ""], ["a", "AB"]),
        ("( $http_x = a )", ["a"], ["b"]),
        ('($http_x = "a)")', ["a)"], ["a"]),
        ("($http_x = $http_y)", ["y"], ["a"]),
    ],
)
def test_a_condition_compares_as_it_is_written(condition, true, false):
    for value, expected in [*((value, True) for value in true), *((value, False) for value in false)]:
        assert holds(condition, [("X", value), ("Y", "y")]) is expected, value


@pytest.mark.parametrize(
    ("condition", "kinds"),
    [
        ("(-f /f)", ["file"]),
        ("(-d /f)", ["directory"]),
        ("(-e /f)", ["file", "directory"]),
        ("(!-f /f)", ["directory", ""]),
        ("(!-d /f)", ["file", ""]),
        ("(!-e /f)", [""]),
    ],
)
def test_a_condition_on_a_file_asks_for_its_kind(condition, kinds):
    for kind in ("file", "directory", ""):
        assert holds(condition, files=lambda path, kind=kind: kind) is (kind in kinds), kind


@pytest.mark.parametrize(
    ("cookies", "expected"),
    [
        (["a=1; SID=x"], True),
        (["sid = x"], True),
        (["a=1", "sid=x"], True),
        (["asid=x"], False),
        (["sid"], False),
        ([], False),
    ],
)
def test_a_cookie_is_found_by_its_name_alone(cookies, expected):
    assert holds("($cookie_sid = x)", [("Cookie", value) for value in cookies]) is expected


def test_a_fragment_never_reaches_nginx():
    assert holds("($request_uri = /x)", path="/x#a/b")
    assert holds("($request_uri = /x?b)", path="/x?b#a")
    assert (
        Request("http://a.test#a").raw_target() == b"/" and Request("http://a.test?q").raw_target() == b"/?q"
    )


def test_more_is_escaped_in_arguments_since_1_21_1():
    assert escape_args(b'a"b', (1, 21, 1)) == b"a%22b"
    assert escape_args(b'a"b', (1, 21, 0)) == b'a"b'
    assert escape_args(b"a b", (1, 18, 0)) == escape_args(b"a b", (1, 26, 0)) == b"a%20b"


@pytest.mark.parametrize(
    ("sent", "expected", "ends"),
    [
        (True, True, ""),
        (False, False, ""),
        (True, False, "sends PROXY line"),
        (False, True, "sends no PROXY line"),
    ],
)
def test_a_proxy_line_is_sent_where_it_is_expected(sent, expected, ends):
    text = (
        "events {} stream { server { listen 80; proxy_pass 127.0.0.1:81; "
        f"proxy_protocol {'on' if sent else 'off'}; }} }} "
        f"http {{ server {{ listen 127.0.0.1:81 {'proxy_protocol' if expected else ''}; return 200; }} }}"
    )
    configuration = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    answer = behaviour(configuration, Request("http://a.test/", address="192.0.2.1:80")).answer
    assert ends in answer.reason and (answer.status == 200) is (ends == "")


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ('if ($user = "") { return 403; } proxy_pass http://127.0.0.1:1;', 403),
        ("if ($user) { return 403; } proxy_pass http://127.0.0.1:1;", 0),
        ("set $user a; if ($user) { return 403; } proxy_pass http://127.0.0.1:1;", 403),
    ],
)
def test_a_condition_comes_before_the_sign_in_has_said_anything(lines, status):
    """ngx_http_auth_request_variable: nothing is found before the subrequest has ended."""
    asked = f"location / {{ auth_request /auth; auth_request_set $user $upstream_http_x; {lines} }}"
    sent = Request("http://a.test/", address="127.0.0.1:80")
    found = behaviour(tree(asked + " location = /auth { proxy_pass http://127.0.0.1:2; }"), sent)
    assert found.answer.status == status


def test_behind_the_sign_in_nobody_knows_what_it_said():
    lines = "auth_request /auth; auth_request_set $user $upstream_http_x; proxy_pass http://127.0.0.1:1;"
    found = behaviour(
        tree(f"location / {{ {lines} proxy_set_header X-User $user; }} location = /auth {{ return 200; }}"),
        Request("http://a.test/", address="127.0.0.1:80"),
    )
    assert [header.value for header in found.upstream.headers if header.name == "X-User"] == [None]
