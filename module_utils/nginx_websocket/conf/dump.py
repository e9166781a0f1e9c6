"""``nginx -T`` → files → tree.

The dump is each file once, in the order in which nginx first opens them: a line ``# configuration file
NAME:``, the content, a line feed.  Inside a file, a comment may look like that line.  A marker is believed
only where the file before it is complete and the includes read so far ask for that very file next; where
that leaves two candidates of one name, the one after an empty line wins, for nginx's own line feed makes
one behind every file that ends in a line feed itself.
"""

from __future__ import annotations

import collections
import errno
import os
import re
from typing import Dict, FrozenSet, Iterator, List, Match, Optional, Set, Tuple

from . import globbing
from .load import load
from .lua import block_end
from .tokens import read_statement, skip_blank
from .tree import Configuration, ConfSyntaxError, Source, is_opaque

_MARKER = re.compile(rb"^# configuration file ([^\n]+?):\r?$", re.MULTILINE)
_STEPS = 2000000
"""Comparisons of a marker with an include that one reading of a dump may cost."""
_BUDGET = 4 << 20
"""Bytes to read again and again in search of a consistent reading; larger dumps are read twice."""
_SUSPECTS = 30


def load_dump(dump: bytes) -> Configuration:
    """Read the output of ``nginx -T``.

    Args:
        dump: the output; lines before the first file (nginx's messages) are passed over.

    Returns:
        The configuration; its files are those of the dump, includes are resolved among them.

    Raises:
        ConfSyntaxError: the bytes are no dump, a part of it is missing, or nginx would not read it.
    """
    markers = list(_MARKER.finditer(dump))
    if not markers:
        message = 'not the output of nginx -T: it has no line "# configuration file …:"'
        raise ConfSyntaxError(message, "", 0)
    first: Optional[Configuration] = None
    first_error: Optional[ConfSyntaxError] = None
    for believed in _readings(dump, markers):
        files = _split(dump, believed)
        try:
            configuration = _load(files)
        except ConfSyntaxError as error:
            first_error = first_error or error
            continue
        if list(configuration.files) == list(files):  # the includes ask for these files in this order
            return configuration
        first = first or configuration
    if first is None and first_error is not None:
        raise first_error
    assert first is not None
    return first


def _readings(dump: bytes, markers: List[Match[bytes]]) -> Iterator[List[Match[bytes]]]:
    """Ways to tell true markers from false ones, the likeliest first."""
    names = [_name(marker) for marker in markers]
    count = collections.Counter(names)
    if len(count) == len(names):
        yield markers  # as a rule all of them are true
    if len(names) == 1:
        return
    last_spaced = {_name(marker): marker.start() for marker in markers if _after_empty_line(dump, marker)}
    doubtful = frozenset(
        marker.start()
        for marker in markers[1:]
        if last_spaced.get(_name(marker), 0) > marker.start() and not _after_empty_line(dump, marker)
    )
    waiting: List[FrozenSet[int]] = [doubtful, frozenset()]
    tried: Set[FrozenSet[int]] = set()
    budget = max(_BUDGET, 2 * len(dump))
    while waiting and budget > 0:
        false = waiting.pop(0)
        if false in tried:
            continue
        tried.add(false)
        budget -= len(dump)
        believed = _true_markers(dump, markers, false)
        yield believed
        # It was not consistent: what if one of these were false, too?  Names that occur twice come first.
        suspects = sorted(believed[1:], key=lambda marker: count[_name(marker)] < 2)[:_SUSPECTS]
        waiting += [false | {marker.start()} for marker in suspects]


def _load(files: Dict[str, bytes]) -> Configuration:
    names = _DumpNames(files)
    return load(next(iter(files)), read=names.read, glob=names.glob)


def _name(marker: Match[bytes]) -> str:
    return os.fsdecode(marker.group(1))


def _split(dump: bytes, markers: List[Match[bytes]]) -> Dict[str, bytes]:
    """The content behind each marker, without the line feeds that nginx adds."""
    files: Dict[str, bytes] = {}
    ends = [marker.start() for marker in markers[1:]] + [len(dump)]
    for marker, end in zip(markers, ends):
        content = dump[marker.end() + 1 : end]
        files.setdefault(_name(marker), content[:-1] if content.endswith(b"\n") else content)
    return files


