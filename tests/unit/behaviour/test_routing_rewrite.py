"""Rewrites, conditions, variables, files."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

P = "proxy_pass http://127.0.0.1:9;"


def titles(found):
    return [location.title() for location in found.locations]


@pytest.mark.parametrize(
    ("flag", "expected", "uri"), [("last", ["location /b/"], "/b/x"), ("break", ["location /a/"], "/b/x")]
)
def test_last_searches_again_and_break_stays(located, flag, expected, uri):
    found = located(
        "location /a/ { rewrite ^/a/(.*) /b/$1 %s; %s } location /b/ { %s }" % (flag, P, P), "/a/x"
    )
    assert titles(found) == expected
    assert found.upstream.uri == uri


def test_eleventh_rewrite_is_an_error(located):
    found = located("location / { rewrite ^(.*)$ $1x last; }", "/")
    assert (found.answer.kind, found.answer.status) == ("error", 500)
    assert len(found.selections) == 1 + 10


def test_query_is_kept_replaced_or_dropped(located):
    def uri(replacement):
        return located(
            "location / { rewrite ^/(.*)$ %s break; %s }" % (replacement, P), "/a?q=1"
        ).upstream.uri

    assert uri("/n") == "/n?q=1"
    assert uri("/n?") == "/n"
    assert uri("/n?k=$1") == "/n?k=a&q=1"
    assert uri("/n?k=$1?") == "/n?k=a"


def test_redirect_keeps_the_query(located):
    found = located("rewrite ^/(.*)$ https://$host/$1 permanent;", "/a?q=1")
    assert found.answer.status == 301
    assert found.answer.redirect_target == b"https://a.test/a?q=1"


@pytest.mark.parametrize(
    ("condition", "entered"),
    [
        ('($http_upgrade = "websocket")', True),
        ("($http_upgrade ~* ^WEB)", True),
        ("($http_upgrade !~ ^WEB)", True),
        ("($http_nothing)", False),
        ("($request_method != GET)", False),
        ('($args = "")', True),
    ],
)
def test_conditions(located, condition, entered):
    found = located("if %s { return 204; } return 403;" % condition)
    assert found.answer.status == (204 if entered else 403)


def test_undecided_condition_is_said_and_taken_as_false(located):
    found = located("location / { if ($geoip_country_code = X) { return 403; } %s }" % P)
    assert found.answer.kind == "proxy"
    assert "$geoip_country_code" in found.undecided[0].reason
    assert found.undecided[0].directive.name == b"if"


def test_if_takes_over_the_location_but_keeps_its_handler(located):
    text = """location / {
        if ($http_upgrade) { set $x 1; }
        proxy_pass http://127.0.0.1:9/sub/; proxy_set_header X "$x";
    }"""
    found = located(text, "/y")
    assert found.level.kind == "if"
    assert found.upstream.uri == "/sub/y"
    assert [header.value for header in found.upstream.values("X")] == ["1"]


def test_captures_and_named_captures(located):
    text = r"location ~ ^/u/(?<name>\w+)/(\d+)$ { return 200 $name-$1-$2-$3; }"
    assert located(text, "/u/me/7").answer.text == b"me-me-7-"


def test_map_keys(serve):
    servers = """
    map $http_x $m { default d; one 1; "" empty; ~^t(.) "re-$1"; ~*^UP up; }
    map $host $h { hostnames; default none; .a.test dot; *.b.test star; www.* tail; }
    server { listen 8080; return 200 "$m $h"; }
    """

    def text(value, host):
        return serve(
            servers, headers=[("X", value), ("Host", host)] if value else [("Host", host)]
        ).answer.text

    assert text("ONE", "a.test") == b"1 dot"
    assert text("", "x.a.test") == b"empty dot"
    assert text("two", "b.test") == b"re-w none"
    assert text("upper", "x.b.test") == b"up star"
    assert text("else", "www.org") == b"d tail"


def test_later_map_of_the_same_variable_counts(serve):
    servers = "map $host $m { default a; } map $host $m { default b; } server { listen 8080; return 200 $m; }"
    assert serve(servers).answer.text == b"b"


def test_map_is_evaluated_once(located, serve):
    servers = "map $uri $m { default $uri; } server { listen 8080; set $x $m; rewrite ^ /n; return 200 $m; }"
    assert serve(servers, "/o").answer.text == b"/o"
    volatile = servers.replace("default $uri;", "volatile; default $uri;")
    assert serve(volatile, "/o").answer.text == b"/n"


def test_try_files_with_and_without_eyes(located):
    text = "root /srv; location / { try_files $uri /index.html; } location @x { %s }" % P
    seen = located(text, "/f", file_kind=lambda path: "file" if path == "/srv/f" else "")
    assert (seen.answer.kind, seen.answer.path, seen.undecided) == ("static", "/srv/f", [])
    blind = located(text, "/f")
    assert (blind.answer.kind, blind.uri) == ("static", "/index.html")
    assert "/srv/f" in blind.undecided[0].reason


def test_error_page_leads_to_a_named_location(located):
    found = located("location / { return 418; error_page 418 = @ws; } location @ws { %s }" % P)
    assert titles(found) == ["location @ws"]
    assert found.answer.err_status == 0
    kept = located("location / { return 418; error_page 418 @ws; } location @ws { %s }" % P)
    assert kept.answer.err_status == 418


@pytest.mark.parametrize(
    ("location", "target", "path", "expected"),
    [
        ("/a/", "http://u", "/a/%41//b?q", "/a/%41//b?q"),
        ("/a/", "http://u/", "/a/%20b?q", "/%20b?q"),
        ("/a", "http://u/x", "/a/b", "/x/b"),
        ("/a/", "http://u$request_uri", "/a/b?q", "/a/b?q"),
        ("/a/", "http://u/c$is_args$args", "/a/b?q", "/c?q"),
        ("~ ^/a/(.*)$", "http://u/$1", "/a/b", "/b"),
        ("= /a", "http://u/x/", "/a", "/x/"),
    ],
)
def test_upstream_uri(serve, location, target, path, expected):
    servers = "upstream u { server 127.0.0.1:9; } server { listen 8080; location %s { proxy_pass %s; } }"
    found = serve(servers % (location, target), path)
    assert found.upstream.uri == expected
    assert found.upstream.servers == ["127.0.0.1:9"]


def test_defaults_change_in_1_29_7(located):
    def sent(version):
        found = located("location / { %s }" % P, version=version)
        return found.upstream.version, [item.value for item in found.upstream.values("Connection")]

    assert sent((1, 29, 6)) == ("1.0", ["close"])
    assert sent((1, 29, 7)) == ("1.1", [])


def test_effective_directives_name_their_place(located):
    found = located("proxy_read_timeout 5m; location / { proxy_http_version 1.1; %s }" % P)
    timeout, version = found.effective["proxy_read_timeout"], found.effective["proxy_http_version"]
    assert (timeout.value, timeout.source, timeout.level) == ("5m", "/etc/nginx/nginx.conf:4", "server")
    assert (version.value, version.level) == ("1.1", "location")
    send = found.effective["proxy_send_timeout"]
    assert (send.value, send.source, send.directive) == ("60s", "default of nginx 1.22.1", None)


def test_header_list_is_all_or_nothing(located):
    text = (
        "proxy_set_header Upgrade $http_upgrade; proxy_set_header X 1;"
        " location / { proxy_set_header Y 2; %s }" % P
    )
    names = [header.name for header in located(text).upstream.headers]
    assert names == ["Y", "Host", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version"]


def test_arguments_that_are_set_are_what_the_backend_gets(located):
    found = located("location /q { set $args $args&site=1; %s }" % P, "/q?a=1")
    assert found.upstream.uri == "/q?a=1&site=1"
