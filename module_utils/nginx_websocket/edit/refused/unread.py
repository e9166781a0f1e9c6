"""Cures of a file in which nginx does not come to the end: a brace, a quote or a semicolon; bytes for bytes.

Nobody can read such a tree, so these are candidates and no more; nginx itself says which one it takes.
"""

from __future__ import annotations

import re
from typing import Iterator, List, Tuple

from ...conf.tokens import read_statement
from ...conf.tree import ConfSyntaxError, Source
from .unended import ended, first_of_line

_REPEATED = re.compile(rb"(?<=[ \t])([^\s\"'{;]*\{\d+(?:,\d*)?\}[^\s\"';]*?)(?=[ \t;]|\) *\{)")
"""A word with {8} or {2,} in it, and without quotes."""
_QUOTES = re.compile(rb"\\.|(\")|(')", re.DOTALL)


def candidates(path: str, data: bytes, message: str, line: int) -> Iterator[bytes]:
    """The file as each cure leaves it, the best first.

    Args:
        path: name of the file.
        data: what it holds.
        message: of nginx.
        line: that nginx names.
    """
    with_semicolon = ended(path, data, line)
    if with_semicolon is not None:
        yield with_semicolon
    yield from _quote_closed(data)
    yield from _regex_quoted(data, line)
    if 'expecting "}"' in message:
        yield from _brace_closed(path, data)
    if 'unexpected "}"' in message or "directive is not allowed here" in message:
        yield from _brace_dropped(path, data, line)


def _quote_closed(data: bytes) -> Iterator[bytes]:
    """The quote that one line opens and does not close, before the semicolon that ends it."""
    offset = 0
    for row in data.split(b"\n"):
        words = row.split(b"#")[0].rstrip()
        found = [match.group() for match in _QUOTES.finditer(words) if match.group(1) or match.group(2)]
        if len(found) == 1 and words.endswith(b";"):
            at = offset + len(words) - 1
            yield data[:at] + found[0] + data[at:]
            return
        offset += len(row) + 1


def _regex_quoted(data: bytes, line: int) -> Iterator[bytes]:
    """Quotes around a regular expression whose braces nginx takes for those of a block."""
    rows = data.split(b"\n")
    row = rows[line - 1] if 0 < line <= len(rows) else b""
    quoted = _REPEATED.sub(rb'"\1"', row)
    if quoted != row:
        yield b"\n".join([*rows[: line - 1], quoted, *rows[line:]])


def _margin(data: bytes, offset: int) -> bytes:
    """The blanks with which the line of a byte begins."""
    line = data[data.rfind(b"\n", 0, offset) + 1 : offset]
    return line[: len(line) - len(line.lstrip())]


def _width(margin: bytes) -> int:
    return len(margin.expandtabs(4))


def _statements(path: str, data: bytes) -> Iterator[Tuple[str, int, int]]:
    """What each statement ends with, and where it begins and ends, as far as the file can be read."""
    source, at = Source(path, data), 0
    while True:
        try:
            words, end = read_statement(source, at)
        except ConfSyntaxError:
            return
        if end.kind == "end":
            return
        yield end.kind, words[0].start if words else end.start, end.end
        at = end.end


def _brace_closed(path: str, data: bytes) -> Iterator[bytes]:
    """A brace for the first block behind which the margins say that it has ended, else for the last one."""
    opened: List[bytes] = []
    for kind, start, _ in _statements(path, data):
        margin = _margin(data, start)
        first = first_of_line(data, start)
        limit = _width(opened[-1]) if opened else -1
        if first and (_width(margin) < limit if kind == "}" else _width(margin) <= limit):
            begin = data.rfind(b"\n", 0, start) + 1
            yield data[:begin] + opened[-1] + b"}\n" + data[begin:]
            break
        if kind == "{":
            opened.append(margin)
        elif kind == "}" and opened:
            opened.pop()
    yield data.rstrip() + b"\n}\n"


def _brace_dropped(path: str, data: bytes, line: int) -> Iterator[bytes]:
    """Without the first brace that stands deeper than its block, else without the one that nginx names."""
    opened: List[bytes] = []
    for kind, start, end in _statements(path, data):
        margin = _margin(data, start)
        if kind == "{":
            opened.append(margin)
        elif kind == "}":
            own = first_of_line(data, start)
            named = data.count(b"\n", 0, start) + 1 == line and not opened
            if named or (own and opened and _width(margin) > _width(opened[-1])):
                yield _without(data, start, end)
            if opened:
                opened.pop()


def _without(data: bytes, start: int, end: int) -> bytes:
    """Without some bytes, and without their line where it holds nothing else."""
    begin, feed = data.rfind(b"\n", 0, start) + 1, data.find(b"\n", end)
    if feed >= 0 and not (data[begin:start] + data[end:feed]).strip():
        return data[:begin] + data[feed + 1 :]
    return data[:start] + data[end:]