class _DumpNames(globbing.Names):
    """The names in a dump, as a file system."""

    def __init__(self, files: Dict[str, bytes]) -> None:
        self._files = files
        self._directories: Dict[str, Set[str]] = {}
        for path in files:
            while "/" in path:
                path, _, name = path.rpartition("/")
                self._directories.setdefault(path, set()).add(name)

    def read(self, path: str) -> bytes:
        if path not in self._files:
            raise FileNotFoundError(errno.ENOENT, "the dump does not hold it", path)
        return self._files[path]

    def glob(self, pattern: str) -> List[str]:
        return [name for name in globbing.glob(pattern, self) if name in self._files]

    def names(self, directory: str) -> List[str]:
        return list(self._directories.get(directory[:-1], ()))

    def exists(self, path: str) -> bool:
        return path in self._files or path in self._directories

    def is_dir(self, path: str) -> bool:
        return path in self._directories


class _Expected:
    """The includes that nginx has yet to follow, the next one last."""

    def __init__(self, first: str) -> None:
        self.accepted = {first}
        self.conf_prefix = first[: first.rfind("/") + 1]
        self.outer: List[Tuple[str, bool, bytes]] = []
        self.own: List[Tuple[str, bool, bytes]] = []
        """Those of the file that is being read, the next one first."""
        self.steps = 0

    def include(self, argument: bytes) -> None:
        """The file being read has this include."""
        name = os.fsdecode(argument.partition(b"\0")[0])
        if not name.startswith("/"):
            name = self.conf_prefix + name
        self.own.append((name, globbing.is_pattern(name), b""))

    def accept(self, name: str) -> bool:
        """Whether nginx could open that file next; if so, its includes come first from now on."""
        if name in self.accepted:
            return False
        waiting = self.outer + self.own[::-1]
        for index in range(len(waiting) - 1, -1, -1):
            self.steps += 1
            pattern, is_pattern, after = waiting[index]
            if is_pattern:
                if os.fsencode(name) <= after or not globbing.matches(name, pattern):
                    continue  # it brought nothing more
            elif pattern in self.accepted:
                continue
            elif pattern != name:
                return False
            self.accepted.add(name)
            self.outer = waiting[:index]
            self.own = []
            if is_pattern:
                self.outer.append((pattern, True, os.fsencode(name)))
            return True
        return False


def _true_markers(dump: bytes, markers: List[Match[bytes]], false: FrozenSet[int]) -> List[Match[bytes]]:
    """Follow the includes through the dump and keep the markers that they ask for, without the false ones."""
    source = Source("nginx -T", dump)
    believed = [markers[0]]
    expected = _Expected(_name(markers[0]))
    depth = 0
    index = 1
    pos = markers[0].end()
    try:
        while pos < len(dump):
            blank_end = skip_blank(source, pos)
            accepted: Optional[Match[bytes]] = None
            while index < len(markers) and markers[index].start() < blank_end:
                marker = markers[index]
                index += 1
                if marker.start() < pos or depth or marker.start() in false:
                    continue
                if expected.accept(_name(marker)):
                    accepted = marker
                    break
            if expected.steps > _STEPS:
                raise ConfSyntaxError("too many lines that look like the name of a file", "nginx -T", 0)
            if accepted is not None:
                believed.append(accepted)
                pos = accepted.end()
                continue
            words, token = read_statement(source, blank_end)
            pos = token.end
            if token.kind == "end":
                break
            if token.kind == "}":
                depth -= 1
            elif token.kind == "{":
                if is_opaque(words[0].value):
                    pos = block_end(source, pos, words[0].start)
                else:
                    depth += 1
            elif words[0].value == b"include" and len(words) == 2:
                expected.include(words[1].value)
    except ConfSyntaxError:
        # No valid configuration is dumped like this: read it as it stands, and let that say what is wrong.
        return markers
    return believed


def _after_empty_line(dump: bytes, marker: Match[bytes]) -> bool:
    return dump[max(marker.start() - 2, 0) : marker.start()] == b"\n\n"
