"""Configurations as people have them in /etc/nginx, each of which carries a WebSocket.

``tests/unit/fix/shapes.py`` has others, in memory.  Every one of these is started on real nginx and must open
before it is broken.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Dict, List, Mapping, Optional, Tuple

NAME = "chat.example.test"
AVAILABLE = f"sites-available/{NAME}"
ENABLED = f"sites-enabled/{NAME}"
SNAKEOIL = "ssl_certificate /etc/nginx/tls/cert.pem;\n    ssl_certificate_key /etc/nginx/tls/key.pem;"
SOCKET = 9001
OTHER = 9100
"""Where another application listens, which knows no WebSocket."""
HOP = (
    "proxy_http_version 1.1;\n        proxy_set_header Upgrade $http_upgrade;\n"
    '        proxy_set_header Connection "upgrade";'
)
FORWARD = "proxy_set_header Host $host;\n        proxy_set_header X-Real-IP $remote_addr;"
MAP = "map $http_upgrade $connection_upgrade {\n    default upgrade;\n    '' close;\n}\n"


@dataclasses.dataclass(frozen=True)
class Site:
    """One configuration that works."""

    name: str
    files: Dict[str, str]
    """Below /etc/nginx; an absolute path stands for itself."""
    url: str
    head: str
    """How the location begins that carries the socket."""
    own: str = "/ws/"
    """Requests below this path meet the same location as the socket."""
    backend: str = f"127.0.0.1:{SOCKET}"
    """Where the application listens."""
    knows: str = "/ws/"
    """What path the application opens the socket below."""
    links: Tuple[str, ...] = ()
    """Below sites-enabled, to the file of the same name in sites-available."""
    shut: Tuple[str, ...] = ()
    """Faults after which a password stands before the socket, which no fix takes away."""
    managed: bool = False
    """Another tool owns the file, so that the fix must be told to edit it."""
    lines: int = 0
    """Lines that a cure may need beyond what the fault says."""
    paths: Tuple[str, ...] = ()
    """Requests beside the usual ones that must be answered as before."""
    faults: Optional[Mapping[str, Any]] = None
    """Its own faults; None for those of ``faults.FAULTS``."""


def available(text: str, **more: str) -> Dict[str, object]:
    """A site of Debian's layout, with its link."""
    return {"files": {AVAILABLE: text, **more}, "links": (NAME,)}


PLAIN = f"""\
# the chat of our club
server {{
    listen 80;
    listen [::]:80;
    server_name {NAME} www.{NAME};

    root /var/www/html;
    index index.html;

    location / {{
        try_files $uri $uri/ /index.html;
    }}

    location /api/ {{
        proxy_pass http://127.0.0.1:{OTHER};
        {FORWARD}
    }}

    location /ws/ {{
        proxy_pass http://127.0.0.1:{SOCKET};
        {HOP}
        {FORWARD}
        proxy_read_timeout 3600s;
    }}

    location ~ /\\. {{ deny all; }}
}}
"""

TABS_ONE_LINERS = f"""\
server {{
\tlisten\t\t80;
\tserver_name\t{NAME};
\tlocation / {{ proxy_pass http://127.0.0.1:{OTHER}; proxy_set_header Host $host; }}
\tlocation /ws/ {{ proxy_pass http://127.0.0.1:{SOCKET}; proxy_http_version 1.1; \
proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; proxy_set_header Host $host; }}
\tlocation /health {{ return 200 ok; }}
}}
"""

QUOTES = f"""\
server
{{
  listen '80' ;
  server_name  "{NAME}" ;   # our name
  location   "/ws/"
  {{
     proxy_set_header  "Host"   '$http_host' ;
     proxy_pass  "http://127.0.0.1:{SOCKET}" ;   # node
     proxy_http_version  "1.1" ;
     proxy_set_header  "Upgrade"  "$http_upgrade" ;
     proxy_set_header  'Connection'  'upgrade' ;
  }}
  location   /
  {{
     proxy_pass  "http://127.0.0.1:{OTHER}" ;
  }}
}}
"""

