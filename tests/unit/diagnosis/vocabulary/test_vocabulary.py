"""The vocabulary, its documentation and the recorded causes say the same."""

from __future__ import annotations

import json
import os
import re

from module_utils.nginx_websocket.diagnosis.vocabulary.whole import CODES

ROOT = os.path.join(os.path.dirname(__file__), "..", "..", "..", "..")


def documented():
    with open(os.path.join(ROOT, "docs", "findings.md"), encoding="utf-8") as file:
        sections = re.split(r"^### ", file.read(), flags=re.M)[1:]
    return {section.split("\n")[0]: re.sub(r"\s+", " ", section.split("\n## ")[0]) for section in sections}


def test_every_code_is_documented_and_no_other():
    assert set(documented()) == set(CODES)


def test_the_documentation_gives_meaning_recognition_fix_and_link():
    for code, text in documented().items():
        entry = CODES[code]
        assert entry.title[1:] in text, code
        assert "*Recognised by:*" in text, code
        assert f"*Fix:* {entry.fix}" in text, code
        assert f"({entry.link})" in text, code


def test_every_recorded_cause_is_in_the_vocabulary():
    with open(os.path.join(ROOT, "tests", "cases", "data", "causes.json"), encoding="utf-8") as file:
        assert set(json.load(file)) - {"ok"} <= set(CODES)


def test_links_lead_to_documentation():
    assert all(entry.link.startswith("https://") for entry in CODES.values())
