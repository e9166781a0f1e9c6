"""Random bytes that are hard to cut into words: what the differential test of reading feeds to both."""

from __future__ import annotations

import random

SEPARATORS = (
    b" ",
    b" ",
    b" ",
    b"\t",
    b"\n",
    b"\r",
    b"\r\n",
    b"  ",
    b"\n\n",
    b" # c ; { } \" '\n",
    b"\n#\n",
    b"#x\r y\n",
)
# Whole fragments rather than bytes: traps are made of two or three bytes.
PLAIN = (
    b"a",
    b"b",
    b"c7",
    b"A",
    b"x",
    b"\x0b",
    b"\x0c",
    b"\xa0",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b"\xff",
    b"\x00",
    b"\x85",
    b"#",
    b"}",
    b")",
    b"(",
    b'"',
    b"'",
    b"$",
    b"${",
    b"${{{",
    b"$v",
    b"${v}",
    b"\\\\",
    b"\\n",
    b"\\t",
    b"\\r",
    b'\\"',
    b"\\'",
    b"\\;",
    b"\\ ",
    b"\\\n",
    b"\\{",
    b"\\}",
    b"\\$",
    b"\\$\\{",
    b"\\x",
    b"\\0",
    b"=",
    b":",
    b"/",
    b"*",
    b"~",
)
QUOTED = (
    b"a",
    b"b",
    b" ",
    b"\t",
    b"\n",
    b"\r\n",
    b";",
    b"{",
    b"}",
    b"#",
    b"${",
    b"$",
    b"\\\\",
    b"\\n",
    b"\\r",
    b"\\t",
    b"\\x",
    b"\\\n",
    b"\xe9",
    b"\x00",
    b"\\ ",
    b"\\$",
    b")",
    b"# configuration file /x:\n",
)
FIRST = (b"\\", b"$", b"\\}", b"\\#", b"\\;", b"${", b")", b"${x", b"\\\\", b"=")
BREAKERS = (
    b";",
    b"{",
    b"}",
    b'"',
    b"'",
    b"\\",
    b"$",
    b"#",
    b" ",
    b"\n",
    b"${",
    b")",
    b'"a"b',
    b"'a''b'",
    b'"a"#',
    b";;",
    b" {",
    b"} ",
    b'"a";',
    b'"a"{',
    b'"a")',
    b"\x00",
    b"\r",
)


def word(rng: random.Random) -> bytes:
    kind = rng.random()
    if kind < 0.45:
        first = rng.choice(FIRST) if rng.random() < 0.3 else rng.choice((b"a", b"b", b"q", b"\xa0", b"\x0b"))
        return first + b"".join(rng.choice(PLAIN) for _ in range(rng.randrange(5)))
    if kind < 0.9:
        quote = rng.choice((b'"', b"'"))
        other = b"'" if quote == b'"' else b'"'
        inside = [rng.choice((*QUOTED, b"\\" + quote, b"\\" + other, other)) for _ in range(rng.randrange(6))]
        return quote + b"".join(inside) + quote
    return rng.choice((b"a", b"bb", b"c", b"text/x"))


def separator(rng: random.Random) -> bytes:
    return b"".join(rng.choice(SEPARATORS) for _ in range(rng.choice((1, 1, 1, 2))))


def long_piece(rng: random.Random) -> bytes:
    """Something that ends near the end of nginx's buffer of 4096 bytes."""
    size = 4096 + rng.randrange(-7, 5)
    body = rng.choice((b"a", b"\\\\", b"\\x", b"a\n")) * size
    kind = rng.randrange(5)
    if kind == 0:
        return rng.choice((b"a", b"\\\\", b"a}", b"$x")) * size
    if kind == 1:
        return b'"' + body[:size].rstrip(b"\\") + b'"'
    if kind == 2:
        return b"'" + body[:size].rstrip(b"\\") + b"'"
    if kind == 3:
        return b"#" + b"c" * size + b"\n a"
    return (b"a" * size)[: size - 1]


def soup(rng: random.Random) -> bytes:
    """The content of a ``types`` block: entries of words, now and then broken."""
    pieces = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        if rng.random() < 0.3:
            pieces.append(separator(rng))
        for number in range(rng.randrange(1, 6)):
            pieces.append(separator(rng) if number or rng.random() < 0.2 else b"")
            pieces.append(word(rng))
        if rng.random() < 0.4:
            pieces.append(separator(rng))
        if rng.random() < 0.04:
            pieces += [b" ", long_piece(rng), rng.choice((b"", b" ", b"\n", b"  "))]
        pieces.append(b";")
    if rng.random() < 0.4:
        pieces.append(separator(rng))
    content = b"".join(pieces)
    if rng.random() < 0.35:
        for _ in range(rng.choice((1, 1, 2, 4))):
            at = rng.randrange(len(content) + 1)
            content = content[:at] + rng.choice(BREAKERS) + content[at + rng.randrange(2) :]
    elif rng.random() < 0.05:
        content = b"".join(rng.choice((*BREAKERS, *PLAIN)) for _ in range(rng.randrange(12)))
    return content
