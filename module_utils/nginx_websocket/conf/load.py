"""A main file and all that it includes → the resolved tree, as ``ngx_conf_parse`` walks it."""

from __future__ import annotations

import errno
import gc
import os
import re
from typing import Callable, Dict, List, Optional, Tuple

from . import globbing
from .lua import block_end
from .regular import SIZE_LIMIT, read_file
from .tokens import read_statement
from .tree import Configuration, ConfSyntaxError, Directive, Include, Source, is_opaque, printable

Reader = Callable[[str], bytes]
Glob = Callable[[str], List[str]]

INCLUDE_LIMIT = 100000
"""Inclusions that one configuration may have."""
DEPTH_LIMIT = 100
"""So many blocks in each other; nginx has no limit of its own, and nobody comes near."""
WEIGHT_LIMIT = 8000000
"""Directives times four plus words that one configuration may have (10,000 servers have about 2,000,000)."""

# Blocks that hand their entries to a handler of their own: an entry cannot be a block
# (ngx_conf_parse), and "include" is one only for those modules that look for it.
_ENTRIES = frozenset((b"map", b"geo", b"types", b"split_clients", b"charset_map"))
_NO_INCLUDE = frozenset((b"split_clients", b"charset_map"))

# A statement without quote, escape, variable in braces and the like, or a "}", after blanks and comments;
# everything else, and all that comes near the limits of nginx's buffer, goes to read_statement().
_FAST = re.compile(
    rb"""[ \t\r\n]*(?:\#[^\n]{0,4000}\n[ \t\r\n]*){0,64}
         (?:([^ \t\r\n\x0b\x0c;{}"'\\\#]+)(?:[ \t\r\n]([^;{}"'\\\#\x0b\x0c]*))?([;{])|\})""",
    re.VERBOSE,
)
_FAST_LIMIT = 4000


def load(
    main: str,
    *,
    prefix: str = "",
    read: Reader = read_file,
    glob: Glob = globbing.glob,
) -> Configuration:
    """Read a configuration with all its includes (ngx_conf_parse, ngx_conf_include).

    Args:
        main: path of the main file; a relative one is below ``prefix`` (or the working directory).
        prefix: nginx's prefix.
        read: how to read a file; gets a path, gives bytes, raises OSError.
        glob: how to expand an include pattern; gets a full pattern, gives paths in nginx's order.

    Returns:
        The configuration.  Its files are in the order in which nginx first opens them.

    Raises:
        ConfSyntaxError: nginx would not read it (with nginx's words where it has some), an include
            loop, or more of anything than the limits of this module.
    """
    # Nothing but the tree is allocated meanwhile: looking for garbage would be a good part of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _Loader(read, glob).load(main, prefix)
    finally:
        if collecting:
            gc.enable()


class _Frame:
    """One inclusion of one file, suspended while its includes are read."""

    __slots__ = ("depth", "include", "out", "parent", "pending", "pos", "root", "source")

    def __init__(
        self, source: Source, root: List[Directive], parent: Optional[Directive], out: List[Directive]
    ) -> None:
        self.source = source
        self.root = root
        self.parent = parent
        """The block that is open; its own directives go to ``out``."""
        self.out = out
        self.pos = 0
        self.depth = 0
        """Blocks that this file has opened and not yet closed."""
        self.pending: List[str] = []
        """Files that the last include has yet to bring, the next one last."""
        self.include: Optional[Directive] = None


