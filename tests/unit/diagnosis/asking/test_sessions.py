"""Sessions of Socket.IO: what a server answers to polling is a stranger's JSON."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.asking.sockets import session_probe
from module_utils.nginx_websocket.exchange.result import Probe

TARGET = "/socket.io/?EIO=4"


def sessions(body, status=200):
    """The targets of the upgrades that are tried after this answer to polling."""
    asked = []

    def ask(target, upgrade):
        asked.append((target, upgrade))
        return Probe("ws://a.test/", opened=False, status=400 if upgrade else status, body=body)

    session_probe(ask, TARGET, Probe("ws://a.test/"))
    return [target for target, upgrade in asked if upgrade]


def test_a_session_is_upgraded_under_its_id():
    (target,) = sessions('0{"sid":"a b&x=\\r\\ny","upgrades":["websocket"]}')
    assert "sid=a+b%26x%3D%0D%0Ay" in target and "transport=websocket" in target


@pytest.mark.parametrize(
    "body",
    ["", "{}", '{"sid"', '{"a":"sid"}', '{"sid":' + "[" * 1010 + "]" * 1010 + "}", '{"sid"' * 340],
    ids=["nothing", "empty", "cut off", "elsewhere", "deep", "often"],
)
def test_what_is_no_session_is_none(body):
    assert sessions(body) == []
