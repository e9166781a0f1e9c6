"""The handshake as a page sends it: Origin, subprotocol, and what counts as a refusal."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.asking.browsers_view import refused as was_refused
from module_utils.nginx_websocket.diagnosis.asking.browsers_view import spoken_of
from module_utils.nginx_websocket.diagnosis.evidence.facts import Question
from tests.unit.diagnosis.seen import opened, page, refused


@pytest.mark.parametrize(
    ("url", "body", "first"),
    [
        ("wss://a.test/mqtt", "", "mqtt"),
        ("wss://a.test/graphql", "", "graphql-transport-ws"),
        ("wss://a.test/x", "unsupported subprotocol", "mqtt"),
        ("wss://a.test/x", "not found", None),
    ],
)
def test_subprotocols_are_offered_where_somebody_speaks_of_them(url, body, first):
    found = spoken_of(Question(url), refused(400, body))
    assert (found[0] if found else None) == first


def test_a_close_frame_at_once_is_a_refusal():
    assert was_refused(opened(closed_after=0.05, close_code=1008))
    assert not was_refused(opened())
    assert was_refused(refused(403))
    assert not was_refused(page(502))


def test_a_page_sends_its_own_origin_and_other_clients_none():
    assert Question("wss://a.test/x").sent_origin == "https://a.test"
    assert Question("ws://a.test:81/x", host="b.test").sent_origin == "http://b.test"
    assert Question("wss://a.test/x", origin="").sent_origin is None
