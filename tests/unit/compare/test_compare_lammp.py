"""The first host's own variables against each shape that its live file had, one after the other."""

from __future__ import annotations

from pathlib import Path
from typing import Dict, List, Set

import pytest
import yaml

from module_utils.nginx_websocket.compare.comparing import World, compare
from module_utils.nginx_websocket.compare.differences import CHANGE, GAIN, LOSS, Comparison
from module_utils.nginx_websocket.conf.load import load
from tests.unit.role.rendering import rendered

ROOT = Path(__file__).resolve().parents[3]
NAME = "lammp.agaii.org"
(SITE,) = yaml.safe_load((ROOT / f"inventory/lammp/host_vars/{NAME}.yml").read_text())[
    "nginx_websocket_sites"
]
DIST = "/root/prompt-portal/frontend/dist"
PROXY = "proxy_set_header Host $host; "
UPGRADE = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
    "proxy_read_timeout 3600s; "
)
PAGES = f"root {DIST}; client_max_body_size 50m; location / {{ try_files $uri $uri/ /index.html; }} "
UPLOADS = "location /uploads/ { proxy_pass http://127.0.0.1:8000; } "


def location(name: str, target: str, more: str = "") -> str:
    return f"location {name} {{ proxy_pass http://127.0.0.1:8000{target}; {PROXY}{more}}} "


SHAPES: Dict[str, str] = {
    "1: the prefix is stripped": location("/api/", "/") + location("/api/mqtt/ws/", "", UPGRADE),
    "2: a rewrite in the socket's location": location("/api/", "/")
    + location("/api/mqtt/ws/", "", "rewrite ^/api/(.*)$ /$1 break; " + UPGRADE),
    "3: only /ws/ upgrades": location("/api/", "") + location("/ws/", "", UPGRADE),
    "4: the general block carries the upgrade": location("/api/", "", UPGRADE),
    "5: the guide's regular expressions": location("~ ^/api/mqtt/ws/", "", UPGRADE)
    + location("~ ^/ws/", "", UPGRADE)
    + location("/api/", ""),
    "6: the panel's file": "error_log /www/wwwlogs/lammp.error.log; "
    "location ^~ /.well-known/acme-challenge/ { root /www/wwwroot/java_node_ssl; } " + location("/api/", ""),
}
CERTBOT = (
    f"server {{ listen 443 ssl; server_name {NAME}; ssl_certificate c; ssl_certificate_key k; %s }} "
    f"server {{ if ($host = {NAME}) {{ return 301 https://$host$request_uri; }} listen 80; "
    f"server_name {NAME}; return 404; }}"
)


def taken_over(shape: str) -> Comparison:
    main, live, staged = "/etc/nginx/nginx.conf", "/etc/nginx/live.conf", "/etc/nginx/staged.conf"
    made = {
        live: (CERTBOT % (PAGES + UPLOADS + shape)).encode(),
        staged: rendered(SITE)[0].replace("@RELEASE@", "abc").encode(),
        "/etc/letsencrypt/options-ssl-nginx.conf": b"",
    }

    def tree(path: str):
        text = b"events {} http { include %s; }" % path.encode()
        return load(main, read=lambda name: text if name == main else made[name], glob=lambda one: [one])

    def kind(path: str) -> str:
        if path == f"{DIST}/index.html":
            return "file"
        return "directory" if DIST.startswith(path.rstrip("/")) else ""

    world = World(files=kind, read_logs=False, look_below=False, seconds=60)
    return compare(tree(live), tree(staged), version=(1, 22, 1), world=world)


def kinds(found: Comparison, weight: str) -> Set[str]:
    return {one.parting.kind for one in found.of(weight)}


@pytest.mark.parametrize("title", SHAPES)
def test_plain_http_stays_a_redirect_and_pages_stay(title: str) -> None:
    found = taken_over(SHAPES[title])
    assert "redirect-lost" not in kinds(found, LOSS) and "file-lost" not in kinds(found, LOSS)
    assert not any("http2" not in one.parting.name and one.whose for one in found.differences)


@pytest.mark.parametrize(
    ("number", "losses"),
    [
        (1, {"path-changed"}),
        (2, {"path-changed"}),
        (3, set()),
        (4, {"upgrade-lost"}),
        (5, set()),
        (6, {"elsewhere"}),
    ],
)
def test_what_each_shape_would_lose_is_named(number: int, losses: Set[str]) -> None:
    """A stripped prefix, sockets that no variable names, and the directory of certificate renewals."""
    shape = next(text for title, text in SHAPES.items() if title.startswith(str(number)))
    found = taken_over(shape)
    assert kinds(found, LOSS) == losses, [one.sentence() for one in found.of(LOSS)]
    sentences: List[str] = [one.sentence() for one in found.of(LOSS)]
    wanted = {"path-changed": "/api/", "upgrade-lost": "/api/", "elsewhere": "/.well-known/acme-challenge/"}
    for loss in losses:
        assert any(wanted[loss] in sentence for sentence in sentences)


@pytest.mark.parametrize("number", [3, 4, 6])
def test_the_cure_is_told_as_more(number: int) -> None:
    shape = next(text for title, text in SHAPES.items() if title.startswith(str(number)))
    found = taken_over(shape)
    assert any("does not open" in one.sentence() and "/ws/" in one.sentence() for one in found.of(GAIN))
    assert kinds(found, CHANGE)
