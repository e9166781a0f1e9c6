"""What users lose, told by the general comparison: each case is a pair of server bodies and what is said."""

from __future__ import annotations

from pathlib import Path
from typing import List, Tuple

import pytest

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.compare.differences import CHANGE, KINDS, LOSS
from module_utils.nginx_websocket.compare.parting.partings import Pair, partings
from tests.unit.compare.trees import API, FILE, NAMED, PROXY, SNIPPET, SOCKET, SPA, UPGRADE, compared, tree

ROOT = Path(__file__).resolve().parents[3]
FALLBACK = f"location / {{ try_files $uri @app; }} location @app {{ {PROXY} }} "
PHP_SITE = (
    "root /srv/app; location / { try_files $uri $uri/ /index.php?$query_string; } "
    f"location ~ \\.php$ {{ include {SNIPPET}; fastcgi_pass unix:/run/php.sock; }} "
    "location ~ ^/(storage|uploads)/private/ { deny all; } "
)


@pytest.mark.parametrize(
    ("live", "staged", "kind", "said"),
    [
        pytest.param(
            FALLBACK + 'location /admin/ { auth_basic "S"; auth_basic_user_file f; try_files $uri @app; }',
            API,
            "guard-lost",
            f"stands behind auth_basic S; auth_basic_user_file f ({FILE}:1); then is passed to 127.0.0.1",
            id="a password before a named location",
        ),
        pytest.param(
            FALLBACK + "location /internal/ { allow 10.0.0.0/8; deny all; try_files $uri @app; }",
            API,
            "guard-lost",
            "now stands behind allow 10.0.0.0/8; deny all",
            id="addresses before a named location",
        ),
        pytest.param(
            API + f"location /a/ {{ satisfy any; allow 10.0.0.0/8; deny all; auth_request /x; {PROXY} }}",
            API,
            "guard-lost",
            "auth_request /x",
            id="a subrequest's word",
        ),
        pytest.param(
            API + f"location /a/ {{ limit_except GET {{ deny all; }} {PROXY} }}",
            API,
            "guard-lost",
            "limit_except GET",
            id="methods",
        ),
        pytest.param(
            FALLBACK + "location /big/ { client_max_body_size 1g; try_files $uri @app; }",
            API,
            "less",
            "client_max_body_size is 1073741824",
            id="a body limit before a named location",
        ),
        pytest.param(PHP_SITE, SPA, "guard-lost", "now stands behind deny all", id="a closed regex location"),
        pytest.param(
            "location /x/ { return 403; } " + API,
            API,
            "opened",
            "now is answered with 403",
            id="a closed path",
        ),
        pytest.param(
            f"location / {{ {UPGRADE} }}",
            API,
            "upgrade-lost",
            "now is a WebSocket that opens",
            id="a WebSocket",
        ),
        pytest.param(
            f"location /api/ {{ {UPGRADE} }}",
            f"location ~ ^/api/one/ {{ {UPGRADE} }} location /api/ {{ {PROXY} }}",
            "upgrade-lost",
            "http://a.test/api/",
            id="a WebSocket below a general route",
        ),
        pytest.param(
            API + "location /push/ { proxy_pass http://127.0.0.1:8000/; }",
            API + f"location /push/ {{ {PROXY} }}",
            "path-changed",
            "now asks the backend for GET /",
            id="a path that was stripped",
        ),
        pytest.param(
            SPA + "location ~ ^/(assets|packs)/ { alias /srv/static/logo.png; }",
            SPA,
            "rerouted",
            "/packs/",
            id="a regex location",
        ),
        pytest.param(
            SPA + "location ~ ^/api-docs.json$ { proxy_pass http://127.0.0.1:9000; }",
            SPA,
            "elsewhere",
            "now is passed to 127.0.0.1:9000",
            id="a regex location of one path",
        ),
        pytest.param(
            "error_page 404 /500.html; root /srv/app; location / { try_files $uri =404; }",
            API,
            "file-lost",
            "now is the file /srv/app/index.html",
            id="files behind an error page",
        ),
        pytest.param(
            "root /srv/app; location / { try_files $uri $uri/ =404; } location = /manual/ { } ",
            SPA,
            "file-lost",
            "now is the file /srv/app/manual/index.html",
            id="the index of a directory",
        ),
        pytest.param(
            API.replace(PROXY + " } ", "proxy_set_header X-Tenant a; " + PROXY + " } "),
            API,
            "backend-headers",
            "the backend gets X-Tenant: a",
            id="a header to the backend",
        ),
        pytest.param(
            "merge_slashes off; location //x/ { return 403; } " + API,
            "merge_slashes off; " + API,
            "opened",
            "now is answered with 403",
            id="a path of two slashes",
        ),
        pytest.param(
            API.replace(PROXY + " } ", "if ($request_method = HEAD) { return 204; } " + PROXY + " } "),
            API,
            "elsewhere",
            "HEAD http://a.test/",
            id="a head",
        ),
        pytest.param("gzip on; " + API, API, "settings", "gzip is on", id="compression"),
        pytest.param("error_log /var/log/a; " + API, API, "logs", "error log is /var/log/a", id="a log"),
        pytest.param(
            "root /srv/old; location / { try_files $uri /index.html; }",
            "root /srv/app; location / { try_files $uri /index.html; }",
            "rerouted",
            "/srv/app/index.html",
            id="another root, where the old one has no files",
        ),
        pytest.param(
            "location / { proxy_pass http://127.0.0.1:3000; }",
            API,
            "backend-moved",
            "now is passed to 127.0.0.1:3000",
            id="another port",
        ),
        pytest.param(
            "return 301 https://$host$request_uri;",
            API,
            "redirect-lost",
            "now is redirected to https://a.test/",
            id="plain HTTP is answered again",
        ),
        pytest.param(
            "location /grafana/ { proxy_pass http://127.0.0.1:3001; } " + SPA,
            SPA,
            "elsewhere",
            "http://a.test/grafana/",
            id="another application",
        ),
        pytest.param(
            "location /status { stub_status; } " + SPA,
            SPA,
            "elsewhere",
            "is answered by stub_status",
            id="a handler",
        ),
        pytest.param(
            "location = /health { return 200 ok; } " + SPA,
            SPA,
            "elsewhere",
            "answered with 200",
            id="an answer",
        ),
        pytest.param(
            "location /docs { return 301 https://docs.example.org/; } " + SPA,
            SPA,
            "elsewhere",
            "is redirected to https://docs.example.org/",
            id="a redirect to another site",
        ),
        pytest.param(
            "proxy_buffering off; " + API,
            API,
            "less",
            "proxy_buffering is off",
            id="an answer that is held back",
        ),
        pytest.param(
            "add_header X-Robots-Tag noindex; " + SPA,
            SPA,
            "headers",
            "nginx adds X-Robots-Tag",
            id="a header",
        ),
        pytest.param(
            f"server {{ {NAMED} {SPA} }} server {{ listen 8080; server_name a.test; {SPA} }}",
            f"server {{ {NAMED} {SPA} }}",
            "elsewhere",
            "http://a.test:8080/",
            id="another port",
        ),
    ],
)
def test_it_is_told(live: str, staged: str, kind: str, said: str) -> None:
    found = compared(live, staged).differences
    told = [one.sentence() for one in found if one.parting.kind == kind]
    assert any(said in sentence for sentence in told), [(one.parting.kind, one.sentence()) for one in found]


