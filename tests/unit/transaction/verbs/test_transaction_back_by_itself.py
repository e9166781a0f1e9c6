"""Going back from what waits to be confirmed, from what is open, and where the host went by itself."""

from __future__ import annotations

import pytest
from simulated_host import ROOT, STATE, SimulatedHost, candidate

from module_utils.nginx_websocket.transaction.history.journal import ACTIVATE, RELOAD, Record
from module_utils.nginx_websocket.transaction.safety.guard import Note
from module_utils.nginx_websocket.transaction.surroundings.host import Host

FILE = f"{ROOT}/sites-available/a.conf"
LINK = f"{ROOT}/sites-enabled/a.conf"


def inner(host: SimulatedHost) -> Host:
    return Host(host.nginx, STATE, world=host.world)


@pytest.fixture
def waits() -> SimulatedHost:
    """The second release of a site, that of backup 2, waits to be confirmed."""
    host = SimulatedHost()
    host.one = host.deploy(candidate("a", "one")).releases["a"]
    done = host.deploy(candidate("a", "two"), confirm_window=300.0)
    host.two = done.releases["a"]
    assert done.confirm_by and host.world.watch.armed_for == 2
    return host


@pytest.fixture
def returned() -> SimulatedHost:
    """A host that went back from its third release by itself."""
    host = SimulatedHost()
    for tail in ("one", "two"):
        host.two = host.deploy(candidate("a", tail)).releases["a"]
    inner(host).notes.write(Note(3, "12:00", "undone, because nobody confirmed it"))
    return host


@pytest.mark.parametrize("to", ["previous", "2"])
def test_a_release_that_waits_is_left_as_if_it_had_never_been(waits, to):
    done = waits.rollback(to)
    assert (done.outcome, done.changed, done.failed, done.recovered) == ("applied", True, False, "")
    assert done.message == f"back to backup 2, before it was confirmed: {FILE}"
    assert (done.releases, done.previous) == ({"a": waits.one}, {"a": waits.two})
    assert done.files == [{"site": "a", "path": FILE}]
    assert ["# one" in text for text in waits.served()] == [True]
    assert waits.kept() == [1] and inner(waits).journal.read() is None and not waits.world.watch.armed()


def test_a_site_that_came_with_the_release_that_waits_is_none_then():
    host = SimulatedHost()
    new = host.deploy(candidate("a"), confirm_window=300.0).releases["a"]
    done = host.rollback()
    assert (done.releases, done.previous) == ({"a": ""}, {"a": new}) and host.served() == []
    assert done.files == [{"site": "a", "path": path} for path in (FILE, LINK)]


def test_an_older_state_is_gone_back_to_after_the_release_that_waits_was_undone(waits):
    done = waits.rollback("1")
    assert done.outcome == "applied" and "never confirmed" in done.recovered, done.message
    assert (done.releases, done.previous) == ({"a": ""}, {"a": waits.one}) and waits.served() == []


def test_check_mode_leaves_a_release_that_waits(waits):
    before, state = waits.files(), waits.world.files.tree(STATE)
    done = waits.rollback(check=True)
    assert done.failed and not done.changed
    assert "waits to be confirmed until 1970-" in done.message and "check mode leaves it" in done.message
    assert (waits.files(), waits.world.files.tree(STATE)) == (before, state) and waits.world.watch.armed()


@pytest.mark.parametrize("step", [ACTIVATE, RELOAD])
def test_what_was_left_open_in_the_middle_is_no_state_to_stop_at(waits, step):
    """Nobody was told that it is live: ``previous`` leads from the release before it one step further."""
    inner(waits).journal.write(Record(2, step, "then"))
    done = waits.rollback()
    assert f"ended unfinished at the step '{step}'" in done.recovered and done.changed
    assert (done.releases, done.previous) == ({"a": ""}, {"a": waits.one}), done.message


# -- the host went back by itself -----------------------------------------------------------------


@pytest.mark.parametrize("to", ["previous", "3"])
def test_what_the_host_did_by_itself_is_not_done_twice(returned, to):
    before, reloads = returned.files(), returned.world.reloads
    done = returned.rollback(to)
    assert done.message == "the host went back by itself at 12:00: undone, because nobody confirmed it"
    assert (done.outcome, done.failed, done.changed) == ("unchanged", False, False)
    assert returned.files() == before and returned.world.reloads == reloads
    assert inner(returned).notes.read() is None, "it is told once"
    assert returned.rollback().outcome == "applied"


def test_another_state_is_gone_to_all_the_same_and_both_are_told(returned):
    done = returned.rollback("2")
    assert done.outcome == "applied" and done.recovered == "undone, because nobody confirmed it"
    assert ["# one" in text for text in returned.served()] == [True]


def test_a_transaction_that_is_open_since_comes_first(returned):
    inner(returned).journal.write(Record(2, ACTIVATE, "then"))
    done = returned.rollback()
    assert "at the step 'activate'" in done.recovered and "by itself" not in done.message
    assert done.releases == {"a": ""}


@pytest.mark.parametrize("check", [False, True])
def test_a_run_that_only_tells_what_the_host_did_has_changed_something_unless_it_only_looks(returned, check):
    done = returned.rollback(returned.two, check=check)
    assert "already" in done.message and done.recovered
    assert done.changed is not check
    assert returned.rollback("1", check=check).changed
    assert (inner(returned).notes.read() is None) is not check