SNIPPET = f"""\
server {{
    listen 80 default_server;
    server_name {NAME};
    location / {{
        include /etc/nginx/snippets/plain.conf;
        proxy_pass http://127.0.0.1:{OTHER};
    }}
    location /ws/ {{
        include /etc/nginx/snippets/websocket.conf;
        proxy_pass http://127.0.0.1:{SOCKET};
    }}
}}
"""

TWINS = f"""\
server {{
    listen 80;
    server_name {NAME};
    root /var/www/html;
    location / {{ try_files $uri =404; }}
    location /ws/ {{
        proxy_pass http://127.0.0.1:{SOCKET};
        {HOP}
        {FORWARD}
    }}
    location /api/ {{
        proxy_pass http://127.0.0.1:{OTHER};
        {FORWARD}
    }}
}}
server {{
    listen 443 ssl;
    server_name {NAME};
    root /var/www/html;
    {SNAKEOIL}
    location / {{ try_files $uri =404; }}
    location /ws/ {{
        proxy_pass http://127.0.0.1:{SOCKET};
        {HOP}
        {FORWARD}
    }}
    location /api/ {{
        proxy_pass http://127.0.0.1:{OTHER};
        {FORWARD}
    }}
}}
"""

CERTBOT = f"""\
upstream chat {{
    server 127.0.0.1:{SOCKET};
    keepalive 16;
}}

server {{
    server_name {NAME};

    location / {{
        proxy_pass http://127.0.0.1:{OTHER};
        {FORWARD}
        proxy_set_header X-Forwarded-Proto $scheme;
    }}

    location /ws/ {{
        proxy_pass http://chat;
        {HOP}
        {FORWARD}
        proxy_set_header X-Forwarded-Proto $scheme;
    }}

    listen 443 ssl; # managed by Certbot
    ssl_certificate /etc/nginx/tls/cert.pem; # managed by Certbot
    ssl_certificate_key /etc/nginx/tls/key.pem; # managed by Certbot
}}
server {{
    if ($host = {NAME}) {{
        return 301 https://$host$request_uri;
    }} # managed by Certbot


    listen 80;
    server_name {NAME};
    return 404; # managed by Certbot
}}
"""

UNIX = f"""\
upstream puma {{
  server unix:/run/chat.sock fail_timeout=0;
}}
server {{
  listen 80;
  server_name {NAME};
  root /var/www/html;
  try_files $uri @app;
  location @app {{
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_pass http://127.0.0.1:{OTHER};
  }}
  location /cable {{
    proxy_pass http://puma;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "Upgrade";
    proxy_set_header Host $http_host;
  }}
}}
"""

REGEX = f"""\
server {{
    listen 80;
    server_name {NAME};
    location / {{
        proxy_pass http://127.0.0.1:{OTHER};
        proxy_set_header Host $host;
    }}
    location ~ ^/room/[0-9]+/live$ {{
        proxy_pass http://127.0.0.1:{SOCKET};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header Host $host;
    }}
    location ~* \\.(js|css|png)$ {{
        expires 7d;
        root /var/www/html;
    }}
}}
"""

NESTED = f"""\
server {{
    listen 80;
    server_name {NAME};
    location /desk/ {{
        proxy_pass http://127.0.0.1:{OTHER};
        proxy_set_header Host $host;
        location /desk/assets/ {{
            root /var/www/html;
        }}
        location /desk/socket/ {{
            proxy_pass http://127.0.0.1:{SOCKET};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
        }}
    }}
    location = /favicon.ico {{ log_not_found off; }}
}}
"""

