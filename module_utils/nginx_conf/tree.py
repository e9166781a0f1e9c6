"""The tree of directives that every other part of the package reads.

Values are bytes, because nginx's are: a configuration has no character set.
"""

from __future__ import annotations

import dataclasses
from typing import Dict, Iterator, List, Optional, Tuple


class ConfSyntaxError(Exception):
    """The configuration cannot be read as nginx would read it.

    Attributes:
        file: path of the file, as nginx would print it.
        line: line of the error, counted from 1; 0 when the whole file is meant.
        message: nginx's own words where it has some.
    """

    def __init__(self, message: str, file: str, line: int) -> None:
        """Keep the place beside the message."""
        super().__init__("%s in %s:%d" % (message, file, line))
        self.message = message
        self.file = file
        self.line = line


@dataclasses.dataclass
class Directive:
    """One directive, with the place it comes from.

    ``include`` directives stay in the tree of their file, with what they brought in as ``included``;
    ``Configuration.root`` and ``block`` lists are *resolved*: included directives stand in place of
    the include itself, in nginx's order.
    """

    name: bytes
    args: Tuple[bytes, ...]
    file: str
    line: int
    start: int
    """Offset of the first byte of the name in the file."""
    end: int
    """Offset after the closing ``;`` or ``}``."""
    block: Optional[List[Directive]] = None
    """The directives between the braces; None for a simple directive."""
    parent: Optional[Directive] = dataclasses.field(default=None, repr=False, compare=False)
    """The block directive that encloses this one after includes are resolved; None at the top."""
    raw: bytes = b""
    """Content of an opaque block (``*_by_lua_block``), not interpreted."""
    quoted: Tuple[bool, ...] = ()
    """For each argument, whether it was quoted in the file."""

    def children(self, name: bytes) -> Iterator[Directive]:
        """The directives of that name directly inside this block, in order."""
        return (child for child in self.block or () if child.name == name)

    def where(self) -> str:
        """``file:line``, as evidence prints it."""
        return "%s:%d" % (self.file, self.line)


@dataclasses.dataclass
class Configuration:
    """A whole configuration, includes resolved."""

    main: str
    """Path of the main file."""
    root: List[Directive]
    """Directives at the top level of the main file, includes resolved."""
    files: Dict[str, bytes]
    """Every file read, by path, in the order nginx first reads them."""
    prefix: str = ""
    """nginx's prefix (``-p`` or ``--prefix``), base of relative log and root paths."""

    def walk(self) -> Iterator[Directive]:
        """Every directive, outer before inner, in file order."""
        stack = list(reversed(self.root))
        while stack:
            directive = stack.pop()
            yield directive
            if directive.block:
                stack.extend(reversed(directive.block))
