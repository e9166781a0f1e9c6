"""Edits change the bytes that they are about and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from module_utils.nginx_websocket.conf.load import load
from module_utils.nginx_websocket.conf.splice import (
    apply,
    delete,
    insert_after,
    insert_before,
    insert_inside,
    quote,
    set_argument,
    statement,
)
from module_utils.nginx_websocket.conf.tree import Source
from tests.unit.conf.whole_files import tokens

DATA = (
    b"# head\r\nevents {\n    worker_connections 768; # why\n\t# multi_accept on;\n}\na 'b c'   d;e;\nf{}\n"
)


def parsed(data=DATA):
    root = load("m", read=lambda path: data).root
    return {d.name: d for d in [*root, *(root[0].block or ())]}


def test_set_argument():
    d = parsed()
    assert apply(DATA, [set_argument(d[b"worker_connections"], 0, b"4096")]) == DATA.replace(b"768", b"4096")
    assert apply(DATA, [set_argument(d[b"a"], 0, b'x "y"')]) == DATA.replace(b"'b c'", b'"x \\"y\\""')
    with pytest.raises(IndexError):
        set_argument(d[b"a"], 2, b"x")


def test_insert():
    d = parsed()
    new = statement(b"new", [b"1"])
    line = b"    worker_connections 768; # why\n"
    assert apply(DATA, [insert_before(d[b"worker_connections"], new)]) == DATA.replace(
        line, b"    new 1;\n" + line
    )
    assert apply(DATA, [insert_after(d[b"worker_connections"], new)]) == DATA.replace(
        line, line + b"    new 1;\n"
    )
    assert apply(DATA, [insert_inside(d[b"events"], new)]) == DATA.replace(line, b"    new 1;\n" + line)
    assert apply(DATA, [insert_inside(d[b"f"], new)]) == DATA.replace(b"f{}", b"f{ new 1; }")
    assert apply(DATA, [insert_after(d[b"a"], new)]) == DATA.replace(b"d;e;", b"d; new 1;e;")
    assert apply(DATA, [insert_before(d[b"e"], new)]) == DATA.replace(b"d;e;", b"d;new 1; e;")


def test_insert_into_an_empty_block_of_two_lines_and_with_crlf():
    data = b"events {\r\n}\r\n"
    assert apply(data, [insert_inside(parsed(data)[b"events"], b"x;")]) == b"events {\r\n    x;\r\n}\r\n"


def test_delete():
    d = parsed()
    assert apply(DATA, [delete(d[b"f"])]) == DATA.replace(b"f{}\n", b"")
    assert apply(DATA, [delete(d[b"e"])]) == DATA.replace(b"d;e;", b"d;")
    # A comment on the line is the owner's: it stays.
    expected = DATA.replace(b"worker_connections 768; # why", b" # why")
    assert apply(DATA, [delete(d[b"worker_connections"])]) == expected


def test_several_edits_and_edits_that_do_not_fit():
    d = parsed()
    both = [delete(d[b"f"]), set_argument(d[b"worker_connections"], 0, b"1")]
    assert apply(DATA, both) == DATA.replace(b"f{}\n", b"").replace(b"768", b"1")
    with pytest.raises(ValueError, match="overlap"):
        apply(DATA, [delete(d[b"events"]), set_argument(d[b"worker_connections"], 0, b"1")])
    with pytest.raises(ValueError, match="made for"):
        apply(DATA + b" ", both)


@given(st.binary(max_size=40))
def test_quote_gives_one_word_of_that_value(value):
    found = list(tokens(Source("t", b"a " + quote(value) + b";")))
    assert [token.value for token in found] == [b"a", value, b";"]


@pytest.mark.parametrize("value", [b"1024", b"$host", b"http://127.0.0.1:8000/", b"~*", b"a#b"])
def test_quote_leaves_plain_words_alone(value):
    assert quote(value) == value


def test_quote_refuses_what_nginx_cannot_read():
    with pytest.raises(ValueError, match="too long"):
        quote(b"x" * 4096)
