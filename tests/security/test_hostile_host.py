"""A managed host answers lies: it changes nothing on the controller, runs nothing there, is judged failed.

`make security` tries every attack on every module of every playbook; `make test` the quick half of that.
"""

from __future__ import annotations

import json
import os
import re

import pytest

from lab import pki
from tests.security import attacks
from tests.security.hostile import Liar, wrong

#: MiB that the controller may take for one host, all of its processes together.
MOST = 300
EVERYTHING = bool(os.environ.get("NGINX_WEBSOCKET_SECURITY"))
HEAVY = (
    "a-text-without-end",
    "lines-without-end",
    "an-error-without-end",
    "many-small-lists",
    "many-small-objects",
)
KINDS = sorted(set(attacks.ATTACKS) - attacks.REPORTS)
LIGHT = [kind for kind in KINDS if kind not in HEAVY]
#: What a host can send to a terminal that is more than text.
RAW = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

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


@pytest.fixture(scope="module")
def liar(lab_up, tmp_path_factory):
    """The host, with the true answers of all modules recorded."""
    liar = Liar(lab_up("hostile"), tmp_path_factory.mktemp("hostile"))
    site = {**SITE, "nginx_websocket_verify_ca_file": str(pki.authority())}
    (liar.directory / "site.json").write_text(json.dumps(site))
    truth = {"truth": "record"}
    for playbook, given in (
        ("site.yml", {}),
        ("playbooks/rollback.yml", {}),
        ("playbooks/diagnose.yml", {"url": "ws://127.0.0.1/api/mqtt/ws/hints/probe"}),
        ("playbooks/deploy.yml", {}),
    ):
        told = liar.run(playbook, truth, **given)
        assert told.code == 0, told.text
    # A deployment that waits to be confirmed, and hosts that have something to deploy.
    return liar


def safe(liar, told, names, allowed=()):
    """What must hold after every run."""
    assert not liar.mark.exists(), f"a command ran on the controller: {liar.mark}\n{told.text}"
    assert [path for path in told.changed if path not in allowed] == [], told.text
    assert wrong(told, names) == {}, told.text
    assert set(told.failed) == set(names), told.text
    assert (told.code != 0) == any(told.failed.values()), told.text
    assert RAW.findall(told.text) == [], "control characters reached the terminal"
    assert "Traceback" not in told.text, told.text
    assert told.memory.one < MOST, f"one process took {told.memory.one:.0f} MiB"


@pytest.mark.parametrize("theirs", [False, True], ids=["our-ansible.cfg", "their-ansible.cfg"])
def test_diagnose(liar, theirs):
    names = liar.names(LIGHT)
    reports = {"json": str(liar.directory / "out.json"), "html": str(liar.directory / "out.html")}
    told = liar.run(
        "playbooks/diagnose.yml",
        names,
        theirs=theirs,
        url="ws://127.0.0.1/api/mqtt/ws/hints/probe",
        **reports,
    )
    safe(liar, told, names)
    data = json.loads((liar.directory / "out.json").read_text())
    assert set(data["hosts"]) == set(names)
    page = (liar.directory / "out.html").read_text()
    assert "<script" not in page
    assert "<img" not in page


@pytest.mark.parametrize("theirs", [False, True], ids=["our-ansible.cfg", "their-ansible.cfg"])
def test_site(liar, theirs):
    names = {
        **liar.names(LIGHT if EVERYTHING else KINDS_OF_FACTS, "nginx_facts"),
        **liar.names(LIGHT if EVERYTHING else KINDS_OF_FACTS, "nginx_deploy"),
        **liar.names(LIGHT if EVERYTHING else [], "nginx_confirm"),
        **liar.names(
            [*LIGHT, *attacks.REPORTS] if EVERYTHING else ["a-bomb", "facts-run-a-command"], "on_host"
        ),
    }
    told = liar.run("site.yml", names, theirs=theirs)
    safe(liar, told, names)


KINDS_OF_FACTS = [kind for kind in LIGHT if kind.startswith(("facts-", "templates-", "keys-of"))]


def test_rollback(liar):
    names = liar.names(LIGHT if EVERYTHING else LIGHT[::3])
    safe(liar, liar.run("playbooks/rollback.yml", names), names)


@pytest.mark.skipif(not EVERYTHING, reason="make security")
def test_a_list_of_backups(liar):
    names = liar.names(LIGHT)
    safe(liar, liar.run("playbooks/rollback.yml", names, "--tags", "list"), names)


@pytest.mark.skipif(not EVERYTHING, reason="make security")
@pytest.mark.parametrize("playbook", ["playbooks/deploy.yml", "playbooks/verify.yml"])
def test_the_other_playbooks(liar, playbook):
    modules = ("nginx_facts", "nginx_deploy") if "deploy" in playbook else ("nginx_facts", "on_host")
    names = {name: lie for module in modules for name, lie in liar.names(LIGHT, module).items()}
    safe(liar, liar.run(playbook, names), names)


@pytest.mark.skipif(not EVERYTHING, reason="make security")
def test_an_undo(liar):
    """The verification fails, and what answers to the undo lies."""
    names = {
        name: f"{lie}+on_host" for name, lie in liar.names(["questions-left-out"], "nginx_rollback").items()
    }
    safe(liar, liar.run("site.yml", names), names)


@pytest.mark.parametrize("kind", HEAVY if EVERYTHING else HEAVY[:1])
@pytest.mark.parametrize(
    "playbook",
    ["site.yml", "playbooks/rollback.yml", "playbooks/diagnose.yml"] if EVERYTHING else ["site.yml"],
)
def test_memory(liar, kind, playbook):
    names = liar.names([kind])
    told = liar.run(playbook, names)
    safe(liar, told, names)
    assert told.memory.all < MOST, f"the controller took {told.memory.all:.0f} MiB"


@pytest.mark.parametrize("kind", sorted(attacks.REPORTS) if EVERYTHING else ["a-bomb"])
def test_memory_of_the_verification(liar, kind):
    names = liar.names([kind], "on_host")
    told = liar.run("site.yml", names)
    safe(liar, told, names)
    assert told.memory.all < MOST, f"the controller took {told.memory.all:.0f} MiB"
