"""Answers that nginx gives unlike what one expects, each seen on 1.18, 1.22, 1.26 and 1.30."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.conf.load import load

PASS = "proxy_pass http://127.0.0.1:9000;"


@pytest.mark.parametrize("status", [408, 444, 499])
def test_return_that_closes_the_connection(located, status):
    found = located("location / { error_page %d /x; return %d; }" % (status, status))
    assert found.answer.kind == "closed"
    # a text is sent
    assert located('location / { return %d "text"; }' % status).answer.status == status


@pytest.mark.parametrize("status", [494, 495, 496, 497])
def test_codes_of_nginx_itself_reach_the_client_as_400(located, status):
    assert located("location / { return %d; }" % status).answer.status == 400
    page = "location / { error_page %d = @p; return %d; } location @p { return 402; }"
    assert located(page % (status, status)).answer.status == 402
    kept = 'location / { error_page %d @p; return %d; } location @p { return 200 "page"; }'
    assert located(kept % (status, status)).answer.status == 400
    assert located('location / { return %d "text"; }' % status).answer.status == status


def test_request_line_stays_when_the_method_changes(located):
    text = (
        "location / { root /srv; error_page 405 = /e; }"
        ' location = /e { return 200 "$request|$request_method"; }'
    )
    found = located(text, "/f", method="PUT", file_kind=lambda path: "file")
    assert found.answer.text == b"PUT /f HTTP/1.1|GET"


@pytest.mark.parametrize(
    ("names", "where"), [("/a/i.html i.php", "/a/i.html"), ("i.php /a/i.html", "/a/i.html")]
)
def test_absolute_name_in_index(located, names, where):
    found = located(
        "root /srv; location / { index %s; } location /a/ { %s }" % (names, PASS),
        file_kind=lambda path: "directory" if path == "/srv" else "",
    )
    assert found.uri == where


def test_absolute_name_in_index_needs_no_root(located):
    text = "location /x/ { rewrite ^ /y/ break; alias /srv/; index /i.html; } location /i { %s }" % PASS
    assert located(text, "/x/").answer.kind == "proxy"


@pytest.mark.parametrize(("alias", "answer"), [("/srv/a/", 403), ("/srv/a", 301)])
def test_fallback_that_leaves_its_location_empty(located, alias, answer):
    """nginx reads the byte before the empty URI, the last one of the alias."""
    text = "root /srv; location ^~ /ws/ { alias %s; try_files $uri /ws/$arg_q; }" % alias
    found = located(text, "/ws/n", file_kind=lambda path: "directory" if path == "/srv" else "")
    assert found.answer.status == answer


def test_fallback_that_leaves_its_location_empty_and_finds_the_root(located):
    """The server's try_files makes a path of the root, whose last byte is no slash: a directory's name."""
    text = "root /srv; try_files $uri/ =404; location ^~ /ws/ { alias /a/; try_files $uri /ws/$arg_q; }"
    found = located(text, "/ws/n", file_kind=lambda path: "directory" if path == "/srv" else "")
    assert (found.answer.status, found.answer.code) == (301, "directory")


def test_value_that_doubles_itself_is_bounded(located):
    text = "set $a x; " + "set $a $a$a; " * 40 + "location / { return 200 $a; }"
    found = located(text)
    assert found.answer.text is None
    assert located("set $a x; " + "set $a $a$a; " * 10 + "return 200 $a;").answer.text == b"x" * 1024


TLS = "server { listen 8080 ssl; server_name a.test; %s location / { " + PASS + " } }"


def test_plain_http_to_a_tls_port(serve):
    assert (serve(TLS % "").answer.kind, serve(TLS % "").answer.status) == ("plain-http-to-tls-port", 400)
    moved = serve(TLS % "error_page 497 =301 https://$host$request_uri;", "/x").answer
    assert (moved.status, moved.redirect_target) == (301, b"https://a.test/x")
    assert serve(TLS % "error_page 497 = @plain; location @plain { return 426; }").answer.status == 426


@pytest.mark.parametrize(("lines", "survives"), [("Upgrade $http_upgrade", None), ("X-A 1", False)])
def test_error_page_that_passes_on_who_is_refused(lines, survives):
    """With the Upgrade header there, nginx opens the socket of somebody without a password."""
    text = (
        "location / { auth_basic a; auth_basic_user_file /users; error_page 401 = @n; } location @n { "
        f"proxy_http_version 1.1; proxy_set_header {lines}; proxy_set_header Connection upgrade; {PASS} }}"
    )
    main = f"events {{}} http {{ server {{ {text} }} }}".encode()
    found = behaviour(load("/n.conf", read=lambda _path: main, glob=lambda path: [path]), "ws://127.0.0.1/x")
    assert found.upgrade is not None and found.upgrade.survives is survives
