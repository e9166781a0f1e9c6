"""Configurations of one server whose WebSocket has a prefix location."""

from __future__ import annotations

from ..site import FORWARD, HOP, MAP, NAME, OTHER, SOCKET

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
