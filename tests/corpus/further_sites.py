"""Still more sites: paths that are rewritten, files that decide, guards in odd places, odd requests."""

# ruff: noqa: E501  (a location a line reads better than a location in pieces)

from __future__ import annotations

from typing import List

from tests.corpus.sites import API, BOTH, NAME, PAGE, PAGES, PHP, ROOT, SPA, WS, Live, proxy

B = "http://127.0.0.1:8000"
S = f"listen 80; server_name {NAME};"
MANUAL = PAGES | {"/srv/app/manual/index.html"}
FURTHER: List[Live] = [
    Live(
        "a file that switches the site off",
        f"if (-f /srv/app/off.html) {{ return 503; }} error_page 503 /off.html; location = /off.html {{ root /srv/app; }} {ROOT}",
        API,
        ("/", "/x"),
        PAGES | {"/srv/app/off.html"},
    ),
    Live(
        "a file that would switch it off and is not there",
        f"location / {{ try_files /off.html @app; root /srv/app; }} location @app {proxy()}",
        API,
        ("/", "/x"),
    ),
    Live(
        "a file that switches it off by try_files",
        f"location / {{ try_files /off.html @app; root /srv/app; }} location @app {proxy()}",
        API,
        ("/", "/x"),
        PAGES | {"/srv/app/off.html"},
    ),
    Live(
        "an alias by a capture",
        PAGE + "location ~ ^/u/(.+)/pub/(.*)$ { alias /srv/users/$1/$2; }",
        SPA,
        ("/u/ann/pub/a.txt", "/u/ann/pub/none", "/"),
        PAGES | {"/srv/users/ann/a.txt"},
    ),
    Live(
        "a page for everything by an error page",
        "root /srv/app; error_page 403 404 =200 /index.html; location / { }",
        SPA,
        ("/", "/deep", "/assets/", "/robots.txt"),
    ),
    Live(
        "files without a fallback",
        "root /srv/app; index index.html;",
        SPA,
        ("/", "/gone", "/manual/", "/manual"),
        MANUAL,
    ),
    Live(
        "a rewrite of everything to another host",
        "rewrite ^(.*)$ https://new.test$1 permanent;",
        API,
        ("/", "/x?y=1"),
    ),
    Live(
        "a prefix taken away by a rewrite",
        f"location /api {{ rewrite ^/api/(.*)$ /$1 break; {proxy()[1:-1]} }} {PAGE}",
        BOTH,
        ("/api/x", "/api", "/"),
    ),
    Live(
        "a prefix taken away by a capture",
        f"location ~ ^/api/(.*)$ {{ proxy_pass {B}/$1$is_args$args; }} {PAGE}",
        BOTH,
        ("/api/x?y=1", "/api/", "/"),
    ),
    Live(
        "a backend in a variable",
        "set $up 127.0.0.1:8000; location / { proxy_pass http://$up; proxy_set_header Host $host; }",
        API,
        ("/", "/x?y=1", "/a%20b"),
    ),
    Live(
        "a backend in a variable with a path",
        "set $up 127.0.0.1:8000; location / { proxy_pass http://$up/v1$request_uri; }",
        API,
        ("/", "/x?y=1"),
    ),
    Live("a slash added by nginx", f"location /app/ {proxy(B + '/')} {PAGE}", SPA, ("/app", "/app/x", "/")),
    Live(
        "paths with escapes",
        f"location /files/ {proxy(B + '/f/')} {ROOT}",
        API,
        ("/files/a%20b", "/files/a%2Fb", "/x/../files/c", "//files//d", "/a%20b"),
    ),
    Live(
        "slashes kept apart",
        f"merge_slashes off; location //x/ {{ return 403; }} {ROOT}",
        API,
        ("//x/y", "/x/y"),
    ),
    Live(
        "a head and options",
        f"location /h {{ if ($request_method = HEAD) {{ return 204; }} {proxy()[1:-1]} }} {ROOT}",
        API,
        ("HEAD:/h", "OPTIONS:/h", "/h", "/"),
    ),
    Live(
        "text before and after",
        PAGE
        + "location /t/ { root /srv; add_before_body /head.html; } location = /head.html { root /srv/app; }",
        SPA,
        ("/t/a.html", "/"),
        PAGES | {"/srv/t/a.html", "/srv/app/head.html"},
    ),
    Live("includes in pages", "ssi on; " + PAGE, SPA, ("/", "/robots.txt")),
    Live(
        "sockets to another backend by a map",
        f"map $http_upgrade $up {{ default 127.0.0.1:8000; websocket 127.0.0.1:8001; }} server {{ {S} location / {proxy('http://$up', WS)} }}",
        API,
        ("/", "ws:/", "ws:/ws/1", "/ws/1"),
    ),
    Live(
        "sockets by an if",
        f'location / {{ proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; if ($http_upgrade = "websocket") {{ proxy_pass http://127.0.0.1:8001; }} proxy_pass {B}; }}',
        API,
        ("/", "ws:/ws/1", "ws:/hub"),
    ),
    Live(
        "a start page elsewhere",
        f"location = / {{ return 302 /app/; }} location /gone {{ return 410; }} {ROOT}",
        API,
        ("/", "/gone", "/app/"),
    ),
    Live(
        "closed but for one path",
        f"location / {{ deny all; }} location /public/ {proxy()}",
        API,
        ("/", "/public/x", "/x"),
    ),
    Live(
        "a subrequest or an address",
        f"location / {{ satisfy any; allow 10.0.0.0/8; deny all; auth_request /auth; {proxy()[1:-1]} }} location = /auth {{ internal; proxy_pass http://127.0.0.1:8001/status/401; }}",
        API,
        ("/", "/x"),
    ),
    Live("names with underscores", f"underscores_in_headers on; {ROOT}", API, ("header:X_Y=1:/", "/")),
    Live("bodies without a limit", f"client_max_body_size 0; {ROOT}", API, ("POST:/x", "/")),
    Live(
        "nothing of the client's headers",
        f"location / {{ proxy_pass {B}; proxy_pass_request_headers off; proxy_set_header Host $host; }}",
        API,
        ("header:X-A=1:/", "/"),
    ),
    Live(
        "downloads",
        PAGE + "location /dl/ { root /srv; add_header Content-Disposition attachment; etag off; }",
        SPA,
        ("/dl/a.pdf", "/"),
        PAGES | {"/srv/dl/a.pdf"},
    ),
    Live(
        "a maintenance window by a cookie",
        f"if ($cookie_beta != 'yes') {{ return 503; }} {ROOT}",
        API,
        ("/", "header:Cookie=beta=yes:/"),
    ),
    Live(
        "a token in a header",
        f"location /hook {{ if ($http_x_token != 'open-sesame') {{ return 403; }} {proxy()[1:-1]} }} {ROOT}",
        API,
        ("/hook", "header:X-Token=open-sesame:/hook", "/"),
    ),
    Live(
        "hidden files closed but one",
        f"location ^~ /.well-known/ {{ root /srv/app; }} location ~ /\\. {{ deny all; }} {PAGE}",
        SPA,
        ("/.env", "/.git/config", "/.well-known/a.json", "/"),
        PAGES | {"/srv/app/.env", "/srv/app/.git/config", "/srv/app/.well-known/a.json"},
    ),
    Live(
        "sources and backups closed",
        PAGE + "location ~* \\.(bak|sql|ini|log|map)$ { deny all; } location ~ ~$ { return 404; }",
        SPA,
        ("/dump.sql", "/a.js.map", "/old~", "/"),
        PAGES | {"/srv/app/dump.sql", "/srv/app/a.js.map", "/srv/app/old~"},
    ),
    Live(
        "PHP closed in uploads",
        f"root /srv/php; index index.php; location ~* ^/uploads/.*\\.php$ {{ return 403; }} location ~ \\.php$ {{ {PHP} }} location / {{ try_files $uri $uri/ /index.php?$args; }}",
        {**SPA, "spa": {"root": "/srv/php"}},
        ("/uploads/x.php", "/index.php", "/uploads/a.png", "/"),
        frozenset(
            ("/srv/php/index.php", "/srv/php/index.html", "/srv/php/uploads/x.php", "/srv/php/uploads/a.png")
        ),
    ),
    Live(
        "PHP with its path",
        f"root /srv/php; location ~ [^/]\\.php(/|$) {{ {PHP} }} location / {{ try_files $uri =404; }}",
        {**SPA, "spa": {"root": "/srv/php"}},
        ("/index.php/a/b", "/index.php", "/x.php", "/a.css"),
        frozenset(("/srv/php/index.php", "/srv/php/index.html", "/srv/php/a.css")),
    ),
    Live(
        "a password in a nested regex",
        f'{ROOT} location /app/ {{ {proxy()[1:-1]} location ~ ^/app/(admin|debug)/ {{ auth_basic "S"; auth_basic_user_file /etc/nginx/users; {proxy()[1:-1]} }} }}',
        API,
        ("/app/admin/x", "/app/debug/", "/app/x", "auth:/app/admin/x"),
    ),
    Live(
        "a guard behind a rewrite",
        f"location /x/ {{ rewrite ^/x/(.*)$ /inner/$1 last; }} location /inner/ {{ allow 10.0.0.0/8; deny all; {proxy()[1:-1]} }} {ROOT}",
        API,
        ("/x/a", "/inner/a", "/"),
    ),
    Live(
        "a guard behind an index",
        'root /srv/app; location / { index index.html; } location = /index.html { auth_basic "S"; auth_basic_user_file /etc/nginx/users; }',
        SPA,
        ("/", "/index.html", "auth:/"),
    ),
    Live(
        "two ports, one with a guard",
        f"server {{ {S} {ROOT} }} server {{ listen 8080; server_name {NAME}; allow 10.0.0.0/8; deny all; {ROOT} }}",
        API,
        ("/", ":8080/"),
    ),
    Live(
        "TLS with a client's certificate",
        f"server {{ listen 443 ssl; server_name {NAME}; ssl_certificate c; ssl_certificate_key k; ssl_client_certificate /tmp/taking-over/c.pem; ssl_verify_client optional; if ($ssl_client_verify != SUCCESS) {{ return 403; }} {ROOT} }} server {{ {S} return 301 https://{NAME}$request_uri; }}",
        {**API, "http": {"mode": "redirect"}, "tls": {"enabled": True}},
        ("s:/", "s:/x", "/"),
    ),
    Live(
        "HTTP/2 and old TLS",
        f"server {{ listen 443 ssl http2; server_name {NAME}; ssl_certificate c; ssl_certificate_key k; ssl_protocols TLSv1.2; add_header Strict-Transport-Security max-age=1; {ROOT} }} server {{ {S} return 308 https://$host$request_uri; }}",
        {**API, "http": {"mode": "redirect"}, "tls": {"enabled": True}},
        ("s:/", "s:/x", "/", "POST:/x"),
    ),
    Live(
        "a redirect of some paths to HTTPS",
        f"server {{ {S} location /login {{ return 301 https://{NAME}$request_uri; }} {ROOT} }} server {{ listen 443 ssl; server_name {NAME}; ssl_certificate c; ssl_certificate_key k; {ROOT} }}",
        {**API, "tls": {"enabled": True}},
        ("/", "/login", "s:/login"),
    ),
    Live(
        "ranges refused",
        PAGE + "location /v/ { root /srv; max_ranges 0; }",
        SPA,
        ("header:Range=bytes=0-3:/v/a.mp4", "/"),
        PAGES | {"/srv/v/a.mp4"},
    ),
    Live(
        "another method to the backend",
        f"location /m {{ proxy_method POST; proxy_set_body fixed; {proxy()[1:-1]} }} {ROOT}",
        API,
        ("/m", "/"),
    ),
    Live(
        "a query added",
        f"location /q {{ set $args $args&site=1; {proxy()[1:-1]} }} {ROOT}",
        API,
        ("/q", "/q?a=1", "/"),
    ),
    Live(
        "tiny pictures and nothing else",
        f"location = /pixel.gif {{ empty_gif; }} {ROOT}",
        API,
        ("/pixel.gif", "/"),
    ),
    Live(
        "uwsgi beside a page",
        PAGE + "location /py/ { uwsgi_param REQUEST_URI $request_uri; uwsgi_pass 127.0.0.1:9001; }",
        SPA,
        ("/py/x", "/"),
    ),
    Live("symbolic links refused", "disable_symlinks on; " + PAGE, SPA, ("/", "/robots.txt")),
    Live(
        "the port in redirects",
        "port_in_redirect off; absolute_redirect off; root /srv/app; location / { try_files $uri $uri/ =404; }",
        SPA,
        ("/manual", "/manual/", "/"),
        MANUAL,
    ),
]
