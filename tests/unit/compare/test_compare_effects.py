"""What changes for a request that ends up where it ended up, word for word."""

from __future__ import annotations

from typing import List, Tuple

import pytest

from tests.unit.compare.trees import FILE, PROXY, UPGRADE, parted

APP = f"location / {{ {PROXY} }} "
SECRET = "abc"


def both(live: str, staged: str, after: str = PROXY, **more) -> List[Tuple[str, str, str]]:
    """The partings of a location with these lines before its pass."""
    made = (f"location / {{ {lines} {after} }}" for lines in (live, staged))
    return [(one.kind, one.was, one.now) for one in parted(*made, **more)]


@pytest.mark.parametrize(
    ("live", "staged"),
    [
        ("proxy_set_header Connection upgrade;", ""),
        ("", "proxy_set_header Connection upgrade; proxy_set_header Connection close;"),
        ('proxy_set_header X-A "";', ""),
        ("", 'proxy_set_header X-A ""; proxy_set_header X-B "";'),
        ("proxy_set_header X-A 1;", "proxy_set_header x-a 1;"),
    ],
)
def test_what_concerns_one_connection_or_is_not_sent_is_no_news(live, staged):
    assert both(live, staged) == []


@pytest.mark.parametrize(("method", "told"), [("GET", False), ("POST", True)])
def test_of_a_handshake_that_opens_the_upgrade_is_told_by_itself(method, told):
    made = [f"location / {{ {lines} }}" for lines in (UPGRADE, UPGRADE.replace("$http_upgrade", "WebSocket"))]
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
    found = parted(*made, handshake=True, method=method, headers=headers)
    assert [(one.kind, one.name) for one in found] == [("backend-headers", "Upgrade")] * told


def test_another_version_of_http_is_told():
    assert both("proxy_http_version 1.1;", "") == [
        ("settings", "the backend is asked with HTTP/1.1", "the backend is asked with HTTP/1.0")
    ]


@pytest.mark.parametrize(
    ("live", "staged", "group"),
    [
        ("proxy_set_header X-A $uri;", "proxy_set_header X-A a;", ("X-A $uri", "X-A a")),
        ("", "proxy_set_header X-A a;", ("", "X-A a")),
        ("proxy_set_header X-B b;", "", ("X-B b", "")),
    ],
)
def test_one_difference_for_all_requests_is_named_by_the_lines_that_make_it(live, staged, group):
    made = (f"location / {{ {lines} {PROXY} }}" for lines in (live, staged))
    (found,) = parted(*made, headers=[("X-A", "1")])
    assert found.group == group
    assert found.was_at.startswith(FILE) and found.now_at.startswith(FILE)


@pytest.mark.parametrize("value", [f"https://a.test/x?token={SECRET}", f"/x?token={SECRET}"])
def test_a_header_that_holds_a_url_loses_its_tokens(value):
    ((_, was, now),) = both(f"proxy_set_header X-Url {value};", "proxy_set_header X-Url plain/value;")
    assert SECRET not in was and "/x?token=" in was and now == "the backend gets X-Url: plain/value"


@pytest.mark.parametrize(
    ("live", "staged", "same"),
    [
        ("proxy_set_header X-A $geoip_a;", "proxy_set_header X-A $geoip_a;", True),
        ("proxy_set_header X-A $geoip_a;", "proxy_set_header X-A $geoip_b;", False),
        ("proxy_set_header X-A $geoip_a;", "proxy_set_header X-A 1;", False),
        ("proxy_set_header X-A 1;", "proxy_set_header X-A $geoip_a;", False),
    ],
)
def test_what_cannot_be_told_is_the_same_only_by_the_same_words(live, staged, same):
    found = both(live, staged)
    assert (found == []) is same
    assert same or any("a value that cannot be told" in one[1] + one[2] for one in found)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("10m", "2m", ""),
        ("0", "10m", ""),
        ("0", "0", "without limit"),
        ("0", "1m", "1048576"),
        ("1m", "10m", "1048576"),
    ],
)
def test_the_smallest_limit_on_the_way_counts_for_a_body(first, second, words):
    """The live tree takes 10 MiB in the first location and 2 MiB in the one that it leads to."""
    made = [
        f"location / {{ client_max_body_size {one}; index index.html; root /srv/app; }} "
        f"location = /index.html {{ client_max_body_size {two}; root /srv/app; }}"
        for one, two in (("10m", "2m" if words else second), (first, second))
    ]
    found = [one for one in parted(*made) if one.name == "client_max_body_size"]
    assert [one.now for one in found] == ([f"client_max_body_size is {words}"] if words else [])
    assert not words or found[0].kind == ("more" if words == "without limit" else "less")


