"""The one semicolon that is missing, in a file that nginx refuses for it: where its place is certain.

Certain is the end of a line behind which a line begins with a directive's name, or with a closing brace,
while nginx still reads arguments, and nginx's own message is about that statement.
"""

from __future__ import annotations

import re
from typing import List, Optional

from ...conf.tokens import Token, read_statement
from ...conf.tree import ConfSyntaxError, Source

_NAME = re.compile(
    rb"(?:proxy|fastcgi|uwsgi|scgi|grpc|ssl|client|auth|gzip|limit|access|error|keepalive|add|resolver|send|tcp|"
    rb"expires|upstream|worker|log|real_ip|set_real_ip|large_client|underscores_in|merge|server|sub|satisfy|"
    rb"absolute|port_in|default|charset|http2|open_file)(?:_[a-z_0-9]+)?$|"
    rb"(?:location|listen|root|alias|return|rewrite|include|set|index|allow|deny|try_files|map|geo|if|internal|"
    rb"break|etag|sendfile|aio|directio|stub_status|autoindex|hash|ip_hash|least_conn|zone|types|http|events)$"
)
"""Names of directives that begin a line; as an argument none of them begins one."""


def ended(path: str, content: bytes, line: int) -> Optional[bytes]:
    """A file with the one semicolon whose lack nginx's message is about.

    Args:
        path: name of the file.
        content: what it holds.
        line: that nginx names.

    Returns:
        None where no place is certain.
    """
    source, at = Source(path, content), 0
    if b"_by_lua" in content:
        return None  # what stands in a Lua block is no directive
    while True:
        try:
            words, end = read_statement(source, at)
        except ConfSyntaxError as error:
            last = _before_brace(source, at, error.line) if error.line == line else None
            return _with(content, last) if last is not None else None
        if end.kind == "end":
            return None
        if words and words[0].line <= line <= end.line:
            last = _before_name(source, words)
            return _with(content, last) if last is not None else None
        at = end.end


def _with(content: bytes, offset: int) -> bytes:
    return content[:offset] + b";" + content[offset:]


def _before_name(source: Source, words: List[Token]) -> Optional[int]:
    """The end of the word behind which a line begins with a directive's name; of several the first."""
    for before, word in zip(words, words[1:]):
        if not word.quoted and first_of_line(source.data, word.start) and _NAME.match(word.value):
            return before.end
    return None


def _before_brace(source: Source, start: int, line: int) -> Optional[int]:
    """The end of the last word before the closing brace that begins a line."""
    data = source.data
    begin = 0
    for _ in range(line - 1):
        begin = data.index(b"\n", begin) + 1
    brace = re.compile(rb"[ \t]*\}").match(data, begin)
    if brace is None:
        return None
    try:
        words, _ = read_statement(Source(source.name, data[: brace.end() - 1] + b";"), start)
    except ConfSyntaxError:
        return None
    inside = _before_name(source, words)
    return inside if inside is not None else words[-1].end if words else None


def first_of_line(data: bytes, offset: int) -> bool:
    """Whether nothing but blanks stands before a byte on its line."""
    return not data[data.rfind(b"\n", 0, offset) + 1 : offset].strip()
