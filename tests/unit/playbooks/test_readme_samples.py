"""The samples of output in README.md are what today's code says of what a lab host gave."""

from __future__ import annotations

import pytest

from docs import generate_samples


def test_the_samples_are_todays_words():
    told = generate_samples.README.read_text(encoding="utf-8")
    assert told == generate_samples.page(), "run: python3 -m docs.generate_samples"


def test_a_sample_without_a_place_is_told(tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text("nothing\n")
    monkeypatch.setattr(generate_samples, "README", page)
    with pytest.raises(ValueError, match="0 places for the sample diagnose"):
        generate_samples.page()
