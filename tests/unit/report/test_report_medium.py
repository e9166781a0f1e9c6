"""What is shown is read and not obeyed, whichever character Unicode has for it."""

import sys
import unicodedata

from module_utils.nginx_websocket.report.medium import terminal

ACTING = ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_every_character_that_acts_is_written_as_its_escape():
    acting = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) in ACTING]
    assert len(acting) > 2000
    assert [c for c in acting if c in terminal(f"a{c}z")] == []


def test_what_people_write_stays():
    text = "Grüße, 日本語, عربي, 🙂 – “quoted”"
    assert terminal(text) == text
