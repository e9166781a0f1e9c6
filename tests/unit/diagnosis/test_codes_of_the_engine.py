"""The engine and the report speak one vocabulary."""

from __future__ import annotations

from module_utils.nginx_websocket.behaviour.upgrade import codes
from module_utils.nginx_websocket.diagnosis.words.vocabulary import CODES


def test_every_obstacle_has_an_entry():
    words = [value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)]
    assert len(words) == len(set(words)) > 40
    assert [word for word in words if word not in CODES] == []
    assert set(words) >= codes.RISKS
