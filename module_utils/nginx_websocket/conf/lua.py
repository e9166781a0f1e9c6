"""The end of a ``*_by_lua_block``, as lua-nginx-module's lexer finds it.

Only what may hide a brace is known: quoted strings within one line, long brackets and ``--`` comments.
"""

from __future__ import annotations

import re

from .tree import ConfSyntaxError, Source

# What lua-nginx-module's util/gen-lexer-c looks for, the leftmost first; strings are looked at apart.
_LEX = re.compile(rb"""(?P<open>\{)|(?P<close>\})|(?:--)?\[(?P<level>=*)\[|--[^\n]*|(?P<quote>["'])""")
_INSIDE = {
    b'"': re.compile(rb'[^"\n\\]*(?:\\[^\n][^"\n\\]*)*'),
    b"'": re.compile(rb"[^'\n\\]*(?:\\[^\n][^'\n\\]*)*"),
}
_LONGEST = 8192
"""A string must fit into the buffer of 4096 bytes; twice that is none."""


def block_end(source: Source, body: int, start: int) -> int:
    """Find the ``}`` that closes an opaque block (ngx_http_lua_conf_lua_block_parse).

    Args:
        source: the file.
        body: offset after the opening ``{``.
        start: offset of the directive, for the error.

    Returns:
        Offset after the closing ``}``.

    Raises:
        ConfSyntaxError: the file ends inside the block or inside a long bracket of it.
    """
    data = source.data
    depth = 1
    pos = body
    # Up to there the quote closes nothing: it stands on a line that has no second one.
    open_until = {b'"': 0, b"'": 0}
    while True:
        match = _LEX.search(data, pos)
        if match is None:
            message = "unexpected end of file, expecting terminating characters for lua code block"
            raise ConfSyntaxError(message, source.name, source.line(start))
        pos = match.end()
        kind = match.lastgroup
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth == 0:
                return pos
        elif kind == "quote":
            quote = match.group()
            if pos > open_until[quote]:
                inside = _INSIDE[quote].match(data, pos, pos + _LONGEST)
                end = inside.end() if inside else pos
                if end - pos >= _LONGEST - 1:
                    message = "too long lua code block, probably missing terminating characters"
                    raise ConfSyntaxError(message, source.name, source.line(pos))
                if data.startswith(quote, end):
                    pos = end + 1
                else:
                    open_until[quote] = end
        elif kind == "level":
            closing = b"]" + match.group("level") + b"]"
            found = data.find(closing, pos)
            if found < 0:
                message = f'Lua code block missing the closing long bracket "{closing.decode()}"'
                raise ConfSyntaxError(message, source.name, source.line(match.start()))
            pos = found + len(closing)
