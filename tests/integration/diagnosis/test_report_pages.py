"""The HTML reports as a reader sees them, in the lab's Chromium; and that hostile text is text there, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import pytest

from lab import browser
from lab.containers import docker
from rollout.page import as_html
from rollout.record import Rollout
from tests.integration.conftest import ROOT
from tests.unit.rollout.test_hostile_text import ATTACKS, diagnosis_of, diagnosis_report, rollout_of

SEES = ROOT / "tests/integration/diagnosis/look_at_pages.py"
OLD, NEW = "a" * 32, "b" * 32
LONG = "/etc/nginx/" + "a-directory-of-a-long-name/" * 8 + "site.conf"


def rollout() -> str:
    """A rollout with one host of each kind that a reader meets."""
    run = Rollout("Put WebSockets behind nginx", 1000.0, planned=[1, 3])
    words = ["applied", "unchanged", "refused", "application down", "taken back", "rolled back"]
    for number, word in enumerate(words):
        name = f"web{number}.a-long-name-of-a-host.production.example.org"
        run.begin_batch([name], 1000.0 + 5 * number)
        host = run.hosts[name]
        finding = {"code": "drift", "message": LONG, "fix": "take it into the variables"}
        result = {"outcome": "applied", "releases": {"s": NEW}, "previous": {"s": OLD}, "findings": [finding]}
        host.transaction(result, failed=False, undo=False, check=False)
        host.saw("deploy", 1000.0 + 5 * number, 1003.0 + 5 * number)
        host.saw("verify", 1003.0 + 5 * number, 1004.0 + 5 * number)
        host.outcome = word
        host.say(f"1 of 22 checks failed.\n{LONG}: no pong")
    run.end_batch(1040.0)
    return as_html([run])


def diagnosis() -> str:
    """The report of a recorded failure, with a line too long for any page."""
    data = diagnosis_of("a text")
    station = {"text": LONG, "file": LONG, "line": 7, "state": "", "more": [LONG]}
    data.update(
        url="wss://example.org/ws/x", verdict="fails", sentence="It fails.",
        way=[{**station, "station": "location"}, {**station, "station": "headers"}],
    )  # fmt: skip
    data["findings"][0].update(
        code="no-upgrade-header", title="the location passes no Upgrade", diff=f"-{LONG}\n+{LONG}\n",
        link="https://nginx.org/en/docs/http/websocket.html",
    )  # fmt: skip
    page: str = diagnosis_report.diagnosis_html({"web1": data}, now=1.0)
    return page


def hostile() -> List[str]:
    text = " ".join(ATTACKS).replace("\n", " ")
    return [as_html([rollout_of(text)]), diagnosis_report.diagnosis_html({text: diagnosis_of(text)}, now=1.0)]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Dict[str, List[Dict[str, Any]]]:
    """What was seen of each page, by its name."""
    container, folder = browser.start(), tmp_path_factory.mktemp("pages")
    pages = {"rollout": rollout(), "diagnosis": diagnosis()}
    pages.update({f"hostile{number}": page for number, page in enumerate(hostile())})
    paths = []
    for name, page in pages.items():
        local = folder / f"{name}.html"
        local.write_text(page, encoding="utf-8")
        local.chmod(0o644)
        paths.append(f"/tmp/report-{name}.html")
        docker.docker("cp", str(local), f"{container}:{paths[-1]}")
    told = browser.run_python(container, SEES.read_text(), *paths)
    found: Dict[str, List[Dict[str, Any]]] = {}
    for line in told.splitlines():
        look = json.loads(line)
        found.setdefault(Path(look["file"]).stem[len("report-") :], []).append(look)
    assert {name: len(looks) for name, looks in found.items()} == dict.fromkeys(pages, 6)
    return found


PAGES = ("rollout", "diagnosis", "hostile0", "hostile1")


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_wider_than_the_page(seen: Dict[str, List[Dict[str, Any]]], page: str) -> None:
    assert [(look["width"], look["media"]) for look in seen[page] if look["overflow"] > 0] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_text_can_be_read_in_both_schemes(seen: Dict[str, List[Dict[str, Any]]], page: str) -> None:
    assert [(look["scheme"], look["media"], look["pale"]) for look in seen[page] if look["pale"]] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_allows_the_page_s_own_style_and_refused_nothing_of_it(
    seen: Dict[str, List[Dict[str, Any]]], page: str
) -> None:
    assert [look["refused"] for look in seen[page] if look["refused"]] == []
    assert {look["active"] for look in seen[page]} == {0}


def test_the_title_is_the_verdict(seen: Dict[str, List[Dict[str, Any]]]) -> None:
    assert {look["title"] for look in seen["diagnosis"]} == {"FAILS: wss://example.org/ws/x on web1"}
    [title] = {look["title"] for look in seen["rollout"]}
    assert title.startswith("Rollout failed: web2")


def test_links_lead_to_documentation_alone(seen: Dict[str, List[Dict[str, Any]]]) -> None:
    assert {link for look in seen["diagnosis"] for link in look["links"]} == {
        "https://nginx.org/en/docs/http/websocket.html"
    }
    assert {link for page in PAGES[2:] for look in seen[page] for link in look["links"]} == set()


def test_print_loses_nothing(seen: Dict[str, List[Dict[str, Any]]]) -> None:
    for page in ("rollout", "diagnosis"):
        for look in seen[page]:
            if look["media"] == "print":
                assert look["hidden"] == [], page
