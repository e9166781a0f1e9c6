"""docs/fix.md shows what the engine does."""

from docs import generate_fix


def test_the_page_is_what_the_generator_writes():
    assert generate_fix.PAGE.read_text() == generate_fix.page(), "run: python3 -m docs.generate_fix"


def test_the_rules_still_cure_every_example():
    assert len(generate_fix.rows()) >= 13
