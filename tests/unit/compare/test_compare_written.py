"""What one request cannot show: conditions that did not hold, maps, shares, pages for a dead backend."""

from __future__ import annotations

from typing import List

import pytest

from module_utils.nginx_websocket.compare.differences import LOSS, Comparison
from tests.unit.compare.trees import NAMED, PROXY, SOCKET, compared

SERVER = f"server {{ {NAMED} "
ROOT = f"location / {{ {PROXY} }} "
ONE = "upstream app { server 127.0.0.1:8000; } "
SHARED = SERVER + "location / { proxy_pass http://app; } }"
TLS = "listen 443 ssl; server_name a.test; ssl_certificate c; ssl_certificate_key k; "
CONDITIONS = [
    "($remote_addr = 203.0.113.5)",
    "($http_cookie ~ beta=1)",
    "($server_protocol = HTTP/1.0)",
    "($content_type = text/xml)",
    "($is_args)",
    "(-f /srv/app/maintenance.on)",
    "($ssl_server_name = b.test)",
]


def told(found: Comparison) -> str:
    return "\n".join(f"{one.parting.name}: {one.sentence()}" for one in found.differences)


@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("then", ["return 403;", "return 302 /wait;", "set $x 1;"])
@pytest.mark.parametrize("level", ["server", "location"])
def test_a_condition_that_did_not_hold_is_told_where_it_goes(condition: str, then: str, level: str) -> None:
    line = f"if {condition} {{ {then} }} "
    live = line + ROOT if level == "server" else f"location / {{ {line} {PROXY} }}"
    assert f"if {condition} decides for some requests" in told(compared(live, ROOT))


def test_conditions_that_are_joined_by_a_variable_are_each_told() -> None:
    live = (
        "set $f ''; if ($request_method = POST) { set $f P; } if ($http_x_bot) { set $f ${f}B; } "
        "if ($f = PB) { return 403; } "
    )
    found = told(compared(live + ROOT, ROOT))
    assert "if ($http_x_bot) decides" in found
    assert "if ($f = PB) decides" in found


def test_a_condition_of_the_path_is_no_news() -> None:
    assert told(compared("if ($uri ~ ^/nowhere$) { set $x 1; } " + ROOT, ROOT)) == ""


def test_a_condition_that_stays_is_not_told() -> None:
    line = "if ($remote_addr = 203.0.113.5) { return 403; } "
    assert "if" not in told(compared(line + ROOT + "add_header X-A 1;", line + ROOT))


@pytest.mark.parametrize(
    "live",
    [
        "map $remote_addr $up { default 127.0.0.1:8000; 203.0.113.5 127.0.0.1:8001; } "
        + SERVER
        + "location / { proxy_pass http://$up; } }",
        "map $http_cookie $in { default 127.0.0.1:8000; ~beta 127.0.0.1:8001; } map $in $up { default $in; } "
        + SERVER
        + "location / { proxy_pass http://$up; } }",
    ],
)
def test_a_map_that_gives_this_request_the_same_is_told(live: str) -> None:
    assert "nothing depends on that" in told(compared(live, SERVER + ROOT + "}"))


def test_a_map_behind_a_map_counts_for_the_server_that_names_the_outer_one() -> None:
    def live(origin: str) -> str:
        return (
            f"map $http_origin $page {{ default 1; {origin} 0; }} "
            "map $http_upgrade $denied { default $page; '' 0; } "
            f"{SERVER}{SOCKET.replace('{ ', '{ if ($denied) { return 403; } ', 1)} {ROOT} }}"
        )

    found = compared(live("https://a.test"), live("https://b.test"))
    kinds = {one.parting.kind for one in found.differences}
    assert {"closed", "let-in"} <= kinds, told(found)
    assert "https://b.test" in told(found)


@pytest.mark.parametrize(
    "zone",
    [
        "limit_req_zone $binary_remote_addr zone=z:1m rate=%sr/s; #limit_req zone=z;",
        "limit_conn_zone $%s zone=z:1m; #limit_conn z 5;",
        "log_format robots '%s $status'; #access_log /var/log/r.log robots;",
    ],
)
def test_what_a_directive_names_counts_with_it(zone: str) -> None:
    define, _hash, use = zone.partition("#")
    sides = [f"map $a $z {{ }} {define % word} {SERVER} {use} {ROOT} }}" for word in ("host", "uri")]
    assert "says something else" in told(compared(*sides))


