"""A unit that does not run is put back as it was: file, enabled or not, running or not."""

from __future__ import annotations

import pytest
from unit_host import NEW, UnitHost, listener, room


@pytest.fixture
def host(tmp_path, monkeypatch):
    return UnitHost(tmp_path, monkeypatch)


def only_old(content: bytes):
    """The former application listens, the new one does not."""
    return [] if b"/bin/new" in content else [listener()]


@pytest.mark.parametrize("enabled", ["enabled", "disabled"])
@pytest.mark.parametrize("active", ["active", "inactive"])
def test_the_unit_is_put_back_as_it_was(host, enabled, active):
    before = host.installed()
    host.enabled, host.active = enabled, active
    host.fails["restart"] = ["it does not start"]
    outcome = host.deploy()
    assert (outcome.outcome, outcome.failed, outcome.changed) == (room.ROLLED_BACK, True, False)
    assert "it does not start" in outcome.message and list(outcome.evidence) == ["it said this"]
    assert host.path.read_bytes() == before
    assert (host.enabled, host.active) == (enabled, active)


def test_a_new_unit_that_does_not_listen_leaves_nothing_behind(host):
    host.after_restart = only_old
    outcome = host.deploy()
    assert outcome.outcome == room.ROLLED_BACK and "does not listen on port 8000" in outcome.message
    assert not host.path.exists()
    assert host.said[-3:] == ["disable", "daemon-reload", "reset-failed"]


def test_a_change_that_does_not_listen_brings_the_former_application_back(host):
    before = host.installed()
    host.after_restart = only_old
    outcome = host.deploy()
    assert outcome.outcome == room.ROLLED_BACK and host.path.read_bytes() == before
    assert host.active == "active" and host.held


@pytest.mark.parametrize(
    "fault",
    [{"active": "failed"}, {"sub": "auto-restart"}, {"restarts": "3"}],
    ids=lambda fault: next(iter(fault)),
)
def test_an_application_that_ends_at_once_is_not_waited_for(host, fault):
    def ended(content: bytes):
        for name, value in fault.items():
            setattr(host, name, value)
        return []

    host.after_restart = ended
    outcome = host.deploy(timeout=3600.0)
    assert outcome.outcome == room.ROLLED_BACK and "ended at once (exit-code)" in outcome.message


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_an_application_that_anybody_can_reach_is_not_kept(host, address):
    host.after_restart = lambda content: [listener(), listener(address)]
    outcome = host.deploy()
    assert outcome.outcome == room.ROLLED_BACK and f"listens on {address}:8000" in outcome.message
    assert not host.path.exists()


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.0.1", "::1"])
def test_any_loopback_address_will_do(host, address):
    host.after_restart = lambda content: [listener(address)]
    assert host.deploy().outcome == room.APPLIED


def test_an_undo_that_fails_says_both_reasons(host):
    host.installed()
    host.fails = {"restart": ["it does not start", "nor does the old one"]}
    outcome = host.deploy()
    assert (outcome.outcome, outcome.failed, outcome.changed) == (room.ROLLBACK_FAILED, True, True)
    assert "nor does the old one" in outcome.message and "it does not start" in outcome.message


def test_a_former_application_that_does_not_listen_again_is_told(host):
    host.installed()
    host.after_restart = lambda content: []
    outcome = host.deploy()
    assert outcome.outcome == room.ROLLBACK_FAILED
    assert "the former unit does not listen again" in outcome.message
    assert NEW.split(b"=")[-1].strip() not in host.path.read_bytes(), "its file is back all the same"
