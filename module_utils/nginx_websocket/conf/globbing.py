"""glob(3) as nginx calls it for ``include``: flags 0, C locale, on any tree of names.

Python's own ``glob`` has other rules for ``[``, backslashes, hidden files, slashes and order.
"""

from __future__ import annotations

import errno
import os
from typing import FrozenSet, List, Optional, Tuple

ENTRIES = 1000000
"""Names that one pattern may look at; a pattern like ``/*/*/*/*`` is refused rather than followed."""

_CLASSES = {
    b"alpha": frozenset(range(65, 91)) | frozenset(range(97, 123)),
    b"digit": frozenset(range(48, 58)),
    b"alnum": frozenset(range(48, 58)) | frozenset(range(65, 91)) | frozenset(range(97, 123)),
    b"upper": frozenset(range(65, 91)),
    b"lower": frozenset(range(97, 123)),
    b"space": frozenset(b" \t\n\r\x0b\x0c"),
    b"blank": frozenset(b" \t"),
    b"punct": frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    b"xdigit": frozenset(b"0123456789abcdefABCDEF"),
    b"cntrl": frozenset(range(32)) | frozenset((127,)),
    b"graph": frozenset(range(33, 127)),
    b"print": frozenset(range(32, 127)),
}
_ANY = frozenset(range(256))
_Part = Optional[FrozenSet[int]]
"""What one place of a pattern takes: None is ``*``."""


class Names:
    """The names that a pattern is matched against: this one is the file system."""

    def names(self, directory: str) -> List[str]:
        """Names in a directory, hidden ones too, in any order; none when it cannot be listed."""
        try:
            return os.listdir(directory or ".")
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Whether the name is there, be it a dangling link."""
        return os.path.lexists(path)

    def is_dir(self, path: str) -> bool:
        """Whether it is a directory or a link to one."""
        return os.path.isdir(path)


def is_pattern(name: str) -> bool:
    """Whether nginx calls glob(3) for that name (ngx_conf_include)."""
    return any(char in name for char in "*?[")


def glob(pattern: str, tree: Optional[Names] = None) -> List[str]:
    """The names that match, in the order of their bytes; none is no error (GLOB_NOMATCH).

    Args:
        pattern: a full name with ``*``, ``?``, ``[…]``; a backslash takes away a special meaning.
        tree: what to match against; the file system by default.

    Raises:
        OSError: the pattern would walk through more than ``ENTRIES`` names.
    """
    return sorted(_expand(pattern, tree or Names(), [ENTRIES]), key=os.fsencode)


def matches(name: str, pattern: str) -> bool:
    """Whether a full name is one that the pattern could bring, each path component by itself."""
    while True:
        name, name_slash, name_last = name.rpartition("/")
        pattern, pattern_slash, pattern_last = pattern.rpartition("/")
        if name_slash != pattern_slash:
            return False
        if _is_magic(pattern_last):
            if not _matches(os.fsencode(name_last), _compile(os.fsencode(pattern_last))):
                return False
        elif name_last != _plain(pattern_last):
            return False
        if not name_slash:
            return True


def _expand(pattern: str, tree: Names, budget: List[int]) -> List[str]:
    directory, slash, last = pattern.rpartition("/")
    if slash and not last and directory:  # "pattern/": directories alone, marked with the slash
        return [name + "/" for name in _expand(directory, tree, budget) if tree.is_dir(name)]
    directories = _expand(directory, tree, budget) if _is_magic(directory) else [_plain(directory)]
    if not _is_magic(last):
        name = _plain(last)
        return [path for path in (base + slash + name for base in directories) if tree.exists(path)]
    parts = _compile(os.fsencode(last))
    result: List[str] = []
    for base in directories:
        names = [*tree.names(base + slash), ".", ".."]
        budget[0] -= len(names)
        if budget[0] < 0:
            raise OSError(errno.E2BIG, f"it looks at more than {ENTRIES} names")
        result += [base + slash + name for name in names if _matches(os.fsencode(name), parts)]
    return result


def _is_magic(pattern: str) -> bool:
    """glibc's __glob_pattern_type: whether the pattern can match anything but itself."""
    bracket = False
    escaped = False
    for char in pattern:
        if escaped:
            escaped = False
        elif char in "*?":
            return True
        elif char == "\\":
            escaped = True
        elif char == "[":
            bracket = True
        elif char == "]" and bracket:
            return True
    return False


