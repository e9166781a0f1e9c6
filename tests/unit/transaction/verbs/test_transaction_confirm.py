"""The confirmation ends the window of the one release that it names, and no other's."""

from __future__ import annotations

import dataclasses
import errno

import pytest
from simulated_host import STATE, SimulatedHost, candidate

from module_utils.nginx_websocket.transaction.confirm import confirm
from module_utils.nginx_websocket.transaction.history.journal import RELOAD, Journal
from module_utils.nginx_websocket.transaction.safety.guard import Note, Notes


@pytest.fixture
def host() -> SimulatedHost:
    """A site whose second release, that of backup 2, waits."""
    host = SimulatedHost()
    host.deploy(candidate("a", "one"))
    assert host.deploy(candidate("a", "two"), confirm_window=300.0).backup == 2
    return host


def confirmed(host: SimulatedHost, backup: int, **more):
    return confirm(backup, state_dir=STATE, world=host.world, **more)


def journal(host: SimulatedHost) -> Journal:
    return Journal(host.world.files, STATE)


def test_the_release_stays_and_nothing_waits_any_more(host):
    done = confirmed(host, 2)
    assert (done.outcome, done.failed, done.backup) == ("applied", False, 2)
    assert journal(host).read() is None and not host.world.watch.armed()
    again = confirmed(host, 2)
    assert not again.failed and again.outcome == "unchanged" and "already" in again.message
    assert host.deploy(candidate("a", "two")).outcome == "unchanged"


def test_check_mode_leaves_it_waiting(host):
    before = host.world.files.tree(STATE)
    done = confirmed(host, 2, check=True)
    assert done.outcome == "applied" and not done.failed
    assert host.world.files.tree(STATE) == before and host.world.watch.armed()


@pytest.mark.parametrize("other", [1, 3, 99])
def test_another_number_confirms_nothing(host, other):
    done = confirmed(host, other)
    assert done.failed and f"the release of backup {other} does not wait" in done.message
    assert "(backup 2) is open" in done.message
    record = journal(host).read()
    assert record is not None and record.backup == 2 and host.world.watch.armed()


def test_a_transaction_in_the_middle_is_not_confirmed(host):
    record = journal(host).read()
    assert record is not None
    journal(host).write(dataclasses.replace(record, step=RELOAD))
    done = confirmed(host, 2)
    assert done.failed and f"at the step '{RELOAD}'" in done.message


def test_too_late_is_said_with_the_time_and_the_reason(host):
    assert not host.rollback().failed
    journal(host).close()
    Notes(host.world.files, STATE).write(Note(2, "at noon", "undone (because it was not confirmed in time)"))
    done = confirmed(host, 2)
    assert done.failed and "too late" in done.message and "at noon" in done.message


def test_a_backup_that_is_not_there_is_none(host):
    confirmed(host, 2)
    done = confirmed(host, 7)
    assert done.failed and "there is no backup 7" in done.message


def test_a_disk_that_refuses_leaves_the_window_open(host, monkeypatch):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(host.world.files), "create", full)
    done = confirmed(host, 2)
    assert done.failed and "could not be confirmed" in done.message and "goes back by itself" in done.message
    assert host.world.watch.armed()