PANEL = f"""\
server
{{
    listen 80;
    server_name {NAME};
    index index.php index.html;
    root /www/wwwroot/{NAME};

    #ERROR-PAGE-START
    error_page 404 /404.html;
    #ERROR-PAGE-END

    location ^~ /ws/
    {{
        proxy_pass http://127.0.0.1:{SOCKET};
        proxy_set_header Host $host;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
    }}

    location ~ ^/(\\.user.ini|\\.htaccess|\\.git|\\.env|README.md)
    {{
        return 404;
    }}
    location ~ .*\\.(gif|jpg|jpeg|png|bmp|swf)$
    {{
        expires 30d;
        error_log /dev/null;
    }}
}}
"""

PHP = f"""\
server {{
    listen 80;
    server_name {NAME};
    root /var/www/html/public;
    index index.php;
    charset utf-8;

    location / {{
        try_files $uri $uri/ /index.php?$query_string;
    }}

    location = /robots.txt {{ access_log off; log_not_found off; }}
    error_page 404 /index.php;

    location ~ \\.php$ {{
        include fastcgi_params;
        fastcgi_param SCRIPT_FILENAME $realpath_root$fastcgi_script_name;
        fastcgi_pass 127.0.0.1:9999;
    }}

    location /app {{
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Scheme $scheme;
        proxy_set_header SERVER_PORT $server_port;
        proxy_set_header REMOTE_ADDR $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "Upgrade";
        proxy_pass http://127.0.0.1:{SOCKET};
    }}

    location ~ /\\.(?!well-known).* {{
        deny all;
    }}
}}
"""

SUBFOLDER = f"""\
server {{
    listen 80;
    server_name {NAME};
    location /notes/ {{
        proxy_pass http://127.0.0.1:{SOCKET}/;
        {HOP}
        {FORWARD}
        proxy_set_header X-Script-Name /notes;
    }}
    location / {{ proxy_pass http://127.0.0.1:{OTHER}; {FORWARD} }}
}}
"""

WHOLE = f"""\
{MAP}
server {{
    listen 80;
    listen [::]:80;
    server_name {NAME};
    client_max_body_size 100m;
    location / {{
        proxy_pass http://127.0.0.1:{SOCKET};
        proxy_set_header Host $host;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_buffering off;
    }}
}}
"""

NAMED = f"""\
server {{
    listen 80;
    server_name {NAME};
    root /var/www/html;
    location / {{
        try_files $uri @backend;
    }}
    location @backend {{
        proxy_pass http://127.0.0.1:{SOCKET};
        {HOP}
        {FORWARD}
    }}
}}
"""

EXACT = f"""\
{MAP}server {{
    listen 80;
    server_name broker.{NAME} {NAME};
    location = /mqtt {{
        proxy_pass http://127.0.0.1:{SOCKET}/mqtt;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_read_timeout 1d;
    }}
    location / {{ return 404; }}
}}
"""

VARIABLE = f"""\
server {{
    listen 80;
    server_name {NAME};
    set $chat 127.0.0.1:{SOCKET};
    location / {{ proxy_pass http://127.0.0.1:{OTHER}; }}
    location /ws/ {{
        proxy_pass http://$chat;
        {HOP}
        {FORWARD}
    }}
}}
"""

GUARDED = f"""\
limit_req_zone $binary_remote_addr zone=chat:1m rate=500r/s;
server {{
    listen 80;
    server_name {NAME};
    auth_basic "members";
    auth_basic_user_file /etc/nginx/users;
    location / {{ proxy_pass http://127.0.0.1:{OTHER}; }}
    location /ws/ {{
        auth_basic off;
        allow 127.0.0.1;
        deny all;
        limit_req zone=chat burst=100;
        proxy_pass http://127.0.0.1:{SOCKET};
        {HOP}
        {FORWARD}
    }}
    location /ws/admin/ {{ deny all; }}
}}
"""

