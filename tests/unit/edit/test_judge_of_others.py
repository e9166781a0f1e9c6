"""What an edit may do to nginx's judgement, to guards, and to requests that are not the socket's."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.conf import splice
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.judge import Asked, judge, opens

UP = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
PASS = f"{UP} proxy_pass http://b;"
URL = "ws://app.test/ws/x"


def tree(server, http=""):
    text = f"events {{}}\nhttp {{\n{http}\nserver {{ listen 80; server_name app.test;\n{server}\n}}\n}}\n"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def line(configuration, *words):
    """The one directive with a name and these arguments."""
    name, *args = (word.encode() for word in words)
    (found,) = (
        one for one in configuration.walk() if one.name == name and list(one.args[: len(args)]) == args
    )
    return found


def said(configuration, edits, url=URL, *, headers=(), refuses=None, broken=False, **more):
    """Why edits are not fit; "" where they are."""
    asked = Asked(Request(url, headers=headers), **more)
    options = {"refuses": refuses} if refuses else {}
    found = judge(configuration, edits, asked, broken=broken, **options)
    assert found.good is (found.reason == "")
    return found.reason


def first(configuration, text):
    """A location in front of the server's others."""
    return splice.insert_after(line(configuration, "server_name", "app.test"), text.encode())


# -- what nginx refuses -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"location /ws/ {{ {UP} {PASS} }}", "duplicate proxy_http_version proxy_http_version"),
        (f"location /api/ {{ {PASS} }}", "duplicate location  /api/"),
        (f"location ^~ /api/ {{ {PASS} }}", "duplicate location  /api/"),
        (f"location = /ws/ {{ root /srv; }} location /ws/ {{ {PASS} }}", ""),
        (f"location = /ws/x {{ {PASS} }} location = /ws/x {{ {PASS} }}", "duplicate location = /ws/x"),
        (f"location ~ /ws {{ {PASS} }} location ~ /ws {{ {PASS} }}", ""),
        (f"location @a {{ }} location @a {{ }} location /ws/ {{ {PASS} }}", ""),
        (f"location /ws/ {{ {PASS} }} location /chat/ {{ {PASS} }}", ""),
    ],
)
def test_what_stands_twice_is_refused(text, reason):
    before = tree("location / { root /srv; }\nlocation /api/ { root /srv; }")
    found = said(before, [first(before, text)])
    assert found == (f"nginx would refuse it: {reason}" if reason.startswith("duplicate") else "")


def test_what_stood_twice_before_is_nobodys_fault():
    before = tree("location / { proxy_pass http://b; proxy_pass http://b; }")
    assert said(before, [first(before, f"location /ws/ {{ {PASS} }}")]) == ""


def test_what_no_longer_stands_twice_is_good():
    before = tree(f"location / {{ {PASS} proxy_pass http://c; }}")
    assert said(before, [splice.delete(line(before, "proxy_pass", "http://c"))]) == ""


@pytest.mark.parametrize("others", ["location /x/ { listen 81; }", ""])
def test_what_stood_where_nginx_takes_none_before_is_nobodys_fault(others):
    before = tree(f"location / {{ proxy_pass http://b; }}\n{others}")
    edits = [splice.insert_after(line(before, "proxy_pass"), f"{UP} listen 82;".encode())]
    reason = "" if others else "nginx would refuse it: listen is not allowed there"
    assert said(before, edits) == reason


@pytest.mark.parametrize(("words", "reason"), [(["no"], "nginx would still refuse it"), ([], "")])
def test_what_nginx_says_beyond_the_syntax_counts(words, reason):
    before = tree("location / { proxy_pass http://b; }")
    edits = [splice.insert_after(line(before, "proxy_pass"), UP.encode())]
    assert said(before, edits, refuses=lambda after: words) == reason


def test_of_a_tree_that_nginx_refuses_nothing_is_lost():
    before = tree("location / { auth_basic x; proxy_pass http://b; }")
    edits = [
        splice.delete(line(before, "auth_basic")),
        splice.insert_after(line(before, "proxy_pass"), UP.encode()),
    ]
    assert "take away password" in said(before, edits)
    assert said(before, edits, broken=True) == ""
    assert "the upgrade would not pass" in said(before, edits[:1], broken=True)


def test_what_cannot_be_judged_is_not_shown():
    before = tree("location / { proxy_pass http://b; }")
    edits = [splice.insert_after(line(before, "proxy_pass"), UP.encode())]
    assert said(before, edits, version=None).startswith("it cannot be judged: ")
    assert opens(before, Asked(Request(URL), version=None)).startswith("it cannot be judged: ")


# -- where the socket goes ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("return 404;", "nginx would answer by itself: return 404"),
        ("root /srv;", "nginx would answer by itself: static "),
        ("fastcgi_pass b:1;", "nginx would answer by itself: pass "),
    ],
)
def test_what_nginx_answers_itself_opens_nothing(text, reason):
    before = tree(f"location /ws/ {{ {PASS} }}")
    edits = [first(before, f"location ^~ /ws/x {{ {text} }}")]
    assert said(before, edits) == reason


def test_it_must_go_to_the_backend_that_opens():
    pool = "upstream b { server 127.0.0.1:1; server 127.0.0.1:2; }"
    before = tree("location / { proxy_pass http://b; }", pool)
    edits = [splice.insert_after(line(before, "proxy_pass"), UP.encode())]
    assert said(before, edits, server="127.0.0.1:2") == ""
    assert said(before, edits, server="127.0.0.1:3") == "it would go to 127.0.0.1:1, 127.0.0.1:2"


