"""The engine and the report speak one vocabulary."""

from __future__ import annotations

from module_utils.nginx_websocket import codes
from module_utils.nginx_websocket.behaviour.upgrade.verdict import RISKS
from module_utils.nginx_websocket.diagnosis.vocabulary.whole import CODES, FAMILIES


def test_each_code_has_one_entry_in_one_family():
    words = [value for name, value in vars(codes).items() if name.isupper()]
    assert len(words) == len(set(words)) > 120
    entries = [code for family in FAMILIES for code in family.ENTRIES]
    assert sorted(entries) == sorted(words) == sorted(CODES)


def test_a_constant_is_named_as_its_word():
    for name, value in vars(codes).items():
        if name.isupper():
            assert name == value.upper().replace("-", "_")


def test_risks_are_codes():
    assert set(CODES) >= RISKS
