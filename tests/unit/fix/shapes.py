"""Configurations as people have them for applications with WebSockets, and ways to break them."""

from __future__ import annotations

import re
from typing import Callable, Dict, List, Optional, Tuple

MAP = "map $http_upgrade $connection_upgrade {\n    default upgrade;\n    ''      close;\n}\n"
UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
VERSION = "proxy_http_version 1.1;"
CONSTANT, MAPPED = (
    'proxy_set_header Connection "upgrade";',
    "proxy_set_header Connection $connection_upgrade;",
)
FORWARDED = [
    "proxy_set_header Host $host;",
    "proxy_set_header X-Real-IP $remote_addr;",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
    "proxy_set_header X-Forwarded-Proto $scheme;",
]


def block(head: str, *lines: str, indent: str = "    ") -> str:
    """A block with its lines, one level deep."""
    inner = "".join(f"{indent}{indent}{line}\n" for line in lines)
    return f"{indent}{head} {{\n{inner}{indent}}}\n"


def server(name: str, *parts: str, listen: str = "80", indent: str = "    ") -> str:
    return f"server {{\n{indent}listen {listen};\n{indent}server_name {name};\n{''.join(parts)}}}\n"


def socket(head: str, to: str, connection: str = CONSTANT, *more: str, indent: str = "    ") -> str:
    return block(
        f"location {head}",
        f"proxy_pass {to};",
        VERSION,
        UPGRADE,
        connection,
        *FORWARDED,
        *more,
        indent=indent,
    )


SPA = block("location /", "try_files $uri $uri/ /index.html;")
API = block("location /api/", "proxy_pass http://127.0.0.1:9100;", *FORWARDED)
DOTS = block("location ~ /\\.(?!well-known)", "deny all;")
STATIC = block("location ~* \\.(?:css|js|png|svg|woff2)$", "expires 30d;", "access_log off;")
REDIRECT = server("old.test", "    return 301 https://chat.test$request_uri;\n")
UP = "upstream app {\n    server 127.0.0.1:9001;\n    keepalive 8;\n}\n"

SHAPES: Dict[str, Tuple[str, str]] = {
    "fastapi": (server("chat.test", SPA, API, socket("/ws/", "http://127.0.0.1:9001")), "/ws/room-1"),
    "socket.io": (
        server("chat.test", SPA, socket("/socket.io/", "http://127.0.0.1:3000")),
        "/socket.io/?EIO=4",
    ),
    "home-assistant": (
        MAP + server("ha.test", block("location /", "proxy_pass http://127.0.0.1:8123;", *FORWARDED)
                     + socket("/api/websocket", "http://127.0.0.1:8123", MAPPED)),
        "/api/websocket",
    ),
    "rails-cable": (
        UP + server("rails.test", block("location /", "proxy_pass http://app;", *FORWARDED),
                    socket("/cable", "http://app")),
        "/cable",
    ),
    "phoenix": (
        UP + server("ph.test", API, DOTS, socket("/live/websocket", "http://app")),
        "/live/websocket?vsn=2",
    ),
    "grafana": (
        MAP + server("graf.test", block("location /", "proxy_pass http://127.0.0.1:3000;", *FORWARDED),
                     socket("/api/live/", "http://127.0.0.1:3000", MAPPED)),
        "/api/live/ws",
    ),
    "jupyter-regex": (
        MAP + server("jup.test", SPA,
                     socket("~ ^/user/[^/]+/(api/kernels|terminals)/", "http://127.0.0.1:8888", MAPPED)),
        "/user/ann/api/kernels/1/channels",
    ),
    "vaultwarden": (
        server("vault.test", block("location /", "proxy_pass http://127.0.0.1:8080;", *FORWARDED),
               socket("/notifications/hub", "http://127.0.0.1:3012")),
        "/notifications/hub?access_token=x",
    ),
    "mqtt": (server("mq.test", STATIC, DOTS, socket("= /mqtt", "http://127.0.0.1:9001", CONSTANT,
                                                     "proxy_read_timeout 1d;")), "/mqtt"),
    "tabs": (server("tab.test", socket("/ws/", "http://127.0.0.1:9001", indent="\t"), indent="\t"), "/ws/x"),
    "two-servers": (
        REDIRECT + server("a.test", API) +
        server("chat.test", API, DOTS, socket("/ws/", "http://127.0.0.1:9001")),
        "/ws/x",
    ),
    "password": (
        server("pw.test", API, socket("/ws/", "http://127.0.0.1:9001",
               CONSTANT, "allow 10.0.0.0/8;", "deny all;")),
        "/ws/x",
    ),
    "laravel-php": (
        server("php.test", block("location /", "try_files $uri $uri/ /index.php?$query_string;"),
               block("location ~ \\.php$", "fastcgi_pass 127.0.0.1:9999;"),
               socket("/app/", "http://127.0.0.1:6001")),
        "/app/key?protocol=7",
    ),
    "limits": (
        "limit_req_zone $binary_remote_addr zone=one:1m rate=5r/s;\n"
        + server("lim.test", API, socket("/ws/", "http://127.0.0.1:9001",
                   CONSTANT, "limit_req zone=one burst=9;")),
        "/ws/x",
    ),
    "nested": (
        server("nest.test", "    location /app/ {\n        proxy_pass http://127.0.0.1:9100;\n    "
               + socket("/app/ws/", "http://127.0.0.1:9001").replace("\n", "\n    ").rstrip() + "\n    }\n"),
        "/app/ws/x",
    ),
}  # fmt: skip

