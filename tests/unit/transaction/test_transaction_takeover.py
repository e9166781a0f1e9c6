"""What a hand-written file does and the site in its place would not; each case is a pair of server bodies."""

from __future__ import annotations

from typing import List

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.transaction.model import Finding, Refused
from module_utils.nginx_websocket.transaction.takeover import judge_takeover

MAIN, FILE = "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/a.conf"
NAMED = "listen 80; server_name a.test; "
SITE = """
    location ~ ^/ws/ { proxy_pass http://127.0.0.1:8000; proxy_read_timeout 3600s; }
    location /api/ { proxy_pass http://127.0.0.1:8000; proxy_read_timeout 600s; }
    root /srv/app;
    location / { try_files $uri /index.html; }
    location ^~ /.well-known/acme-challenge/ { root /var/www/html; }
"""
SERVED = "root /srv/app; location / { try_files $uri /index.html; } "


def tree(content: str) -> Configuration:
    made = {MAIN: b"events {} http { include %s; }" % FILE.encode(), FILE: content.encode()}
    return load(MAIN, prefix="/usr/share/nginx", read=made.__getitem__, glob=lambda pattern: [pattern])


def judged(theirs: str, ours: str = SITE, on_takeover: str = "fail") -> List[Finding]:
    """What is said where a server with the one body takes the place of a server with the other."""
    live, staged = (
        tree(body if body.startswith(("server {", "upstream ")) else f"server {{ {NAMED}{body} }}")
        for body in (theirs, ours)
    )
    there = {"/srv/static/", "/srv/app/", "/srv/app/index.html", "/srv/old/"}
    return judge_takeover(
        [FILE], live, staged, (1, 22, 1), on_takeover=on_takeover, exists=there.__contains__
    )


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        pytest.param(
            SERVED + "location /grafana/ { proxy_pass http://127.0.0.1:3001; }",
            f"location /grafana/ ({FILE}:1) is passed to 127.0.0.1:3001 now, and http://a.test/grafana/"
            "websocket-route-check would be the file /srv/app/grafana/websocket-route-check",
            id="another application",
        ),
        pytest.param(
            SERVED + "location /api/v2/ { proxy_pass http://127.0.0.1:9000; }",
            "passed to 127.0.0.1:9000 now, and http://a.test/api/v2/websocket-route-check would be passed to "
            "127.0.0.1:8000",
            id="another application below a route of ours",
        ),
        pytest.param(
            SERVED + "location ~ \\.php$ { fastcgi_pass unix:/run/php.sock; }",
            "location ~ \\.php$ (",
            id="a regex location",
        ),
        pytest.param(
            SERVED + "location /static/ { alias /srv/static/; }",
            "is the file /srv/static/websocket-route-check now",
            id="files elsewhere",
        ),
        pytest.param(
            SERVED + "location = /health { return 200 ok; }",
            "is answered with 200 now",
            id="an answer of nginx",
        ),
        pytest.param(
            SERVED + "location /docs { return 301 https://docs.example.org/; }",
            "is redirected to https://docs.example.org/ now",
            id="a redirect to another site",
        ),
        pytest.param(
            SERVED + "location /status { stub_status; }", "is answered by stub_status now", id="a handler"
        ),
        pytest.param(
            SERVED + "location /api/ { auth_basic x; proxy_pass http://127.0.0.1:8000; }",
            f"auth_basic ({FILE}:1) guards location /api/ ({FILE}:1), and would be gone",
            id="a password",
        ),
        pytest.param(
            SERVED + "allow 10.0.0.0/8; deny all; location /api/ { proxy_pass http://127.0.0.1:8000; }",
            f"allow and deny ({FILE}:1) guards location / ({FILE}:1), location /api/ ({FILE}:1), and would",
            id="addresses, for the whole server",
        ),
        pytest.param(
            SERVED + "location /api/internal/ { return 403; }",
            "is answered with 403 now, and http://a.test/api/internal/websocket-route-check would be passed",
            id="a path that is closed",
        ),
        pytest.param(
            SERVED + "location /.well-known/acme-challenge/ { root /var/www/certbot; }",
            "set http.acme_root",
            id="the directory of certificate renewals",
        ),
        pytest.param(
            f"server {{ {NAMED}{SERVED} }} server {{ listen 8080; server_name a.test; {SERVED} }}",
            "http://a.test:8080/websocket-route-check would be answered by nobody",
            id="another port",
        ),
    ],
)
def test_what_would_be_lost_is_refused(theirs: str, said: str) -> None:
    with pytest.raises(Refused) as refused:
        judged(theirs)
    message = str(refused.value)
    assert (
        message.startswith(f"the site would take the place of {FILE}, ") and "nothing was changed" in message
    )
    assert said in message and "(2)" not in message, message
    (finding,) = (one for one in judged(theirs, on_takeover="overwrite") if one.code == "lost-in-takeover")
    assert said in finding.message


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(SERVED, id="the same"),
        pytest.param(
            "root /srv/old; location / { try_files $uri =404; }", id="another directory at the root"
        ),
        pytest.param(SERVED + "location /api/ { proxy_pass http://localhost:8000; }", id="localhost"),
        pytest.param(
            SERVED + "location /api/ { proxy_pass http://127.0.0.1:3000; }", id="a port that is cured"
        ),
        pytest.param(
            "upstream u { server 127.0.0.1:8000; } server { "
            + NAMED
            + SERVED
            + "location /api/ { proxy_pass http://u; } }",
            id="an upstream of that address",
        ),
        pytest.param(
            SERVED + "location /ws/ { proxy_pass http://127.0.0.1:8000/; }", id="a socket that is cured"
        ),
        pytest.param(SERVED + "location /static/ { expires 1y; }", id="the same files"),
        pytest.param(SERVED + "location = /favicon.ico { log_not_found off; }", id="the same file"),
        pytest.param(
            SERVED + "error_page 500 502 /50x.html; location = /50x.html { root /usr/share/nginx/html; }",
            id="a page for errors",
        ),
        pytest.param(SERVED + "location /i/ { internal; alias /srv/i/; }", id="an internal location"),
        pytest.param(SERVED + "location ~ /\\.ht { deny all; }", id="dot files"),
        pytest.param(SERVED + "location /gone { return 404; }", id="a path that was closed to files"),
        pytest.param("return 301 https://a.test$request_uri;", id="a redirect to the site itself"),
        pytest.param("return 301 https://www.a.test$request_uri;", id="a redirect to www."),
        pytest.param(SERVED + "location /docs/ { alias /srv/gone/; }", id="files that are not there"),
        pytest.param(SERVED + "location @app { proxy_pass http://127.0.0.1:1; }", id="a named location"),
    ],
)
def test_what_stays_is_not_told(theirs: str) -> None:
    assert judged(theirs) == []


