"""Change a file by replacing bytes at a directive's offsets; every other byte stays as it was.

A file is never written anew from the tree: that would lose comments, layout and quoting of its owner.
"""

from __future__ import annotations

import re
from typing import Iterable, Optional, Sequence

from .tokens import BUFFER, read_statement
from .tree import Directive, Source

_BARE = re.compile(rb"[^\s;{}#\"'\\\x00-\x1f\x7f][^\s;{\"'\\\x00-\x1f\x7f]*")
_COMMENT = re.compile(rb"[ \t]*(?:#[^\n]*?)?(?=\r?(?:\n|\Z))")
_REST = re.compile(rb"[ \t]*(?:\r?\n|\Z)")
_BARE_FEED = re.compile(rb"(?<!\r)\n")
_SPECIAL = re.compile(rb'(["\\])')


class Edit:
    """Bytes of one file that give way to others.

    Attributes:
        source: the file.
        start: offset of the first byte to replace.
        end: offset after the last one; equal to ``start`` where something is inserted.
        text: what takes their place.
    """

    __slots__ = ("end", "source", "start", "text")

    def __init__(self, source: Source, start: int, end: int, text: bytes) -> None:
        """Keep the four."""
        self.source = source
        self.start = start
        self.end = end
        self.text = text


def apply(data: bytes, edits: Iterable[Edit]) -> bytes:
    """The content of a file after some edits, which are all made for this content.

    Raises:
        ValueError: an edit was made for other content, or two of them overlap.
    """
    result = []
    pos = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.source.data != data:
            raise ValueError(f"{edit.source.name} is not what the edit was made for")
        if edit.start < pos:
            raise ValueError(f"two edits of {edit.source.name} overlap at offset {edit.start}")
        result += [data[pos : edit.start], edit.text]
        pos = edit.end
    return b"".join([*result, data[pos:]])


def quote(value: bytes) -> bytes:
    """Write a value as one word of a configuration, in quotes only where it needs them.

    Raises:
        ValueError: the word would not fit into nginx's buffer.
    """
    word = value if _BARE.fullmatch(value) else b'"' + _SPECIAL.sub(rb"\\\1", value) + b'"'
    if len(word) > BUFFER - 3:
        raise ValueError(f"a word of {len(word)} bytes is too long for nginx, which takes {BUFFER - 3}")
    return word


def statement(name: bytes, args: Sequence[bytes]) -> bytes:
    """Write a simple directive."""
    return b" ".join(quote(word) for word in (name, *args)) + b";"


def set_argument(directive: Directive, index: int, value: bytes) -> Edit:
    """Give the argument of that index (from 0) another value.

    Raises:
        IndexError: the directive has no such argument.
    """
    words = read_statement(directive.source, directive.start)[0]
    if not 0 <= index < len(words) - 1:
        raise IndexError(f"{directive!r} has no argument {index}")
    word = words[index + 1]
    return Edit(directive.source, word.start, word.end, quote(value))


def insert_before(directive: Directive, text: bytes) -> Edit:
    """Put a statement before another one: on a line of its own if that one begins its line."""
    data, start = directive.source.data, directive.start
    indent = _indent(data, start)
    feed = _line_feed(data, start)
    between = b" " if indent is None else feed + indent
    return Edit(directive.source, start, start, _fed(text, feed) + between)


def insert_after(directive: Directive, text: bytes) -> Edit:
    """Put a statement behind another one: on a line of its own if that one begins and ends its lines."""
    data, end = directive.source.data, directive.end
    indent = _indent(data, directive.start)
    line_end = _line_end(data, end)
    if indent is None or line_end is None:
        return Edit(directive.source, end, end, b" " + text)
    feed = _line_feed(data, directive.start)
    return Edit(directive.source, line_end, line_end, feed + indent + _fed(text, feed))


def insert_inside(block: Directive, text: bytes) -> Edit:
    """Put a statement first into a block, indented as the block's first directive is.

    Raises:
        ValueError: the directive has no block of directives.
    """
    if block.block is None or block.opaque:
        raise ValueError(f"{block!r} has no block of directives")
    data, body = block.source.data, block.body
    line_end = _line_end(data, body)
    if line_end is None:
        return Edit(block.source, body, body, b" " + text + (b" " if data[body : body + 1] == b"}" else b""))
    first = next((child for child in block.block if child.source is block.source), None)
    indent = _indent(data, first.start) if first else None
    if indent is None:
        outer = _indent(data, block.start) or b""
        indent = outer + (b"\t" if outer.startswith(b"\t") else b"    ")
    feed = _line_feed(data, body)
    return Edit(block.source, line_end, line_end, feed + indent + _fed(text, feed))


def delete(directive: Directive) -> Edit:
    """Take a directive out, and its line with it if nothing else stands there."""
    data = directive.source.data
    start, end = directive.start, directive.end
    indent = _indent(data, start)
    rest = _REST.match(data, end)
    if indent is not None and rest:
        start -= len(indent)
        end = rest.end()
    return Edit(directive.source, start, end, b"")


def _indent(data: bytes, start: int) -> Optional[bytes]:
    """The blanks before that offset if nothing else is before it on its line."""
    before = data[data.rfind(b"\n", 0, start) + 1 : start]
    return None if before.strip(b" \t") else before


def _line_end(data: bytes, end: int) -> Optional[int]:
    """The end of the line if only blanks and a comment follow that offset."""
    rest = _COMMENT.match(data, end)
    return rest.end() if rest else None


def _fed(text: bytes, feed: bytes) -> bytes:
    """A text whose lines end as those of the file do."""
    return _BARE_FEED.sub(feed, text)


def _line_feed(data: bytes, pos: int) -> bytes:
    """How the line of that offset ends."""
    end = data.find(b"\n", pos)
    return b"\r\n" if end > 0 and data[end - 1] == 0x0D else b"\n"
