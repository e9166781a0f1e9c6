"""A backend's name has several addresses: which of their answers counts."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.diagnosis.asking import backend
from module_utils.nginx_websocket.diagnosis.evidence import host_state, place
from module_utils.nginx_websocket.diagnosis.experiments.search import Search
from tests.unit.diagnosis.seen import broken, host, opened, proxied, site

REFUSED = broken("connect-refused", "127.0.0.1:8400 refused the connection")
NO_ADDRESS = broken("connect-failed", "[::1]:8400: Cannot assign requested address")


@pytest.fixture
def asked(monkeypatch):
    """Asks the backend at localhost, whose addresses give these answers."""

    def ask(answers, through_nginx=False):
        def one(facts, found, address, upstream, is_open):
            if is_open:
                found.held = answers[address[0]]
            else:
                found.search = Search(answers[address[0]])

        monkeypatch.setattr(backend, "_ask_one", one)
        monkeypatch.setattr(place, "listening", lambda facts, ports: [])
        monkeypatch.setattr(host_state, "resolve", lambda name: list(answers))
        facts = host(site(proxied("http://localhost:8400")), {})
        facts.nginx = None
        backend.ask_backends(facts, through_nginx)
        return facts.backends[0]

    return ask


@pytest.mark.parametrize(
    "answers", [{"127.0.0.1": REFUSED, "::1": NO_ADDRESS}, {"::1": NO_ADDRESS, "127.0.0.1": REFUSED}]
)
def test_a_family_that_the_host_does_not_have_hides_no_refusal(asked, answers):
    found = asked(answers)
    assert found.search.as_sent is REFUSED
    assert found.address == ("127.0.0.1", 8400)


@pytest.mark.parametrize("first", [REFUSED, NO_ADDRESS])
def test_the_address_that_answers_counts(asked, first):
    answer = opened()
    found = asked({"::1": first, "127.0.0.1": answer})
    assert found.search.as_sent is answer
    assert found.address == ("127.0.0.1", 8400)


def test_a_socket_that_stays_open_is_not_hidden_by_the_next_address(asked):
    stays = opened()
    assert asked({"127.0.0.1": stays, "::1": NO_ADDRESS}, through_nginx=True).held is stays
