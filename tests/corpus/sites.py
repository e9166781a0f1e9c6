"""The sites: what stands live, the role's variables, the files of the host, and what users ask for.

Each is written for this project after the shapes that people have; none is copied.
"""

# ruff: noqa: E501  (a location a line reads better than a location in pieces)

from __future__ import annotations

import dataclasses
from typing import Any, Dict, FrozenSet, List, Tuple

NAME = "a.test"
WS = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; "
    "proxy_read_timeout 1h; "
)
PHP = "include /etc/nginx/snippets/fastcgi-php.conf; fastcgi_pass unix:/run/php/php-fpm.sock; "
PAGES = frozenset(("/srv/app/index.html", "/srv/app/assets/app.js", "/srv/app/robots.txt"))
APP: Dict[str, Any] = {"backends": [{"name": "app"}], "http": {"mode": "serve"}, "tls": {"enabled": False}}
SOCKETS: Dict[str, Any] = {**APP, "websockets": [{"path": "/ws/"}]}
API: Dict[str, Any] = {**SOCKETS, "api": [{"path": "/"}]}
SPA: Dict[str, Any] = {**SOCKETS, "spa": {"root": "/srv/app"}}
BOTH: Dict[str, Any] = {**SPA, "api": [{"path": "/api/"}]}


@dataclasses.dataclass(frozen=True)
class Live:
    """One site as it stands, and what takes its place."""

    title: str
    text: str
    """Body of ``server { listen 80; server_name a.test; … }``; whole servers where it begins so."""
    variables: Dict[str, Any]
    asked: Tuple[str, ...]
    """Paths that users ask for; ``ws:`` before one asks for a WebSocket, ``POST:`` and ``OPTIONS:`` so."""
    files: FrozenSet[str] = PAGES


_OF_HTTP = (
    "server ", "map ", "geo ", "upstream ", "proxy_cache_path ", "limit_req_zone ", "limit_conn_zone ",
    "split_clients ", "log_format ",
)  # fmt: skip


def servers(site: Live) -> str:
    """The live text as whole servers."""
    if site.text.startswith(_OF_HTTP):
        return site.text
    return f"server {{ listen 80; server_name {NAME}; {site.text} }}"


def proxy(to: str = "http://127.0.0.1:8000", more: str = "") -> str:
    """A location's body that passes to a backend."""
    return f"{{ proxy_pass {to}; proxy_set_header Host $host; {more}}}"


FALLBACK = f"location / {{ try_files $uri @app; }} location @app {proxy()} "
PAGE = "root /srv/app; location / { try_files $uri $uri/ /index.html; } "
ROOT = f"location / {proxy()} "

