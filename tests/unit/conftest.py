"""Settings of hypothesis that a run may ask for by name, and runs of a share of the tests."""

from __future__ import annotations

import os
import zlib
from typing import List

import pytest
from hypothesis import settings

# --hypothesis-profile=quick: where the same tests run many times over, under one Python after another.
settings.register_profile("quick", max_examples=20, deadline=None)


def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """Run the tests of one share alone where TESTS_SHARE asks for it: "2/5" is the second of five.

    A test is always in the same share. All files are imported whatever the share is.
    """
    part, _, parts = os.environ.get("TESTS_SHARE", "").partition("/")
    if not parts:
        return
    chosen = [item for item in items if zlib.crc32(item.nodeid.encode()) % int(parts) == int(part) - 1]
    config.hook.pytest_deselected(items=[item for item in items if item not in {*chosen}])
    items[:] = chosen
