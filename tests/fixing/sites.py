"""Configurations as people have them in /etc/nginx, each of which carries a WebSocket.

``tests/unit/fix/shapes.py`` has others, in memory.  Every one of these is started on real nginx and must open
before it is broken.
"""

from __future__ import annotations

from typing import List

from .site import HOP, MAP, NAME, OTHER, Site, available
from .texts.other_locations import (
    NAMED,
    NESTED,
    PANEL,
    PHP,
    REGEX,
)
from .texts.plain_locations import (
    DENSE,
    EXACT,
    GUARDED,
    INHERITED,
    PLAIN,
    QUOTES,
    SNIPPET,
    SOCKETIO,
    SUBFOLDER,
    TABS_ONE_LINERS,
    UNIX,
    VARIABLE,
    WHOLE,
)
from .texts.several_servers import (
    BOTH,
    CERTBOT,
    LOCATIONS,
    SEVERAL,
    TWINS,
)

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
