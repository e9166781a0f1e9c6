"""What decides a guard, down to its words: a guard that reads otherwise is another guard."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request

PASS = "proxy_pass http://127.0.0.1:9000;"


@pytest.fixture
def ask(configure):
    """The behaviour of a GET on a server with these lines."""

    def build(lines, *, http="", scheme="http", listen="8080", **request):
        text = "events {} http { %s server { listen %s; server_name a.test; location / { %s %s } } }"
        request.setdefault("address", "127.0.0.1:8080")
        made = Request("%s://a.test:8080/" % scheme, **request)
        return behaviour(configure(text % (http, listen, lines, PASS)), made)

    return build


def kinds(found):
    return [guard.kind for guard in found.guards]


@pytest.mark.parametrize("name", ["auth_jwt", "auth_pam", "auth_digest"])
def test_a_guard_of_another_module_that_is_off_is_none(ask, name):
    assert kinds(ask(f'{name} "realm";')) == ["other"]
    assert kinds(ask(f"{name} off;", http=f'{name} "realm";')) == []


@pytest.mark.parametrize(
    ("value", "expected"), [("on", ["client-certificate"]), ("optional", []), ("off", [])]
)
def test_only_on_asks_for_a_certificate(ask, value, expected):
    http = f"ssl_verify_client {value}; ssl_client_certificate /ca;"
    assert kinds(ask("", http=http, scheme="https", listen="8080 ssl")) == expected


@pytest.mark.parametrize(
    "client",
    ["192.0.2.1", "192.0.2.1:5000", "[2001:db8::1]:5000", "2001:db8::1"],
)
def test_the_address_of_a_proxy_may_have_a_port(ask, client):
    lines = (
        "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; "
        "allow 192.0.2.1; allow 2001:db8::1; deny all;"
    )
    assert ask(lines, remote="10.0.0.1", headers=[("X-Forwarded-For", client)]).visits[0].let_in
    other = client.replace("192.0.2.1", "192.0.2.2").replace("db8::1", "db8::2")
    assert not ask(lines, remote="10.0.0.1", headers=[("X-Forwarded-For", other)]).visits[0].let_in


def test_an_address_in_brackets_without_a_port_is_none(ask):
    """``ngx_parse_addr_port`` declines it, and the proxy's own address stays."""
    lines = "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; allow 10.0.0.1; deny all;"
    assert ask(lines, remote="10.0.0.1", headers=[("X-Forwarded-For", "[2001:db8::1]")]).visits[0].let_in


def test_without_its_header_a_proxy_is_the_client(ask):
    lines = "set_real_ip_from 10.0.0.1; allow 10.0.0.1; deny all;"
    assert ask(lines, remote="10.0.0.1").visits[0].let_in
    assert not ask(lines, remote="10.0.0.1", headers=[("X-Real-IP", "192.0.2.1")]).visits[0].let_in


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("return 403;", 403),
        ("return https://a.test/login;", 302),
        ("rewrite ^ /login permanent;", 301),
        ("rewrite ^ /login redirect;", 302),
        ("rewrite ^ https://a.test/login;", 302),
        ("rewrite ^ http://a.test/login;", 302),
        ("rewrite ^ $scheme://a.test/login;", 302),
    ],
)
def test_a_condition_answers_with_this_status(ask, answer, status):
    (guard,) = ask("if ($http_x) { %s }" % answer).guards
    assert (guard.kind, guard.passes, guard.status) == ("condition", True, status)


@pytest.mark.parametrize("prepares", ["rewrite ^ /other;", "rewrite ^ /other last;", "set $a 1;"])
def test_a_condition_that_answers_nothing_is_no_guard(ask, prepares):
    assert kinds(ask("if ($http_x) { %s }" % prepares)) == []


def test_a_condition_is_its_map_and_what_set_its_variable(ask):
    """Who changes the map changes the guard, though the ``if`` reads as before."""
    lines = "if ($http_z) { set $no $bad; } if ($no = 1) { return 403; }"
    http = "map $http_x $bad { default 0; a 1; } map $http_y $http_w { default 0; }"
    rule = ask(lines, http=http, headers=[("Z", "1")]).guards[0].rule
    assert rule[:2] == ("if ($no = 1)", "return 403")
    assert rule[2:] == ("set $no $bad", "map $http_x $bad", "default 0", "a 1")
    assert ask(lines, http=http).guards[0].rule == rule[:2]


def test_a_condition_in_brackets_asks_the_same_variable(ask):
    http = "map $http_x $bad { default 0; a 1; }"
    for condition in ("($bad)", "( $bad )", "($bad = 1)", '($bad ~ "^1$")'):
        assert "a 1" in ask("if %s { return 403; }" % condition, http=http).guards[0].rule
