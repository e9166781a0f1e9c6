"""A release that waits for its confirmation is told to whoever looks."""

from __future__ import annotations

import pytest

from module_utils.nginx_websocket.transaction.deployed_state import waiting
from module_utils.nginx_websocket.transaction.history.journal import PROVEN, UNCONFIRMED, Journal, Record
from module_utils.nginx_websocket.transaction.tree.files import Filesystem

BY = "2026-01-01T00:05:00Z"


@pytest.mark.parametrize(("step", "told"), [(UNCONFIRMED, True), (PROVEN, False)])
def test_only_an_open_window_is_told(tmp_path, step, told):
    assert waiting(str(tmp_path)) == "", "nothing is open"
    Journal(Filesystem(), str(tmp_path)).write(Record(7, step, "2026-01-01T00:00:00Z", confirm_by=BY))
    assert (BY in waiting(str(tmp_path))) == told


def test_a_damaged_journal_is_for_others_to_tell(tmp_path):
    (tmp_path / "journal.json").write_text("nonsense")
    assert waiting(str(tmp_path)) == ""
