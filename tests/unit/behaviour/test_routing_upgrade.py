"""The verdict: what lets an upgrade through, what stops it, and where."""

# percent formatting, because braces are nginx's own
# ruff: noqa: UP031

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.behaviour.upgrade.verdict import judge

URL = "/api/mqtt/ws/hints/s1"
BACK = "proxy_pass http://127.0.0.1:18000;"
MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n"
HOP = 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
GOOD = "proxy_http_version 1.1; " + HOP + BACK

SURVIVE = {
    "general block first": "location /api/ { %s } location /api/mqtt/ws/ { %s }" % (BACK, GOOD),
    "socket block first": "location /api/mqtt/ws/ { %s } location /api/ { %s }" % (GOOD, BACK),
    "regex before general blocks": "location ~ ^/api/mqtt/ws/ { %s } location /api/ { %s }" % (GOOD, BACK),
    "headers inherited": "proxy_http_version 1.1; %s location /api/ { %s }" % (HOP, BACK),
    "caret prefix": r"location ^~ /api/mqtt/ws/ { %s } location ~ \.(js|s1)$ { root /x; }" % GOOD,
    "nested location": "location /api/ { %s location /api/mqtt/ws/ { %s } }" % (BACK, GOOD),
    "named location": "location / { try_files $uri @app; } location @app { %s }" % GOOD,
    "if with proxy_pass": "location / { proxy_http_version 1.1; %s if ($http_upgrade) { %s } %s }"
    % (HOP, BACK, BACK),
    "if keeps the URI": "location /api/ { if ($args) { set $x 1; } %s }"
    % GOOD.replace(":18000", ":18000/x/"),
    "redirect elsewhere": "location / { %s } location = /old { return 301 /new; }" % GOOD,
    "variable proxy_pass": "set $b http://127.0.0.1:18000; location / { %s }"
    % GOOD.replace("http://127.0.0.1:18000", "$b"),
    "rewrite with break": "location /api/ { rewrite ^/api/(.*) /$1 break; %s }" % GOOD,
    "client's own Connection": "location / { %s }" % GOOD.replace('"upgrade"', "$http_connection"),
    "buffering, gzip, cache, intercepted errors": "gzip on; proxy_buffering on; proxy_intercept_errors on;"
    " location / { proxy_cache off; %s }" % GOOD,
}


@pytest.mark.parametrize("name", SURVIVE)
def test_survives(located, name):
    verdict = judge(located(SURVIVE[name], URL))
    assert verdict.survives is True, verdict
    assert verdict.code == ""


@pytest.mark.parametrize(
    "key", ["default upgrade; '' close;", "default upgrade; '' '';", "websocket upgrade; default close;"]
)
def test_survives_with_a_map(serve, key):
    servers = "map $http_upgrade $c { %s } server { listen 8080; location / { %s } }"
    assert judge(serve(servers % (key, GOOD.replace('"upgrade"', "$c")), URL)).survives is True


def test_survives_with_a_map_given_twice(serve):
    servers = MAP + MAP + "server { listen 8080; location / { %s } }"
    assert judge(serve(servers % GOOD.replace('"upgrade"', "$connection_upgrade"), URL)).survives is True


