"""More sites, of other shapes: filters, caches, conditions, methods, listen options, files of all kinds."""

# ruff: noqa: E501  (a location a line reads better than a location in pieces)

from __future__ import annotations

from typing import List

from tests.corpus.sites import API, BOTH, FALLBACK, NAME, PAGE, PAGES, PHP, ROOT, SPA, WS, Live, proxy

B = "http://127.0.0.1:8000"
MORE: List[Live] = [
    Live(
        "a text replaced",
        f"location / {proxy(more='sub_filter backend front; sub_filter_once off; sub_filter_types application/json; proxy_set_header Accept-Encoding identity; ')}",
        API,
        ("/", "/x"),
    ),
    Live("a charset", "charset utf-8; " + PAGE, SPA, ("/", "/robots.txt")),
    Live(
        "types of its own",
        PAGE + "location /dl/ { root /srv; types { } default_type application/octet-stream; }",
        SPA,
        ("/dl/a.html", "/"),
        PAGES | {"/srv/dl/a.html"},
    ),
    Live(
        "a default type",
        "default_type text/html; " + PAGE,
        SPA,
        ("/LICENSE", "/"),
        PAGES | {"/srv/app/LICENSE"},
    ),
    Live(
        "a mirror",
        f"location / {{ mirror /copy; {proxy()[1:-1]} }} location = /copy {{ internal; proxy_pass http://127.0.0.1:9100; }}",
        API,
        ("/", "/x", "POST:/y"),
    ),
    Live(
        "a cache",
        f"proxy_cache_path /tmp/cmp-cache keys_zone=c:1m; server {{ listen 80; server_name {NAME}; location / {{ proxy_cache c; proxy_cache_valid 200 1m; add_header X-Cache $upstream_cache_status; {proxy()[1:-1]} }} }}",
        API,
        ("/", "/x"),
    ),
    Live(
        "slices",
        f"location /video/ {{ slice 1m; proxy_set_header Range $slice_range; proxy_http_version 1.1; proxy_pass {B}; }} {ROOT}",
        API,
        ("/video/a.mp4", "/"),
    ),
    Live(
        "cookies and redirects rewritten",
        f"location /app/ {{ proxy_pass {B}/; proxy_redirect http://backend/ /app/; proxy_cookie_path / /app/; }} {ROOT}",
        API,
        ("/app/x", "/app/redirect", "/redirect", "/"),
    ),
    Live(
        "cookies rewritten in place",
        f"location / {proxy(more='proxy_cookie_flags ~ secure samesite=lax; proxy_redirect off; ')}",
        API,
        ("/", "/redirect"),
    ),
    Live(
        "geo and a condition",
        f"geo $near {{ default 0; 127.0.0.0/8 1; 10.0.0.0/8 1; }} server {{ listen 80; server_name {NAME}; if ($near) {{ return 418; }} {ROOT} }}",
        API,
        ("/", "/x"),
    ),
    Live(
        "a geo map in a location",
        f"geo $off {{ default 1; 10.0.0.0/8 0; }} server {{ listen 80; server_name {NAME}; location /admin/ {{ if ($off) {{ return 403; }} {proxy()[1:-1]} }} {ROOT} }}",
        API,
        ("/admin/x", "/"),
    ),
    Live(
        "referers",
        f"location /img/ {{ valid_referers none server_names; if ($invalid_referer) {{ return 403; }} root /srv/app; }} {ROOT}",
        API,
        ("/img/a.png", "header:Referer=http://evil.test/:/img/a.png", "/"),
        PAGES | {"/srv/app/img/a.png"},
    ),
    Live(
        "signed links",
        f"location /s/ {{ secure_link $arg_md5,$arg_expires; secure_link_md5 '$secure_link_expires$uri grass-green-7'; if ($secure_link = '') {{ return 403; }} if ($secure_link = '0') {{ return 410; }} root /srv/app; }} {ROOT}",
        API,
        ("/s/a.bin", "/s/a.bin?md5=x&expires=9", "/"),
        PAGES | {"/srv/app/s/a.bin"},
    ),
    Live(
        "a rewrite chain",
        f"rewrite ^/old/(.*)$ /new/$1 last; rewrite ^/new/(.*)$ /app/$1 last; location /app/ {proxy()} {PAGE}",
        {**BOTH, "api": [{"path": "/app/"}]},
        ("/old/x", "/new/x", "/app/x", "/"),
    ),
    Live(
        "a rewrite to another page",
        "rewrite ^/go$ /landing.html last; rewrite ^/blog/(\\d+)$ https://b.test/$1 permanent; " + PAGE,
        SPA,
        ("/go", "/blog/7", "/"),
        PAGES | {"/srv/app/landing.html"},
    ),
    Live(
        "an error page by a backend",
        f"root /srv/app; error_page 404 = @app; location / {{ try_files $uri =404; }} location @app {proxy()}",
        BOTH,
        ("/robots.txt", "/x", "/"),
    ),
    Live(
        "error pages in a chain",
        f"location / {{ error_page 418 = @one; return 418; }} location @one {{ error_page 404 = /gone.html; root /srv/app; try_files $uri =404; }} location = /gone.html {{ root /srv/app; }} {FALLBACK.replace('location / { try_files $uri @app; }', '')}",
        SPA,
        ("/robots.txt", "/none", "/gone.html"),
        PAGES | {"/srv/app/gone.html"},
    ),
    Live(
        "errors of the backend intercepted",
        f"location / {{ proxy_intercept_errors on; error_page 404 502 /sorry.html; {proxy()[1:-1]} }} location = /sorry.html {{ root /srv/app; }}",
        API,
        ("/", "/status/404", "/sorry.html"),
        PAGES | {"/srv/app/sorry.html"},
    ),
    Live(
        "try_files with directories and endings",
        "root /srv/app; location / { try_files $uri $uri.html $uri/index.html =404; }",
        SPA,
        ("/about", "/docs", "/docs/", "/gone", "/"),
        PAGES | {"/srv/app/about.html", "/srv/app/docs/index.html"},
    ),
    Live(
        "cache headers by a map",
        f"map $uri $age {{ default 1h; ~^/assets/ 1y; ~\\.html$ -1; }} server {{ listen 80; server_name {NAME}; expires $age; {PAGE} }}",
        SPA,
        ("/assets/app.js", "/index.html", "/"),
    ),
    Live(
        "cache headers by a location",
        PAGE
        + "location /assets/ { root /srv/app; expires 1y; add_header Cache-Control 'public, immutable'; access_log off; }",
        SPA,
        ("/assets/app.js", "/assets/none.js", "/"),
    ),
    Live(
        "compressed files",
        "gzip on; gzip_types text/plain application/javascript; gzip_min_length 1; gzip_static on; " + PAGE,
        SPA,
        ("header:Accept-Encoding=gzip:/assets/app.js", "/", "header:Accept-Encoding=gzip:/robots.txt"),
        PAGES | {"/srv/app/assets/app.js.gz"},
    ),
    Live(
        "a set of headers to the backend",
        f"location / {{ proxy_pass {B}; proxy_set_header Host backend.internal; proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Prefix /x; proxy_set_header Authorization 'Basic c2VjcmV0OnNlY3JldA=='; }}",
        API,
        ("/", "/x"),
    ),
    Live(
        "headers that are taken away",
        f"location / {{ proxy_pass {B}; proxy_set_header Host $host; proxy_set_header Cookie ''; proxy_set_header Accept-Encoding ''; proxy_hide_header X-Other; proxy_pass_header Server; }}",
        API,
        ("header:Cookie=a=b:/", "/x"),
    ),
    Live(
        "CORS by a map",
        f"map $http_origin $ok {{ default ''; ~^https://(.+\\.)?friend\\.test$ $http_origin; }} server {{ listen 80; server_name {NAME}; location / {{ add_header Access-Control-Allow-Origin $ok always; add_header Access-Control-Allow-Credentials true always; {proxy()[1:-1]} }} }}",
        API,
        ("/", "header:Origin=https://x.friend.test:/", "header:Origin=https://evil.test:/"),
    ),
    Live(
        "WebDAV",
        "location /dav/ { root /srv; dav_methods PUT DELETE MKCOL; dav_access user:rw; } " + ROOT,
        API,
        ("/dav/a.txt", "PUT:/dav/new.txt", "/"),
        PAGES | {"/srv/dav/a.txt"},
    ),
    Live(
        "methods by an if",
        f"if ($request_method !~ ^(GET|HEAD|POST)$) {{ return 405; }} {ROOT}",
        API,
        ("/", "POST:/x", "DELETE:/x", "PUT:/x"),
    ),
    Live(
        "read without a password, written with one",
        f"location /repo/ {{ limit_except GET HEAD {{ auth_basic R; auth_basic_user_file /etc/nginx/users; }} {proxy()[1:-1]} }} {ROOT}",
        API,
        ("/repo/x", "PUT:/repo/x", "auth:/repo/x"),
    ),
    Live(
        "a password for the whole site",
        f'auth_basic "S"; auth_basic_user_file /etc/nginx/users; location /public/ {{ auth_basic off; {proxy()[1:-1]} }} {ROOT}',
        API,
        ("/", "auth:/", "/public/x"),
    ),
    Live(
        "an address or a password",
        f'location /ops/ {{ satisfy any; allow 10.0.0.0/8; deny all; auth_basic "S"; auth_basic_user_file /etc/nginx/users; {proxy()[1:-1]} }} {ROOT}',
        API,
        ("/ops/", "auth:/ops/", "/"),
    ),
    Live(
        "a listing with an index",
        "root /srv/files; autoindex on; autoindex_exact_size off; index home.html; ",
        {**SPA, "spa": {"root": "/srv/files"}},
        ("/", "/pub/", "/pub/a.txt", "/pub"),
        frozenset(("/srv/files/home.html", "/srv/files/pub/a.txt", "/srv/files/index.html")),
    ),
    Live("a server that only returns", "return 200 maintenance;", API, ("/", "/x")),
    Live(
        "a server that redirects elsewhere", "return 302 https://new.test$request_uri;", API, ("/", "/x?y=1")
    ),
    Live(
        "a default server of somebody else",
        f"server {{ listen 80 default_server; server_name _; return 444; }} server {{ listen 80; server_name {NAME} b.{NAME}; {ROOT} }}",
        API,
        ("/", "host:b.a.test/", "host:other.test/"),
    ),
    Live(
        "wildcard names",
        f"server {{ listen 80; server_name {NAME} *.{NAME}; {ROOT} }}",
        API,
        ("/", "host:shop.a.test/"),
    ),
    Live(
        "a redirect of www",
        f"server {{ listen 80; server_name www.{NAME}; return 301 http://{NAME}$request_uri; }} server {{ listen 80; server_name {NAME}; {ROOT} }}",
        API,
        ("/", "host:www.a.test/x"),
    ),
    Live(
        "the directory of renewals",
        "location /.well-known/acme-challenge/ { root /srv/acme; } location /.well-known/security.txt { root /srv/app; } "
        + ROOT,
        API,
        ("/.well-known/acme-challenge/t", "/.well-known/security.txt", "/"),
        PAGES | {"/srv/acme/.well-known/acme-challenge/t", "/srv/app/.well-known/security.txt"},
    ),
    Live(
        "files that the backend names",
        f"location /files/ {{ internal; alias /srv/secret/; }} location / {proxy()}",
        API,
        ("/files/x", "/accel", "/"),
        frozenset(("/srv/secret/x",)),
    ),
    Live(
        "limits on requests",
        f"limit_req_zone $binary_remote_addr zone=r:1m rate=1000r/s; limit_conn_zone $binary_remote_addr zone=k:1m; server {{ listen 80; server_name {NAME}; location /login {{ limit_req zone=r burst=50; limit_conn k 50; {proxy()[1:-1]} }} {ROOT} }}",
        API,
        ("/login", "/"),
    ),
    Live(
        "a socket with its query in a condition",
        f"location /ws {{ if ($arg_token = '') {{ return 401; }} {proxy(more=WS)[1:-1]} }} {ROOT}",
        {**API, "websockets": [{"path": "/ws"}]},
        ("ws:/ws", "ws:/ws?token=1", "/"),
    ),
    Live(
        "an upstream of two",
        f"upstream app {{ server 127.0.0.1:8000; server 127.0.0.1:8001 backup; keepalive 8; }} server {{ listen 80; server_name {NAME}; location / {proxy('http://app')} }}",
        API,
        ("/", "/x"),
    ),
    Live(
        "a prefix below a prefix",
        PAGE
        + f"location /api/ {proxy()} location /api/v1/ {proxy('http://127.0.0.1:8001/v1/')} location ^~ /api/v1/static/ {{ alias /srv/app/assets/; }}",
        BOTH,
        ("/api/x", "/api/v1/x", "/api/v1/static/app.js", "/"),
    ),
    Live(
        "an exact path beside a regex",
        PAGE
        + f"location = /api/ping {{ return 200 pong; }} location ~ ^/api/(?<v>v[0-9]+)/ {{ proxy_pass http://127.0.0.1:8001; proxy_set_header X-Version $v; }} location /api/ {proxy()}",
        BOTH,
        ("/api/ping", "/api/v2/x", "/api/x", "/api/v/x"),
    ),
    Live(
        "PHP behind a front controller in a subfolder",
        PAGE
        + f"location /shop {{ root /srv; try_files $uri $uri/ /shop/index.php?$args; location ~ ^/shop/.+\\.php$ {{ {PHP} }} location ~ ^/shop/(var|conf)/ {{ return 404; }} }}",
        SPA,
        ("/shop/", "/shop/index.php", "/shop/x", "/shop/conf/db.ini", "/"),
        PAGES | {"/srv/shop/index.php", "/srv/shop/conf/db.ini"},
    ),
    Live(
        "phones and robots apart",
        f"map $http_user_agent $robot {{ default 0; ~*bot 1; }} server {{ listen 80; server_name {NAME}; if ($robot) {{ return 403; }} {ROOT} }}",
        API,
        ("/", "header:User-Agent=Evilbot:/"),
    ),
    Live(
        "a language by a cookie",
        f"map $cookie_lang $front {{ default 127.0.0.1:8000; de 127.0.0.1:8001; }} server {{ listen 80; server_name {NAME}; location / {proxy('http://$front')} }}",
        API,
        ("/", "header:Cookie=lang=de:/"),
    ),
    Live("a body limit that is small", f"client_max_body_size 10; {ROOT}", API, ("POST:/x", "/")),
    Live(
        "nothing of the server's version",
        f"server_tokens off; add_header X-Frame-Options DENY; {ROOT}",
        API,
        ("/", "/status/404", "/x"),
    ),
    Live(
        "a trailing slash by a redirect",
        f"location = /app {{ return 301 /app/; }} location ~ ^([^.]*[^/])$ {{ return 301 $1/; }} {ROOT}",
        API,
        ("/app", "/x", "/x/"),
    ),
    Live(
        "files by their host",
        f"server {{ listen 80; server_name {NAME}; root /srv/$host; location / {{ try_files $uri $uri/ =404; }} }}",
        SPA,
        ("/robots.txt", "/"),
        PAGES | {"/srv/a.test/robots.txt"},
    ),
    Live(
        "a subrequest with a header of its answer",
        f"location / {{ auth_request /auth; auth_request_set $user $upstream_http_x_other; proxy_set_header X-User $user; proxy_pass {B}; }} location = /auth {{ internal; proxy_pass {B}/ok; proxy_pass_request_body off; proxy_set_header Content-Length ''; }}",
        API,
        ("/", "/x"),
    ),
]