@pytest.mark.parametrize(
    ("live", "staged"),
    [
        pytest.param(SPA, SPA + "location /new/ { return 204; }", id="a new route"),
        pytest.param(API, API.replace("127.0.0.1", "localhost"), id="localhost"),
        pytest.param(
            "upstream u { server 127.0.0.1:8000; } server { "
            + NAMED
            + API.replace("127.0.0.1:8000", "u")
            + "}",
            "upstream v { server 127.0.0.1:8000; } server { "
            + NAMED
            + API.replace("127.0.0.1:8000", "v")
            + "}",
            id="an upstream of another name",
        ),
        pytest.param(
            SPA + "location ~ /\\.ht { deny all; }", SPA + "location ~ /\\. { deny all; }", id="dot files"
        ),
        pytest.param(
            SPA + "location /i/ { internal; alias /srv/i/; }",
            SPA + "location /i/ { return 404; }",
            id="internal",
        ),
        pytest.param(
            f"location / {{ {PROXY} }}", f"location / {{ {UPGRADE} }}", id="a WebSocket that is cured"
        ),
    ],
)
def test_nothing_is_lost(live: str, staged: str) -> None:
    found = compared(live, staged)
    assert found.of(LOSS) == [], [one.sentence() for one in found.of(LOSS)]


def test_the_same_is_not_asked_for() -> None:
    assert compared(SPA, SPA + " ").asked == 0


def test_plain_http_that_becomes_https_is_followed() -> None:
    tls = "listen 443 ssl; ssl_certificate c; ssl_certificate_key k; server_name a.test;"
    staged = f"server {{ {NAMED} return 301 https://$host$request_uri; }} server {{ {tls} {API} }}"
    found = compared(f"server {{ {NAMED} {API} }}", staged)
    assert found.of(LOSS) == [], [one.sentence() for one in found.of(LOSS)]
    assert {one.parting.kind for one in found.of(CHANGE)} == {"redirected"}
    live = f"server {{ {NAMED} {API} location /x/ {{ proxy_pass http://127.0.0.1:1; }} }}"
    assert any("/x/" in one.sentence() for one in compared(live, staged).of(CHANGE))