Break = Callable[[str], Optional[str]]


def less(*words: str) -> Break:
    """Without the lines that hold one of the words."""

    def broken(text: str) -> Optional[str]:
        kept = [line for line in text.splitlines(True) if not any(word in line for word in words)]
        return "".join(kept)

    return broken


def instead(pattern: str, new: str) -> Break:
    """With something else in place of what matches first."""

    def broken(text: str) -> Optional[str]:
        done = re.sub(pattern, new, text, count=1)
        return None if done == text else done

    return broken


FAULTS: Dict[str, Break] = {
    "no-headers": less(VERSION, UPGRADE, "Connection "),
    "no-upgrade": less(UPGRADE),
    "no-connection": less("header Connection "),
    "misspelt": instead(r"Upgrade \$http_upgrade", "Upgrade $http_upgrde"),
    "hyphen": instead(r"header Upgrade ", "header Up-grade "),
    "close": instead(r"header Connection [^;]+", "header Connection close"),
    "empty": instead(r"header Connection [^;]+", 'header Connection ""'),
    "add_header": lambda text: text.replace("proxy_set_header Upgrade", "add_header Upgrade").replace(
        "proxy_set_header Connection", "add_header Connection"
    ),
    "scheme": instead(r"(proxy_pass) http(://(?:127\.0\.0\.1:\d+|app);\n\s*proxy_http_version)", r"\1 ws\2"),
    "map-lost": lambda text: text.replace(MAP, "") if MAP in text else None,
    "scheme-and-headers": lambda text: re.sub(
        r"(proxy_pass) http(://[^;]+;)\n\s*" + re.escape(VERSION) + r"\n\s*" + re.escape(UPGRADE),
        r"\1 ws\2",
        text,
    ),
}


def cases() -> List[Tuple[str, str, str]]:
    """Name, broken configuration and URL of every combination that there is."""
    found = []
    for shape, (text, target) in SHAPES.items():
        names = re.findall(r"server_name (\S+);", text)
        name = "chat.test" if "chat.test" in names else names[-1]
        for fault, make in FAULTS.items():
            broken = make(text)
            if broken is not None and broken != text:
                found.append((f"{shape} {fault}", broken, f"ws://{name}{target}"))
    return found
