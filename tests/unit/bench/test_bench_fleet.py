"""What the fleet's benchmark runs: an unchanged run changes nothing, whatever is measured beside it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[3] / "bench/fleet/measure.py"


@pytest.fixture(scope="module")
def measure():
    specification = importlib.util.spec_from_file_location("bench_fleet_measure", FILE)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    yield module
    del sys.modules[specification.name]


@pytest.mark.parametrize(
    ("only", "changes"),
    [
        ((), True),
        (("site.yml, changed", "site.yml, unchanged"), True),
        (("site.yml, unchanged",), False),
        (("plain, changed", "site.yml, unchanged"), False),
    ],
)
def test_sites_differ_from_round_to_round_only_where_a_changed_run_deploys_them(
    measure, tmp_path, only, changes
):
    asked = []
    for number in (0, 1, 2):
        commands = measure.commands(number, tmp_path / "sites.json", only)
        asked.append((tmp_path / "sites.json").read_text())
        assert "ping" in commands and set(only) <= set(commands)
        assert not only or set(commands) == {"ping", *only}
    assert len(set(asked)) == (3 if changes else 1)


def test_the_plain_playbook_has_revisions_of_its_own(measure, tmp_path):
    def last(*only):
        return measure.commands(7, tmp_path / "sites.json", only)["plain, unchanged"][-1]

    assert last("plain, unchanged", "site.yml, changed") == "bench_revision=0"
    assert last("plain, changed", "plain, unchanged") == "bench_revision=7"
