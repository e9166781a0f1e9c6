"""The request target as nginx reads it: decoding, slash merging, dot segments, escaping.

All on bytes.  The rules are those of ``ngx_http_parse_request_line``, ``ngx_http_parse_complex_uri``,
``ngx_escape_uri`` and ``ngx_unescape_uri``.
"""

from __future__ import annotations

import dataclasses
from typing import FrozenSet, List, Tuple

Version = Tuple[int, ...]

_HEX = {code: int(chr(code), 16) for code in b"0123456789abcdefABCDEF"}


class BadRequest(Exception):
    """nginx answers 400 before it looks at any location; the message is the words of its log."""


@dataclasses.dataclass
class Target:
    """The request target after parsing.

    ``uri`` is what locations are matched against and ``$uri`` holds; ``args`` is ``$args``;
    ``unparsed`` is ``$request_uri``.  ``quoted`` and ``plus`` say whether the path held ``%XX`` or ``+``:
    nginx escapes rewritten text only then.
    """

    uri: bytes
    args: bytes
    unparsed: bytes
    quoted: bool = False
    plus: bool = False
    valid_unparsed: bool = True


def _check_characters(raw: bytes, version: Version) -> None:
    """Refuse the bytes that ngx_http_parse_request_line refuses in a target."""
    if b"\0" in raw:
        raise BadRequest("client sent invalid request: NUL in the target")
    if version >= (1, 21, 1) and any(c <= 0x20 or c == 0x7F for c in raw):
        raise BadRequest("client sent invalid request: a space or a control character in the target")


_SCHEME = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")
_NAME = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-")
_LITERAL = _NAME | frozenset(b":_~!$&'()*+,;=")


def split_absolute(raw: bytes) -> Tuple[bytes, bytes]:
    """Split an absolute-form target (``http://host/path``) into host and the rest.

    The host beats the Host header (``ngx_http_process_request_line``); its port is dropped.  An
    origin-form target comes back unchanged with an empty host.

    Raises:
        BadRequest: nginx answers 400.
    """
    if raw.startswith(b"/"):
        return b"", raw
    scheme, mark, rest = raw.partition(b"://")
    if not mark or not scheme[:1].isalpha() or any(code not in _SCHEME for code in scheme):
        raise BadRequest("client sent invalid request: the target is neither a path nor a URL")
    if rest.startswith(b"["):
        end = rest.find(b"]") + 1
        if end == 0 or any(code not in _LITERAL for code in rest[1 : end - 1]):
            raise BadRequest("client sent invalid request: bad host in the target")
    else:
        end = next((n for n, code in enumerate(rest) if code not in _NAME), len(rest))
    host, tail = rest[:end], rest[end:]
    if tail.startswith(b":"):
        digits = next((n for n, code in enumerate(tail[1:]) if not 0x30 <= code <= 0x39), len(tail) - 1)
        tail = tail[1 + digits :]
    if not tail:
        return host, b"/"
    if not tail.startswith((b"/", b"?")):
        raise BadRequest("client sent invalid request: bad host in the target")
    return host, tail


def parse_target(raw: bytes, *, merge_slashes: bool = True, version: Version = (1, 22, 1)) -> Target:
    """Parse a request target (``/path?query``) as nginx does.

    Args:
        raw: the target exactly as the client sends it, from the path on (see ``split_absolute``).
        merge_slashes: the value of ``merge_slashes`` in the *default* server of the listen address
            (or the server that SNI chose): the request line is read before the Host header.
        version: nginx's version; control characters are refused since 1.21.1.

    Returns:
        The parsed target.

    Raises:
        BadRequest: where nginx answers 400 (bad ``%XX``, ``%00``, ``..`` above the root).
    """
    _check_characters(raw, version)
    if raw.startswith(b"?"):
        # an absolute-form target without a path: the unparsed URI is not used then
        target = _parse_complex(b"/" + raw, merge_slashes)
        return dataclasses.replace(target, unparsed=raw, valid_unparsed=False)
    if not raw.startswith(b"/"):
        raise BadRequest("client sent invalid request: the target does not start with /")
    path, _mark, args = raw.partition(b"?")
    simple = b"#" not in raw and b"%" not in path and b"//" not in path and b"/." not in path
    if simple:
        return Target(path, args, raw, quoted=False, plus=b"+" in path)
    return _parse_complex(raw, merge_slashes)