DIES = {
    "no-upgrade-header": ("location /api/ { %s }" % BACK, "proxy_pass"),
    "hop-header-inheritance": (
        "%s location / { proxy_set_header Host $host; %s }" % (HOP, BACK),
        "proxy_set_header",
    ),
    "add-header-not-proxy-set-header": (
        "location / { add_header Upgrade $http_upgrade; %s }" % BACK,
        "add_header",
    ),
    "upgrade-header-wrong-value": (
        "location / { %s }" % GOOD.replace("$http_upgrade", "upgrade"),
        "proxy_set_header",
    ),
    "connection-header-wrong": (
        "location / { %s }" % GOOD.replace('"upgrade"', "keep-alive"),
        "proxy_set_header",
    ),
    "request-headers-not-passed": (
        "proxy_pass_request_headers off; location / { %s }" % GOOD,
        "proxy_pass_request_headers",
    ),
    "response-header-hidden": (
        "location / { proxy_hide_header Upgrade; %s }" % GOOD,
        "proxy_hide_header",
    ),
    "error-page-intercept": (
        "location / { return 418; error_page 418 @w; } location @w { %s }" % GOOD,
        "error_page",
    ),
    "method-changed": ("location / { proxy_method POST; %s }" % GOOD, "proxy_pass"),
    "auth-basic": ("auth_basic x; location / { %s }" % GOOD, "auth_basic"),
    "access-denied": ("location / { deny all; %s }" % GOOD, "deny"),
    "internal-location": ("location / { internal; %s }" % GOOD, "internal"),
    "http-to-https-301": ("return 301 https://$host$request_uri;", "return"),
    "return-or-rewrite-redirect": (
        "rewrite ^ http://www.test/ permanent; location / { %s }" % GOOD,
        "rewrite",
    ),
    "referer-check": (
        "valid_referers a.test; location / { if ($invalid_referer) { return 403; } %s }" % GOOD,
        "if",
    ),
    "try_files-spa-fallback": ("location / { try_files $uri /index.html; }", "try_files"),
    "try-files-before-proxy": ("location / { try_files $uri =404; %s }" % GOOD, "try_files"),
    "location-without-handler": (
        "location /api/ { %s location /api/mqtt/ { expires 1h; } }" % GOOD,
        "location",
    ),
    "regex-shadows-prefix": (r"location /api/mqtt/ws/ { %s } location ~ s1$ { root /x; }" % GOOD, "location"),
    "regex-order": (r"location ~ s1$ { %s } location ~ ^/api/ { %s }" % (BACK, GOOD), "location"),
    "shadowed-by-prefix-caret": (
        "location ~ ^/api/mqtt/ { %s } location ^~ /api/ { %s }" % (GOOD, BACK),
        "location",
    ),
    "wrong-location": ("location = /api/mqtt/ws { %s } location /api/ { %s }" % (GOOD, BACK), "location"),
    "rewrite-relocates": (
        "location /api/ { rewrite ^ /x last; %s } location /x { %s }" % (GOOD, BACK),
        "location",
    ),
    "if-is-evil": (
        "location / { if ($http_upgrade) { set $x 1; } try_files $uri @a; } location @a { %s }" % GOOD,
        "if",
    ),
    "wrong-pass-directive": ("location / { uwsgi_pass 127.0.0.1:18000; }", "uwsgi_pass"),
    "http2-upstream": ("location / { %s }" % GOOD.replace("version 1.1", "version 2"), "proxy_http_version"),
    "resolver-missing": (
        "set $h back.test; location / { %s }" % GOOD.replace("127.0.0.1", "$h"),
        "proxy_pass",
    ),
}


@pytest.mark.parametrize("cause", DIES)
def test_dies(located, cause):
    text, directive = DIES[cause]
    verdict = judge(located(text, URL))
    assert (verdict.survives, verdict.code) == (False, cause), verdict
    assert verdict.directive.name.decode() == directive
    assert verdict.directive.where() == "/etc/nginx/nginx.conf:4"
    assert verdict.reason


def test_a_redirect_to_another_host_is_no_matter_of_tls(located):
    verdict = judge(located("return 301 https://elsewhere.test$request_uri;", "/ws"))
    assert (verdict.survives, verdict.code) == (False, "return-or-rewrite-redirect")


def test_trailing_slash(located):
    verdict = judge(located("location /api/mqtt/ws/ { %s }" % GOOD, "/api/mqtt/ws"))
    assert (verdict.survives, verdict.code) == (False, "trailing-slash-redirect")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("location / { try_files $uri $uri/ @a; } location @a { %s }" % GOOD, "try-files-before-proxy"),
        ("location / { }", "location-without-handler"),
    ],
)
def test_a_directory_of_the_name(located, text, cause):
    text = "root /srv; " + text
    verdict = judge(located(text, "/ws", file_kind=lambda path: "directory" if path == "/srv/ws" else ""))
    assert (verdict.survives, verdict.code) == (False, cause), verdict


