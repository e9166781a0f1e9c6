"""Sites whose answers hang on more than the path: an address, a cookie, a file, a dead backend, several at once."""

# ruff: noqa: E501  (a location a line reads better than a location in pieces)

from __future__ import annotations

from typing import List

from tests.corpus.sites import API, BOTH, NAME, PAGE, PAGES, PHP, ROOT, SPA, WS, Live, proxy

B = "http://127.0.0.1:8000"
S = f"listen 80; server_name {NAME};"
BODY = proxy()[1:-1]
THREE = "server 127.0.0.1:8000; server 127.0.0.1:8001; server 127.0.0.1:8002;"
DEAD = {**API, "backends": [{"name": "app", "servers": [{"host": "127.0.0.1", "port": 4999}]}]}
TLS = f"listen 443 ssl; server_name {NAME}; ssl_certificate c; ssl_certificate_key k;"
SECURE = {**API, "http": {"mode": "serve"}, "tls": {"enabled": True}}
SWITCHED: List[Live] = [
    Live(
        "a backend by the client's address",
        f"map $remote_addr $up {{ default 127.0.0.1:8000; 127.0.0.3 127.0.0.1:8001; }} server {{ {S} location / {proxy('http://$up')} }}",
        API,
        ("/", "from:127.0.0.3:/"),
    ),
    Live(
        "one address sees the new version",
        f"location / {{ if ($remote_addr = 127.0.0.3) {{ proxy_pass http://127.0.0.1:8001; }} {BODY} }}",
        API,
        ("/", "from:127.0.0.3:/", "from:127.0.0.4:/"),
    ),
    Live(
        "addresses of a network are sent away",
        f"if ($remote_addr ~ ^127\\.0\\.0\\.3$) {{ return 302 https://wait.test/; }} {ROOT}",
        API,
        ("/", "from:127.0.0.3:/"),
    ),
    Live(
        "a text in the cookies",
        f"location / {{ if ($http_cookie ~* 'beta=1') {{ proxy_pass http://127.0.0.1:8001; }} {BODY} }}",
        API,
        ("/", "header:Cookie=beta=1:/", "header:Cookie=a=b; beta=1:/"),
    ),
    Live(
        "a map of the cookies",
        f"map $http_cookie $up {{ default 127.0.0.1:8000; ~session_v2= 127.0.0.1:8001; }} server {{ {S} location / {proxy('http://$up')} }}",
        API,
        ("/", "header:Cookie=session_v2=x:/"),
    ),
    Live(
        "method and header in one key",
        f"map $request_method:$http_x_stage $up {{ default 127.0.0.1:8000; POST:green 127.0.0.1:8001; }} server {{ {S} location / {proxy('http://$up')} }}",
        API,
        ("/", "POST:/", "POST:header:X-Stage=green:/"),
    ),
    Live(
        "conditions that are joined by a flag",
        f"set $hit ''; if ($request_method = POST) {{ set $hit P; }} if ($http_x_bot = 1) {{ set $hit ${{hit}}B; }} if ($hit = PB) {{ return 403; }} {ROOT}",
        API,
        ("/", "POST:/", "header:X-Bot=1:/", "POST:header:X-Bot=1:/"),
    ),
    Live(
        "a cookie and a path joined by a flag",
        f"set $f ''; if ($uri ~ ^/account) {{ set $f A; }} if ($cookie_sid = '') {{ set $f ${{f}}N; }} if ($f = AN) {{ return 302 /login; }} {ROOT}",
        API,
        ("/", "/account/x", "header:Cookie=sid=1:/account/x", "/login"),
    ),
    Live(
        "a file that would switch the site off",
        f"if (-f /srv/app/maintenance.on) {{ return 503; }} {ROOT}",
        API,
        ("/", "touch:/srv/app/maintenance.on:/", "touch:/srv/app/maintenance.on:/x"),
    ),
    Live(
        "a page while the application is down",
        f"error_page 502 504 /down.html; location = /down.html {{ root /srv/app; internal; }} location / {proxy('http://127.0.0.1:4999')}",
        DEAD,
        ("/", "/x"),
        PAGES | {"/srv/app/down.html"},
    ),
    Live(
        "a second application while the first is down",
        f"location / {{ error_page 502 504 = @second; {proxy('http://127.0.0.1:4999')[1:-1]} }} location @second {proxy('http://127.0.0.1:8001')}",
        DEAD,
        ("/", "/x"),
    ),
    Live(
        "a text while the application is down",
        f"error_page 502 503 504 @down; location @down {{ default_type text/plain; return 503 later; }} location / {proxy('http://127.0.0.1:4999')}",
        DEAD,
        ("/", "/x"),
    ),
    Live(
        "an upstream whose second server has gone",
        f"upstream app {{ hash $request_uri consistent; {THREE} }} server {{ {S} location / {proxy('http://app')} }}",
        API,
        ("/a", "/b", "/c", "/d", "/e", "/f"),
    ),
    Live(
        "the same client at the same server",
        f"upstream app {{ ip_hash; {THREE} }} server {{ {S} location / {proxy('http://app')} }}",
        {
            **API,
            "backends": [
                {"name": "app", "servers": [{"host": "127.0.0.1", "port": p} for p in (8000, 8001, 8002)]}
            ],
        },
        ("/a", "/b", "/c", "/d"),
    ),
    Live(
        "a server for when the first is down",
        f"upstream app {{ server 127.0.0.1:4999; server 127.0.0.1:8001 backup; }} server {{ {S} location / {proxy('http://app')} }}",
        DEAD,
        ("/a", "/b"),
    ),
    Live(
        "shares by weight",
        f"upstream app {{ server 127.0.0.1:8000 weight=9; server 127.0.0.1:8001 down; server 127.0.0.1:8002; keepalive 8; }} server {{ {S} location / {proxy('http://app')} }}",
        {
            **API,
            "backends": [
                {"name": "app", "servers": [{"host": "127.0.0.1", "port": p} for p in (8000, 8001)]}
            ],
        },
        ("/a", "/b", "/c", "/d"),
    ),
    Live(
        "shares of users by chance",
        f"split_clients $remote_addr $up {{ 100% 127.0.0.1:8001; * 127.0.0.1:8000; }} server {{ {S} location / {proxy('http://$up')} }}",
        API,
        ("/", "/x"),
    ),
    Live(
        "old HTTP is refused",
        f"if ($server_protocol = HTTP/1.0) {{ return 426; }} {ROOT}",
        API,
        ("/", "http10:/"),
    ),
    Live(
        "a body's kind decides",
        f"location / {{ if ($content_type = text/xml) {{ return 415; }} {BODY} }}",
        API,
        ("POST:/", "POST:header:Content-Type=text/xml:/"),
    ),
    Live(
        "a query is refused",
        f"if ($query_string ~* union.*select) {{ return 403; }} if ($request_uri ~ '\\?.*base64') {{ return 444; }} {ROOT}",
        API,
        ("/", "/?q=union+select", "/?a=base64"),
    ),
    Live(
        "a query sends to another place",
        f"location = /index.php {{ if ($args ~ ^p=(\\d+)$) {{ return 301 /post/$1; }} {BODY} }} {ROOT}",
        API,
        ("/index.php", "/index.php?p=12", "/"),
    ),
    Live(
        "any query at all",
        f"location /q {{ if ($is_args) {{ return 400; }} {BODY} }} {ROOT}",
        API,
        ("/q", "/q?x=1"),
    ),
    Live(
        "a key for each client, none for friends",
        f"geo $friend {{ default 0; 10.0.0.0/8 1; }} map $friend $key {{ 0 $binary_remote_addr; 1 ''; }} limit_req_zone $key zone=z:1m rate=1r/m; server {{ {S} location /login {{ limit_req zone=z; limit_req_status 429; {BODY} }} {ROOT} }}",
        API,
        ("/login", "/login", "/login", "/"),
    ),
    Live(
        "few at once",
        f"limit_conn_zone $server_name zone=perserver:1m; server {{ {S} limit_conn perserver 1; limit_rate 1k; limit_rate_after 10m; {ROOT} }}",
        API,
        ("/", "/x"),
    ),
    Live(
        "several addresses and ports",
        f"listen 127.0.0.1:80; listen 8080; listen 8081-8083; listen unix:/tmp/taking-over/s.sock; server_name {NAME}; {ROOT}",
        API,
        ("/", ":8080/", ":8082/"),
    ),
    Live(
        "a default server that answers for all",
        f"server {{ listen 80 default_server; listen [::]:80 default_server ipv6only=on; server_name _; return 444; }} server {{ {S} {ROOT} }}",
        API,
        ("/", "host:10.0.0.1/"),
    ),
    Live(
        "names by a regular expression",
        f"server_name {NAME} ~^(?<who>[a-z]+)\\.a\\.test$; location / {{ proxy_set_header X-Who $who; {BODY} }}",
        API,
        ("/", "host:ann.a.test/", "host:zzz9.a.test/"),
    ),
    Live(
        "a folder for each name",
        f"server_name {NAME} *.a.test; root /srv/by/$host; location / {{ try_files $uri /index.html =404; }} location /api/ {proxy()}",
        {**BOTH, "server_names": [NAME, "*.a.test"]},
        ("/", "host:b.a.test/", "host:b.a.test/api/x", "host:c.a.test/"),
        PAGES | {"/srv/by/a.test/index.html", "/srv/by/b.a.test/index.html"},
    ),
    Live(
        "gRPC beside the socket",
        f"listen 8080 http2; server_name {NAME}; location /pkg.Service/ {{ grpc_pass grpc://127.0.0.1:9100; grpc_set_header X-G 1; }} {ROOT}",
        API,
        ("/",),
    ),
    Live(
        "cached pages, and not for who is logged in",
        f"proxy_cache_path /tmp/taking-over/cache keys_zone=pages:1m; map $http_cookie $skip {{ default 0; ~logged_in 1; }} server {{ {S} location / {{ proxy_cache pages; proxy_cache_key $scheme$host$uri$is_args$args$cookie_lang; proxy_cache_bypass $skip $arg_nocache; proxy_no_cache $skip; proxy_cache_valid any 5m; proxy_cache_use_stale error timeout updating; proxy_cache_lock on; {BODY} }} }}",
        API,
        ("/", "/", "header:Cookie=logged_in=1:/", "/?nocache=1"),
    ),
    Live(
        "a password for strangers alone",
        f'location / {{ satisfy any; allow 127.0.0.3; deny all; auth_basic "S"; auth_basic_user_file /etc/nginx/users; {BODY} location /open/ {{ auth_basic off; allow all; {BODY} }} }}',
        API,
        ("/", "from:127.0.0.3:/", "auth:/", "/open/x"),
    ),
    Live(
        "a realm that a map decides",
        f'map $http_x_internal $realm {{ default "Closed"; yes off; }} server {{ {S} auth_basic $realm; auth_basic_user_file /etc/nginx/users; {ROOT} }}',
        API,
        ("/", "header:X-Internal=yes:/", "auth:/"),
    ),
    Live(
        "a token that a map knows",
        f"map $http_authorization $known {{ default 0; 'Bearer t1' 1; }} server {{ {S} location /api/ {{ if ($known = 0) {{ return 401; }} {BODY} }} {ROOT} }}",
        API,
        ("/api/x", "header:Authorization=Bearer t1:/api/x", "/"),
    ),
    Live(
        "headers that the guard hands on",
        f"location /api/ {{ auth_request /check; auth_request_set $who $upstream_http_x_other; proxy_set_header X-User $who; proxy_set_header Authorization ''; error_page 401 = @login; {BODY} }} location = /check {{ internal; proxy_pass http://127.0.0.1:9000/status/200; proxy_pass_request_body off; proxy_set_header Content-Length ''; }} location @login {{ return 302 /login?next=$request_uri; }} {ROOT}",
        API,
        ("/api/x", "header:Authorization=Bearer t:/api/x", "/"),
    ),
    Live(
        "an alias with a fallback for each folder",
        PAGE
        + "location /docs/ { alias /srv/docs/; try_files $uri $uri.html $uri/index.html =404; } location /old-docs/ { rewrite ^/old-docs/(.*)$ /docs/$1 permanent; }",
        SPA,
        ("/docs/a", "/docs/b/", "/docs/none", "/old-docs/a", "/"),
        PAGES | {"/srv/docs/a.html", "/srv/docs/b/index.html"},
    ),
    Live(
        "a CMS with pretty paths and a cache on the disk",
        f"root /srv/cms; index index.php index.html; set $cache $uri; if ($request_method = POST) {{ set $cache nil; }} if ($query_string != '') {{ set $cache nil; }} location / {{ try_files /cache$cache/page.html $uri $uri/ /index.php?q=$uri&$args; }} location ~ \\.php$ {{ {PHP} fastcgi_param HTTPS off; fastcgi_read_timeout 300; }} location ~* /(?:uploads|files)/.*\\.php$ {{ deny all; }}",
        {**SPA, "spa": {"root": "/srv/cms"}},
        ("/", "/about", "/about?x=1", "POST:/about", "/index.php", "/uploads/x.php"),
        frozenset(
            (
                "/srv/cms/index.php",
                "/srv/cms/index.html",
                "/srv/cms/cache/about/page.html",
                "/srv/cms/uploads/x.php",
            )
        ),
    ),
    Live(
        "an old PHP application with three front controllers",
        "root /srv/fw/public; index index.php; location / { try_files $uri /index.php$is_args$args; } location /admin { try_files $uri /admin.php$is_args$args; } location ~ ^/(index|admin|api)\\.php(/|$) { fastcgi_split_path_info ^(.+\\.php)(/.*)$; fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method; fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name; fastcgi_param DOCUMENT_ROOT $realpath_root; fastcgi_pass unix:/run/php/php-fpm.sock; internal; } location ~ \\.php$ { return 404; }",
        {**SPA, "spa": {"root": "/srv/fw/public"}},
        ("/", "/x", "/admin/y", "/api.php/z", "/info.php"),
        frozenset(
            (
                "/srv/fw/public/index.php",
                "/srv/fw/public/admin.php",
                "/srv/fw/public/info.php",
                "/srv/fw/public/index.html",
            )
        ),
    ),
    Live(
        "a stage behind a header of the balancer",
        f"if ($http_x_forwarded_proto = http) {{ return 301 https://$host$request_uri; }} set_real_ip_from 127.0.0.0/8; real_ip_header X-Real-IP; {ROOT}",
        API,
        ("/", "header:X-Forwarded-Proto=http:/", "header:X-Real-IP=9.9.9.9:/"),
    ),
    Live(
        "rewritten cookies and redirects, two of each",
        f"location /shop/ {{ proxy_pass {B}/; proxy_cookie_path /a /b; proxy_cookie_path / /shop/; proxy_cookie_domain backend $host; proxy_redirect http://backend/ /shop/; proxy_redirect ~^http://other/(.*)$ /shop/$1; }} {ROOT}",
        API,
        ("/shop/x", "/shop/redirect", "/"),
    ),
    Live(
        "TLS with its own ciphers, stapling and tickets",
        f"server {{ {TLS} ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384; ssl_stapling on; ssl_stapling_verify on; ssl_session_tickets off; ssl_ecdh_curve secp384r1; {ROOT} }} server {{ {S} {ROOT} }}",
        SECURE,
        ("s:/", "/"),
    ),
    Live(
        "TLS by SNI in a condition",
        f"server {{ {TLS} if ($ssl_server_name != {NAME}) {{ return 421; }} {ROOT} }} server {{ {S} {ROOT} }}",
        SECURE,
        ("s:/", "s:host:b.test/", "/"),
    ),
    Live(
        "files packed beforehand, listed as JSON",
        PAGE
        + "location /list/ { root /srv; autoindex on; autoindex_format json; autoindex_exact_size off; charset utf-8; } location /packed/ { root /srv; gzip_static always; gunzip on; expires -1; add_header X-P 1; }",
        SPA,
        ("/list/", "/packed/a.js", "/"),
        PAGES | {"/srv/list/a.txt", "/srv/packed/a.js.gz"},
    ),
    Live(
        "answers of the backend with another page",
        f"location / {{ proxy_intercept_errors on; error_page 404 /nf.html; error_page 500 502 503 = /err; {BODY} }} location = /nf.html {{ root /srv/app; }} location = /err {{ internal; return 200 sorry; }}",
        API,
        ("/status/404", "/status/503", "/x"),
        PAGES | {"/srv/app/nf.html"},
    ),
    Live(
        "methods of a shared calendar",
        f"location /dav/ {{ if ($request_method ~ ^(PROPFIND|REPORT|MKCALENDAR)$) {{ proxy_pass http://127.0.0.1:8001; }} {BODY} }} {ROOT} location = /.well-known/caldav {{ return 301 /dav/; }}",
        API,
        ("/dav/x", "PROPFIND:/dav/x", "REPORT:/dav/x", "/.well-known/caldav"),
    ),
    Live(
        "hours and days",
        f"map $time_iso8601 $late {{ default 0; ~T 1; }} server {{ {S} if ($late) {{ return 503; }} {ROOT} }}",
        API,
        ("/",),
    ),
    Live(
        "a secret in the path for the socket alone",
        f"location ~ '^/live/(?<key>[a-f0-9]{{8}})$' {{ if ($http_upgrade != websocket) {{ return 404; }} proxy_set_header X-Key $key; {WS} proxy_pass http://127.0.0.1:8001; }} {ROOT}",
        {**API, "websockets": [{"path": "/live/"}]},
        ("ws:/live/0123abcd", "/live/0123abcd", "ws:/live/x", "/"),
    ),
    Live(
        "the log that a robot reads",
        f"log_format robots '$remote_addr $status $http_user_agent'; server {{ {S} access_log /tmp/taking-over/robots.log robots; location = /ping {{ access_log off; return 200 pong; }} {ROOT} }}",
        {**API, "access_log": "/tmp/taking-over/robots.log"},
        ("/", "/ping"),
    ),
]