def _plain(pattern: str) -> str:
    """The only name that a pattern without magic matches."""
    if "\\" not in pattern:
        return pattern
    result = ""
    escaped = False
    for char in pattern:
        if char == "\\" and not escaped:
            escaped = True
        else:
            result += char
            escaped = False
    return result


def _compile(pattern: bytes) -> List[_Part]:
    """One component as a list of the bytes that each place takes."""
    parts: List[_Part] = []
    pos = 0
    while pos < len(pattern):
        char = pattern[pos]
        pos += 1
        if char == 0x2A:  # *
            parts.append(None)
        elif char == 0x3F:  # ?
            parts.append(_ANY)
        elif char == 0x5B:  # [
            taken, pos = _bracket(pattern, pos)
            parts.append(taken)
        elif char == 0x5C and pos < len(pattern):  # backslash
            parts.append(frozenset(pattern[pos : pos + 1]))
            pos += 1
        else:
            parts.append(frozenset((char,)))
    # fnmatch's FNM_PERIOD: a leading dot is matched by a dot alone.
    if parts and (parts[0] is None or len(parts[0]) != 1 or pattern[:1] == b"["):
        parts.insert(0, frozenset())
    return parts


def _bracket(pattern: bytes, start: int) -> Tuple[FrozenSet[int], int]:
    """The bytes that ``[…]`` takes and the offset after it; an unclosed ``[`` is itself."""
    pos = start
    negated = pattern[pos : pos + 1] in (b"!", b"^")
    if negated:
        pos += 1
    taken: FrozenSet[int] = frozenset()
    first = True
    while pos < len(pattern):
        if pattern[pos] == 0x5D and not first:  # ]
            return (_ANY - taken if negated else taken), pos + 1
        first = False
        if pattern.startswith(b"[:", pos):
            end = pattern.find(b":]", pos + 2)
            name = pattern[pos + 2 : end] if end > 0 else b""
            if name in _CLASSES:
                taken |= _CLASSES[name]
                pos = end + 2
                continue
        low, pos = _member(pattern, pos)
        if low is None:
            break
        if pattern[pos : pos + 1] == b"-" and pattern[pos + 1 : pos + 2] not in (b"]", b""):
            high, pos = _member(pattern, pos + 1)
            if high is None:
                break
            taken |= frozenset(range(low, high + 1))
        else:
            taken |= frozenset((low,))
    return frozenset(b"["), start


def _member(pattern: bytes, pos: int) -> Tuple[Optional[int], int]:
    """One byte inside brackets, a backslash before it dropped."""
    if pattern[pos] == 0x5C:
        pos += 1
        if pos >= len(pattern):
            return None, pos
    return pattern[pos], pos + 1


def _matches(name: bytes, parts: List[_Part]) -> bool:
    """Match with one point of return, so that many stars cost no more than length times length."""
    if parts and parts[0] is not None and not parts[0]:
        if name[:1] == b".":
            return False
        parts = parts[1:]
    at = 0
    part = 0
    star = -1
    star_at = 0
    while at < len(name):
        wanted: _Part = parts[part] if part < len(parts) else frozenset()
        if wanted is None:
            star = part
            star_at = at
            part += 1
        elif name[at] in wanted:
            at += 1
            part += 1
        elif star >= 0:
            star_at += 1
            at = star_at
            part = star + 1
        else:
            return False
    return all(rest is None for rest in parts[part:])