@pytest.mark.parametrize(
    ("live", "staged", "word"),
    [
        ("server 127.0.0.1:8000; server 127.0.0.1:8001;", "server 127.0.0.1:8000;", "127.0.0.1:8001"),
        ("server 127.0.0.1:8000; server 127.0.0.1:8001 backup;", "server 127.0.0.1:8000;", "backup"),
        (
            "ip_hash; server 127.0.0.1:8000; server 127.0.0.1:8001;",
            "server 127.0.0.1:8000; server 127.0.0.1:8001;",
            "ip_hash",
        ),
        (
            "server 127.0.0.1:8000 weight=3; server 127.0.0.1:8001;",
            "server 127.0.0.1:8000; server 127.0.0.1:8001;",
            "weight=3",
        ),
        ("server 127.0.0.1:8000;", "server 127.0.0.1:8000 max_conns=2;", "max_conns=2"),
    ],
)
def test_other_shares_are_told(live: str, staged: str, word: str) -> None:
    sides = [f"upstream app {{ {body} }} {SHARED}" for body in (live, staged)]
    assert word in told(compared(*sides))


@pytest.mark.parametrize("way", ["fastcgi_pass app;", "fastcgi_pass App;", "grpc_pass grpc://app;"])
def test_other_shares_of_another_protocol_are_told(way: str) -> None:
    servers = "server 127.0.0.1:8000; server 127.0.0.1:8001;"
    sides = [f"upstream app {{ {rule} {servers} }} {SERVER} {way} }}" for rule in ("ip_hash;", "")]
    assert "ip_hash" in told(compared(*sides))


@pytest.mark.parametrize(
    "staged",
    [
        "server localhost:8000 weight=1 max_fails=1 fail_timeout=10s;",
        "server 127.0.0.1:8000 weight=5 fail_timeout=3s; keepalive 8; least_conn;",
        "server 127.0.0.1:8000; server 127.0.0.1:8001 down;",
    ],
)
def test_the_same_shares_in_other_words_are_no_news(staged: str) -> None:
    assert told(compared(ONE + SHARED, f"upstream app {{ {staged} }} {SHARED}")) == ""


def test_a_page_for_a_backend_that_is_down_is_told() -> None:
    live = f"location / {{ error_page 404 502 504 = @second; {PROXY} }} location @second {{ return 503; }}"
    found = told(compared(live, ROOT))
    assert "the page for error 502, 504 is @second" in found


def test_a_log_of_another_format_is_told() -> None:
    sides = [f"access_log /var/log/a.log {name}; {ROOT}" for name in ("combined", "other")]
    assert "/var/log/a.log other" in told(compared(*sides))


@pytest.mark.parametrize(
    "line", ["ssl_stapling on;", "ssl_session_tickets off;", "ssl_ecdh_curve secp384r1;", "ssl_dhparam /d;"]
)
def test_tls_of_its_own_is_told_and_for_tls_alone(line: str) -> None:
    found = compared(f"server {{ {TLS}{line}{ROOT} }}", f"server {{ {TLS}{ROOT} }}")
    assert line.split()[0] in told(found)
    plain = compared(f"server {{ {NAMED}{line}{ROOT} }}", f"server {{ {NAMED}{ROOT} }}")
    assert told(plain) == ""


def test_of_several_lines_each_counts() -> None:
    two = "proxy_cookie_path /a /b; proxy_cookie_path / /c;"
    sides: List[str] = [f"location / {{ {PROXY} {lines} }}" for lines in (two, "proxy_cookie_path / /c;")]
    assert "proxy_cookie_path" in told(compared(*sides))


def test_the_words_of_a_difference_hide_secrets() -> None:
    live = "location / { return 302 https://b.test/cb?access_token=abcd1234secret; }"
    staged = "location / { proxy_pass http://127.0.0.1:8000/hook?key=abcd1234secret; }"
    third = "location / { proxy_pass http://127.0.0.1:8000/x?key=other1234secret; }"
    for found in (compared(live, staged), compared(staged, third), compared(staged, live)):
        assert found.of(LOSS)
        assert "1234secret" not in str(found.as_dict()), found.as_dict()
