"""JSON that others wrote: depth is bounded before Python's reader recurses."""

import json

import pytest

from module_utils.nginx_websocket.conf import foreign_json


@pytest.mark.parametrize(
    "data",
    [{}, [], {"a": [{"b": None}]}, "[[[[", '\\"[[[', {"[{" * 300: '"' * 300}, [[] for _ in range(500)]],
)
def test_what_others_wrote_is_read(data):
    assert foreign_json.loads(json.dumps(data)) == data


def test_the_deepest_that_is_read():
    levels = foreign_json.MOST_LEVELS
    foreign_json.loads("[" * levels + "]" * levels)
    with pytest.raises(ValueError, match=f"at most {levels} levels"):
        foreign_json.loads("[" * (levels + 1) + "]" * (levels + 1))


@pytest.mark.parametrize("text", ["[" * 9999, '{"a":' * 9999, '["\\"' + "[{" * 9999, "]" + "[" * 9999])
def test_deep_text_is_refused_before_pythons_reader_sees_it(monkeypatch, text):
    def reader(_text):
        raise ValueError("the reader was asked")

    monkeypatch.setattr(foreign_json.json, "loads", reader)
    with pytest.raises(ValueError) as error:
        foreign_json.loads(text)
    assert ("levels" in str(error.value)) == (text[:3] != '["\\')


@pytest.mark.parametrize("text", ["", "{", '"', "[1,]", '{"a": "\\', "]"])
def test_what_is_no_json(text):
    with pytest.raises(ValueError):
        foreign_json.loads(text)