class _Loader:
    """The state of one ``load``: what was read, and which files are open."""

    def __init__(self, read: Reader, glob: Glob) -> None:
        self.read = read
        self.glob = glob
        self.conf_prefix = ""
        self.sources: Dict[str, Source] = {}
        self.includes: List[Include] = []
        self.size = 0
        self.count = 0
        self.room = WEIGHT_LIMIT
        self.depth = 0

    def load(self, main: str, prefix: str) -> Configuration:
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        if not main.startswith("/"):
            main = prefix + main
        # nginx cuts its conf prefix after the last slash of the main file (ngx_process_options).
        self.conf_prefix = main[: main.rfind("/") + 1]
        root: List[Directive] = []
        open_files = {main}
        frames = [_Frame(self.source(main, None), root, None, root)]
        while frames:
            frame = frames[-1]
            if frame.pending:
                name = frame.pending.pop()
                if name in open_files:
                    # nginx itself goes on until "Too many open files".
                    raise _at_end(f'include loop: "{_text(name)}" is being read already', frame.include)
                source = self.source(name, frame.include)
                open_files.add(name)
                frames.append(_Frame(source, root, frame.parent, frame.out))
                continue
            include = self.read_on(frame)
            if include is None:
                open_files.discard(frame.source.name)
                frames.pop()
            else:
                frame.include = include
                frame.pending = self.expand(include)[::-1]
        files = {name: source.data for name, source in self.sources.items()}
        return Configuration(main, root, files, prefix, self.includes)

    def expand(self, include: Directive) -> List[str]:
        """The files that an include names (ngx_conf_include)."""
        if len(include.args) != 1:
            raise _at_end('invalid number of arguments in "include" directive', include)
        pattern = os.fsdecode(include.args[0].partition(b"\0")[0])  # C strings end at NUL
        if not pattern.startswith("/"):
            pattern = self.conf_prefix + pattern
        names = [pattern]
        in_geo = include.parent is not None and include.parent.name == b"geo"
        if globbing.is_pattern(pattern) and not in_geo:  # ngx_http_geo_include opens the name as it is
            try:
                names = self.glob(pattern)
            except OSError as error:
                raise _at_end(f'glob() "{_text(pattern)}" failed ({error})', include) from error
        self.includes.append(Include(include, pattern, names))
        return names

    def source(self, name: str, include: Optional[Directive]) -> Source:
        """A file, read once however often it is included."""
        source = self.sources.get(name)
        if source is None:
            try:
                source = Source(name, self.read(name))
            except OSError as error:
                # A directory can be opened; what fails is to read it.
                call = "pread" if error.errno == errno.EISDIR else "open"
                message = f'{call}() "{_text(name)}" failed ({error.errno}: {error.strerror})'
                raise _at_end(message, include, name) from error
            self.sources[name] = source
        self.size += len(source.data)
        self.count += 1
        if self.size > SIZE_LIMIT or self.count > INCLUDE_LIMIT:
            message = f"more than {SIZE_LIMIT} bytes or {INCLUDE_LIMIT} inclusions, not read on"
            raise _at_end(message, include, name)
        return source

    def refused_block(self, name: bytes, parent: Optional[Directive]) -> str:
        """Why a directive cannot open a block here, in nginx's words where it has some; "" where it can."""
        if parent is not None and parent.name in _ENTRIES:
            return 'unexpected "{"'
        if name == b"include":
            return 'directive "include" is not terminated by ";"'
        if self.depth > DEPTH_LIMIT:
            return f"more than {DEPTH_LIMIT} blocks in each other, not read on"
        return ""

    def read_on(self, frame: _Frame) -> Optional[Directive]:
        """Read on in a file up to its next include, which is returned, or its end."""
        source = frame.source
        data = source.data
        pos = frame.pos
        parent = frame.parent
        out = frame.out
        includes = _takes_includes(parent)
        room = self.room
        fast = _FAST.match
        while True:
            match = fast(data, pos)
            if match is not None:
                name, rest, last = match.group(1, 2, 3)
                pos = match.end()
                if last is not None:
                    start = match.start(1)
                    if pos - start > _FAST_LIMIT or (last == b"{" and data[pos - 2] == 0x24):  # "${"
                        match = None
                        pos = start
                    else:
                        args = tuple(rest.split()) if rest else ()
            if match is None:
                statement = _statement(source, pos)
                if statement is None:
                    break
                name, args, start, pos, last = statement
            if last is not None:
                room -= 4 + len(args)
                if room < 0:
                    message = f"more than {WEIGHT_LIMIT // 4} directives or {WEIGHT_LIMIT} words, not read on"
                    raise ConfSyntaxError(message, source.name, source.line(pos))
            if last == b";":
                directive = Directive(name, args, source, start, pos, parent)
                if name == b"include" and includes:
                    frame.pos = pos
                    frame.parent = parent
                    frame.out = out
                    self.room = room
                    return directive
                out.append(directive)
            elif last is None:  # "}"
                if not frame.depth or parent is None:
                    raise ConfSyntaxError('unexpected "}"', source.name, source.line(pos))
                frame.depth -= 1
                self.depth -= 1
                parent.end = pos
                parent = parent.parent
                out = frame.root if parent is None or parent.block is None else parent.block
                includes = _takes_includes(parent)
            else:
                self.depth += 1
                message = self.refused_block(name, parent)
                if message:
                    raise ConfSyntaxError(message, source.name, source.line(pos))
                block: List[Directive] = []
                directive = Directive(name, args, source, start, pos, parent, block, pos)
                out.append(directive)
                if is_opaque(name):
                    self.depth -= 1
                    pos = directive.end = block_end(source, pos, start)
                else:
                    parent = directive
                    out = block
                    includes = name not in _NO_INCLUDE
                    frame.depth += 1
        if frame.depth:
            message = 'unexpected end of file, expecting "}"'
            raise ConfSyntaxError(message, source.name, source.line(pos))
        self.room = room
        return None


def _takes_includes(block: Optional[Directive]) -> bool:
    return block is None or block.name not in _NO_INCLUDE


_Statement = Tuple[bytes, Tuple[bytes, ...], int, int, Optional[bytes]]


def _statement(source: Source, pos: int) -> Optional[_Statement]:
    """What the tokenizer finds from an offset on: name, arguments, start, end, and what ended it.

    Returns:
        None at the end of the file; the last value is None for a "}".
    """
    words, token = read_statement(source, pos)
    if words:
        args = tuple([word.value for word in words[1:]])
        return words[0].value, args, words[0].start, token.end, token.value
    return None if token.kind == "end" else (b"", (), pos, token.end, None)


def _at_end(message: str, directive: Optional[Directive], file: str = "") -> ConfSyntaxError:
    """An error of a whole directive, which nginx reports when it has read its ``;``."""
    if directive is None:
        return ConfSyntaxError(message, file, 0)
    return ConfSyntaxError(message, directive.file, directive.source.line(directive.end - 1))


def _text(path: str) -> str:
    return printable(os.fsencode(path))
