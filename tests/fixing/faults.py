"""Ways to break a configuration that carries a WebSocket: each takes the files and gives the broken ones."""

from __future__ import annotations

import dataclasses
import re
from typing import Callable, Dict, Optional

from .site import AVAILABLE, NAME, OTHER, SOCKET, Site

Files = Dict[str, str]
Make = Callable[[Site], Optional[Files]]
"""Gives the broken files; None where the fault makes no sense for a site."""
VERSION = r"""[ \t]*proxy_http_version\s+[^;]+;[ \t]*(?:\r?\n)?"""
DEFAULT = "server { listen 80 default_server; server_name _; return 404; }\n"
UPGRADE = r"""[ \t]*proxy_set_header\s+["']?Upgrade["']?\s+[^;]+;[ \t]*(?:\r?\n)?"""
CONNECTION = r"""[ \t]*proxy_set_header\s+["']?Connection["']?\s+[^;]+;[ \t]*(?:\r?\n)?"""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One way to break."""

    make: Make
    lines: int = 3
    """Lines that go and come in the cure, at most."""
    moves: bool = False
    """The cure sends requests of the socket's own location elsewhere."""
    names: bool = False
    """The cure adds a name, which is asked first."""
    stale: bool = False
    """The files are right, and nginx has not read them."""
    whole: bool = False
    """The site comes whole: its names had another server."""
    heals: bool = False
    """The whole backend was out of reach, so that requests beside the socket's are answered again."""
    told: bool = False
    """Somebody wants it so: it is told, and no edit is made."""


def _within(site: Site, change: Callable[[str], str], anywhere: bool = False) -> Optional[Files]:
    """Change the last block that begins with the site's head; else, with ``anywhere``, every file."""
    files = dict(site.files)
    head = site.head
    path = next((p for p, text in files.items() if head and head in text.replace("\r\n", "\n")), "")
    if path:
        text = files[path]
        feed = "\r\n" if "\r\n" in text else "\n"
        plain = text.replace("\r\n", "\n")
        start = plain.rindex(head)
        begin = plain.index("{", start + len(head) - 1)
        end, depth = begin + 1, 1
        while depth:
            depth += {"{": 1, "}": -1}.get(plain[end], 0)
            end += 1
        block = plain[begin:end]
        changed = change(block)
        if changed != block:
            files[path] = (plain[:begin] + changed + plain[end:]).replace("\n", feed)
            return files
    if anywhere:
        for name, text in files.items():
            changed = change(text)
            if changed != text:
                files[name] = changed
                return files
    return None


def _gone(*patterns: str) -> Make:
    def make(site: Site) -> Optional[Files]:
        def change(text: str) -> str:
            for pattern in patterns:
                text = re.sub(pattern, "", text, count=1)
            return text

        return _within(site, change, anywhere=True)

    return make


def _instead(pattern: str, new: str, anywhere: bool = True) -> Make:
    return lambda site: _within(site, lambda text: re.sub(pattern, new, text, count=1), anywhere)


def _head(new: Callable[[str], str]) -> Make:
    """Another head for the socket's location."""

    def make(site: Site) -> Optional[Files]:
        files = dict(site.files)
        for path, text in files.items():
            if site.head in text and new(site.head) != site.head:
                at = text.rindex(site.head)
                files[path] = text[:at] + new(site.head) + text[at + len(site.head) :]
                return files
        return None

    return make


def _before_socket(text: str, indent: bool = True) -> Make:
    """One more thing in the server, before the socket's location."""

    def make(site: Site) -> Optional[Files]:
        files = dict(site.files)
        head = re.search(r"location\s.*\Z", site.head, re.S)
        if head is None or "\n" in head.group():
            return None
        for path, content in files.items():
            if head.group() in content and "\r\n" not in content:
                at = content.rindex(head.group())
                first = site.url.split("/")[3].split("?")[0]
                files[path] = content[:at] + text.replace("FIRST", first) + "\n    " + content[at:]
                return files
        return None

    return make


def _wiped(site: Site) -> Optional[Files]:
    """The headers stand one level up, and the location has a header of its own."""

    def change(text: str) -> str:
        return text.replace("{", "{\n        proxy_set_header X-Own yes;", 1)

    return _within(site, change) if site.name == "inherited" else None


