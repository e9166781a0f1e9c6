"""Whose window it is: a release that waits to be confirmed, and the runs of others meanwhile."""

from __future__ import annotations

import pytest
from simulated_host import STATE, SimulatedHost, candidate

from module_utils.nginx_websocket.transaction.confirm import confirm
from module_utils.nginx_websocket.transaction.deployed_state import deployed_state, waiting
from module_utils.nginx_websocket.transaction.surroundings.host import Host

ANNE, BERT = "anne from 192.0.2.1", "bert from 192.0.2.2"


@pytest.fixture
def host() -> SimulatedHost:
    """Anne's site ``a`` and Bert's site ``b``; a new release of ``a`` waits for Anne."""
    host = SimulatedHost()
    host.world.somebody = BERT
    host.deploy(candidate("b"))
    host.world.somebody = ANNE
    host.deploy(candidate("a", "one"))
    assert host.deploy(candidate("a", "two"), confirm_window=300.0).confirm_by
    host.world.somebody = BERT
    return host


def confirmed(host: SimulatedHost, backup: int):
    return confirm(backup, state_dir=STATE, world=host.world)


@pytest.mark.parametrize("check", [False, True])
def test_an_unchanged_run_of_somebody_else_stops_and_says_whose_window_it_is(host, check):
    before = host.files()
    done = host.deploy(candidate("b"), check=check)
    assert done.failed and not done.changed and not done.recovered
    assert ANNE in done.message and "1970-01-01T00:" in done.message and "run again" in done.message
    assert host.files() == before
    assert not confirmed(host, 3).failed, "Anne's release was not touched"
    assert host.deploy(candidate("b")).outcome == "unchanged"


def test_so_does_one_of_the_same_person_for_other_sites(host):
    host.world.somebody = ANNE
    assert ANNE in host.deploy(candidate("b")).message
    assert not confirmed(host, 3).failed


def test_so_does_one_of_somebody_else_for_the_same_release(host):
    assert ANNE in host.deploy(candidate("a", "two")).message
    assert not confirmed(host, 3).failed


def test_whoever_repeats_a_run_whose_controller_died_does_not_wait(host):
    host.world.somebody = ANNE
    done = host.deploy(candidate("a", "two"), confirm_window=300.0)
    assert done.outcome == "applied" and "never confirmed" in done.recovered
    assert not confirmed(host, done.backup or 0).failed


def test_a_change_of_somebody_else_goes_on_and_both_are_told(host):
    done = host.deploy(candidate("b", "new"), confirm_window=300.0)
    assert done.outcome == "applied" and ANNE in done.recovered
    late = confirmed(host, 3)
    assert late.failed and BERT in late.message and f"(backup {done.backup}) is open" in late.message
    assert not confirmed(host, done.backup or 0).failed
    late = confirmed(host, 3)
    assert late.failed and BERT in late.message and "undone" in late.message
    back = host.rollback(3)
    assert back.failed and BERT in back.message and "there is no backup 3" in back.message


def test_whose_window_it_is_stands_in_what_a_look_tells(host):
    told = waiting(STATE, world=host.world)
    assert ANNE in told and "a" in told
    assert deployed_state([candidate("b")], nginx=host.nginx, state_dir=STATE, world=host.world) is None


def test_what_stands_beside_the_runs_sites_is_told_with_its_author(host):
    confirmed(host, 3)
    (found,) = host.deploy(candidate("b")).findings
    assert found.code == "site-left" and ANNE in found.message and "another inventory" in found.message


def test_a_window_whose_backup_is_gone_is_told_as_that(host):
    Host(host.nginx, STATE, world=host.world).backups.remove(3)
    done = host.deploy(candidate("b"))
    assert done.failed and "its backup 3 cannot be read" in done.message, done.message
    assert f"rm {STATE}/journal.json" in done.message
