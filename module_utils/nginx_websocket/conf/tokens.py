r"""Bytes of one file → words and statements, as ``ngx_conf_read_token`` cuts them.

Separators are space, TAB, CR and LF; a comment runs to LF; quotes count only at the start of a word,
and after the closing one a separator, ``;``, ``{`` or ``)`` must follow; ``\\ \t \r \n \' \"`` become
characters everywhere and other backslashes stay; ``}`` is special only at the start of a word, and a
``{`` right after ``$`` belongs to it.  nginx reads through a buffer of 4096 bytes in which a word (or a
comment!) with all that must be seen to end it has to fit.
"""

from __future__ import annotations

import re
from typing import List, Match, Tuple

from .tree import ConfSyntaxError, Source, printable

BUFFER = 4096
"""NGX_CONF_BUFFER: nothing that reaches this many bytes beyond the start of its word is read."""

WORDS = 400000
"""Words that one statement may have; nginx has no limit but memory."""

_SPACE = re.compile(rb"[ \t\r\n]+")
_PLAIN = re.compile(
    rb"""(?:[^ \t\r\n;{}#"'\\$]|\\.|\$\{*)   # what may start a word
         (?:[^ \t\r\n;{\\$]+|\\.|\$\{*)*     # inside it, quotes, '#' and '}' are nothing special""",
    re.DOTALL | re.VERBOSE,
)
_DOUBLE = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SINGLE = re.compile(rb"[^'\\]*(?:\\.[^'\\]*)*'", re.DOTALL)
_ESCAPE = re.compile(rb"""\\([\\"'trn])""")
_ESCAPED = {b"t": b"\t", b"r": b"\r", b"n": b"\n"}


class Token:
    """A word, or one of ``;``, ``{`` and ``}``.

    Attributes:
        kind: ``word``, or the punctuation character itself; ``end`` at the end of the file.
        value: the bytes nginx sees: unquoted and unescaped.
        quoted: whether the word was quoted.
        source: the file.
        start: offset of the first byte, the quote included.
        end: offset after the last byte, the quote included.
    """

    __slots__ = ("end", "kind", "quoted", "source", "start", "value")

    def __init__(self, kind: str, value: bytes, quoted: bool, source: Source, start: int, end: int) -> None:
        """Keep what was read and where."""
        self.kind = kind
        self.value = value
        self.quoted = quoted
        self.source = source
        self.start = start
        self.end = end

    @property
    def file(self) -> str:
        """Path of the file."""
        return self.source.name

    @property
    def line(self) -> int:
        """Line of the first byte, counted from 1."""
        return self.source.line(self.start)

    def __repr__(self) -> str:
        """Kind, value and place."""
        return f"<Token {self.kind} {self.value!r} at {self.file}:{self.line}>"


def read_statement(source: Source, pos: int) -> Tuple[List[Token], Token]:
    """Read the words up to the next ``;``, ``{``, ``}`` or the end of the file (ngx_conf_read_token).

    Args:
        source: the file.
        pos: offset from which to read; the start of the file or the end of a statement.

    Returns:
        The words (none before ``}`` and at the end of the file) and the token that ends them, of kind
        ``;``, ``{``, ``}`` or ``end``.

    Raises:
        ConfSyntaxError: nginx would not read on (the message is nginx's), or there are too many words.
    """
    data = source.data
    size = len(data)
    found: List[Token] = []
    while True:
        space = _SPACE.match(data, pos)
        if space:
            pos = space.end()
        if pos >= size:
            if found:
                raise _unexpected_end(source)
            return found, Token("end", b"", False, source, pos, pos)
        char = data[pos : pos + 1]
        if char == b"#":
            pos = _skip_comment(source, pos, bool(found))
            continue
        if char in b";{":
            if not found:
                raise _unexpected(source, pos)
            return found, Token(char.decode(), char, False, source, pos, pos + 1)
        if char == b"}":
            if found:
                raise _unexpected(source, pos)
            return found, Token("}", char, False, source, pos, pos + 1)
        word = _quoted_word(source, pos) if char in b"\"'" else _plain_word(source, pos)
        found.append(word)
        if len(found) > WORDS:
            raise ConfSyntaxError(f"more than {WORDS} words, not read on", source.name, source.line(pos))
        pos = word.end