def _parse_complex(raw: bytes, merge_slashes: bool) -> Target:
    """ngx_http_parse_complex_uri: the same states, one byte at a time."""
    usual, slash, dot, dot_dot = range(4)
    out = bytearray()
    state = usual
    quoted = plus = False
    args = b""
    size = len(raw)
    position = 0
    while position < size:
        byte = raw[position]
        position += 1
        literal = True
        if byte == 0x25:  # %XX: the decoded byte goes through the same state, except % # and ?
            quoted = True
            if position + 2 > size or raw[position] not in _HEX or raw[position + 1] not in _HEX:
                raise BadRequest("client sent invalid request: bad %XX in the path")
            byte = _HEX[raw[position]] * 16 + _HEX[raw[position + 1]]
            position += 2
            if byte == 0:
                raise BadRequest("client sent invalid request: %00 in the path")
            if byte in b"%#?":
                state = usual
                out.append(byte)
                continue
            literal = False
        if byte == 0x2B:
            plus = True
        end = literal and byte in b"?#"
        if byte == 0x2F or end:
            if state == dot:
                out.pop()
            elif state == dot_dot:
                _up(out)
            elif byte == 0x2F and (state == usual or not merge_slashes):
                out.append(byte)
            state = slash
            if end:
                if byte == 0x3F:
                    args = raw[position:].partition(b"#")[0]
                return Target(bytes(out), args, raw, quoted, plus)
        elif byte == 0x2E and state in (slash, dot):
            out.append(byte)
            state = dot if state == slash else dot_dot
        else:
            out.append(byte)
            state = usual
    if state == dot:
        out.pop()
    elif state == dot_dot:
        _up(out)
    return Target(bytes(out), args, raw, quoted, plus)


def _up(out: bytearray) -> None:
    """Drop ``/..`` and the segment before it, keeping the slash in front of that segment."""
    cut = len(out) - 4
    while cut >= 0 and out[cut] != 0x2F:
        cut -= 1
    if cut < 0:
        raise BadRequest("client sent invalid request: .. above the root")
    del out[cut + 1 :]


def _bytes_of(*words: int) -> FrozenSet[int]:
    """The set of bytes that a bitmap of eight 32-bit words names (nginx's own notation)."""
    return frozenset(n for n in range(256) if words[n >> 5] >> (n & 31) & 1)


_ALL = 0xFFFFFFFF
_HIGH = (_ALL, _ALL, _ALL, _ALL)
_URI = _bytes_of(_ALL, 0xD000002D, 0x50000000, 0xB8000001, *_HIGH)
_ARGS = _bytes_of(_ALL, 0xD800086D, 0x50000000, 0xB8000001, *_HIGH)
_URI_OLD = _bytes_of(_ALL, 0x80000029, 0x00000000, 0x80000000, *_HIGH)
_ARGS_OLD = _bytes_of(_ALL, 0x88000869, 0x00000000, 0x80000000, *_HIGH)


def _escape(text: bytes, table: FrozenSet[int]) -> bytes:
    out: List[bytes] = []
    for code in text:
        out.append(b"%%%02X" % code if code in table else bytes((code,)))
    return b"".join(out)


def escape_uri(text: bytes, version: Version = (1, 22, 1)) -> bytes:
    """``ngx_escape_uri(NGX_ESCAPE_URI)``; nginx escapes more characters since 1.21.1."""
    return _escape(text, _URI if version >= (1, 21, 1) else _URI_OLD)


def escape_args(text: bytes, version: Version = (1, 22, 1)) -> bytes:
    """``ngx_escape_uri(NGX_ESCAPE_ARGS)``, as captures are escaped in rewritten arguments."""
    return _escape(text, _ARGS if version >= (1, 21, 1) else _ARGS_OLD)


def escape_redirect(text: bytes, version: Version = (1, 22, 1)) -> bytes:
    """A path that nginx itself puts into a Location header: escaped since 1.21.0."""
    return escape_uri(text, version) if version >= (1, 21, 0) else text


def unescape_redirect(text: bytes) -> bytes:
    """``ngx_unescape_uri(NGX_UNESCAPE_REDIRECT)``: what a rewrite does to its redirect target."""
    out = bytearray()
    position = 0
    size = len(text)
    while position < size:
        byte = text[position]
        position += 1
        if byte == 0x3F:
            out.append(byte)
            return bytes(out) + text[position:]
        if byte != 0x25:
            out.append(byte)
            continue
        if position >= size:
            break
        first = text[position]
        position += 1
        if first not in _HEX:
            out.append(first)
            continue
        if position >= size:
            break
        second = text[position]
        position += 1
        if second not in _HEX:
            continue
        decoded = _HEX[first] * 16 + _HEX[second]
        if decoded == 0x3F and second not in b"0123456789":
            out.append(decoded)
            return bytes(out) + text[position:]
        if 0x25 < decoded < 0x7F:
            out.append(decoded)
        else:
            out += bytes((0x25, first, second))
    return bytes(out)
