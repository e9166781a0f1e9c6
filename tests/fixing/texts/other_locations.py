"""Configurations of one server whose WebSocket has a regex, named or nested location, or is beside some."""

from __future__ import annotations

from ..site import FORWARD, HOP, NAME, OTHER, SOCKET

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