def skip_blank(source: Source, pos: int) -> int:
    """The offset of the first byte that is neither separator nor comment, or the end of the file."""
    data = source.data
    while True:
        space = _SPACE.match(data, pos)
        if space:
            pos = space.end()
        if data[pos : pos + 1] != b"#":
            return pos
        pos = _skip_comment(source, pos, False)


def words(source: Source, pos: int) -> List[Token]:
    """The words of the statement that starts at that offset, the name first."""
    return read_statement(source, pos)[0]


def unescape(raw: bytes) -> bytes:
    """The bytes that nginx keeps of a word, given what stands between its quotes."""
    return _ESCAPE.sub(_escaped, raw) if b"\\" in raw else raw


def _escaped(match: Match[bytes]) -> bytes:
    char: bytes = match.group(1)
    return _ESCAPED.get(char, char)


def _plain_word(source: Source, start: int) -> Token:
    data = source.data
    size = len(data)
    limit = start + BUFFER
    match = _PLAIN.match(data, start, min(size, limit + 1))
    if match is None:  # a lone backslash that ends the file
        raise _unexpected_end(source)
    end = match.end()
    # After a separator nginx looks at one byte more before it lets go of the word.
    seen = end if data[end : end + 1] in (b";", b"{") else end + 1
    if seen >= limit and limit < size:
        raise _too_long(source, start, start)
    if end >= size or data[end : end + 1] == b"\\":
        raise _unexpected_end(source)
    raw = match.group()
    return Token("word", unescape(raw), False, source, start, end)


def _quoted_word(source: Source, start: int) -> Token:
    data = source.data
    size = len(data)
    limit = start + 1 + BUFFER
    double = data[start] == 0x22
    match = (_DOUBLE if double else _SINGLE).match(data, start + 1, min(size, limit))
    if match is None:
        if limit < size:
            quote = '"' if double else "'"
            message = f'too long parameter, probably missing terminating "{quote}" character'
            raise ConfSyntaxError(message, source.name, source.line(start))
        raise _unexpected_end(source)
    end = match.end()
    follower = data[end : end + 1]
    separated = follower in (b" ", b"\t", b"\r", b"\n")
    if end + separated >= limit and limit < size:
        raise _too_long(source, start + 1, start)
    if not follower:
        raise _unexpected_end(source)
    if not separated and follower not in (b";", b"{", b")"):
        raise _unexpected(source, end)
    return Token("word", unescape(data[start + 1 : end - 1]), True, source, start, end)


def _skip_comment(source: Source, start: int, inside: bool) -> int:
    """The offset of the LF that ends the comment, or the end of the file."""
    end = source.data.find(b"\n", start)
    size = len(source.data)
    if end < 0:
        end = size
    if end >= start + BUFFER and start + BUFFER < size:
        raise _too_long(source, start, start)
    if end == size and inside:
        raise _unexpected_end(source)
    return end


def _unexpected(source: Source, pos: int) -> ConfSyntaxError:
    char = printable(source.data[pos : pos + 1])
    return ConfSyntaxError(f'unexpected "{char}"', source.name, source.line(pos))


def _unexpected_end(source: Source) -> ConfSyntaxError:
    message = 'unexpected end of file, expecting ";" or "}"'
    return ConfSyntaxError(message, source.name, source.line(len(source.data)))


def _too_long(source: Source, start: int, first: int) -> ConfSyntaxError:
    message = f'too long parameter "{printable(source.data[start : start + 10])}..." started'
    return ConfSyntaxError(message, source.name, source.line(first))
