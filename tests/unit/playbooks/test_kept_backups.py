"""The list of backups: what each number gives, at a glance."""

from __future__ import annotations

import importlib.util
from pathlib import Path

PATH = Path(__file__).resolve().parents[3] / "playbooks/filter_plugins/kept_backups.py"
specification = importlib.util.spec_from_file_location("kept_backups", PATH)
assert specification is not None and specification.loader is not None
plugin = importlib.util.module_from_spec(specification)
specification.loader.exec_module(plugin)

OLD, NEW = "a" * 32, "b" * 32


def backup(number, kind="deploy", gives=None, **more):
    return {
        "number": number, "kind": kind, "time": "2026-01-31T12:05:00Z", "by": "alice – CHG-1",
        "restores": None, "releases": {"s": NEW}, "gives": {"s": OLD} if gives is None else gives, **more,
    }  # fmt: skip


def test_each_number_says_what_it_gives_and_not_what_it_made():
    table = plugin.kept_table(
        [backup(3, "rollback", restores=2), backup(2), backup(1, gives={"s": ""})], "web1"
    )
    rows = [line.split("  ") for line in table.splitlines()]
    assert "web1" in rows[0][0]
    assert "s aaaaaaaa" in table and "bbbbbbbb" not in table
    assert "rollback to 2" in table and "s: what was there before us" in table
    assert "2026-01-31 12:05:00" in table and "alice – CHG-1" in table
    # One column stands below the other.
    starts = [line.index("aaaaaaaa") for line in table.splitlines() if "aaaaaaaa" in line]
    assert len(starts) == 2 and len(set(starts)) == 1


def test_nothing_kept_is_said():
    assert "nothing is kept" in plugin.kept_table([], "web1")


def test_a_long_reason_wraps_and_an_escape_is_shown():
    table = plugin.kept_table([backup(1, by="mallory \x1b[2J " + "word " * 60)], "web1")
    assert "\x1b" not in table and "\\x1b[2J" in table
    assert max(len(line) for line in table.splitlines()) <= 110
