"""Guards are those of each location that is entered, at the phase where nginx asks them."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request

PASS = "proxy_pass http://127.0.0.1:9000;"
APP = "location @app { %s }" % PASS


@pytest.fixture
def ask(configure):
    """The behaviour of a GET on a server given by its locations."""

    def build(locations, path="/", *, files=None, admitted=False, version=(1, 22, 1), server="", **request):
        text = "events {} http { server { listen 8080; server_name a.test; root /srv; %s %s } }"
        request.setdefault("address", "127.0.0.1:8080")
        url = "http://a.test:8080" + path
        return behaviour(
            configure(text % (server, locations)),
            Request(url, **request),
            version=version,
            files=files,
            admitted=admitted,
        )

    return build


def missing(path):
    return ""


def guards(found):
    return [(guard.kind, guard.passes, guard.place) for guard in found.guards]


@pytest.mark.parametrize(
    ("guard", "kind", "status"),
    [
        ("auth_basic x; auth_basic_user_file /u;", "password", 401),
        ("deny all;", "address", 403),
        ("allow 192.0.2.0/24; deny all;", "address", 403),
    ],
)
def test_guard_beside_try_files_is_asked_before_the_fallback(ask, guard, kind, status):
    text = "location /admin/ { %s try_files $uri @app; } %s" % (guard, APP)
    found = ask(text, "/admin/x", files=missing, remote="198.51.100.1")
    assert guards(found) == [(kind, False, "location /admin/")]
    assert (found.answer.kind, found.answer.status, found.answer.code) == ("refused", status, kind)
    assert found.upstream is None
    behind = ask(text, "/admin/x", files=missing, remote="198.51.100.1", admitted=True)
    assert [visit.place for visit in behind.visits] == ["location /admin/", "location @app"]
    assert guards(behind) == [(kind, False, "location /admin/")]
    assert behind.answer.kind == "proxy"


def test_body_limit_counts_where_the_request_enters(ask):
    text = "location /up/ { client_max_body_size 10; try_files $uri @app; } %s" % APP
    found = ask(text, "/up/x", files=missing, method="POST", headers=[("Content-Length", "11")])
    assert (found.answer.status, found.answer.code) == (413, "body-limit")
    assert ask(text, "/up/x", files=missing, method="POST", headers=[("Content-Length", "10")]).upstream
    assert [visit.body_limit for visit in ask(text, "/up/x", files=missing).visits] == [10, 1 << 20]


def test_body_limit_comes_before_return(ask):
    text = "location / { client_max_body_size 1; return 204; }"
    assert ask(text, method="POST", headers=[("Content-Length", "2")]).answer.status == 413
    assert (
        ask(text.replace("1;", "0;"), method="POST", headers=[("Content-Length", "2")]).answer.status == 204
    )


def test_page_in_the_place_of_a_413_gets_no_body(ask):
    text = "client_max_body_size 1; error_page 413 /e; location / { return 204; } location /e { %s }" % PASS
    found = ask(text, method="POST", headers=[("Content-Length", "2")])
    assert [(h.name, h.value) for h in found.upstream.headers if h.name == "Content-Length"] == [
        ("Content-Length", "0")
    ]


def test_guards_of_a_location_that_a_rewrite_leaves_are_not_asked(ask):
    text = "location /a/ { deny all; rewrite ^ /b/x last; } location /b/ { auth_basic x; %s }" % PASS
    found = ask(text, "/a/", admitted=True)
    assert [(visit.place, visit.by, visit.checked) for visit in found.visits] == [
        ("location /a/", "request", False),
        ("location /b/", "rewrite", True),
    ]
    assert guards(found) == [("password", False, "location /b/")]


def test_return_comes_before_the_guards(ask):
    found = ask("location / { deny all; return 204; }")
    assert found.answer.status == 204 and found.guards == ()


def test_guards_of_the_page_in_the_place_of_an_error_are_asked_too(ask):
    text = "error_page 403 /403.html; location / { deny all; } location = /403.html { %s }"
    found = ask(text % "allow all;", files=lambda path: "file")
    assert [visit.place for visit in found.visits] == ["location /", "location = /403.html"]
    assert (found.answer.kind, found.answer.status) == ("static", 403)
    # the page is forbidden itself: nginx sends its own
    found = ask(text % "", server="deny all;", files=lambda path: "file")
    assert (found.answer.kind, found.answer.status) == ("refused", 403)


@pytest.mark.parametrize("name", ["index index.html;", "try_files /index.html =404;"])
def test_internal_redirect_asks_again(ask, name):
    text = "location = / { %s } location / { auth_basic x; }" % name
    found = ask(text, files=lambda path: "file" if path.endswith(".html") else "directory")
    assert found.answer.status == (401 if name.startswith("index") else 200)


SATISFY = "location / { satisfy %s; allow 192.0.2.1; deny all; auth_basic x; auth_basic_user_file /u; %s }"


@pytest.mark.parametrize(
    ("how", "remote", "status", "let_in"),
    [
        ("any", "192.0.2.1", 0, True),
        ("any", "192.0.2.2", 401, False),
        ("all", "192.0.2.1", 401, False),
        ("all", "192.0.2.2", 403, False),
        ("any", "", 0, None),
    ],
)
def test_satisfy(ask, how, remote, status, let_in):
    found = ask(SATISFY % (how, PASS), remote=remote)
    assert (found.answer.status, found.visits[0].let_in) == (status, let_in)


def test_satisfy_any_without_a_rule_that_fits_goes_by_the_password(ask):
    text = "location / { satisfy any; allow 192.0.2.1; auth_basic x; %s }" % PASS
    assert ask(text, remote="192.0.2.2").answer.status == 401
    assert ask(text, remote="192.0.2.1").answer.kind == "proxy"
    assert ask(text, remote="").visits[0].let_in is None
    assert ask(text.replace("auth_basic x;", ""), remote="192.0.2.2").answer.kind == "proxy"


def test_password_that_the_request_brings_is_unknown(ask):
    found = ask("location / { auth_basic x; %s }" % PASS, headers=[("Authorization", "Basic eDp5")])
    assert guards(found) == [("password", None, "location /")]
    assert found.answer.kind == "proxy" and found.undecided


def test_satisfy_any_is_content_with_the_address(ask):
    text = "location / { satisfy any; allow 192.0.2.1; deny all; auth_request /check; %s }" % PASS
    assert ask(text, remote="192.0.2.1").visits[0].let_in is True
    assert ask(text, remote="192.0.2.2").visits[0].let_in is None


def test_auth_request_is_unknown(ask):
    found = ask("location / { auth_request /check; %s }" % PASS)
    assert [(guard.kind, guard.passes) for guard in found.guards] == [("auth_request", None)]
    assert ask("location / { auth_request off; %s }" % PASS, server="auth_request /x;").guards == ()


def test_limits_count_once_a_request(ask):
    text = "location /a { limit_conn z 1; try_files $uri @app; } location @app { limit_conn z 2; %s }" % PASS
    found = ask(text, "/a", files=missing)
    assert [(guard.kind, guard.place, guard.status) for guard in found.guards] == [
        ("limit_conn", "location /a", 503)
    ]


@pytest.mark.parametrize(
    ("rule", "address", "passes"),
    [
        ("allow unix:; deny all;", "unix:/s", True),
        ("allow unix:; deny all;", "127.0.0.1:8080", False),
        ("allow 127.0.0.1; deny all;", "unix:/s", False),
    ],
)
def test_unix_rule_fits_clients_of_a_socket_alone(ask, rule, address, passes):
    found = ask(
        "location / { %s %s }" % (rule, PASS), server="listen unix:/s;", address=address, remote="127.0.0.1"
    )
    assert found.visits[0].let_in is passes


def test_limit_except_guards_the_other_methods(ask):
    text = "location / { limit_except GET { deny all; } %s }" % PASS
    assert ask(text, method="POST").answer.status == 403
    assert [guard.kind for guard in ask(text, method="POST").guards] == ["method"]
    assert ask(text, method="HEAD").answer.kind == "proxy"


def test_internal_location(ask):
    text = "location /in/ { internal; %s } location /out { rewrite ^ /in/x; }" % PASS
    found = ask(text, "/in/x")
    assert (found.answer.status, guards(found)) == (404, [("internal", False, "location /in/")])
    assert ask(text, "/out").answer.kind == "proxy"


def test_condition_that_answers_is_a_guard(ask):
    text = (
        "location / { valid_referers none server_names; if ($invalid_referer) { return 403; } "
        "if ($http_x) { set $a 1; } if ($a) { return 410; } %s }"
    )
    found = ask(text % PASS)
    assert [(guard.kind, guard.passes, guard.status) for guard in found.guards] == [
        ("condition", True, 403),
        ("condition", True, 410),
    ]
    assert "valid_referers none server_names" in found.guards[0].rule
    assert ask(text % PASS, headers=[("X", "1")]).answer.status == 410


def test_client_certificate(configure):
    text = (
        "events {} http { server { listen 443 ssl; ssl_verify_client on; ssl_client_certificate /ca;"
        " error_page 496 = @no; location @no { return 421; } location / { %s } } }"
    )
    found = behaviour(configure(text % PASS), Request("https://a.test/", address="127.0.0.1"))
    assert [(guard.kind, guard.passes) for guard in found.guards] == [("client-certificate", False)]
    assert found.answer.status == 421
    plain = behaviour(configure((text % PASS).replace("error_page 496 = @no;", "")), "https://a.test/")
    assert plain.answer.status == 400


def test_real_ip(ask):
    text = "location / { allow 192.0.2.1; deny all; %s }" % PASS
    server = "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;"
    forwarded = [("X-Forwarded-For", "203.0.113.9, 192.0.2.1")]
    assert ask(text, server=server, remote="10.0.0.1", headers=forwarded).answer.kind == "proxy"
    assert ask(text, server=server, remote="198.51.100.1", headers=forwarded).answer.status == 403
    assert ask(text, server=server, remote="10.0.0.1").answer.status == 403
    chain = [("X-Forwarded-For", "192.0.2.1, 10.0.0.9")]
    assert ask(text, server=server, remote="10.0.0.1", headers=chain).answer.status == 403
    server += "real_ip_recursive on;"
    assert ask(text, server=server, remote="10.0.0.1", headers=chain).answer.kind == "proxy"