def _added(site: Site) -> Optional[Files]:
    return _within(
        site,
        lambda text: re.sub(
            r"""proxy_set_header(\s+["']?(?:Upgrade|Connection)["']?\s)""", r"add_header\1", text
        ),
    )


def _map(change: Callable[[str], str]) -> Make:
    def make(site: Site) -> Optional[Files]:
        files = dict(site.files)
        for path, text in files.items():
            found = re.search(r"map \$http_upgrade[^}]+\}\r?\n", text)
            if found is not None:
                files[path] = text[: found.start()] + change(found.group()) + text[found.end() :]
                return files
        return None

    return make


def _map_inside(site: Site) -> Optional[Files]:
    files = dict(site.files)
    for path, text in files.items():
        found = re.search(r"map \$http_upgrade[^}]+\}\n", text)
        if found is not None and "server {" in text:
            files[path] = text.replace(found.group(), "", 1).replace(
                "server {\n", "server {\n" + found.group(), 1
            )
            return files
    return None


def _http_only(site: Site) -> Optional[Files]:
    """The HTTPS server has no location for the socket."""
    if site.name != "twins":
        return None
    text = site.files[AVAILABLE]
    at = text.rindex(site.head)
    end = text.index("    }\n", at) + len("    }\n")
    return {**site.files, AVAILABLE: text[:at].rstrip(" ") + text[end:]}


def _nameless(site: Site) -> Optional[Files]:
    files = dict(site.files)
    found = [path for path, text in files.items() if f"server_name {NAME};" in text]
    if len(found) != 1 or site.url.startswith("wss"):
        return None
    files[found[0]] = files[found[0]].replace(f"server_name {NAME};", "server_name chat.internal;")
    files["conf.d/zz-default.conf"] = DEFAULT
    return None if "default_server" in files[found[0]] else files


def _unlinked(site: Site) -> Optional[Files]:
    # Other names have a server, which they keep.
    if not site.links:
        return None
    return {**site.files, f"sites-enabled/{site.links[0]}": "", "conf.d/zz-default.conf": DEFAULT}


def _wrong_port(site: Site) -> Optional[Files]:
    """Nobody listens at the port of the socket's location; another location of the site has the right one."""
    broken = _within(site, lambda text: text.replace(f"127.0.0.1:{SOCKET}", "127.0.0.1:9009"))
    if broken is None:
        return None
    right = f"location /FIRST/by-the-way/ {{ proxy_pass http://127.0.0.1:{SOCKET}; }}"
    return _before_socket(right)(dataclasses.replace(site, files=broken))


def _keep(site: Site) -> Optional[Files]:
    """The URI part that takes the prefix away is missing."""
    if site.name != "subfolder":
        return None
    return _within(site, lambda text: text.replace(f"{SOCKET}/;", f"{SOCKET};", 1))


def _strip(site: Site) -> Optional[Files]:
    if "~" in site.head or "@" in site.head or site.head.startswith("location / "):
        return None
    return _within(
        site, lambda text: re.sub(r"(proxy_pass\s+\"?http://[\w.:]+)(\"?\s*;)", r"\1/\2", text, count=1)
    )


def _double(site: Site) -> Optional[Files]:
    if site.name in ("exact", "regex", "named", "php", "unix"):
        return None
    return _within(
        site, lambda text: re.sub(r"(proxy_pass\s+\"?http://[\w.:]+)/?(\"?\s*;)", r"\1//\2", text, count=1)
    )


