"""Answers of hosts within bounds: what is refused, what is left out, and what it costs."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_answers.asking import facts_of_ours
from host_answers.memory import bounded
from host_answers.modules import cut
from host_answers.parsing import NoAnswer, answer_in, parse
from host_answers.shapes import Data, Int, ListOf, Misshapen, Named, Text, Word, clean, record

DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
CONFIRMED = {"outcome": "applied", "backup": 1, "msg": "kept", "changed": False}


@given(DATA)
def test_whatever_comes_is_cut_or_refused(answer):
    for module in ("nginx_facts", "nginx_deploy", "nginx_diagnose", "ansible.builtin.command"):
        try:
            found = cut(module, {}, answer)
        except Misshapen:
            continue
        assert isinstance(found, dict)


@given(st.dictionaries(st.text(), DATA))
def test_unknown_keys_are_left_out(more):
    known = ("failed", "warnings", "diff", "skipped")
    extra = {key: value for key, value in more.items() if key not in known}
    assert cut("nginx_confirm", {}, {**extra, **CONFIRMED}) == CONFIRMED


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": ' + "9" * 5000 + "}",
        '{"a":' + "[" * 100_000,
        '{"x": [' + "[]," * 500_000 + "1]}",
        '{"x": "' + "x" * 9_000_000 + '"}',
        "{",
        '{"a": 1} {"b": 2}',
    ],
)
def test_json_that_is_refused(text):
    with pytest.raises(Misshapen):
        parse(text)


def test_the_object_is_found_between_other_lines():
    assert answer_in('motd\n[x]\n  {"a":\n 1}\nbye') == {"a": 1}
    with pytest.raises(NoAnswer):
        answer_in("motd\n")


@given(st.text(st.characters()))
def test_no_control_character_is_left(text):
    """But the CR of a line that ends as HTTP's lines do."""
    left = clean(text).replace("\r\n", "\n")
    assert all(sign.isprintable() or sign in "\t\n" or ord(sign) >= 0xA0 for sign in left)
    assert clean(clean(text)) == clean(text)
    clean(text).encode()


def test_shapes_refuse_by_place():
    shape = record(a=ListOf(record(b=Int())))
    with pytest.raises(Misshapen, match=r"a\[1\]\.b: expected a whole number, got text"):
        shape.cut({"a": [{"b": 1}, {"b": "x"}]}, "")
    with pytest.raises(Misshapen, match="b: is missing"):
        shape.cut({"a": [{}]}, "")


def test_bounds_of_shapes():
    with pytest.raises(Misshapen):
        Word().cut("two\nlines", "x")
    assert Text(most=3).cut("abcdef", "x") == "abc … (cut)"
    deep: object = 1
    for _ in range(50):
        deep = [deep]
    with pytest.raises(Misshapen):
        Data().cut(deep, "x")
    with pytest.raises(Misshapen):
        Named(Data()).cut({"x" * 5000: 1}, "x")


def test_the_largest_answer_takes_little_memory():
    """A text that becomes as many objects as may be."""
    text = '{"x": [' + '{"":1},' * 130_000 + "1]}"
    tracemalloc.start()
    try:
        parse(text)
        assert tracemalloc.get_traced_memory()[1] < 100 * 2**20
    finally:
        tracemalloc.stop()


def test_memory_is_bounded():
    with pytest.raises(MemoryError), bounded(2**24):
        bytearray(2**26)
    bytearray(2**26)


def test_a_warning_is_the_same_in_every_ansible_core():
    old = cut("nginx_confirm", {}, {**CONFIRMED, "warnings": ["a\x1b"]})
    event = {"__ansible_type": "WarningSummary", "event": {"__ansible_type": "Event", "msg": "a\x1b"}}
    assert cut("nginx_confirm", {}, {**CONFIRMED, "warnings": [event]}) == old
    assert old["warnings"] == ["a\\x1b"]


def test_a_module_that_broke_down_says_why():
    broken = {"failed": True, "exception": {"__ansible_type": "ErrorSummary", "event": {"msg": "boom"}}}
    assert cut("nginx_confirm", {}, broken)["msg"] == "Module failed: boom"


@pytest.mark.parametrize("name", ["nginx_websocket_sites", "__nginx_websocket_deploy", "json"])
def test_facts_that_bear_our_names(name):
    assert facts_of_ours({"ansible_facts": {name: 1, "hostname": "x"}}, ("json",)) == [name]
    assert facts_of_ours({"ansible_facts": {"hostname": json.dumps(1)}}, ("json",)) == []
