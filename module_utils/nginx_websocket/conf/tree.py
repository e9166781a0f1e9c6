"""The tree of directives that every other part of the package reads.

Values are bytes, because nginx's are: a configuration has no character set.
"""

from __future__ import annotations

import bisect
import re
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

_LF = re.compile(rb"\n")
_PLACE = re.compile(r" in (\S+):(\d+)$")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\udc80-\udcff]")


def printable(value: bytes) -> str:
    r"""Bytes of a configuration as text that is safe on a terminal.

    Bytes that are not UTF-8 and control characters come out as ``\xNN``.
    """
    text = value.decode("utf-8", "surrogateescape")
    return _UNPRINTABLE.sub(lambda match: f"\\x{ord(match.group()) & 0xFF:02x}", text)


def place_of(message: str) -> Tuple[str, str, int]:
    """What nginx complains of, and in which file and line; "" and 0 where the message names no place."""
    found = _PLACE.search(message)
    if found is None:
        return message, "", 0
    return message[: found.start()], found.group(1), int(found.group(2))


class ConfSyntaxError(Exception):
    """The configuration cannot be read as nginx would read it.

    Attributes:
        file: path of the file, as nginx would print it.
        line: line of the error, counted from 1; 0 when the whole file is meant.
        message: nginx's own words where it has some.
    """

    def __init__(self, message: str, file: str, line: int) -> None:
        """Keep the place beside the message."""
        super().__init__(f"{message} in {file}:{line}" if line else message)
        self.message = message
        self.file = file
        self.line = line


class Source:
    """One file as it was read: offsets in it are turned into lines when somebody asks.

    Attributes:
        name: path as nginx would print it.
        data: the whole content.
    """

    __slots__ = ("_newlines", "data", "name")

    def __init__(self, name: str, data: bytes) -> None:
        """Keep the content; nothing is computed yet."""
        self.name = name
        self.data = data
        self._newlines: Optional[List[int]] = None

    def line(self, offset: int) -> int:
        """The line of the byte at that offset, counted from 1."""
        if self._newlines is None:
            self._newlines = [match.start() for match in _LF.finditer(self.data)]
        return bisect.bisect_left(self._newlines, offset) + 1


def walked(directives: Sequence[Directive]) -> Iterator[Directive]:
    """Some directives and all in their blocks, outer before inner, in file order."""
    stack = list(reversed(directives))
    while stack:
        directive = stack.pop()
        yield directive
        if directive.block:
            stack.extend(reversed(directive.block))


class Directive:
    """One directive, with the place it comes from.

    ``block`` lists are *resolved*: directives brought in by an ``include`` stand in place of the
    include itself, in nginx's order.  Two directives are equal only when they are the same one.

    Attributes:
        name: the first word.
        args: the other words, unquoted and unescaped.
        source: the file that holds the directive.
        start: offset of the first byte of the name (its quote, if quoted) in the file.
        end: offset after the closing ``;`` or ``}``.
        block: the directives between the braces; None for a simple directive, empty for an opaque block.
        parent: the block directive that encloses this one after includes are resolved; None at the top.
        body: offset after the ``{`` of a block, 0 for a simple directive.
    """

    __slots__ = ("args", "block", "body", "end", "name", "parent", "source", "start")

    def __init__(
        self,
        name: bytes,
        args: Tuple[bytes, ...],
        source: Source,
        start: int,
        end: int,
        parent: Optional[Directive] = None,
        block: Optional[List[Directive]] = None,
        body: int = 0,
    ) -> None:
        """Build one; the tree is built by ``load`` and ``load_dump``."""
        self.name = name
        self.args = args
        self.source = source
        self.start = start
        self.end = end
        self.parent = parent
        self.block = block
        self.body = body

    @property
    def file(self) -> str:
        """Path of the file that holds the directive, as nginx would print it."""
        return self.source.name

    @property
    def line(self) -> int:
        """Line of the name, counted from 1 (nginx's own messages give the line of the ``;``)."""
        return self.source.line(self.start)

    @property
    def opaque(self) -> bool:
        """Whether the block is not nginx's language (``*_by_lua_block``)."""
        return self.body > 0 and is_opaque(self.name)

    @property
    def raw(self) -> bytes:
        """Content of an opaque block, not interpreted; empty for any other directive."""
        return self.source.data[self.body : self.end - 1] if self.opaque else b""

    def children(self, name: bytes) -> Iterator[Directive]:
        """The directives of that name directly inside this block, in order."""
        return (child for child in self.block or () if child.name == name)

    def where(self) -> str:
        """``file:line``, as evidence prints it."""
        return f"{self.file}:{self.line}"

    def __repr__(self) -> str:
        """The head of the directive and its place, never its block (which may be huge or deep)."""
        words = b" ".join((self.name, *self.args))
        return f"<Directive {printable(words[:80])} at {self.where()}>"


def is_opaque(name: bytes) -> bool:
    """Whether the block of that directive holds Lua, not directives (lua-nginx-module)."""
    return name.endswith(b"_by_lua_block")


class Include:
    """One ``include`` directive and what it brought in.

    Attributes:
        directive: the directive itself, which is not in the resolved tree.
        pattern: the full name or glob pattern, relative ones resolved.
        files: the files read for it, in nginx's order.
    """

    __slots__ = ("directive", "files", "pattern")

    def __init__(self, directive: Directive, pattern: str, files: List[str]) -> None:
        """Keep the three."""
        self.directive = directive
        self.pattern = pattern
        self.files = files


class Configuration:
    """A whole configuration, includes resolved.

    Attributes:
        main: path of the main file.
        root: directives at the top level of the main file, includes resolved.
        files: every file read, by path, in the order nginx first reads them.
        includes: every include, in the order nginx meets them.
        prefix: nginx's prefix (``-p`` or ``--prefix``), base of relative log and root paths.
        alone: whether it was read from one file that somebody gave: what that includes was not read.
    """

    __slots__ = ("alone", "files", "includes", "main", "prefix", "root")

    def __init__(
        self,
        main: str,
        root: List[Directive],
        files: Dict[str, bytes],
        prefix: str = "",
        includes: Optional[List[Include]] = None,
    ) -> None:
        """Keep the parts."""
        self.main = main
        self.root = root
        self.files = files
        self.prefix = prefix
        self.includes: List[Include] = includes if includes is not None else []
        self.alone = False

    def walk(self) -> Iterator[Directive]:
        """Every directive, outer before inner, in file order."""
        return walked(self.root)
