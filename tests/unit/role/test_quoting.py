"""What is quoted is read back as it was, by the tokenizer that is tested against real nginx."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from module_utils.nginx_websocket.conf.tokens import words
from module_utils.nginx_websocket.conf.tree import Source
from roles.nginx_websocket.site_model.rendering.quoting import quoted, regex_literal, token
from roles.nginx_websocket.site_model.values.regex import matches

TEXT = st.text(st.characters(codec="utf-8", min_codepoint=0x20, exclude_characters="\x7f"), max_size=60)
NASTY = st.text(st.sampled_from("\\\"'{};#$ \ttrn/a"), max_size=20).filter(lambda text: "\t" not in text)


def read(written: str) -> list:
    source = Source("test", f"x {written};}}".encode())
    return [word.value.decode() for word in words(source, 0)]


@given(st.one_of(TEXT, NASTY))
def test_a_quoted_value_is_one_token(value):
    assert read(quoted(value)) == ["x", value]


@given(st.one_of(TEXT, NASTY).filter(bool))
def test_a_token_is_quoted_where_it_must_be(value):
    assert read(token(value)) == ["x", value]


def test_a_regular_expression_stays_readable():
    assert quoted(r"^/ws/\d+\.json$") == r'"^/ws/\d+\.json$"'
    assert quoted(r"^/a\tb\\") == r'"^/a\\tb\\\\"'


@pytest.mark.parametrize("value", ["a\nb", "a\0", "\r", "a\x7f", "\t"])
def test_control_characters_are_refused(value):
    with pytest.raises(ValueError, match="control character"):
        quoted(value)


@given(TEXT)
def test_a_literal_matches_itself(value):
    assert matches("^" + regex_literal(value) + r"\Z", value) is not False