def test_a_client_that_a_guard_refuses_today_is_no_reason():
    """The guard stays; whoever it lets in gets the socket."""
    before = tree("location / { allow 10.0.0.0/8; deny all; proxy_pass http://b; }")
    assert said(before, [splice.insert_after(line(before, "proxy_pass"), UP.encode())]) == ""


# -- guards -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("deny all;", ""),
        ("allow 10.0.0.0/8; deny all;", "it would take away address (allow 10.0.0.0/8 deny all)"),
        ("deny all; proxy_pass http://b;", "it would take away address (deny all)"),
        ("deny all; auth_basic x;", "it would take away address (deny all)"),
    ],
)
def test_only_a_place_that_lets_nobody_in_may_be_gone_around(location, reason):
    before = tree(f"location / {{ {location} }}")
    assert said(before, [first(before, f"location = /ws/x {{ {PASS} }}")]) == reason


@pytest.mark.parametrize(("path", "good"), [("/admin/", False), ("/ws/admin/", False), ("/wsx/", True)])
def test_a_password_of_others_is_not_gone_around_either(path, good):
    inner = f"location ~ ^{path} {{ auth_basic x; root /srv; }}"
    before = tree(inner)
    head = "^~ /ws/" if path.startswith("/ws") else "^~ /"
    found = said(before, [first(before, f"location {head} {{ {PASS} }}")])
    assert ("take away password" in found) is not good


# -- what others get -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "regex", "path"),
    [
        ("ws://app.test/ws/x", "^/index.php$", "/index.php"),
        ("ws://app.test/x", "^/index.php$", ""),
        ("ws://app.test/a", "^/a/.htaccess$", ""),
        ("ws://app.test/a/", "^/a/.htaccess$", ""),
        ("ws://app.test/a/x", "^/a/.htaccess$", ""),
        ("ws://app.test/b/x", "^/a/.htaccess$", "/a/.htaccess"),
    ],
)
def test_a_location_that_wins_may_take_what_is_below_the_sockets_path_alone(url, regex, path):
    before = tree(f"location ~ {regex} {{ return 404; }}\nlocation / {{ {PASS.replace('Upgrade', 'X', 1)} }}")
    head = line(before, "location", "/")
    edits = [
        splice.Edit(head.source, head.start, head.start + len(b"location /"), b"location ^~ /"),
        splice.insert_after(line(before, "proxy_pass"), b"proxy_set_header Upgrade $http_upgrade;"),
    ]
    found = said(before, edits, url)
    assert found == (f"http://app.test{path} would be answered by proxy, and not by return" if path else "")


@pytest.mark.parametrize(
    ("taken", "good"),
    [
        ("proxy_pass http://b;", True),
        ("proxy_pass http://c;", False),
        ("proxy_pass http://b; proxy_set_header X-A 1;", True),
        ("fastcgi_pass b:1;", False),
    ],
)
def test_what_is_not_the_sockets_goes_to_the_backend_that_it_went_to(taken, good):
    before = tree(f"location ~ ^/index.php$ {{ {taken} }}\nlocation / {{ proxy_pass http://b; }}")
    head = line(before, "location", "/")
    edits = [
        splice.Edit(head.source, head.start, head.start + len(b"location /"), b"location ^~ /"),
        splice.insert_inside(head, UP.encode()),
    ]
    assert ("http://app.test/index.php would be answered by proxy" in said(before, edits)) is not good


@pytest.mark.parametrize(
    ("other", "words", "value"),
    [
        ("proxy_pass http://c;", ("proxy_pass", "http://c"), b"http://d"),
        ("return 200 a;", ("return", "200", "a"), b"201"),
        ("fastcgi_pass f:1; fastcgi_param A 1;", ("fastcgi_param", "A", "1"), b"B"),
        ("auth_basic x; root /srv;", ("auth_basic", "x"), b"y"),
        ("allow 10.0.0.0/8; deny all; root /srv;", ("allow",), b"192.0.2.0/24"),
    ],
)
def test_each_thing_that_another_location_does_stays(other, words, value):
    before = tree(f"location / {{ proxy_pass http://b; }}\nlocation /api/ {{ {other} }}")
    mended = splice.insert_after(line(before, "proxy_pass", "http://b"), UP.encode())
    assert said(before, [mended]) == ""
    changed = splice.set_argument(line(before, *words), 0, value)
    assert said(before, [mended, changed]) == "http://app.test/api/ would get something else"


@pytest.mark.parametrize("name", ["shop.test", "_ *.shop.test ~^x shop.test", '"" .shop.test shop.test'])
def test_another_server_is_asked_by_a_name_that_a_browser_could_have(name):
    shop = f"server {{ listen 80; server_name {name}; return 200 a; }}"
    before = tree("location / { proxy_pass http://b; }", f"server {{ listen 80 default_server; }}\n{shop}")
    mended = splice.insert_after(line(before, "proxy_pass"), UP.encode())
    assert said(before, [mended]) == ""
    assert "would get something else" in said(
        before, [mended, splice.set_argument(line(before, "return"), 1, b"b")]
    )


def test_the_name_of_the_host_header_leads_to_the_server_that_is_compared():
    """Not the URL's, which is an address here, and none of the other headers of the handshake."""
    other = "server { listen 80 default_server; location / { return 204; } }"
    api = "location /api/ { if ($http_cookie) { return 204; } return 200 a; }"
    body = f"location / {{ proxy_pass http://b; }}\n{api}"
    before = tree(body, other)
    mended = splice.insert_after(line(before, "proxy_pass"), UP.encode())
    changed = splice.set_argument(line(before, "return", "200"), 1, b"b")
    headers = [("Host", "app.test"), ("Cookie", "a=1")]
    found = said(before, [mended, changed], "ws://127.0.0.1/ws/x", headers=headers)
    assert found == "http://127.0.0.1/api/ would get something else"
