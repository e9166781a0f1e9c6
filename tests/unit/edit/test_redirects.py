"""Redirects let the handshake through, and pages as they did; addresses of backends in maps; ciphers."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.behaviour.route import route
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.edit.cures import Fault, cures
from module_utils.nginx_websocket.edit.judge import Asked, judge
from module_utils.nginx_websocket.edit.memory import edited

UP = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
PASS = "proxy_pass http://127.0.0.1:8000; " + UP
URL = "ws://app.test/ws/room"


def tree(http, before=""):
    text = f"events {{}}\n{before}http {{\n{http}\n}}\n"
    return load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])


def site(body, listen="80", name="app.test"):
    return "server {\nlisten %s;\nserver_name %s;\n%s\n}\n" % (listen, name, body)


def candidates(configuration, code, url=URL, named=b"", headers=(), **more):
    """The files as each candidate would leave them, with the judgement."""
    line = next((item for item in configuration.walk() if item.name == named), None)
    request = Request(url, headers=list(headers))
    asked = route(configuration, request)
    made = cures(configuration, asked, Fault(code, directive=line, **more))
    return [
        (
            edited(configuration, edits).files["/n.conf"].decode(),
            judge(configuration, edits, Asked(request)).reason,
        )
        for edits in made
    ]


REDIRECT = "return-or-rewrite-redirect"


@pytest.mark.parametrize(
    ("rule", "url", "right"),
    [
        ("rewrite ^/(.+)/$ /$1 permanent;", "ws://app.test/ws/", "rewrite ^(?!/ws/)/(.+)/$ /$1 permanent;"),
        ("rewrite ^(.+)/$ $1 redirect;", "ws://app.test/ws/a/", "rewrite ^(?!/ws/)(.+)/$ $1 redirect;"),
        ("rewrite room$ /x permanent;", URL, "rewrite ^(?!/ws/).*?room$ /x permanent;"),
        ("rewrite ^/r /x permanent;", "ws://app.test/room", "rewrite ^(?!/room$)/r /x permanent;"),
    ],
)
def test_a_rewrite_leaves_the_path_of_the_socket_out(rule, url, right):
    found = candidates(tree(site("%s\nlocation / { %s }" % (rule, PASS))), REDIRECT, url)
    ((text, reason),) = found
    assert right in text
    assert reason == ""


def test_the_rewrite_goes_on_for_pages():
    body = "rewrite ^/(.+)/$ /$1 permanent;\nlocation / { %s }" % PASS
    ((text, _),) = candidates(tree(site(body)), REDIRECT, "ws://app.test/ws/")
    after = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    assert route(after, Request("http://app.test/news/")).answer.redirect_target == b"http://app.test/news"
    assert route(after, Request("http://app.test/ws/")).answer.kind == "proxy"


def test_a_return_answers_what_is_no_handshake():
    body = "location = / {\n    return 302 /en/;\n}\nlocation /app { %s }" % PASS
    configuration = tree(site(body))
    ((text, reason),) = candidates(configuration, REDIRECT, "ws://app.test/")
    assert reason == ""
    after = load("/n.conf", read=lambda path: text.encode(), glob=lambda pattern: [])
    assert route(after, Request("http://app.test/")).answer.redirect_target == b"http://app.test/en/"
    assert route(after, Request("ws://app.test/")).upstream.servers == ["127.0.0.1:8000"]


def test_a_return_beside_a_proxy_pass_needs_no_second_one():
    body = "location /ws/ {\nreturn 302 /en/;\n%s\n}\nlocation /b { proxy_pass http://127.0.0.1:1; }" % PASS
    ((text, reason),) = candidates(tree(site(body)), REDIRECT)
    assert text.count("proxy_pass http://127.0.0.1:8000") == 1
    assert reason == ""


@pytest.mark.parametrize(
    "goal", ["/en/", "$uri/", "$scheme://$host/en/", "https://APP.test/en", "http://$host:80/"]
)
def test_a_redirect_within_the_site_lets_the_handshake_pass(goal):
    body = "location /ws/ {\nreturn 302 %s;\n%s\n}" % (goal, PASS)
    assert len(candidates(tree(site(body)), REDIRECT)) == 1


def test_of_several_backends_none_is_guessed():
    body = "location = /ws/room { return 302 /en/; }\nlocation /a { proxy_pass http://127.0.0.1:1; }\n"
    body += "location /b { proxy_pass http://127.0.0.1:2; }"
    assert candidates(tree(site(body)), REDIRECT) == []
    ((text, _),) = candidates(tree(site(body)), REDIRECT, server="127.0.0.1:2")
    assert text.count("proxy_pass http://127.0.0.1:2;") == 2


@pytest.mark.parametrize(
    "body",
    [
        'if ($scheme = http) { return 301 https://$host$request_uri; }\nlocation / { %s }',
        "location /ws/ { if ($http_cookie = \"\") { return 302 /login; } %s }",
        "return 301 https://$host$request_uri;\nlocation / { %s }",
        "location /ws/ { return 301 https://elsewhere.test$uri; %s }",
        "location /ws/ { return 301 $moved; %s }",
    ],
)  # fmt: skip
def test_what_everybody_shall_follow_stays(body):
    assert candidates(tree(site(body % PASS)), REDIRECT) == []


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("rewrite ^/ws/(.*)$ http://127.0.0.1:9/$1;", "rewrite ^/ws/(.*)$ /$1 break;"),
        ("rewrite ^/ws/(.*)$ http://localhost:9/$1 permanent;", "rewrite ^/ws/(.*)$ /$1 break;"),
        ("return 302 http://10.0.0.7:9$request_uri;", ""),
    ],
)
def test_a_redirect_to_the_inside_passes_on(line, right):
    (text, reason), *_ = candidates(tree(site("location /ws/ {\n%s\n%s\n}" % (line, PASS))), REDIRECT)
    assert (right or "location /ws/ {\nproxy_pass") in text
    assert line not in text
    assert reason == ""


def test_a_redirect_to_the_inside_without_a_proxy_pass():
    body = "location /ws/ {\nreturn 302 http://127.0.0.1:9$request_uri;\n}"
    (text, reason), *_ = candidates(tree(site(body)), REDIRECT)
    assert "proxy_pass http://127.0.0.1:9;" in text
    assert "proxy_set_header Upgrade $http_upgrade;" in text
    assert reason == ""


@pytest.mark.parametrize(
    "line", ["rewrite ^ http://other.test/x permanent;", "return 302 http://127.0.0.1:9/one/page;"]
)
def test_a_redirect_to_another_place_is_not_passed_on(line):
    found = candidates(tree(site("location /ws/ {\n%s\n%s\n}" % (line, PASS))), REDIRECT)
    assert all(line in text and "127.0.0.1:9;" not in text for text, _ in found)


MAP = "map $cookie_server $pool {\na 127.0.0.1:8009;\ndefault 127.0.0.1:8000;\n}\n"


def test_the_entry_that_leads_to_nobody_leads_elsewhere():
    configuration = tree(MAP + site("location / { %s }" % PASS.replace("127.0.0.1:8000", "$pool")))
    cookie = [("Cookie", "server=a")]
    found = candidates(configuration, "backend-down", headers=cookie, server="127.0.0.1:8000")
    assert [text for text, _ in found if "a 127.0.0.1:8000;" in text]
    plain = candidates(configuration, "backend-down", server="127.0.0.1:8001")
    assert all("a 127.0.0.1:8009;" in text for text, _ in plain)
    assert [text for text, _ in plain if "default 127.0.0.1:8001;" in text]


@pytest.mark.parametrize(
    ("block", "added"),
    [
        ("map $host $port {\nchat.test 8000;\n}\n", "app.test 8000;\nchat.test"),
        ("map $host $port {\nchat.test 8000;\nb.test 8000;\n}\n", "app.test 8000;\nchat.test"),
        ("map $http_host $port {\nchat.test 8000;\n}\n", "app.test 8000;\nchat.test"),
        ("map $host $port {\nchat.test 8000;\nb.test 8001;\n}\n", ""),
        ("map $host $port {\nchat.test 8000;\ndefault 8000;\n}\n", ""),
        ("map $remote_addr $port {\n10.0.0.1 8000;\n}\n", ""),
    ],
)
def test_a_map_of_names_with_one_value(block, added):
    configuration = tree(block + site("location / { %s }" % PASS.replace("8000", "$port")))
    found = [text for text, _ in candidates(configuration, "wrong-backend")]
    assert (added in found[0]) if added else not found


def test_a_map_of_hosts_has_ports():
    block = "map $http_host $port {\nchat.test:8080 8000;\n}\n"
    configuration = tree(block + site("location / { %s }" % PASS.replace("8000", "$port"), "8080"))
    ((text, _),) = candidates(configuration, "wrong-backend", "ws://app.test:8080/ws")
    assert "app.test:8080 8000;" in text


STREAM = "stream {\nserver {\nlisten 8443;\nproxy_pass %s;\n}\n}\n"


@pytest.mark.parametrize("target", ["127.0.0.1:8082", "[::1]:8082"])
def test_a_stream_server_leads_to_the_server_of_that_name(target):
    configuration = tree(site("location / { %s }" % PASS, "127.0.0.1:8081"), STREAM % target)
    found = candidates(configuration, "backend-down", named=b"proxy_pass")
    assert [text for text, _ in found if "proxy_pass 127.0.0.1:8081;" in text]


@pytest.mark.parametrize(
    ("target", "name"),
    [("backend.test:8082", "app.test"), ("$behind", "app.test"), ("127.0.0.1:8", "b.test")],
)
def test_a_stream_server_whose_goal_nobody_knows_stays(target, name):
    configuration = tree(site("location / { %s }" % PASS, "127.0.0.1:8081", name), STREAM % target)
    assert candidates(configuration, "backend-down", named=b"proxy_pass") == []


@pytest.mark.parametrize(
    ("written", "words", "added"),
    [
        ("ECDHE-RSA-AES128-GCM-SHA256:!aNULL", "client and server share no cipher or curve", True),
        ("ECDHE-RSA-AES128-GCM-SHA256", "alert internal error", False),
        ("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256", "share no cipher", False),
        ("HIGH:!aNULL", "share no cipher", False),
    ],
)
def test_ciphers_for_the_other_kind_of_key(written, words, added):
    body = "ssl_certificate c; ssl_certificate_key k;\nssl_ciphers %s;\nlocation / { %s }" % (written, PASS)
    configuration = tree(site(body, "443 ssl"))
    found = candidates(configuration, "tls-handshake-failed", "wss://app.test/ws/room", message=words)
    assert bool(found) == added
    assert all(":%s;" % written in text and "ssl_ciphers ECDHE-ECDSA-" in text for text, _ in found)


SOCKETS = "location /live/ { %s }\nlocation / { try_files $uri =404; }" % PASS


@pytest.mark.parametrize("flag", [" last", ""])
@pytest.mark.parametrize("code", ["wrong-location", "rewrite-relocates"])
def test_a_rewrite_of_the_whole_server_leaves_the_socket_out(code, flag):
    configuration = tree(site("rewrite ^/(?!api).* /index.html%s;\n" % flag + SOCKETS))
    (text, reason), *_ = candidates(configuration, code, "ws://app.test/live/room")
    assert "rewrite ^(?!/live/)/(?!api).* /index.html%s;" % flag in text
    assert reason == ""


def test_a_rewrite_of_the_location_itself_is_not_meant():
    body = (
        "location /live/ {\nrewrite ^/live/(.*)$ /x/$1 last;\n%s\n}\nlocation / { try_files $uri =404; }"
        % PASS
    )
    found = candidates(tree(site(body)), "rewrite-relocates", "ws://app.test/live/room")
    assert all("(?!" not in text for text, _ in found)
