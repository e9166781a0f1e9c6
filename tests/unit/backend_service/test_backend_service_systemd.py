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


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Puts a command of some name before all others."""

    def put(name: str, script: str) -> None:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return put


def test_a_command_that_fails_is_an_error_with_its_own_words(command):
    command("systemctl", 'echo "Job failed: $LC_ALL" >&2; exit 3')
    with pytest.raises(systemd.SystemdError, match=r"systemctl restart app\.service: Job failed: C"):
        systemd.run("systemctl", "restart", "app.service")
    assert systemd.run("systemctl", "restart", "app.service", check=False) == "Job failed: C"


def test_a_command_that_fails_silently_says_its_status(command):
    command("systemctl", "exit 5")
    with pytest.raises(systemd.SystemdError, match="ended with 5"):
        systemd.run("systemctl", "stop", "app.service")


def test_a_command_that_is_not_there_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(systemd.SystemdError, match="systemctl stop"):
        systemd.run("systemctl", "stop")


def test_properties_that_a_unit_lacks_are_empty(command):
    command("systemctl", "echo MainPID=7; echo 'Result=a=b'; echo noise")
    assert systemd.show("app.service", "MainPID", "Result", "NRestarts") == {
        "MainPID": "7",
        "Result": "a=b",
        "NRestarts": "",
    }


def test_only_what_is_said_of_the_unit_itself_counts(command):
    command(
        "systemd-analyze", 'grep -q NEW "$3" && echo "$3:1: Unknown key"; echo "other.service: bad"; exit 1'
    )
    assert systemd.verify("app.service", b"NEW\n") == ["app.service:1: Unknown key"]
    assert systemd.verify("app.service", b"fine\n") == []
