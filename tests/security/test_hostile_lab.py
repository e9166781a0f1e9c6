"""A host of the lab that lies, over SSH and sudo, to every playbook and to the verification.

`make security` tries every attack on every module of every playbook; `make test` a few of each kind.
"""

from __future__ import annotations

import json

import pytest

from lab.files import pki
from tests.security import attacks
from tests.security.hostile import LabLiar, wrong
from tests.security.test_hostile_answers import EVERYTHING, HEAVY, LIGHT, MOST, RAW

#: One of each kind: a command, a template, a type, JSON, the terminal, size.
FEW = [
    "facts-run-a-command",
    "templates-in-every-text",
    "null-everywhere",
    "deep-nesting",
    "escapes-in-every-text",
    "a-long-text",
]
REPORTS = sorted(attacks.REPORTS)
EARLIER = ["an-answer-to-an-earlier-question", "an-answer-about-another-release", "questions-left-out"]
SITE = {
    "nginx_websocket_sites": [
        {
            "name": "lammp.test",
            "http": {"mode": "serve"},
            "backends": [{"name": "app", "ports": [8000, 3000], "path": "/api/docs"}],
            "websockets": [{"path": "/api/mqtt/ws/", "probe_path": "/api/mqtt/ws/hints/probe"}],
        }
    ],
    "nginx_websocket_confirm_window": 120,
}
URL = "ws://127.0.0.1/api/mqtt/ws/hints/probe"
everything = pytest.mark.skipif(not EVERYTHING, reason="make security")


@pytest.fixture(scope="module")
def liar(lab_up, tmp_path_factory):
    """The host, with the true answers of all modules recorded."""
    variables = {**SITE, "nginx_websocket_verify_ca_file": str(pki.authority())}
    liar = LabLiar(lab_up("hostile"), tmp_path_factory.mktemp("hostile"), variables)
    truth = {"truth": "record"}
    for playbook, flags, given in (
        ("site.yml", (), {}),
        ("playbooks/verify.yml", (), {}),
        ("playbooks/diagnose.yml", (), {"url": URL}),
        ("playbooks/rollback.yml", ("--check",), {}),  # the site stays live
    ):
        told = liar.run(playbook, truth, *flags, **given)
        assert told.code == 0, told.text
    return liar


def safe(liar, told, names) -> None:
    """What must hold after every run."""
    assert not liar.mark.exists(), f"a command ran on the controller: {liar.mark}\n{told.text}"
    assert told.changed == [], told.changed
    assert wrong(told, names) == {}, told.text
    assert set(told.failed) - {"localhost"} == set(names), told.text
    assert (told.code != 0) == any(told.failed.values()), told.text
    assert RAW.findall(told.text) == [], "control characters reached the terminal"
    assert "Traceback" not in told.text, told.text
    assert told.memory.one < MOST, f"one process took {told.memory.one:.0f} MiB"


def test_diagnose(liar) -> None:
    names = liar.names(LIGHT if EVERYTHING else FEW)
    data, page = liar.directory / "out.json", liar.directory / "out.html"
    told = liar.run("playbooks/diagnose.yml", names, url=URL, json=str(data), html=str(page))
    safe(liar, told, names)
    assert set(json.loads(data.read_text())["hosts"]) == set(names)
    assert "<script" not in page.read_text()


@pytest.mark.parametrize("theirs", [False, *([True] if EVERYTHING else [])])
def test_site(liar, theirs) -> None:
    names = {}
    for module in ("nginx_facts", "nginx_deploy"):
        names.update(liar.names(LIGHT if EVERYTHING else FEW, module))
    names.update(liar.names([*LIGHT, *REPORTS] if EVERYTHING else ["questions-left-out"], "on_host"))
    # The report as a part of the deployment's answer.
    names.update(liar.names(REPORTS if EVERYTHING else EARLIER, "nginx_deploy"))
    safe(liar, liar.run("site.yml", names, theirs=theirs), names)


@everything
def test_a_confirmation(liar) -> None:
    """The last question of a run that has deployed and verified."""
    names = liar.names(LIGHT, "nginx_confirm")
    safe(liar, liar.run("site.yml", names), names)


@everything
def test_rollback(liar) -> None:
    names = liar.names(LIGHT)
    safe(liar, liar.run("playbooks/rollback.yml", names), names)


@everything
@pytest.mark.parametrize("playbook", ["playbooks/deploy.yml", "playbooks/verify.yml"])
def test_the_other_playbooks(liar, playbook) -> None:
    modules = ("nginx_facts", "nginx_deploy" if "deploy" in playbook else "on_host")
    names = {name: lie for module in modules for name, lie in liar.names(LIGHT, module).items()}
    safe(liar, liar.run(playbook, names), names)


@everything
def test_an_undo(liar) -> None:
    """The verification fails, and what answers to the undo lies in the same way."""
    names = liar.names([kind for kind in LIGHT if kind in attacks.FALSE], "on_host+nginx_rollback")
    safe(liar, liar.run("site.yml", names), names)


@pytest.mark.parametrize("kind", HEAVY if EVERYTHING else [])
@pytest.mark.parametrize("playbook", ["site.yml", "playbooks/rollback.yml", "playbooks/diagnose.yml"])
def test_memory(liar, kind, playbook) -> None:
    names = liar.names([kind])
    told = liar.run(playbook, names)
    safe(liar, told, names)
    assert told.memory.all < MOST, f"the controller took {told.memory.all:.0f} MiB"


@pytest.mark.parametrize("kind", REPORTS if EVERYTHING else ["a-bomb"])
def test_memory_of_the_verification(liar, kind) -> None:
    """The suite's process is one of those that are counted."""
    names = {**liar.names([kind], "on_host"), **liar.names([kind], "nginx_deploy")}
    told = liar.run("site.yml", names)
    safe(liar, told, names)
    assert told.memory.all < MOST, f"the controller took {told.memory.all:.0f} MiB"