SEVERAL = f"""\
server {{
    listen 80 default_server;
    server_name _;
    return 444;
}}

server {{
    listen 80;
    server_name blog.example.test;
    location / {{ proxy_pass http://127.0.0.1:{OTHER}; }}
    location /ws/ {{
        proxy_pass http://127.0.0.1:{OTHER};
        proxy_set_header Host $host;
    }}
}}

server {{
    listen 80;
    server_name {NAME};
    location / {{ proxy_pass http://127.0.0.1:{OTHER}; }}
    location /ws/ {{
        proxy_pass http://127.0.0.1:{SOCKET};
        {HOP}
        {FORWARD}
    }}
}}

server {{
    listen 80;
    server_name ~^(?<shop>.+)\\.shop\\.test$;
    location / {{ proxy_pass http://127.0.0.1:{OTHER}/$shop/; }}
}}
"""

DENSE = (
    f"server{{listen 80;server_name {NAME};location /{{proxy_pass http://127.0.0.1:{OTHER};}}"
    f"location /ws/{{proxy_pass http://127.0.0.1:{SOCKET};proxy_http_version 1.1;"
    'proxy_set_header Upgrade $http_upgrade;proxy_set_header Connection "upgrade";}}'
)

INHERITED = f"""\
server {{
    listen 80;
    server_name {NAME};
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $my_connection;
    proxy_set_header Host $host;
    location / {{
        proxy_pass http://127.0.0.1:{OTHER};
    }}
    location /ws/ {{
        proxy_pass http://127.0.0.1:{SOCKET};
    }}
}}
"""

LOCATIONS = f"""\
location / {{
    proxy_pass http://127.0.0.1:{OTHER};
    proxy_set_header Host $host;
}}
location /ws/ {{
    proxy_pass http://127.0.0.1:{SOCKET};
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection "upgrade";
    proxy_set_header Host $host;
}}
"""

BOTH = f"""\
server {{
    listen 80;
    server_name {NAME};
    include snippets/chat.locations;
}}
server {{
    listen 443 ssl;
    server_name {NAME};
    {SNAKEOIL}
    include snippets/chat.locations;
}}
"""

SOCKETIO = f"""\
map $http_upgrade $connection_upgrade {{
        default upgrade;
        ''      '';
}}

upstream nodes {{
        ip_hash;
        server 127.0.0.1:{SOCKET};
}}

server {{
        listen 80;
        server_name .{NAME};
        gzip on;

        location /socket.io/ {{
                proxy_http_version 1.1;
                proxy_set_header Upgrade $http_upgrade;
                proxy_set_header Connection $connection_upgrade;
                proxy_set_header Host $host;
                proxy_pass http://nodes;
        }}

        location / {{
                root /var/www/html;
                try_files $uri /index.html;
        }}
}}
"""

WEBSOCKETS = f"ws://{NAME}/ws/room-7?v=2"

