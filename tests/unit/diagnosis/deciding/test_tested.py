"""A change is offered only where the host's own nginx takes the tree with it."""

from __future__ import annotations

import types

import pytest

from module_utils.nginx_websocket.diagnosis.deciding import tested
from module_utils.nginx_websocket.diagnosis.engine import conclude_live
from module_utils.nginx_websocket.transaction.site.model import ConfError, Refused, Validation
from module_utils.nginx_websocket.transaction.tree import validation
from tests.unit.diagnosis.seen import CONF, backend, host, refused, site

BARE = "    location / {\n        proxy_pass http://127.0.0.1:8000;\n    }"


@pytest.fixture
def asked(monkeypatch):
    """What nginx is asked and says, in place of a real one."""
    said = types.SimpleNamespace(verdict=Validation(valid=True), changes=[])

    def validate(changes, _nginx):
        said.changes.append(changes)
        if isinstance(said.verdict, Exception):
            raise said.verdict
        return said.verdict

    monkeypatch.setattr(validation, "validate", validate)
    monkeypatch.setattr(validation, "candidate_changes", lambda wanted: wanted)
    monkeypatch.setattr(tested.os, "geteuid", lambda: 0)
    return said


def mended(monkeypatch, live=True):
    facts = host(site(BARE), {"loopback": refused(400)}, backends=[backend(refused(400))])
    if live:
        facts.nginx.configuration = facts.configuration
        name = "module_utils.nginx_websocket.transaction.live.instance.instance_of"
        monkeypatch.setattr(name, lambda nginx: nginx)
    return conclude_live(facts).findings[0]


def test_what_nginx_takes_is_offered(asked, monkeypatch):
    finding = mended(monkeypatch)
    assert "proxy_set_header Upgrade" in finding.change.diff()
    (changes,) = asked.changes
    assert list(changes) == [CONF] and b"proxy_set_header Upgrade" in changes[CONF]


def test_what_nginx_refuses_is_not(asked, monkeypatch):
    asked.verdict = Validation(valid=False, errors=[ConfError("no", CONF, 3)])
    finding = mended(monkeypatch)
    assert finding.code == "no-upgrade-header"
    assert finding.change is None or not finding.change.diff()
    assert asked.changes


@pytest.mark.parametrize("error", [Refused("no nginx"), OSError("gone")])
def test_an_nginx_that_cannot_be_asked_refuses_nothing(asked, monkeypatch, error):
    asked.verdict = error
    assert "proxy_set_header Upgrade" in mended(monkeypatch).change.diff()


def test_a_copy_in_memory_and_another_user_are_not_asked(asked, monkeypatch):
    assert "proxy_set_header Upgrade" in mended(monkeypatch, live=False).change.diff()
    monkeypatch.setattr(tested.os, "geteuid", lambda: 1000)
    assert "proxy_set_header Upgrade" in mended(monkeypatch).change.diff()
    assert not asked.changes


@pytest.mark.parametrize(
    ("said", "more", "taken"),
    [
        (Validation(valid=True), {}, True),
        (Validation(valid=False, errors=[ConfError("no", CONF, 3)]), {}, False),
        (Refused("no nginx"), {}, False),
        (OSError("gone"), {}, False),
        (Validation(valid=True), {"unsafe": "anybody may write it"}, False),
        (Validation(valid=True), {"nginx": None}, False),
        (Validation(valid=True), {"live": False}, False),
        (Validation(valid=True), {"root": False}, False),
    ],
)
def test_files_are_taken_only_where_nginx_was_asked(asked, monkeypatch, said, more, taken):
    facts = host(site(BARE), {"loopback": refused(400)})
    name = "module_utils.nginx_websocket.transaction.live.instance.instance_of"
    monkeypatch.setattr(name, lambda nginx: nginx)
    monkeypatch.setattr(tested.os, "geteuid", lambda: 0 if more.get("root", True) else 1000)
    asked.verdict = said
    facts.nginx.unsafe = more.get("unsafe", "")
    facts.nginx = more.get("nginx", facts.nginx)
    facts.live = more.get("live", True)
    assert tested.taken(facts, {CONF: b"new"}) == taken
    assert asked.changes == ([{CONF: b"new"}] if not more else [])