@pytest.mark.parametrize("name", ["proxy_read_timeout", "proxy_send_timeout"])
def test_a_time_of_another_protocol_says_nothing(name):
    lines = (f"{name} 60s;", f"{name} 30s;")
    assert both(*lines) == [("less", f"{name} is 60s", f"{name} is 30s")]
    assert both(*lines, after="fastcgi_pass u:1;") == []
    assert both(*reversed(lines)) == []


def test_a_header_beside_the_applications_own_is_told_as_that():
    beside = ", beside what the application may send itself"
    line = "add_header X-A 1;"
    assert both("", line) == [("headers", "nginx adds no X-A", f"nginx adds X-A: 1{beside}")]
    own = both("", line, after="return 200 a;")
    assert own == [("headers", "nginx adds no X-A", "nginx adds X-A: 1")]


@pytest.mark.parametrize(
    ("live", "staged", "was", "now"),
    [
        ("limit_req zone=a;", "", "limit_req zone=a", "no limit_req"),
        ("", "limit_conn a 5;", "no limit_conn", "limit_conn a 5"),
        ("limit_req zone=a;", "limit_req zone=b;", "limit_req zone=a", "limit_req zone=b"),
        ("gzip on;", "", "gzip is on", "gzip is off"),
    ],
)
def test_other_settings_are_told_by_their_words(live, staged, was, now):
    assert both(live, staged) == [("settings", was, now)]


@pytest.mark.parametrize(
    ("live", "staged", "expected"),
    [
        ("error_page 502 /a.html;", "", [("the page for error 502 is /a.html", "it would be nginx's own")]),
        ("error_page 502 504 /a.html;", "error_page 504 /a.html;",
         [("the page for error 502 is /a.html", "it would be nginx's own")]),
        ("error_page 502 504 /a.html;", "error_page 502 504 /b.html;",
         [("the page for error 502, 504 is /a.html", "it would be /b.html")]),
        ("error_page 502 /a.html; error_page 504 /c.html;", "",
         [("the page for error 502 is /a.html", "it would be nginx's own")]),
        ("error_page 404 /a.html;", "", []),
        ("proxy_intercept_errors on; error_page 404 /a.html;", "proxy_intercept_errors on;",
         [("the page for error 404 is /a.html", "it would be nginx's own")]),
    ],
)  # fmt: skip
def test_a_page_for_an_error_is_told_where_somebody_could_see_it(live, staged, expected):
    assert [one[1:] for one in both(live, staged)] == expected


def test_of_an_answer_of_nginx_s_own_every_page_counts():
    found = both("error_page 404 /a.html;", "", after="root /srv/app;")
    assert ("settings", "the page for error 404 is /a.html", "it would be nginx's own") in found


def test_another_format_of_the_same_log_is_told_with_it():
    found = parted(f"access_log /a main; {APP}", f"access_log /a other; {APP}")
    assert [(one.was, one.now) for one in found] == [
        ("the access log is /a main", "the access log is /a other")
    ]
    (found,) = parted(f"access_log /a; access_log /b; {APP}", f"access_log /a; {APP}")
    assert (found.was, found.now, found.name) == (
        "the access log is /a, /b", "the access log is /a", "access_log",
    )  # fmt: skip
    assert found.was_at.startswith(FILE) and found.now_at.startswith(FILE)
