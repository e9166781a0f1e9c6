"""Hosts answer lies: they change nothing on the controller, run nothing there, and are judged failed.

Real ansible-playbook, real playbooks; the hosts are this machine under other names, with a Python that lies.
`make security` tries every attack on both playbooks and both configurations, `make test` a part of that.
"""

from __future__ import annotations

import json
import os
import re

import pytest

from module_utils.nginx_websocket.transaction.site.model import Outcome
from tests.security import attacks
from tests.security.hostile import Liar, Told, wrong

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
LIGHT = sorted(set(attacks.ATTACKS) - attacks.REPORTS - set(HEAVY))
#: What a host could send to a terminal that is more than text.
RAW = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CONFIGURATIONS = ["their-ansible.cfg", *(["our-ansible.cfg"] if EVERYTHING else [])]

TRUE = {
    "nginx_rollback": {
        **Outcome("applied", changed=True, releases={"s": "1"}, previous={"s": ""}, backup=3).as_dict(),
        "msg": "fine",
    },
    "nginx_diagnose": {
        "changed": False,
        "msg": "fine",
        "diagnosis": {
            "url": "",
            "verdict": "works",
            "sentence": "fine",
            "findings": [],
            "route": None,
            "way": [],
            "excerpts": [],
            "probes": [],
            "nginx": {},
            "notes": [],
        },
    },
}


@pytest.fixture
def liar(tmp_path):
    return Liar(tmp_path, TRUE)


def safe(liar: Liar, told: Told, names) -> None:
    """What must hold after every run."""
    assert not liar.mark.exists(), f"a command ran on the controller: {liar.mark}\n{told.text}"
    assert told.changed == [], told.changed
    assert wrong(told, names) == {}, told.text
    assert set(told.failed) - {"localhost"} == set(names), told.text
    assert (told.code != 0) == any(told.failed.values()), told.text
    assert RAW.findall(told.text) == [], "control characters reached the terminal"
    assert "Traceback" not in told.text, told.text
    assert told.memory.one < MOST, f"one process took {told.memory.one:.0f} MiB"


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_diagnose(liar, configuration):
    names = liar.names(LIGHT)
    data, page = liar.directory / "out.json", liar.directory / "out.html"
    told = liar.run(
        "playbooks/diagnose.yml",
        names,
        theirs=configuration.startswith("their"),
        url="ws://127.0.0.1/x",
        json=str(data),
        html=str(page),
    )
    safe(liar, told, names)
    assert set(json.loads(data.read_text())["hosts"]) == set(names)
    assert not re.search("<(?:script|img|meta http-equiv=refresh)", page.read_text())
    # Nothing that was only added to a true answer makes a host a failed one.
    assert {name.partition("--")[0] for name, failed in told.failed.items() if failed} <= attacks.FALSE


@pytest.mark.skipif(not EVERYTHING, reason="make security")
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_rollback(liar, configuration):
    names = liar.names(LIGHT)
    safe(liar, liar.run("playbooks/rollback.yml", names, theirs=configuration.startswith("their")), names)


@pytest.mark.parametrize("kind", HEAVY if EVERYTHING else HEAVY[:1])
def test_memory(liar, kind):
    names = liar.names([kind])
    told = liar.run("playbooks/rollback.yml", names)
    safe(liar, told, names)
    assert told.memory.all < MOST, f"the controller took {told.memory.all:.0f} MiB"
