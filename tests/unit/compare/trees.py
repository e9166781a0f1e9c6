"""Small trees for the tests of the comparison."""

from __future__ import annotations

from typing import Dict, FrozenSet, List, Mapping, Optional

from module_utils.nginx_websocket.behaviour.behaviour import behaviour
from module_utils.nginx_websocket.behaviour.request import Request
from module_utils.nginx_websocket.compare.comparing import World, compare
from module_utils.nginx_websocket.compare.differences import Comparison, Parting
from module_utils.nginx_websocket.compare.parting.partings import Pair, partings
from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.tree import Configuration

MAIN, FILE = "/etc/nginx/nginx.conf", "/etc/nginx/conf.d/a.conf"
NAMED = "listen 80; server_name a.test;"
PROXY = "proxy_pass http://127.0.0.1:8000;"
UPGRADE = (
    PROXY
    + " proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;"
)
SOCKET = f"location ~ ^/ws/ {{ {UPGRADE} proxy_read_timeout 3600s; }} "
SPA = SOCKET + "root /srv/app; location / { try_files $uri /index.html; } "
API = SOCKET + f"location / {{ {PROXY} }} "
PHP = b"""fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
try_files $fastcgi_script_name =404;
set $path_info $fastcgi_path_info;
fastcgi_param PATH_INFO $path_info;
fastcgi_index index.php;
fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
"""
SNIPPET = "/etc/nginx/snippets/fastcgi-php.conf"
FILES = frozenset(
    (
        "/srv/app/index.html",
        "/srv/app/index.php",
        "/srv/app/config.php",
        "/srv/app/manual/index.html",
        "/srv/app/robots.txt",
        "/srv/app/assets/app.js",
        "/srv/static/logo.png",
    )
)


def tree(body: str, files: Mapping[str, str] = {}) -> Configuration:
    """A tree of one site file; a body that is no server becomes that of ``a.test``."""
    if not body.lstrip().startswith(("server ", "upstream ", "map ")):
        body = f"server {{ {NAMED} {body} }}"
    made: Dict[str, bytes] = {
        MAIN: b"events {} http { include %s; }" % FILE.encode(),
        FILE: body.encode(),
        SNIPPET: PHP,
        **{path: text.encode() for path, text in files.items()},
    }
    return load(MAIN, prefix="/usr/share/nginx", read=made.__getitem__, glob=lambda pattern: [pattern])


def world(files: FrozenSet[str] = FILES) -> World:
    """A host that has some files and no logs."""

    def kind(path: str) -> str:
        if path in files:
            return "file"
        return "directory" if any(name.startswith(path.rstrip("/") + "/") for name in files) else ""

    return World(files=kind, read_logs=False, look_below=False, seconds=30)


def compared(live: str, staged: str, *, urls: Optional[list] = None) -> Comparison:
    """Two bodies, compared."""
    return compare(tree(live), tree(staged), version=(1, 22, 1), urls=urls or (), world=world())


def parted(live: str, staged: str, path: str = "/", *, behind: bool = False, **more) -> List[Parting]:
    """The partings of one request, asked as if every guard let it pass."""
    handshake = more.pop("handshake", False)
    pair = {key: more.pop(key) for key in ("foreign", "known", "same_text") if key in more}
    sent = Request(f"{'ws' if handshake else 'http'}://a.test{path}", address="127.0.0.1:80", **more)
    before, after = (
        behaviour(tree(body), sent, files=world().files, admitted=True) for body in (live, staged)
    )
    then = {"behind": behaviour(tree(live), f"http://a.test{path}/", files=world().files)} if behind else {}
    made = Pair(before, after, after, handshake=handshake, method=sent.method, **pair, **then)
    return partings(made)
