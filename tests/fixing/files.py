"""nginx's files in a case's own namespace."""

from __future__ import annotations

import os
import shutil
import stat
from typing import Dict, NamedTuple

from .site import Site

ETC = "/etc/nginx"
TOPS = (ETC, "/www/server/panel", "/data")
"""Where they stand."""


class Entry(NamedTuple):
    """A file, or a link with what it leads to."""

    mode: int
    owner: int
    group: int
    content: bytes


def write(site: Site, files: Dict[str, str]) -> None:
    """Let the site's files be these, with its links, and no others."""
    clear()
    for path, text in files.items():
        if not text:
            continue
        place = os.path.join(ETC, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    for name in site.links:
        if f"sites-enabled/{name}" not in files:
            os.symlink(f"../sites-available/{name}", f"{ETC}/sites-enabled/{name}")


def clear() -> None:
    """Take all sites away."""
    for name in ("conf.d", "sites-available", "sites-enabled", "snippets"):
        shutil.rmtree(f"{ETC}/{name}", ignore_errors=True)
        os.mkdir(f"{ETC}/{name}")
    for top in ("/www/server/panel", "/data/nginx"):
        shutil.rmtree(top, ignore_errors=True)


def held() -> Dict[str, Entry]:
    """Everything that stands there, by its path."""
    return {
        path: _entry(path)
        for top in TOPS
        for directory, _, names in os.walk(top)
        for path in (os.path.join(directory, name) for name in names)
    }


def texts(entries: Dict[str, Entry]) -> Dict[str, bytes]:
    """What the files among them hold."""
    return {path: entry.content for path, entry in entries.items() if stat.S_ISREG(entry.mode)}


def _entry(path: str) -> Entry:
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        content = os.fsencode(os.readlink(path))
    else:
        with open(path, "rb") as file:
            content = file.read()
    return Entry(info.st_mode, info.st_uid, info.st_gid, content)
