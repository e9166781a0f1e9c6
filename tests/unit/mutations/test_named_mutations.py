"""Each named fault still has its place in the code."""

from __future__ import annotations

import pytest

from tests.mutations.named import MUTATIONS, PACKAGE, ROOT


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_its_place_stands_once_and_its_tests_are_there(mutation):
    code = (ROOT / PACKAGE / mutation.file).read_text(encoding="utf-8")
    assert code.count(mutation.before) == 1
    compile(code.replace(mutation.before, mutation.after), mutation.file, "exec")
    unit = ROOT / "tests/unit"
    assert all(list(unit.rglob(name)) for name in mutation.tests)
