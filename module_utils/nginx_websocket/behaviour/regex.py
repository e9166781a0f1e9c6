"""Regular expressions exactly as nginx matches them: its own PCRE library, on bytes, without UTF.

Python's ``re`` differs from PCRE (POSIX classes, ``\\Z``, ``{,3}``, ``(?<name>…)``), so it is never
used to decide.  Where no PCRE library can be loaded, ``CannotDecide`` travels up to the route, which
then says that it cannot tell.
"""

# ctypes has no types of its own for a library and its handles
# ruff: noqa: ANN401

from __future__ import annotations

import ctypes
import functools
import weakref
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

Version = Tuple[int, ...]

PCRE2_NAMES = ("libpcre2-8.so.0", "libpcre2-8.so")
PCRE1_NAMES = ("libpcre.so.3", "libpcre.so.1", "libpcre.so")


class CannotDecide(Exception):
    """The configuration alone (or this host) cannot answer; the message says why."""


class RegexError(Exception):
    """PCRE refuses the pattern or gives up matching it; nginx would not start, or answer 500."""


class Match:
    """Captures of one successful match, as ``ngx_http_regex_exec`` leaves them.

    Group 0 is the whole match.  Groups above the highest one that took part are absent; a group
    that did not take part below it is empty.
    """

    def __init__(self, groups: Sequence[bytes], named: Dict[bytes, bytes]) -> None:
        """Keep the groups and the named captures (name → value, in the order of PCRE's table)."""
        self.groups = tuple(groups)
        self.named = named


_POINTER, _INT, _SIZE, _FLAGS = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_uint32


def _typed(function: Any, result: Any, *arguments: Any) -> Any:
    """A function of a library with the types of its C prototype, the result's first."""
    function.restype, function.argtypes = result, arguments
    return function


class _Pcre2:
    """The few functions of libpcre2-8 that nginx calls."""

    caseless = 0x00000008
    no_match = -1

    def __init__(self, library: Any) -> None:
        int_out, size_out = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_size_t)
        self.compile_ = _typed(
            library.pcre2_compile_8, _POINTER, ctypes.c_char_p, _SIZE, _FLAGS, int_out, size_out, _POINTER
        )
        self.data_create = _typed(
            library.pcre2_match_data_create_from_pattern_8, _POINTER, _POINTER, _POINTER
        )
        self.data_free = _typed(library.pcre2_match_data_free_8, None, _POINTER)
        self.code_free = _typed(library.pcre2_code_free_8, None, _POINTER)
        self.match_ = _typed(
            library.pcre2_match_8, _INT, _POINTER, ctypes.c_char_p, _SIZE, _SIZE, _FLAGS, _POINTER, _POINTER
        )
        self.ovector = _typed(library.pcre2_get_ovector_pointer_8, size_out, _POINTER)
        self.info = _typed(library.pcre2_pattern_info_8, _INT, _POINTER, _FLAGS, _POINTER)
        self.message = _typed(library.pcre2_get_error_message_8, _INT, _INT, ctypes.c_char_p, _SIZE)

    def compile(self, pattern: bytes, caseless: bool) -> Tuple[Any, Callable[[], None]]:
        error, offset = ctypes.c_int(), ctypes.c_size_t()
        options = self.caseless if caseless else 0
        code = self.compile_(pattern, len(pattern), options, ctypes.byref(error), ctypes.byref(offset), None)
        if not code:
            buffer = ctypes.create_string_buffer(256)
            self.message(error.value, buffer, 256)
            raise _bad_pattern("pcre2_compile", pattern, buffer.value.decode(), offset.value)
        return code, functools.partial(self.code_free, code)

    def _number(self, code: Any, what: int) -> int:
        value = ctypes.c_uint32()
        self.info(code, what, ctypes.byref(value))
        return value.value

    def names(self, code: Any) -> List[Tuple[bytes, int]]:
        count, size = self._number(code, 17), self._number(code, 18)
        table = ctypes.c_void_p()
        self.info(code, 19, ctypes.byref(table))
        return _name_table(table.value, count, size)

    def match(self, code: Any, subject: bytes, groups: int) -> Tuple[int, List[Tuple[int, int]]]:
        data = self.data_create(code, None)
        try:
            result = self.match_(code, subject, len(subject), 0, 0, data, None)
            if result < 0:
                return result, []
            vector = self.ovector(data)
            pairs = [(vector[2 * n], vector[2 * n + 1]) for n in range(result)]
        finally:
            self.data_free(data)
        unset = ctypes.c_size_t(-1).value
        return result, [(-1, -1) if start == unset else (start, end) for start, end in pairs]

    def groups(self, code: Any) -> int:
        return self._number(code, 4)


