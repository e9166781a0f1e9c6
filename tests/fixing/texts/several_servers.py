"""Configurations in which several servers have to do with one name, or one address."""

from __future__ import annotations

from ..site import FORWARD, HOP, NAME, OTHER, SNAKEOIL, SOCKET

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
