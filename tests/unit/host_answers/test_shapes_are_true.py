"""The shapes of answers are those of the modules: of their documentation, and of what they really return.

A key that a module returns and no shape declares would be left out on the controller without a word.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from host_answers.modules import BACKUP, CERTIFICATE, DIAGNOSIS, MODULES, NGINX, OUTCOMES, cut
from module_utils.nginx_websocket.diagnosis.evidence.way import Step as WayStep
from module_utils.nginx_websocket.diagnosis.vocabulary.whole import CODES
from module_utils.nginx_websocket.diagnosis.words.findings import Evidence, Finding
from module_utils.nginx_websocket.edit.changes.change import Change
from module_utils.nginx_websocket.host.certificates import Certificate
from module_utils.nginx_websocket.host.masters import Choice
from module_utils.nginx_websocket.host.sites import ServerBlock
from module_utils.nginx_websocket.host.survey import Survey
from module_utils.nginx_websocket.transaction.site import model

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = sorted(path.stem for path in (ROOT / "library").glob("*.py"))


def returned(module):
    """The RETURN block of a module."""
    tree = ast.parse((ROOT / "library" / f"{module}.py").read_text(encoding="utf-8"))
    texts = {node.targets[0].id: node.value.value for node in tree.body if is_text(node)}
    return yaml.safe_load(texts["RETURN"])


def is_text(node):
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)


@pytest.mark.parametrize("module", LIBRARY)
def test_every_module_has_an_action_of_its_name(module):
    assert (ROOT / "roles/nginx_websocket/action_plugins" / f"{module}.py").exists()


@pytest.mark.parametrize("module", LIBRARY)
def test_what_is_documented_is_declared(module):
    declared = {key for name, shape in MODULES.items() if name.split()[0] == module for key in shape.fields}
    assert set(returned(module)) - {"msg"} <= declared


def whole(data, shape, module=""):
    """Nothing of the data is lost."""
    found = cut(module, {}, data) if module else shape.cut(data, "")
    assert found == data


def test_nothing_of_an_outcome_is_lost():
    finding = model.Finding("code", "message", "fix")
    outcome = model.Outcome(
        "applied",
        changed=True,
        releases={"s": "1"},
        previous={"s": ""},
        backup=3,
        files=[{"site": "s", "path": "/p"}],
        replaced=["/p"],
        recovered="healed",
        confirm_by="2025-01-31T12:05:00Z",
        steps=[model.Step("lock", 0.5)],
        diff=[model.Change("/p", model.ABSENT, model.Entry("file", b"a\n")).difference()],
        drift=[{"path": "/p", "diff": "-a"}],
        findings=[finding],
        cured=[finding],
        comparison={"files": [{"path": "/p", "lost": []}]},
        errors=[model.ConfError("message", "/f", 1, context=("> 1 a",))],
        warnings=[model.ConfError("message")],
        method="mount namespace",
        old_workers={"workers": 1, "connections": None},
        sockets={"before": 1, "after": 1, "lost": 0},
        remedy=["mv a b"],
    )
    whole({**outcome.as_dict(), "changed": True}, None, "nginx_rollback")
    whole({**outcome.as_dict(), "changed": True, "report": None}, None, "nginx_deploy")


def test_every_outcome_is_declared():
    names = ("UNCHANGED", "APPLIED", "REFUSED", "RELOAD_FAILED", "NOTHING_TO_GO_BACK_TO")
    words = {getattr(model, name) for name in (*names, "ROLLED_BACK", "ROLLBACK_FAILED")}
    assert words == OUTCOMES.words


def test_nothing_of_the_facts_is_lost():
    block = ServerBlock(["a.test"], ["80"], "/etc/nginx/a\udcff\n.conf", 1, "/c", "/k")
    whole(Survey(True, [], Choice(None, "why"), None, "message", ["odd"], [block]).to_dict(), NGINX)
    whole(Certificate("/c", "/k", names=["a"], days_left=1.5).to_dict(), CERTIFICATE)


def test_nothing_of_a_diagnosis_is_lost():
    code = next(iter(CODES))
    finding = Finding(code, evidence=[Evidence("probe", "text")], change=Change("/f", 1, ["a"], ["b"], ["c"]))
    way = WayStep("listen", "text", "/f", 1, "ok", ["more"])
    data = {
        **dict.fromkeys(("url", "sentence"), "text"),
        "verdict": "fails",
        "findings": [finding.as_data()],
        "route": None,
        "way": [way.as_data()],
        "excerpts": [{"file": "/f", "lines": [{"number": 1, "text": "a", "code": "", "marked": True}]}],
        "probes": [{"hop": "outside", "seconds": 0.1}],
        "nginx": {},
        "notes": [],
    }
    whole(data, DIAGNOSIS)
    assert all(entry.link.startswith("https://") for entry in CODES.values())


def test_a_backup_is_declared():
    assert {"number", "kind", "time", "by", "size", "releases", "changed"} <= BACKUP.fields.keys()