class _Pcre1:
    """The few functions of libpcre that nginx before 1.21.5 calls."""

    caseless = 0x00000001
    no_match = -1

    def __init__(self, library: Any) -> None:
        text, text_out = ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)
        int_out = ctypes.POINTER(ctypes.c_int)
        self.compile_ = _typed(library.pcre_compile, _POINTER, text, _INT, text_out, int_out, _POINTER)
        self.exec_ = _typed(
            library.pcre_exec, _INT, _POINTER, _POINTER, text, _INT, _INT, _INT, int_out, _INT
        )
        self.info = _typed(library.pcre_fullinfo, _INT, _POINTER, _POINTER, _INT, _POINTER)
        self.free = ctypes.CFUNCTYPE(None, ctypes.c_void_p).in_dll(library, "pcre_free")

    def compile(self, pattern: bytes, caseless: bool) -> Tuple[Any, Callable[[], None]]:
        error, offset = ctypes.c_char_p(), ctypes.c_int()
        options = self.caseless if caseless else 0
        code = self.compile_(pattern, options, ctypes.byref(error), ctypes.byref(offset), None)
        if not code:
            raise _bad_pattern("pcre_compile", pattern, (error.value or b"").decode(), offset.value)
        return code, functools.partial(self.free, code)

    def _number(self, code: Any, what: int) -> int:
        value = ctypes.c_int()
        self.info(code, None, what, ctypes.byref(value))
        return value.value

    def names(self, code: Any) -> List[Tuple[bytes, int]]:
        count, size = self._number(code, 8), self._number(code, 7)
        table = ctypes.c_void_p()
        self.info(code, None, 9, ctypes.byref(table))
        return _name_table(table.value, count, size)

    def match(self, code: Any, subject: bytes, groups: int) -> Tuple[int, List[Tuple[int, int]]]:
        size = (groups + 1) * 3
        vector = (ctypes.c_int * size)()
        result = self.exec_(code, None, subject, len(subject), 0, 0, vector, size)
        return result, [(vector[2 * n], vector[2 * n + 1]) for n in range(max(result, 0))]

    def groups(self, code: Any) -> int:
        return self._number(code, 2)


def _bad_pattern(function: str, pattern: bytes, message: str, offset: int) -> RegexError:
    shown = pattern.decode("utf-8", "replace")
    return RegexError(f'{function}() failed: {message} in "{shown}" at offset {offset}')


def _name_table(address: Optional[int], count: int, size: int) -> List[Tuple[bytes, int]]:
    names: List[Tuple[bytes, int]] = []
    for index in range(count if address else 0):
        entry = ctypes.string_at((address or 0) + index * size, size)
        names.append((entry[2:].split(b"\0", 1)[0], entry[0] * 256 + entry[1]))
    return names


@functools.lru_cache(maxsize=None)
def _load(names: Tuple[str, ...], kind: Any) -> Optional[Any]:
    for name in names:
        try:
            return kind(ctypes.CDLL(name))
        except (OSError, AttributeError, ValueError):
            continue
    return None


def library(version: Version = (1, 22, 1)) -> Any:
    """The PCRE library that this version of nginx links (PCRE2 since 1.21.5), else the other one.

    Raises:
        CannotDecide: when neither can be loaded.
    """
    order: List[Tuple[Tuple[str, ...], Any]] = [(PCRE2_NAMES, _Pcre2), (PCRE1_NAMES, _Pcre1)]
    if version < (1, 21, 5):
        order.reverse()
    for names, kind in order:
        found = _load(names, kind)
        if found is not None:
            return found
    raise CannotDecide("no PCRE library can be loaded (libpcre2-8 or libpcre), so no regex can be matched")


class Regex:
    """A compiled pattern."""

    def __init__(self, pattern: bytes, caseless: bool, version: Version = (1, 22, 1)) -> None:
        """Compile as ``ngx_regex_compile`` does: no UTF, no option besides caseless.

        Raises:
            CannotDecide: no PCRE library on this host.
            RegexError: the pattern is wrong; nginx would refuse the configuration.
        """
        self.pattern = pattern
        self.caseless = caseless
        self._library = library(version)
        self._code, free = self._library.compile(pattern, caseless)
        weakref.finalize(self, free)
        self.groups: int = self._library.groups(self._code)
        self.names: List[Tuple[bytes, int]] = self._library.names(self._code)

    def match(self, subject: bytes) -> Optional[Match]:
        """Search the subject; None when it does not match.

        Raises:
            RegexError: PCRE gave up (match limit); nginx answers 500.
        """
        result, pairs = self._library.match(self._code, subject, self.groups)
        if result == self._library.no_match:
            return None
        if result < 0:
            raise RegexError(f"pcre failed: {result}")
        groups = [subject[start:end] if start >= 0 else b"" for start, end in pairs]
        named = {name: groups[number] if number < len(groups) else b"" for name, number in self.names}
        return Match(groups, named)


@functools.lru_cache(maxsize=4096)
def compiled(pattern: bytes, caseless: bool, version: Version = (1, 22, 1)) -> Regex:
    """The compiled pattern, kept for the next route of the same configuration."""
    return Regex(pattern, caseless, version)
