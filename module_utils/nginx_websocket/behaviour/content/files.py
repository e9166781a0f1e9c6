"""Paths that nginx makes of a URI, and what is known of the files behind them.

Rule of ``ngx_http_map_uri_to_path``.  Whether a file exists is not in the configuration: the caller
passes a function that looks (on the host), else the route says that it cannot tell.
"""

from __future__ import annotations

import os
import stat
from typing import Callable, Optional, Tuple

from ..effective import Level
from ..location import Location
from ..regex import CannotDecide
from ..variables import Exchange

FileKind = Callable[[str], str]
"""Path → "file", "directory" or "" (nothing there)."""


def local_files(path: str) -> str:
    """What is at a path of this host."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    return "directory" if stat.S_ISDIR(mode) else "file"


class AliasAfterRewrite(Exception):
    """``alias`` in a location whose URI was rewritten: nginx answers 500."""


def root_of(level: Level) -> Tuple[bytes, bytes, Optional[Level]]:
    """Directive in force ("root" or "alias"), its value, and its level (None for the default)."""
    found, directives = level.nearest(b"root", b"alias")
    if found is None or not directives[-1].args:
        return b"root", b"html", None
    return directives[-1].name, directives[-1].args[0], found


def _full(exchange: Exchange, path: bytes) -> bytes:
    """``ngx_get_full_name`` with nginx's prefix."""
    if path.startswith(b"/"):
        return path
    if not exchange.prefix:
        raise CannotDecide(
            "the path {} is relative to nginx's prefix".format(path.decode("utf-8", "replace"))
        )
    return os.path.join(os.fsencode(exchange.prefix), path)


def document_root(exchange: Exchange) -> bytes:
    """``$document_root``."""
    value = exchange.evaluate(root_of(exchange.level)[1])
    return _full(exchange, _strip(value))


def _strip(value: bytes) -> bytes:
    """``root`` loses its trailing slash (``ngx_http_core_root``)."""
    return value[:-1] if len(value) > 1 and value.endswith(b"/") else value


def alias_length(exchange: Exchange) -> Optional[int]:
    """Length of the prefix that ``alias`` replaces; None without alias, -1 in a regex location."""
    name, _value, level = root_of(exchange.level)
    if name != b"alias" or level is None:
        return None
    while level is not None and not isinstance(level, Location):
        level = level.parent
    if level is None:
        return None
    return -1 if level.regex else len(level.name)


def map_uri_to_path(exchange: Exchange) -> bytes:
    """``ngx_http_map_uri_to_path``: the path of the current URI.

    Raises:
        CannotDecide: the root depends on something unknown.
        AliasAfterRewrite: nginx would answer 500.
    """
    base, prefix = path_parts(exchange)
    if prefix == -1:
        return base + (exchange.uri if exchange.add_uri_to_alias else b"")
    return base + exchange.uri[prefix:]


def path_parts(exchange: Exchange) -> Tuple[bytes, int]:
    """Root path, and how many bytes of the URI it replaces (-1: all of them)."""
    name, value, _level = root_of(exchange.level)
    length = alias_length(exchange)
    if length is not None and not exchange.valid_location:
        raise AliasAfterRewrite
    path = exchange.evaluate(value)
    if name == b"root":
        path = _strip(path)
    return _full(exchange, path), (0 if length is None else length)