def test_origins_that_were_let_in() -> None:
    """Pages of others and the scheme of an app are asked for, and each that is refused is named."""
    closed = (
        'map $http_origin $denied { "" ""; "http://a.test" ""; default 1; } server { '
        + NAMED
        + SOCKET.replace("{ proxy_pass", "{ if ($denied) { return 403; } proxy_pass", 1)
        + "}"
    )
    opened = closed.replace("default", '"null" ""; "capacitor://localhost" ""; default')
    for live, origin in (
        (f"server {{ {NAMED} {SOCKET} }}", "pages of others"),
        (opened, "capacitor://localhost"),
    ):
        found = [one for one in compared(live, closed).differences if one.parting.kind == "closed"]
        assert any(f"a WebSocket from {origin}" in example for one in found for example in one.examples), (
            found
        )


def test_what_cannot_be_told_is_never_equal() -> None:
    geo = "geo $near { default 0; 10.0.0.0/8 1; } server { " + NAMED
    geo = "map $geoip $near { default 0; } " + geo[geo.index("server") :]
    live = geo + "if ($near) { return 403; } " + SPA + "}"
    other = geo + "if ($near) { return 404; } " + SPA + "}"
    kinds = {one.parting.kind for one in compared(live, other).differences}
    assert "unknown" in kinds, kinds


def test_every_kind_is_documented() -> None:
    text = (ROOT / "docs/transaction.md").read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"`{kind}`" in text, kind


def test_the_name_of_a_directory_without_an_index_was_nothing_to_lose() -> None:
    """nginx adds the slash, and then refuses: the page in its place is told, and no loss."""
    assets = "location /assets/ { expires 1y; try_files $uri =404; } "
    live = SOCKET + "root /srv/app; location / { try_files $uri $uri/ /index.html; } " + assets
    found = compared(live, SPA + assets, urls=["http://a.test/assets"]).differences
    about = [one for one in found if any(example.endswith("/assets") for example in one.examples)]
    assert [one.parting.kind for one in about] == ["rerouted"], [one.sentence() for one in found]
    assert not [one.sentence() for one in found if one.weight == LOSS]


def test_a_websocket_that_may_open_is_told_both_ways() -> None:
    """Over HTTP/1.0 some backends upgrade and some do not, so nothing is certain, and nothing equal."""
    may = f"location / {{ {UPGRADE.replace('proxy_http_version 1.1;', '')} }}"
    lost = [one for one in compared(may, API.replace(SOCKET, "")).of(LOSS) if "may open" in one.parting.was]
    assert {one.parting.kind for one in lost} == {"unknown"}
    gained = compared(API.replace(SOCKET, ""), may).differences
    assert any(one.parting.kind == "more" and "may open" in one.parting.now for one in gained)


def test_what_a_backend_gets_for_the_page_of_a_refusal() -> None:
    """Who is not let in gets a page that a backend makes; its headers are compared as well."""
    site = f"error_page 403 @no; location / {{ deny all; }} location @no {{ %s {PROXY} }} "
    found = compared(site % "proxy_set_header X-Why a;", site % "proxy_set_header X-Why b;").differences
    assert [(one.parting.kind, one.parting.name) for one in found] == [("backend-headers", "X-Why")]


def test_a_body_limit_counts_whoever_would_get_the_body() -> None:
    """nginx answers 413 before it looks for a file or knows the method."""
    for live, staged, kind in (("10m", "4", "less"), ("4", "10m", "more")):
        found = compared(f"client_max_body_size {live}; {SPA}", f"client_max_body_size {staged}; {SPA}")
        told = [(one.parting.kind, one.parting.name) for one in found.differences]
        assert told == [(kind, "client_max_body_size")], told


def test_an_upgrade_to_something_else_and_an_empty_header_are_headers() -> None:
    """What the configuration empties is not sent; what the client sends empty is."""

    def kinds(live: str, staged: str, *headers: Tuple[str, str], method: str = "GET") -> List[str]:
        request = Request("http://a.test/", headers=headers, address="127.0.0.1:80", method=method)
        one, other = (behaviour(tree(text), request, version=(1, 22, 1)) for text in (live, staged))
        pair = Pair(one, other, end=other, handshake=request.websocket, method=method)
        return [f"{found.kind} {found.name}" for found in partings(pair)]

    plain, socket = (f"location / {{ {body} }}" for body in (PROXY, UPGRADE))
    emptied = f'location / {{ proxy_set_header X ""; {PROXY} }}'
    assert kinds(plain, emptied, ("X", "")) == ["backend-headers X"]
    assert kinds(plain, emptied) == []
    sent = ("Upgrade", "websocket"), ("Connection", "Upgrade")
    assert "backend-headers Upgrade" in kinds(socket, plain, *sent, method="PUT")
