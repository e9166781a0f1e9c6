"""What a unit that did not start has said."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.backend_service import systemd

OWN = 'ERROR:    Error loading ASGI app. Could not import module "nope".'
SYSTEMDS = "app.service: Failed with result 'exit-code'."


@pytest.mark.parametrize(
    ("own", "words"), [(f"INFO: up\n{OWN}\n", ["INFO: up", OWN]), ("", [SYSTEMDS]), ("\n", [SYSTEMDS])]
)
def test_the_last_words_are_the_applications_own_where_it_has_any(monkeypatch, own, words):
    def journal(*command, check=True):
        assert "--since=@1700000000" in command
        return own if "_SYSTEMD_UNIT=app.service" in command else f"{SYSTEMDS}\n"

    monkeypatch.setattr(systemd, "run", journal)
    assert systemd.last_words("app.service", 1700000000.9) == words


def test_without_a_journal_there_are_none(monkeypatch):
    def nothing(*command, check=True):
        raise systemd.SystemdError("no journal")

    monkeypatch.setattr(systemd, "run", nothing)
    assert list(systemd.last_words("app.service", 1700000000.9)) == []