FAULTS: Dict[str, Fault] = {
    "no-headers": Fault(_gone(VERSION, UPGRADE, CONNECTION)),
    "no-upgrade": Fault(_gone(UPGRADE), lines=1),
    "no-connection": Fault(_gone(CONNECTION), lines=1),
    "no-version": Fault(_gone(VERSION), lines=1),
    "version-1.0": Fault(_instead(r"proxy_http_version\s+\S*1\.1\"?", "proxy_http_version 1.0"), lines=2),
    "misspelt": Fault(_instead(r"\$http_upgrade(?=\"?\s*;)", "$http_upgrad"), lines=2),
    "misspelt-name": Fault(_instead(r"(proxy_set_header\s+[\"']?)Upgrade", r"\1Upgrad"), lines=2),
    "close": Fault(_instead(r"(Connection[\"']?\s+)[^;\s]+", r"\1close"), lines=2),
    "keep-alive": Fault(_instead(r"(Connection[\"']?\s+)[^;\s]+", r'\1"keep-alive"'), lines=2),
    "wiped-empty": Fault(_instead(r"(Connection[\"']?\s+)[^;\s]+", r'\1""'), lines=2),
    "upgrade-empty": Fault(_instead(r"(header\s+[\"']?Upgrade[\"']?\s+)[^;\s]+", r'\1""'), lines=2),
    "inheritance": Fault(_wiped),
    "add-header": Fault(_added, lines=4),
    "map-lost": Fault(_map(lambda text: ""), lines=4),
    "map-wrong": Fault(_map(lambda text: text.replace("upgrade;", "close;")), lines=2),
    "map-in-server": Fault(_map_inside, lines=8),
    "scheme": Fault(_instead(r"(proxy_pass\s+\"?)http://", r"\1ws://", False), lines=2),
    "scheme-and-headers": Fault(
        lambda site: _within(
            site,
            lambda text: re.sub(
                r"(proxy_pass\s+\"?)http://", r"\1ws://", re.sub(UPGRADE, "", re.sub(VERSION, "", text))
            ),
        ),
        lines=4,
    ),
    "strip": Fault(_strip, lines=2, moves=True),
    "keep": Fault(_keep, lines=2, moves=True),
    "double-slash": Fault(_double, lines=2, moves=True),
    "query-lost": Fault(
        lambda site: None
        if "?" not in site.url
        else _within(
            site,
            lambda text: re.sub(r"(proxy_pass\s+\"?http://[\w.:]+)(\"?\s*;)", r"\1$uri\2", text, count=1),
        ),
        lines=2,
        moves=True,
    ),
    "regex-in-front": Fault(
        _before_socket(f"location ~ ^/FIRST {{ proxy_pass http://127.0.0.1:{OTHER}; }}"), lines=8, moves=True
    ),
    "caret-in-front": Fault(
        lambda site: _before_socket(f"location ^~ /FIRST/ {{ proxy_pass http://127.0.0.1:{OTHER}; }}")(site)
        if "~" in site.head
        else None,
        lines=8,
        moves=True,
    ),
    "location-misspelt": Fault(
        _head(lambda head: re.sub(r"(/[a-z]+?)/( |\"|\{)", r"\1s/\2", head)), lines=8, moves=True
    ),
    "location-exact": Fault(
        _head(lambda head: re.sub(r"location +(/\w)", r"location = \1", head)), lines=8, moves=True
    ),
    "http-only": Fault(_http_only, lines=8, moves=True),
    "wrong-port": Fault(_wrong_port, lines=2, moves=True),
    "hidden": Fault(lambda site: _within(
        site, lambda text: text.replace("{", "{ proxy_hide_header Upgrade;", 1)), lines=2),
    "headers-off": Fault(lambda site: _within(
        site, lambda text: text.replace("{", "{ proxy_pass_request_headers off;", 1)), lines=2, moves=True),
    "try-files": Fault(lambda site: None if "@" in site.head else _within(
        site, lambda text: text.replace("{", "{ try_files $uri /index.html;", 1)), lines=8, moves=True),
    "redirect": Fault(lambda site: _within(
        site, lambda text: text.replace("{", "{ return 301 https://elsewhere.test$uri;", 1)), told=True),
    "error-page": Fault(
        lambda site: _within(
            site,
            lambda text: re.sub(UPGRADE, "", text).replace(
                "{", "{ proxy_intercept_errors on; error_page 400 426 =200 /index.html;", 1
            ),
        ),
        lines=1,
    ),
    "nameless": Fault(_nameless, lines=2, names=True),
    "stale": Fault(_gone(VERSION, UPGRADE, CONNECTION), lines=0, stale=True),
    "unlinked": Fault(_unlinked, lines=1, whole=True),
}  # fmt: skip
