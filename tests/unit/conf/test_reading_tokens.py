"""The words of a file.  Every expectation here was seen on nginx 1.22.1; random ones: tests/differential."""

import pytest

from module_utils.nginx_websocket.conf.tokens import read_statement
from module_utils.nginx_websocket.conf.tree import ConfSyntaxError, Source, printable
from tests.unit.conf.whole_files import tokens


def words(data):
    return [token.value for token in tokens(Source("t", data)) if token.kind == "word"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a b;", [b"a", b"b"]),
        (b"a\tb\r\nc\rd;", [b"a", b"b", b"c", b"d"]),
        (b"a\xa0b c\x0bd e\x0cf;", [b"a\xa0b", b"c\x0bd", b"e\x0cf"]),
        (b"a \xc2\xa0 b;", [b"a", b"\xc2\xa0", b"b"]),
        (b"a # c ; {\n b;", [b"a", b"b"]),
        (b"a # c\r still\n b;", [b"a", b"b"]),
        (b"a#b c;", [b"a#b", b"c"]),
        (b'a "b;{}#c" d;', [b"a", b"b;{}#c", b"d"]),
        (b"a 'b\"c' \"d'e\";", [b"a", b'b"c', b"d'e"]),
        (b"a b\"c d'e;", [b"a", b'b"c', b"d'e"]),
        (b"a '' \"\";", [b"a", b"", b""]),
        (b'if ($a = "b") {}', [b"if", b"($a", b"=", b"b", b")"]),
        (b'a "b")c;', [b"a", b"b", b")c"]),
        (rb"a b\ c d\;e f\{g;", [b"a", rb"b\ c", rb"d\;e", rb"f\{g"]),
        (rb"""a \\ \" \' \t \r \n;""", [b"a", b"\\", b'"', b"'", b"\t", b"\r", b"\n"]),
        (rb"""a "\\ \" \' \t \r \n \d \.";""", [b"a", b"\\ \" ' \t \r \n \\d \\."]),
        (rb"a \\n \\\\t;", [b"a", rb"\n", rb"\\t"]),
        (b"a ${b}c $d{}", [b"a", b"${b}c", b"$d"]),
        (b"a ${{{b;", [b"a", b"${{{b"]),
        (b"a x}y;", [b"a", b"x}y"]),
        (b'a "b\r\nc";', [b"a", b"b\r\nc"]),
        (b"a\\\nb;", [b"a\\\nb"]),
        (b"\xff\xfe\x00 b;", [b"\xff\xfe\x00", b"b"]),
        (b'location ~ "^/a{2}$" {}', [b"location", b"~", b"^/a{2}$"]),
    ],
)
def test_values(data, expected):
    assert words(data) == expected


def test_a_brace_that_is_not_quoted_ends_the_words():
    found, last = read_statement(Source("t", b"location ~ ^/a{2}$ {}"), 0)
    assert ([token.value for token in found], last.kind) == ([b"location", b"~", b"^/a"], "{")


@pytest.mark.parametrize(
    ("data", "message", "line"),
    [
        (b'a\n"b"c;', 'unexpected "c"', 2),
        (b'a "b"#c\n;', 'unexpected "#"', 1),
        (b'a "b"};', 'unexpected "}"', 1),
        (b"a }", 'unexpected "}"', 1),
        (b"\n\n;", 'unexpected ";"', 3),
        (b"{", 'unexpected "{"', 1),
        (b"a;\nb", 'unexpected end of file, expecting ";" or "}"', 2),
        (b"a # b", 'unexpected end of file, expecting ";" or "}"', 1),
        (b'a "b', 'unexpected end of file, expecting ";" or "}"', 1),
        (b"a \\", 'unexpected end of file, expecting ";" or "}"', 1),
        (b'a "b"', 'unexpected end of file, expecting ";" or "}"', 1),
    ],
)
def test_errors(data, message, line):
    with pytest.raises(ConfSyntaxError) as caught:
        words(data)
    assert (caught.value.message, caught.value.line, caught.value.file) == (message, line, "t")


@pytest.mark.parametrize(
    ("head", "fill", "tail", "longest"),
    [
        (b"a ", b"x", b"; b;", 4095),
        (b"a ", b"x", b" ;  b;", 4094),
        (b'a "', b"x", b'"; b;', 4094),
        (b'a "', b"x", b'" ; b;', 4093),
        (b"#", b"x", b"\nb;", 4094),
    ],
)
def test_nginx_buffer(head, fill, tail, longest):
    assert words(head + fill * longest + tail)
    with pytest.raises(ConfSyntaxError, match="too long parameter"):
        words(b"\n" + head + fill * (longest + 1) + tail)


def test_unterminated_quote_in_a_long_file_names_its_first_line():
    with pytest.raises(ConfSyntaxError) as caught:
        words(b"a;\nb 'c;\n" + b"d;\n" * 3000)
    assert caught.value.message == 'too long parameter, probably missing terminating "\'" character'
    assert caught.value.line == 2


def test_offsets_quotes_and_lines():
    source = Source("t", b"a\n  'b c' d;\n}")
    found = list(tokens(source))
    assert [(t.kind, t.quoted, t.line, source.data[t.start : t.end]) for t in found] == [
        ("word", False, 1, b"a"),
        ("word", True, 2, b"'b c'"),
        ("word", False, 2, b"d"),
        (";", False, 2, b";"),
        ("}", False, 3, b"}"),
    ]


def test_printable_keeps_text_and_shows_the_rest():
    assert printable("é\x1b[31m\n".encode() + b"\xff") == "é\\x1b[31m\\x0a\\xff"