def test_a_root_that_the_site_forgets() -> None:
    with pytest.raises(Refused, match="would be answered with 404"):
        judged("location / { proxy_pass http://127.0.0.1:8000; }", "location / { return 404; }")


def test_requests_for_names_that_no_site_has() -> None:
    other = "server { listen 80; server_name z.test; }"
    theirs = f"{other} server {{ listen 80 default_server; server_name a.test; {SERVED} }}"
    with pytest.raises(
        Refused, match=r"answers all names that no site has at http://\*, and another one would"
    ):
        judged(theirs, f"{other} server {{ {NAMED}{SITE} }}")
    assert judged(theirs, f"{other} server {{ listen 80 default_server; server_name a.test; {SITE} }}") == []
    assert judged(theirs) == [], "the only server of a port is its default by itself"


def test_redirects_between_the_doors_of_the_site_are_followed() -> None:
    """Plain HTTP and www. lead to the one server that answers."""
    tls = "listen 443 ssl; ssl_certificate c; ssl_certificate_key k; server_name"
    ours = (
        "server { listen 80; server_name a.test www.a.test; return 301 https://$host$request_uri; }"
        f"server {{ {tls} www.a.test; return 301 https://a.test$request_uri; }}"
        f"server {{ {tls} a.test; {SITE} }}"
    )
    served = "server { listen 80; server_name www.a.test a.test; " + SERVED
    assert judged(served + " location /api/ { proxy_pass http://127.0.0.1:8000; } }", ours) == []
    with pytest.raises(Refused, match="location /x/"):
        judged(served + " location /x/ { proxy_pass http://127.0.0.1:1; } }", ours)


def test_what_becomes_less_is_told() -> None:
    theirs = (
        SERVED + "client_max_body_size 20M; add_header Strict-Transport-Security max-age=1; "
        "location /api/ { proxy_pass http://127.0.0.1:8000; proxy_read_timeout 1h; } "
        "location /ws/ { proxy_pass http://127.0.0.1:8000; proxy_read_timeout 60m; }"
    )
    found = judged(theirs)
    assert {finding.code for finding in found} == {"less-after-takeover"}
    told = "\n".join(finding.message for finding in found)
    assert f"client_max_body_size was 20M in location /api/ ({FILE}:1), and is 1m in the site" in told
    assert f"proxy_read_timeout was 1h in location /api/ ({FILE}:1), and is 600s in the site" in told
    assert "Strict-Transport-Security" in told and "/ws/" not in told


@pytest.mark.parametrize("broken", ["error_page;", "server_name;", "location;", "add_header;", "root;"])
def test_what_nginx_would_not_take_is_no_trap(broken: str) -> None:
    """The live tree may be the broken one that is to be replaced."""
    assert judged(f"{SERVED} {broken}") == []


def test_a_file_of_ours_is_no_takeover() -> None:
    ours = "location = /.well-known/nginx-websocket/abc { return 200; } location /x/ { proxy_pass http://h; }"
    assert judged(ours) == []


def test_many_losses_are_counted() -> None:
    theirs = SERVED + "".join(f"location /x{n}/ {{ proxy_pass http://127.0.0.1:{n}; }}" for n in range(1, 12))
    with pytest.raises(Refused, match=r"\(8\) location /x8/.*and 3 more"):
        judged(theirs)
