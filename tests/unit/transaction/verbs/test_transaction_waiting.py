"""A release that waits for its confirmation is told to whoever looks."""

from __future__ import annotations

import pytest
from simulated_host import STATE, SimulatedHost, candidate

from module_utils.nginx_websocket.transaction.deployed_state import deployed_state, waiting
from module_utils.nginx_websocket.transaction.history.journal import PROVEN, UNCONFIRMED, Journal, Record
from module_utils.nginx_websocket.transaction.site.model import Entry
from module_utils.nginx_websocket.transaction.surroundings.host import Host
from module_utils.nginx_websocket.transaction.tree.files import Filesystem, temporary_name

BY = "2026-01-01T00:05:00Z"


@pytest.mark.parametrize(("step", "told"), [(UNCONFIRMED, True), (PROVEN, False)])
def test_only_an_open_window_is_told(tmp_path, step, told):
    assert waiting(str(tmp_path)) == "", "nothing is open"
    Journal(Filesystem(), str(tmp_path)).write(Record(7, step, "2026-01-01T00:00:00Z", confirm_by=BY))
    assert (BY in waiting(str(tmp_path))) == told


def test_a_damaged_journal_is_for_others_to_tell(tmp_path):
    (tmp_path / "journal.json").write_text("nonsense")
    assert waiting(str(tmp_path)) == ""


def half_a_backup(world):
    world.files.plant(f"{STATE}/backups/last", Entry("file", content=b"2\n"))
    world.files.plant(f"{STATE}/backups/0002/before/0", Entry("file"))


def half_a_journal(world):
    world.files.plant(temporary_name(f"{STATE}/journal.json"), Entry("file"))


def a_guard(world):
    world.watch.arm(2, 1.0, "")


@pytest.mark.parametrize("left", [None, half_a_backup, half_a_journal, a_guard])
def test_a_host_where_an_earlier_run_left_something_is_not_unchanged(left):
    host = SimulatedHost()
    host.deploy(candidate("a"))
    assert not Host(host.nginx, STATE, world=host.world).untidy()
    if left:
        left(host.world)
    assert Host(host.nginx, STATE, world=host.world).untidy() is bool(left)
    found = deployed_state([candidate("a")], nginx=host.nginx, state_dir=STATE, world=host.world)
    assert (found is None) is bool(left)
