"""Location and server selection where intuition is wrong; each was verified on real nginx."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.upgrade.verdict import judge

P = "proxy_pass http://127.0.0.1:9;"


def titles(found):
    return [location.title() for location in found.locations]


def test_auto_redirect_comes_before_regexes(located):
    found = located("location /ws/ { %s } location ~ ^/ws$ { %s }" % (P, P), "/ws")
    assert (found.answer.kind, found.answer.status) == ("redirect", 301)
    assert found.answer.redirect_target == b"http://a.test:8080/ws/"
    assert [(item.location.title(), item.code) for item in found.losers] == [
        ("location ~ ^/ws$", "auto-redirect")
    ]


def test_nested_caret_does_not_protect_from_outer_regex(located):
    found = located(
        r"location /a { location ^~ /a/k/ { %s } } location ~ \.php$ { %s }" % (P, P), "/a/k/x.php"
    )
    assert titles(found) == [r"location ~ \.php$"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/a/k/x.php", "location /a/k/"),
        ("/a/x.txt", r"location ~ \.txt$"),
        ("/a/k/x.txt", r"location ~ \.txt$"),
    ],
)
def test_outer_caret_protects_nested_levels(located, path, expected):
    text = r"location ^~ /a { location /a/k/ { %s } location ~ \.txt$ { %s } } location ~ \.(php|txt)$ { %s }"
    assert titles(located(text % (P, P, P), path)) == ["location ^~ /a", expected]


@pytest.mark.parametrize(
    ("path", "expected"), [("/a/b/x.php", r"location ~ \.php$"), ("/a/x.php", "location ^~ /a/")]
)
def test_caret_counts_only_on_the_longest_prefix(located, path, expected):
    text = r"location ^~ /a/ { %s } location /a/b/ { %s } location ~ \.php$ { %s }"
    assert titles(located(text % (P, P, P), path)) == [expected]


@pytest.mark.parametrize(
    ("path", "expected"), [("/a/x", ["location /a/", "location ~ x$"]), ("/a/xy", ["location ~ x"])]
)
def test_nested_regex_before_outer_regex(located, path, expected):
    assert (
        titles(located("location ~ x { %s } location /a/ { location ~ x$ { %s } }" % (P, P), path))
        == expected
    )


@pytest.mark.parametrize(
    ("path", "matches"),
    [
        ("/%77s/c", True), ("/ws%2Fc", True), ("//ws///c", True), ("/x/..%2fws/c", True),
        ("/ws%3Fc", False), ("/ws%252Fc", False), ("/WS/c", False),
    ],
)  # fmt: skip
def test_matching_sees_the_normalised_uri(located, path, matches):
    found = located("location /ws/ { %s } location / { return 404; }" % P, path)
    assert titles(found) == (["location /ws/"] if matches else ["location /"])


def test_dollar_matches_before_a_final_newline(located):
    text = r"location ~ \.php$ { %s } location / { %s }" % (P, P)
    assert titles(located(text, "/a.php%0A")) == [r"location ~ \.php$"]
    assert titles(located(text, "/a?x=/b.php")) == ["location /"]


def test_caret_prefix_is_literal(located):
    found = located(r"location ^~ /img/.*\.png$ { %s } location / { return 404; }" % P, "/img/a.png")
    assert titles(found) == ["location /"]


def test_index_redirects_internally(located):
    text = r"location = / { index index.html; } location ~ \.html$ { %s }" % P
    found = located(text, "/", file_kind=lambda path: "file" if path.endswith("index.html") else "directory")
    assert titles(found) == [r"location ~ \.html$"]
    assert found.uri == "/index.html"


def test_nesting_as_deep_as_is_read_can_be_followed(located):
    depth = 90
    text = "".join("location /%s {" % ("a" * n) for n in range(depth)) + "}" * depth
    found = located(text, "/" + "a" * depth)
    assert titles(found)[-1] == "location /" + "a" * (depth - 1)
    assert judge(found).survives is False
    assert judge(located(text.replace("/", "/b"), "/x")).survives is False


def test_exact_address_hides_the_wildcard(serve):
    servers = """
    server { listen 8080; server_name a.test; }
    server { listen 127.0.0.1:8080; server_name b.test; return 204; }
    """
    found = serve(servers, host="a.test:8080")
    assert found.server_match.how == "default"
    assert found.answer.status == 204
    assert str(found.listen.address) == "127.0.0.1:8080"


def test_dotted_name_after_its_exact_name_is_dropped_whole(serve):
    servers = """
    server { listen 8080; server_name x.test; return 204; }
    server { listen 8080; server_name net.com .net.com; }
    """
    found = serve(servers, host="www.net.com:8080")
    assert found.answer.status == 204
    assert found.server_match.how == "default"
