"""A fix that is killed after any write, sync or rename: the file is whole, and the next run ends it."""

from __future__ import annotations

import pytest
from conftest import SITE, UsersHost
from simulated import PowerCut
from test_fix import BROKEN


def begun() -> UsersHost:
    host = UsersHost()
    host.put(BROKEN)
    return host


def operations() -> int:
    host = begun()
    before = host.world.files.operations
    host.fix()
    return host.world.files.operations - before


@pytest.mark.parametrize("number", range(operations()))
def test_killed_anywhere_the_next_run_mends_it_and_rollback_takes_it_back(number):
    host = begun()
    host.world.files.stop_after = host.world.files.operations + number
    with pytest.raises(PowerCut):
        host.fix()
    host.world.files.killed()
    mended = begun()
    mended.fix()
    assert host.text() in (BROKEN, mended.text()), "never half a file"
    done = host.fix()
    assert not done.failed and host.text() == mended.text(), done.message
    left = [path for path in host.world.files.names_seen if path.endswith(".nginx-websocket.tmp")]
    assert left == [] and "journal.json" not in host.world.files.names("/simulated/state")
    assert not host.rollback().failed
    assert host.text(SITE) == BROKEN