def test_http10_is_a_risk_not_a_verdict(located):
    text = "location / { %s }" % GOOD.replace("proxy_http_version 1.1;", "")
    assert judge(located(text, URL)).survives is None
    assert judge(located(text, URL)).code == "http10-upstream"
    assert judge(located(text, URL, version=(1, 29, 7))).survives is True


@pytest.mark.parametrize(
    ("extra", "cause"),
    [
        ("auth_request /auth;", "auth-request"),
        ("allow 10.0.0.0/8; deny all;", "access-denied"),
        ("if ($geoip_x) { return 403; }", "undecided"),
        ("proxy_set_header Host a; proxy_set_header Host b;", "duplicate-host-header"),
        ('proxy_set_header Sec-WebSocket-Protocol "";', "subprotocol-stripped"),
        ("proxy_set_header Connection $undefined_name;", "undecided"),
    ],
)
def test_cannot_be_told_from_the_configuration(located, extra, cause):
    verdict = judge(located("location / { %s %s }" % (extra, GOOD), URL))
    assert (verdict.survives, verdict.code) == (None, cause), verdict


def test_known_client_address_settles_the_access_rules(located):
    text = "location / { allow 10.0.0.0/8; deny all; %s }" % GOOD
    assert judge(located(text, URL, remote="10.1.2.3")).survives is True
    assert judge(located(text, URL, remote="192.0.2.1")).survives is False


SERVERS = {
    "default-server-captured": """
        server { listen 8080; server_name other.test; location / { return 404; } }
        server { listen 8080; server_name www.a.test; location / { GOOD } }""",
    "duplicate-server-name": """
        server { listen 8080; server_name a.test; location / { BACK } }
        server { listen 8080; server_name a.test; location / { GOOD } }""",
    "listen-address-captured": """
        server { listen 127.0.0.1:8080; server_name b.test; location / { BACK } }
        server { listen 8080; server_name a.test; location / { GOOD } }""",
    "outer-proxy-strips-upgrade": """
        server { listen 8080; location / { proxy_pass http://127.0.0.1:8081; } }
        server { listen 8081; location / { GOOD } }""",
    "h2c-on-plain-port": "server { listen 8080 http2; location / { GOOD } }",
    "plain-http-to-tls-port": "server { listen 8080 ssl; location / { GOOD } }",
    "port-not-listening": "server { listen 80; location / { GOOD } }",
}


@pytest.mark.parametrize("cause", SERVERS)
def test_servers(serve, cause):
    text = SERVERS[cause].replace("GOOD", GOOD).replace("BACK", BACK)
    verdict = judge(serve(text, URL))
    assert (verdict.survives, verdict.code) == (False, cause), verdict


def test_tls_server_without_the_socket_location(serve):
    text = """
    server { listen 80; server_name a.test; location /api/mqtt/ws/ { %s } location /api/ { %s } }
    server { listen 8080 ssl; server_name a.test; location /api/ { %s } }""" % (GOOD, BACK, BACK)
    verdict = judge(serve(text, URL, scheme="wss"))
    assert (verdict.survives, verdict.code) == (False, "ws-missing-in-tls-server")
    assert verdict.directive.line == 4


def test_inner_proxy_is_followed(serve):
    text = (
        """
    server { listen 8080; location / { %s } }
    server { listen 127.0.0.1:18000; location / { proxy_pass http://127.0.0.1:9; } }"""
        % GOOD
    )
    verdict = judge(serve(text, URL))
    assert (verdict.survives, verdict.code) == (False, "no-upgrade-header")
    assert verdict.directive.line == 5