SITES: List[Live] = [
    Live("one proxy", ROOT, API, ("/", "/x?y=1", "POST:/login", "ws:/ws/1")),
    Live(
        "one proxy that upgrades everything",
        f"location / {proxy(more=WS)}",
        API,
        ("/", "ws:/", "ws:/ws/1", "ws:/hub"),
    ),
    Live(
        "upgrades in a socket's location",
        ROOT + f"location /ws/ {proxy(more=WS)}",
        API,
        ("/", "ws:/ws/1", "/ws/1"),
    ),
    Live(
        "a page and an API",
        PAGE + f"location /api/ {proxy()}",
        BOTH,
        ("/", "/deep/link", "/api/users", "/assets/app.js"),
    ),
    Live(
        "an API whose prefix is stripped",
        PAGE + f"location /api/ {proxy('http://127.0.0.1:8000/')}",
        BOTH,
        ("/api/users", "/"),
    ),
    Live(
        "a password before a named location",
        FALLBACK
        + 'location /admin/ { auth_basic "S"; auth_basic_user_file /etc/nginx/users; try_files $uri @app; }',
        API,
        ("/admin/", "/admin/x", "/"),
    ),
    Live(
        "addresses before a named location",
        FALLBACK + "location /internal/ { allow 10.0.0.0/8; deny all; try_files $uri @app; }",
        API,
        ("/internal/x", "/"),
    ),
    Live(
        "a big upload before a named location",
        FALLBACK + "location /big/ { client_max_body_size 1g; try_files $uri @app; }",
        API,
        ("POST:/big/x", "/"),
    ),
    Live(
        "PHP with Debian's snippet",
        "root /srv/php; index index.php; location / { try_files $uri $uri/ /index.php?$query_string; } "
        f"location ~ \\.php$ {{ {PHP}}} location ~ ^/(storage|uploads)/private/ {{ deny all; }} location ~ /\\.ht {{ deny all; }}",
        {**SPA, "spa": {"root": "/srv/php"}},
        ("/", "/index.php", "/config.php", "/storage/private/id.pdf", "/page", "/.htaccess", "/style.css"),
        frozenset(("/srv/php/index.php", "/srv/php/config.php", "/srv/php/style.css", "/srv/php/index.html")),
    ),
    Live(
        "PHP in a subdirectory of a page",
        PAGE + f"location ^~ /blog/ {{ root /srv/; index index.php; location ~ \\.php$ {{ {PHP}}} }}",
        SPA,
        ("/blog/", "/blog/index.php", "/blog/a.png", "/"),
        PAGES | {"/srv/blog/index.php", "/srv/blog/a.png"},
    ),
    Live(
        "statics by alias",
        ROOT + "location /static/ { alias /srv/static/; expires 30d; }",
        API,
        ("/static/a.css", "/static/gone.css", "/"),
        frozenset(("/srv/static/a.css",)),
    ),
    Live(
        "statics by a regular expression",
        ROOT
        + "location ~ ^/(assets|packs)/ { root /srv/app; add_header Cache-Control public; try_files $uri =404; }",
        API,
        ("/assets/app.js", "/packs/x.js", "/"),
        PAGES,
    ),
    Live(
        "statics by their ending",
        ROOT + "location ~* \\.(?:css|js|png)$ { root /srv/app; expires max; }",
        API,
        ("/assets/app.js", "/x.css", "/"),
    ),
    Live(
        "a directory with an index",
        "root /srv/docs; location / { try_files $uri $uri/ =404; }",
        {**SPA, "spa": {"root": "/srv/docs"}},
        ("/", "/manual/", "/manual", "/gone"),
        frozenset(("/srv/docs/index.html", "/srv/docs/manual/index.html")),
    ),
    Live(
        "a listing",
        "root /srv/files; location /pub/ { autoindex on; }",
        {**SPA, "spa": {"root": "/srv/files"}},
        ("/pub/", "/pub/a.txt"),
        frozenset(("/srv/files/pub/a.txt", "/srv/files/index.html")),
    ),
    Live(
        "error pages of its own",
        "root /srv/app; error_page 404 /404.html; location / { try_files $uri =404; }",
        SPA,
        ("/", "/gone", "/404.html"),
        PAGES | {"/srv/app/404.html"},
    ),
    Live(
        "an error page that hides a loss",
        "error_page 404 /500.html; root /srv/app; location / { try_files $uri =404; }",
        API,
        ("/robots.txt", "/gone"),
    ),
    Live(
        "nested locations",
        f"location /app/ {{ proxy_pass http://127.0.0.1:8000; location /app/files/ {{ alias /srv/static/; }} location ~ \\.cgi$ {{ return 403; }} }} {ROOT}",
        API,
        ("/app/x", "/app/files/a.css", "/app/x.cgi", "/"),
        frozenset(("/srv/static/a.css",)),
    ),
    Live(
        "a map of backends",
        f"map $uri $where {{ default 127.0.0.1:8000; ~^/v2/ 127.0.0.1:8002; }} server {{ listen 80; server_name {NAME}; location / {proxy('http://$where')} }}",
        API,
        ("/", "/v2/x", "/v1/x"),
    ),
    Live(
        "a map of redirects",
        f"map $uri $new {{ /old https://b.test/new; /older /newer; }} server {{ listen 80; server_name {NAME}; if ($new) {{ return 301 $new; }} {ROOT} }}",
        API,
        ("/old", "/older", "/"),
    ),
    Live(
        "several servers in a file",
        f"server {{ listen 80; server_name {NAME}; {PAGE} }} server {{ listen 8080; server_name {NAME}; {ROOT} }}",
        SPA,
        ("/", ":8080/", ":8080/x"),
    ),
    Live(
        "redirect to HTTPS",
        f"server {{ listen 80; server_name {NAME}; return 301 https://{NAME}$request_uri; }} server {{ listen 443 ssl; ssl_certificate c; ssl_certificate_key k; server_name {NAME}; {ROOT} }}",
        {**API, "tls": {"enabled": True}},
        ("/", "/x", "s:/", "s:/x"),
    ),
    Live(
        "an application in a subfolder",
        PAGE
        + f"location /grafana/ {proxy('http://127.0.0.1:3001/')} location = /grafana {{ return 302 /grafana/; }}",
        SPA,
        ("/grafana/", "/grafana/d/1", "/grafana", "/"),
    ),
    Live(
        "a rewrite to a controller",
        f"location / {{ rewrite ^/item/(\\d+)$ /show?id=$1 last; {proxy()[1:-1]} }}",
        API,
        ("/item/7", "/show", "/"),
    ),
    Live(
        "methods apart",
        ROOT + f"location /feed/ {{ limit_except GET {{ deny all; }} {proxy()[1:-1]} }}",
        API,
        ("/feed/x", "POST:/feed/x", "OPTIONS:/feed/x"),
    ),
    Live(
        "CORS by hand",
        ROOT
        + "location /api/ { if ($request_method = OPTIONS) { add_header Access-Control-Allow-Headers X-Requested-With; return 204; } add_header Access-Control-Allow-Origin $http_origin; proxy_pass http://127.0.0.1:8000; }",
        API,
        ("OPTIONS:/api/x", "/api/x", "/"),
    ),
    Live(
        "a health check and a status page",
        "location = /health { return 200 ok; } location = /nginx { stub_status; allow 127.0.0.1; deny all; } "
        + ROOT,
        API,
        ("/health", "/nginx", "/"),
    ),
    Live(
        "closed paths",
        "location /api/internal/ { return 403; } location ~ /\\.git { return 404; } location = /secret { return 444; } "
        + ROOT,
        API,
        ("/api/internal/x", "/.git/config", "/secret", "/"),
    ),
    Live(
        "an internal location",
        FALLBACK + "location /protected/ { internal; alias /srv/secret/; }",
        API,
        ("/protected/x", "/"),
        frozenset(("/srv/secret/x",)),
    ),
    Live(
        "headers of its own",
        f"add_header X-Robots-Tag noindex; location / {proxy(more='proxy_set_header X-Tenant a; proxy_hide_header X-Powered-By; ')}",
        API,
        ("/", "/x"),
    ),
    Live(
        "a subrequest that decides",
        f"location / {{ auth_request /auth; {proxy()[1:-1]} }} location = /auth {{ internal; proxy_pass http://127.0.0.1:9000; }}",
        API,
        ("/", "/x", "ws:/ws/1"),
    ),
    Live(
        "streams without buffers",
        f"location /events {proxy(more='proxy_buffering off; proxy_read_timeout 1d; ')} {ROOT}",
        API,
        ("/events", "/"),
    ),
    Live(
        "another root for one path",
        PAGE + "location /media/ { root /srv/data; }",
        SPA,
        ("/media/a.mp4", "/media/gone", "/"),
        PAGES | {"/srv/data/media/a.mp4"},
    ),
    Live(
        "a catch-all of hosts",
        f"server {{ listen 80 default_server; server_name {NAME} _; {ROOT} }}",
        API,
        ("/", "host:other.test/"),
    ),
]
