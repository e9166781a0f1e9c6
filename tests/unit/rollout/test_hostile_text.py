"""Hostile text in every field of every report: it is shown, and it does nothing."""

from __future__ import annotations

import importlib.util
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Dict, List, Tuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rollout.fault import STATIONS
from rollout.medium import link, terminal
from rollout.page import as_html
from rollout.record import Rollout
from rollout.report import as_json, as_junit
from rollout.table import batch_line, lines

ROOT = Path(__file__).resolve().parents[3]
FILTERS = ROOT / "playbooks/filter_plugins/diagnosis_report.py"
specification = importlib.util.spec_from_file_location("diagnosis_report", FILTERS)
assert specification is not None and specification.loader is not None
diagnosis_report = importlib.util.module_from_spec(specification)
specification.loader.exec_module(diagnosis_report)

ATTACKS = [
    '"><meta http-equiv="refresh" content="0;url=https://evil.example">',
    "</style><script>alert(1)</script>",
    "'\"` onmouseover=alert(1) x=",
    "<img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "\x1b]0;title\x07\x1b[2J\x1b[31m",
    "\x9b31m\x85\x90",
    "\u202egnp.exe\u2066\u200b\ufeff\u2028",
    "{{ 7 * 7 }}{% raw %}{# #}",
    "]]><x/><!--",
    "\ud800\x00\ufffe",
    "&lt;&#60;",
]
PIECES = st.one_of(st.sampled_from(ATTACKS), st.text(st.characters(codec=None), min_size=1, max_size=12))
TEXT = st.lists(PIECES, min_size=1, max_size=4).map(lambda pieces: "a " + " ".join(pieces) + " z")


ROUTE = ("url", "location", "where", "server", "proxy_pass", "state", "reason", "code")


def rollout_of(text: str) -> Rollout:
    """A rollout with that text wherever somebody else's text goes."""
    run = Rollout(text, 1000.0, planned=[1, 1])
    for name, start in ((text, 1000.0), (text + "2", 1010.0)):
        run.begin_batch([name], start)
        host = run.hosts[name]
        finding = {"code": text, "message": text, "fix": text}
        host.transaction(
            {"outcome": "applied", "releases": {text: text, "s": text}, "previous": {text: text}, "backup": 7,
             "recovered": text, "confirm_by": text, "findings": [finding]},
            failed=False, undo=False, check=False,
        )  # fmt: skip
        host.verified({"passed": 3, "findings": [text]}, failed=False)
        host.saw("deploy", start, start + 2)
        host.saw(text, start + 2, start + 3)
    host.transaction({"outcome": text, "msg": text}, failed=True, undo=True, check=False)
    host.failed(text)
    run.end_batch(1020.0)
    return run


def diagnosis_of(text: str) -> Dict[str, Any]:
    """A diagnosis with that text in every field."""
    finding = {
        "code": text, "title": text, "fix": text, "link": text, "diff": f"+{text}\n", "commands": [text],
        "evidence": [{"kind": text, "text": text, "file": text, "line": text}],
    }  # fmt: skip
    return {
        "url": text, "verdict": text, "sentence": text, "notes": [text],
        "nginx": {**dict.fromkeys(("version", "binary", "conf_path", "choice", "pid"), text), "live": True},
        "findings": [{**finding, "is_cause": True}, {**finding, "is_cause": False}],
        "way": [
            {"station": text, "text": text, "file": text, "line": text, "state": text, "more": [text]}
        ] * 2,
        "excerpts": [
            {"file": text, "lines": [{"number": 1, "text": text, "code": text, "marked": m} for m in (0, 1)]}
        ],
        "routes": [dict.fromkeys(ROUTE, text)],
    }  # fmt: skip


class Structure(HTMLParser):
    """Elements with the names of their attributes, and the values of those that could do something."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: List[Tuple[str, ...]] = []
        self.classes: set[str] = set()
        self.addresses: List[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: List[Tuple[str, Any]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))
        for name, value in attrs:
            if name == "class":
                self.classes.update((value or "").split())
            elif name in ("href", "src", "content", "http-equiv"):
                self.addresses.append(value)

    def handle_comment(self, data: str) -> None:
        self.elements.append(("comment",))

    def handle_pi(self, data: str) -> None:
        self.elements.append(("instruction",))


def pages(text: str) -> List[str]:
    return [
        as_html([rollout_of(text)]),
        diagnosis_report.diagnosis_html({text: diagnosis_of(text), text + "2": diagnosis_of(text)}, now=1.0),
        diagnosis_report.diagnosis_html({text: diagnosis_of(text)}, now=1.0),
    ]


HARMLESS = [Structure(page) for page in pages("x")]


def acts(text: str) -> List[str]:
    """Return the characters that a terminal or a reader's eye would obey."""
    return [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]


def attacked(check: Any) -> Any:
    """Give a check each attack, and what hypothesis makes of them."""
    for attack in ATTACKS:
        check = example(attack)(check)
    return settings(deadline=None, max_examples=60)(given(TEXT)(check))


@attacked
def test_no_element_and_no_attribute_arises(text: str) -> None:
    one_line = text.replace("\n", " ")
    for page, harmless in zip(pages(one_line), HARMLESS):
        found = Structure(page)
        assert found.elements == harmless.elements
        assert found.classes == harmless.classes
        assert found.addresses == harmless.addresses
        assert not acts(page)


@attacked
def test_a_terminal_obeys_nothing(text: str) -> None:
    run = rollout_of(text)
    shown = [line for line, _ in lines(run, 100)] + [batch_line(run)]
    assert not any(acts(line) or "\n" in line for line in shown)
    assert not acts(diagnosis_report.diagnosis_text(diagnosis_of(text), text))


@attacked
def test_junit_is_xml(text: str) -> None:
    page = as_junit([rollout_of(text)])
    root = ET.fromstring(page.encode())
    assert {element.tag for element in root.iter()} <= {
        "testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out",
    }  # fmt: skip
    assert not acts(page)


@attacked
def test_json_holds_what_was_said_and_shows_no_escape(text: str) -> None:
    page = as_json([rollout_of(text)])
    assert json.loads(page)["plays"][0]["play"] == text
    assert not acts(page)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "http://nginx.org/en/docs/",
        "https://evil.example/",
        "https://nginx.org.evil.example/",
        "https://nginx.org@evil.example/",
        "https://evil.example\\@nginx.org/",
        "https://nginx.org:8443/",
        "HTTPS://nginx.org/",
        " https://nginx.org/",
        "https://nginx.org/\n",
        'https://nginx.org/"onclick=x ',
        "//nginx.org/",
        "https://[",
        "",
    ],
)
def test_other_links_are_none(address: str) -> None:
    assert link(address) == ""


def test_every_link_of_the_vocabulary_is_one() -> None:
    from module_utils.nginx_websocket.diagnosis.vocabulary.whole import CODES

    assert [entry.link for entry in CODES.values() if not link(entry.link)] == []


def test_the_stations_are_those_of_the_path() -> None:
    assert set(STATIONS) == set(diagnosis_report.STATIONS)
    named = [code for codes in STATIONS.values() for code in codes.split()]
    assert len(named) == len(set(named))


def test_what_is_escaped_is_escaped_once() -> None:
    assert terminal(terminal("\x1b[31m\u202e")) == "\\x1b[31m\\u202e"
    assert terminal("a\tb\nc", lines=True) == "a    b\nc"
    assert terminal("a\nb") == "a\\nb"


def test_the_templates_escape_by_themselves() -> None:
    for template in (ROOT / "rollout/templates").glob("*.j2"):
        text = template.read_text()
        assert not re.search(r"\|\s*safe|autoescape|Markup", text), template
        assert not re.search(r"<[a-z][^>]*\bstyle=", text), template
