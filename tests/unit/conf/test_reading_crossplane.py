"""Against crossplane 0.5.8, by nginx's makers: the same words, but for a list of known differences.

Where they differ, nginx decides: tests/differential/reading.py has it say so for the same kinds of bytes.
"""

import random

import pytest

from module_utils.nginx_websocket.conf.tree import ConfSyntaxError, Source
from tests.unit.conf.whole_files import tokens

crossplane = pytest.importorskip("crossplane")

WORDS = [
    "a",
    "server_name",
    "$host",
    "p${uri}x",
    "~*",
    "^/a/(.*)$",
    "x#y",
    "http://h:80/",
    "a'b",
    'c"d',
    "é",
    "=",
    "-1",
    "a\\.b",
]
QUOTED = ['"b c"', "'d;{}'", '"#"', '"{2,3}"', "''", "'\"'", '"$a b"', '"\\.x"']
SPACES = [" ", "\n", "\t", "  \n  ", " # c ; { }\n", "\n#\n"]


def theirs(data, tmp_path):
    path = tmp_path / "t.conf"
    path.write_bytes(data)
    try:
        found = [(t, line, quoted) for t, line, quoted in crossplane.lex(str(path)) if quoted or t[:1] != "#"]
    except crossplane.errors.NgxParserBaseException as error:
        return str(error).split(" in ")[0]
    return [word[0] for word in found]


def ours(data):
    try:
        return [
            token.value.decode("utf-8", "replace")
            for token in tokens(Source("t", data))
            if token.kind != "end"
        ]
    except ConfSyntaxError as error:
        return error.message


def places(data, tmp_path):
    (tmp_path / "t.conf").write_bytes(data)
    lexed = crossplane.lex(str(tmp_path / "t.conf"))
    return [(text, line, quoted) for text, line, quoted in lexed if quoted or text[:1] != "#"]


@pytest.mark.parametrize("seed", range(200))
def test_same_words_lines_and_quotes(seed, tmp_path):
    rng = random.Random(seed)
    pieces = []
    for _ in range(rng.randrange(1, 12)):
        for _ in range(rng.randrange(1, 5)):
            pieces += [rng.choice(WORDS + QUOTED), rng.choice(SPACES)]
        pieces += [rng.choice([";", " { }", "{ a b; }"]), rng.choice(SPACES)]
    data = "".join(pieces).encode()
    mine = [(t.value.decode(), t.line, t.quoted) for t in tokens(Source("t", data)) if t.kind != "end"]
    assert mine == places(data, tmp_path)


# What it is, the bytes, what crossplane makes of them, what nginx and we make of them.
KNOWN = [
    ("an escaped separator stays", rb"a b\ c;", ["a", "b\\ c", ";"], ["a", "b\\ c", ";"]),
    (
        "escapes become characters",
        rb"a \"b \\d 'e\tf';",
        ["a", '\\"b', "\\\\d", "e\\tf", ";"],
        ["a", '"b', "\\d", "e\tf", ";"],
    ),
    ("a word after a closing quote", b'a "b"c;', ["a", "b", "c", ";"], 'unexpected "c"'),
    ("vertical tab and form feed", b"a b\x0bc\x0cd;", ["a", "b", "c", "d", ";"], ["a", "b\x0bc\x0cd", ";"]),
    ("no-break space", "a b\u00a0c;".encode(), ["a", "b", "c", ";"], ["a", "b\u00a0c", ";"]),
    ("a brace inside a word", b"a b}c;", 'unexpected "}"', ["a", "b}c", ";"]),
    ("a variable at the start of a word", b"a ${b}c;", ["a", "${b}c", ";"], ["a", "${b}c", ";"]),
    ("a blank after a variable", b"a ${b} c;", ["a", "${b} c", ";"], ["a", "${b}", "c", ";"]),
    ("an open variable", b"a ${b;\n", ["a"], ["a", "${b", ";"]),
    ("CRLF inside quotes", b"a 'b\r\nc';", ["a", "b\nc", ";"], ["a", "b\r\nc", ";"]),
    ("a comment goes on after CR", b"a # b\rc\n;", ["a", "c", ";"], ["a", ";"]),
    ("an open quote", b"a 'b;", ["a"], 'unexpected end of file, expecting ";" or "}"'),
    ("no end", b"a b", ["a"], 'unexpected end of file, expecting ";" or "}"'),
    (
        "too long a word",
        b"a " + b"b" * 5000 + b";",
        ["a", "b" * 5000, ";"],
        'too long parameter "bbbbbbbbbb..." started',
    ),
    ("an empty statement", b";", [";"], 'unexpected ";"'),
]


@pytest.mark.parametrize(
    ("data", "crossplane_says", "we_say"), [k[1:] for k in KNOWN], ids=[k[0] for k in KNOWN]
)
def test_known_differences(data, crossplane_says, we_say, tmp_path):
    assert (theirs(data, tmp_path), ours(data)) == (crossplane_says, we_say)
