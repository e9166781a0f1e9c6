"""What nginx -t accepts and users, verification or a reload would not: refused before anything is changed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Dict

import pytest

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import Configuration
from module_utils.nginx_websocket.transaction.plan.foreseen import see_ahead
from module_utils.nginx_websocket.transaction.site.model import Refused

MAIN, FILE, OWN, OTHER = (
    "/etc/nginx/nginx.conf",
    "/etc/nginx/a.conf",
    "/etc/nginx/own.conf",
    "/etc/nginx/b.conf",
)
SOCKET = "location ~ ^/ws/ { proxy_pass http://127.0.0.1:8000; } "


def tree(body: str, own: str = "", other: str = "") -> Configuration:
    server = f"server {{ server_name a.test; {body} include {OWN}; }}"
    made: Dict[str, bytes] = {
        MAIN: f"events {{}} http {{ include {FILE}; include {OTHER}; }}".encode(),
        FILE: server.encode(),
        OWN: own.encode(),
        OTHER: other.encode(),
    }
    return load(MAIN, prefix="/usr/share/nginx", read=made.__getitem__, glob=lambda pattern: [pattern])


def judged(live: Configuration, staged: Configuration, *, running: bool = True) -> str:
    """Why it is refused; "" when it is not."""
    nginx = SimpleNamespace(master=1 if running else None, version=(1, 22, 1))
    placement = SimpleNamespace(site=SimpleNamespace(name="a.test"), shown=FILE)
    try:
        see_ahead(SimpleNamespace(nginx=nginx), live, staged, [placement])  # type: ignore[arg-type, list-item]
    except Refused as refusal:
        return str(refusal)
    return ""


@pytest.mark.parametrize(
    ("live", "staged"),
    [
        ("listen [::]:443 ssl ipv6only=off;", "listen 443 ssl; listen [::]:443 ssl;"),
        ("listen [::]:80 ipv6only=off;", "listen 127.0.0.1:80; listen [::]:80;"),
        ("listen 127.0.0.1:80;", "listen 80;"),
        ("listen 80;", "listen 127.0.0.1:80;"),
        ("listen 80;", "listen [::]:80 ipv6only=off;"),
    ],
)
def test_a_socket_that_a_reload_cannot_bind(live: str, staged: str) -> None:
    said = judged(tree(live + " return 204;"), tree(staged + " return 204;"))
    assert "a reload cannot bind" in said and f"({FILE}:1)" in said and "restart nginx once" in said
    assert judged(tree(live + " return 204;"), tree(staged + " return 204;"), running=False) == ""


@pytest.mark.parametrize(
    ("live", "staged", "other"),
    [
        ("listen 80;", "listen 80; listen [::]:80;", ""),
        ("listen 80;", "listen 443 ssl;", ""),
        ("listen 127.0.0.1:80;", "listen 127.0.0.1:80; listen 127.0.0.2:80;", ""),
        ("listen 127.0.0.1:80;", "listen 127.0.0.2:80;", "server { listen 80; }"),
        ("listen 127.0.0.1:80;", "listen 80;", "server { listen 80; }"),
        ("listen [::]:80 ipv6only=off;", "listen [::]:80 ipv6only=off;", ""),
    ],
)
def test_sockets_that_can_stand_beside_each_other(live: str, staged: str, other: str) -> None:
    assert judged(tree(live + " return 204;", other=other), tree(staged + " return 204;", other=other)) == ""


def test_a_page_that_would_be_an_error(tmp_path) -> None:
    page = f"listen 80; root {tmp_path}/dist; location / {{ try_files $uri /index.html; }}"
    said = judged(tree("listen 80;"), tree(page))
    assert "http://a.test/ would be answered with 500" in said
    assert f"its directory {tmp_path}/dist ({FILE}:1) does not exist: create it, or set spa.root" in said
    (tmp_path / "dist").mkdir()
    assert "there is no page for it in" in judged(tree("listen 80;"), tree(page))
    (tmp_path / "dist" / "index.html").write_text("x")
    assert judged(tree("listen 80;"), tree(page)) == ""


@pytest.mark.parametrize(
    ("body", "own", "cure"),
    [
        (SOCKET, "location /ws/admin { allow 127.0.0.1; deny all; }", "location ^~ /ws/admin"),
        (SOCKET, "location /ws/admin/ { auth_basic x; }", "location ^~ /ws/admin/"),
        (
            "location ~ ^/ { proxy_pass http://127.0.0.1:1; }",
            "location /admin { auth_basic x; }",
            "location ^~ /admin",
        ),
        (SOCKET, "location ~ ^/ws/admin { deny all; }", "make the route that takes it narrower"),
    ],
)
def test_a_location_that_is_never_reached(body: str, own: str, cure: str) -> None:
    said = judged(tree("listen 80;"), tree("listen 80; " + body, own))
    assert f"({OWN}:1) would never be reached" in said and cure in said


@pytest.mark.parametrize(
    "own",
    [
        "location ^~ /ws/admin { deny all; }",
        "location = /ws/admin { deny all; }",
        "location /ws { deny all; }",
        "location /other/ { deny all; location ~ x { deny all; } } location / { return 204; }",
        "location @fallback { return 204; }",
    ],
)
def test_a_location_that_is_reached(own: str) -> None:
    assert judged(tree("listen 80;"), tree("listen 80; " + SOCKET, own)) == ""


def test_a_header_that_every_location_replaces() -> None:
    body = "listen 80; root /; location / { add_header A b; try_files $uri =404; } "
    said = judged(tree("listen 80;"), tree(body, "add_header X-Mine 1;"))
    assert f"add_header X-Mine ({OWN}:1) would reach nobody" in said and "security_headers" in said
    assert judged(tree("listen 80;"), tree(body + SOCKET, "add_header X-Mine 1;")) == "", (
        "one location has it"
    )
    proxied = "listen 80; location / { proxy_set_header A b; proxy_pass http://127.0.0.1:1; } "
    assert "would reach nobody" in judged(tree("listen 80;"), tree(proxied, "proxy_set_header X-Mine 1;"))
