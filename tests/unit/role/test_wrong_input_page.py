"""docs/wrong-input.md says what the rows say, and the rows that need no host say the truth."""

import pytest

from docs.generate_wrong_input import PAGE, document
from tests.integration.role.wrong_input import SECTIONS, TOGETHER, VALUES, Row, example
from tests.unit.role.rendering import checked


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == document()


@pytest.mark.parametrize("row", [*VALUES, *TOGETHER], ids=lambda row: row.what)
def test_message(row):
    right = example(0, Row("right", ""))
    assert checked(right)["errors"] == []
    errors = checked(right, example(1, row))["errors"]
    assert any(row.said in error for error in errors), errors
    assert all("nginx_websocket_sites[1]" in error for error in errors), errors


def test_no_row_stands_twice():
    rows = [row.what for _, rows in SECTIONS for row in rows]
    assert len(rows) == len(set(rows))