SITES: List[Site] = [
    Site("plain", url=WEBSOCKETS, head="location /ws/ {", **available(PLAIN)),  # type: ignore[arg-type]
    Site("tabs-one-liners", {"conf.d/chat.conf": TABS_ONE_LINERS}, WEBSOCKETS, "location /ws/ {", lines=1),
    Site("crlf", {"conf.d/chat.conf": PLAIN.replace("\n", "\r\n")}, WEBSOCKETS, "location /ws/ {"),
    Site("quotes", {"conf.d/chat.conf": QUOTES}, WEBSOCKETS, 'location   "/ws/"\n  {'),
    Site(
        "snippet",
        {
            "conf.d/chat.conf": SNIPPET,
            "snippets/plain.conf": "proxy_set_header Host $host;\n",
            "snippets/websocket.conf": "proxy_set_header Host $host;\n"
            + HOP.replace("        ", "")
            + "\nproxy_read_timeout 1h;\n",
        },
        WEBSOCKETS,
        "location /ws/ {",
    ),
    Site("twins", url=f"wss://{NAME}/ws/room", head="location /ws/ {", **available(TWINS)),  # type: ignore[arg-type]
    Site("certbot", url=f"wss://{NAME}/ws/room", head="location /ws/ {", **available(CERTBOT)),  # type: ignore[arg-type]
    Site(
        "unix",
        {"conf.d/rails.conf": UNIX},
        f"ws://{NAME}/cable",
        "location /cable {",
        own="/cable",
        backend="unix:/run/chat.sock",
        knows="/cable",
    ),
    Site(
        "regex",
        {"conf.d/00-map.conf": MAP, "conf.d/chat.conf": REGEX},
        f"ws://{NAME}/room/42/live",
        "location ~ ^/room/[0-9]+/live$ {",
        own="/room/",
        knows="/room/",
    ),
    Site(
        "nested",
        {"conf.d/desk.conf": NESTED},
        f"ws://{NAME}/desk/socket/1",
        "location /desk/socket/ {",
        own="/desk/socket/",
        knows="/desk/socket/",
    ),
    Site(
        "panel",
        {
            "/www/server/panel/vhost/nginx/0.websocket.conf": MAP.replace("    ", "  "),
            f"/www/server/panel/vhost/nginx/{NAME}.conf": PANEL,
            "conf.d/panel.conf": "include /www/server/panel/vhost/nginx/*.conf;\n",
        },
        WEBSOCKETS,
        "location ^~ /ws/\n    {",
        managed=True,
    ),
    Site(
        "php",
        {"conf.d/laravel.conf": PHP},
        f"ws://{NAME}/app/key?protocol=7&client=js",
        "location /app {",
        own="/app",
        knows="/app/",
    ),
    Site(
        "subfolder",
        {"conf.d/notes.conf": SUBFOLDER},
        f"ws://{NAME}/notes/ws/pad",
        "location /notes/ {",
        own="/notes/",
    ),
    Site(
        "whole",
        {"conf.d/home.conf": WHOLE},
        f"ws://{NAME}/api/websocket",
        "location / {",
        own="/",
        knows="/api/websocket",
    ),
    Site(
        "named",
        {"conf.d/named.conf": NAMED},
        f"ws://{NAME}/live/socket",
        "location @backend {",
        own="/",
        knows="/live/",
    ),
    Site(
        "exact",
        {"conf.d/mqtt.conf": EXACT},
        f"ws://{NAME}/mqtt",
        "location = /mqtt {",
        own="/mqtt",
        knows="/mqtt",
    ),
    Site("variable", {"conf.d/chat.conf": VARIABLE}, f"ws://{NAME}/ws/room", "location /ws/ {"),
    Site(
        "guarded",
        {"conf.d/chat.conf": GUARDED, "users": "ann:{PLAIN}secret\n"},
        WEBSOCKETS,
        "location /ws/ {",
        shut=("regex-in-front", "location-misspelt", "location-exact", "try-files"),
    ),
    Site(
        "several",
        {"conf.d/all.conf": SEVERAL},
        WEBSOCKETS,
        f"server_name {NAME};\n    location / {{ "
        f"proxy_pass http://127.0.0.1:{OTHER}; }}\n    location /ws/ {{",
    ),
    Site("dense", {"conf.d/min.conf": DENSE}, WEBSOCKETS, "location /ws/{", lines=1),
    Site(
        "inherited",
        {
            "conf.d/a.conf": MAP.replace("connection_upgrade", "my_connection"),
            "conf.d/chat.conf": INHERITED,
        },
        WEBSOCKETS,
        "location /ws/ {",
        lines=3,  # a header of its own takes the whole list into the location
    ),
    Site(
        "shared-locations",
        {**available(BOTH)["files"], "snippets/chat.locations": LOCATIONS},  # type: ignore[dict-item]
        f"wss://{NAME}/ws/room",
        "location /ws/ {",
        links=(NAME,),
    ),
    Site(
        "socket.io",
        {"conf.d/io.conf": SOCKETIO},
        f"ws://{NAME}/socket.io/?EIO=4&transport=websocket",
        "location /socket.io/ {",
        own="/socket.io/",
        knows="/socket.io/",
    ),
]
