"""Going back: any chain of deployments and rollbacks against a plain list of states."""

from __future__ import annotations

import json
import os
import pwd
from typing import Dict, List, Optional, Tuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from simulated_host import SimulatedHost, candidate

from module_utils.nginx_websocket.transaction.history.states import Earlier
from module_utils.nginx_websocket.transaction.site.model import Outcome
from module_utils.nginx_websocket.transaction.site.release import release_id
from module_utils.nginx_websocket.transaction.surroundings.world import World

SITES = ("a", "b", "c")
Files = Dict[str, str]


def tails(host: SimulatedHost) -> List[str]:
    return sorted(content.rstrip().rsplit("# ", 1)[1] for content in host.served())


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost()


def applied(done: Outcome) -> Outcome:
    assert (done.outcome, done.failed) == ("applied", False), done.message
    return done


def test_previous_never_jumps_over_what_is_not_kept(host):
    for number in range(12):
        applied(host.deploy(candidate("x", f"x{number}")))
    for number in range(10, 2, -1):
        applied(host.rollback())
        assert tails(host) == [f"x{number}"]
    applied(host.rollback())
    assert tails(host) == ["x2"], "all ten that are kept can be walked back to"
    before = host.files()
    done = host.rollback()
    wanted = release_id(candidate("x", "x1").content)
    assert done.failed and not done.changed and host.files() == before
    assert f"x {wanted[:8]}" in done.message and "not kept any more" in done.message
    assert "nginx_websocket_keep_backups" in done.message and "kept are 1, " in done.message
    assert applied(host.rollback("original")).releases == {"x": ""} and tails(host) == []


def test_previous_after_a_release_id_undoes_that_rollback(host):
    first = applied(host.deploy(candidate("x", "x1"))).releases["x"]
    host.deploy(candidate("x", "x2"))
    host.deploy(candidate("y", "y1"))
    applied(host.rollback(first))
    assert tails(host) == ["x1", "y1"]
    applied(host.rollback())
    assert tails(host) == ["x2", "y1"]
    applied(host.rollback())
    assert tails(host) == ["x2"]


@pytest.mark.parametrize("keep", [1, 2])
def test_the_smallest_keep_still_undoes_the_last_transaction(host, keep):
    for tail in ("one", "two", "three"):
        number = applied(host.deploy(candidate("x", tail), keep=keep)).backup
        assert number in host.kept()
    applied(host.rollback(number, keep=keep))
    assert tails(host) == ["two"]
    again = host.rollback(keep=keep)
    assert again.failed and "not kept any more" in again.message and again.findings == []


def test_the_original_is_named_when_previous_leads_to_it(host):
    host.deploy(candidate("x", "one"))
    assert "the state before the first deployment" in applied(host.rollback()).message
    assert "undone already" in host.rollback().message


def test_a_number_that_is_gone_is_named_with_its_release(host):
    one = host.deploy(candidate("x", "one")).releases["x"]
    for tail in ("two", "three", "four", "five"):
        host.deploy(candidate("x", tail), keep=2)
    done = host.rollback(2)
    assert done.failed and f"backup 2 (x {one[:8]}, live until" in done.message
    done = host.rollback(one)
    assert done.failed and "not kept any more" in done.message and "backup 2" in done.message


def test_a_release_that_was_edited_by_hand_comes_back_as_it_was_written(host):
    one = host.deploy(candidate("x", "one"))
    path = one.files[0]["path"]
    pristine = host.files()[path]
    node = host.world.files.names_seen[path]
    node.entry = type(node.entry)("file", content=node.entry.content + b"# edited\n")
    applied(host.deploy(candidate("x", "two"), on_drift="overwrite"))
    applied(host.rollback(one.releases["x"]))
    assert host.files()[path] == pristine


def test_a_site_that_moved_comes_back_whole(host):
    root = "/simulated/nginx/conf.d"
    one = applied(host.deploy(candidate("x", "one", path=f"{root}/x.conf")))
    before = host.files()
    applied(host.deploy(candidate("x", "two", path=f"{root}/moved.conf")))
    applied(host.rollback(one.releases["x"]))
    assert host.files() == before


def test_backups_of_an_older_version_are_read_and_what_they_do_not_say_is_refused(host):
    """They have no word of what was live before the state that a rollback brought back."""
    for tail in ("one", "two", "three"):
        host.deploy(candidate("x", tail))
    host.rollback()
    for path, node in host.world.files.names_seen.items():
        if path.endswith("/manifest.json"):
            manifest = json.loads(node.entry.content)
            for name in ("earlier", "earlier_before", "gone"):
                del manifest[name]
            node.entry = type(node.entry)("file", content=json.dumps(manifest).encode())
    refused = host.rollback()
    assert refused.failed and "older version" in refused.message and "kept are 1, 2, 3, 4" in refused.message
    applied(host.rollback(2))
    assert tails(host) == ["one"]
    applied(host.deploy(candidate("x", "four")))
    applied(host.rollback())
    assert tails(host) == ["one"]
    applied(host.rollback("original"))


class History(RuleBasedStateMachine):
    """The model: for each backup what it holds and what was before that; and where ``previous`` leads."""

    def __init__(self) -> None:
        super().__init__()
        self.host = SimulatedHost()
        self.keep = 10
        self.revision = 0
        self.states: Dict[int, Tuple[Files, Optional[int]]] = {}
        self.ahead: Optional[int] = None
        self.releases: Dict[str, Tuple[str, str]] = {}

    def _applied(self, done: Outcome, before: Files, ahead: Optional[int]) -> None:
        assert done.backup is not None and done.backup not in self.states
        told = [finding for finding in done.findings if finding.code != "changes-for-users"]
        assert told == [] and not done.failed, (done.message, done.findings)
        self.states[done.backup] = (before, self.ahead)
        self.ahead = ahead

    @rule(keep=st.integers(1, 10))
    def set_keep(self, keep: int) -> None:
        self.keep = keep

    @rule(names=st.sets(st.sampled_from(SITES), min_size=1))
    def deploy(self, names) -> None:
        before = self.host.files()
        self.revision += 1
        sites = [candidate(name, self.revision) for name in sorted(names)]
        done = self.host.deploy(*sites, keep=self.keep)
        assert done.outcome == "applied", done.message
        self.findings_of_others(done)
        self._applied(done, before, done.backup)
        for site in sites:
            content = self.host.files()[f"/simulated/nginx/sites-available/{site.name}.conf"]
            self.releases[done.releases[site.name]] = (site.name, content)

    @staticmethod
    def findings_of_others(done: Outcome) -> None:
        done.findings = [finding for finding in done.findings if finding.code != "site-left"]

    @rule()
    def look_only(self) -> None:
        before = self.host.files()
        done = self.host.rollback(self.host.kept()[0] if self.host.kept() else 1, check=True)
        assert self.host.files() == before and done.backup is None

    def _back(self, to: object, number: Optional[int]) -> None:
        before, kept = self.host.files(), self.host.kept()
        done = self.host.rollback(to, keep=self.keep)
        if number is None or number not in kept:
            assert done.failed and done.outcome == "unchanged" and self.host.files() == before, done.message
            return
        wanted, earlier = self.states[number]
        assert self.host.files() == wanted, done.message
        if before == wanted:
            assert (done.outcome, done.failed) == ("unchanged", False)
        else:
            self._applied(done, before, earlier)

    @rule()
    def previous(self) -> None:
        self._back("previous", self.ahead)

    @rule(number=st.integers(1, 40))
    def number(self, number: int) -> None:
        self._back(number, number)

    @rule(age=st.integers(0, 5))
    def kept_number(self, age: int) -> None:
        kept = self.host.kept()
        if age < len(kept):
            self._back(kept[age], kept[age])

    @rule()
    def original(self) -> None:
        self._back("original", 1 if self.states else None)

    @precondition(lambda self: self.releases)
    @rule(data=st.data())
    def release(self, data) -> None:
        release = data.draw(st.sampled_from(sorted(self.releases)))
        name, content = self.releases[release]
        before = self.host.files()
        done = self.host.rollback(release, keep=self.keep)
        after = self.host.files()
        if done.failed:
            assert after == before and "kept" in done.message, done.message
            held = [self.states[number][0] for number in self.host.kept()]
            assert not any(content in state.values() for state in [before, *held])
            return
        assert after[f"/simulated/nginx/sites-available/{name}.conf"] == content
        for path in {*before, *after}:
            assert name in path.rsplit("/", 1)[1] or before[path] == after[path], "other sites stay"
        if done.outcome == "applied":
            self._applied(done, before, done.backup)

    @invariant()
    def what_is_on_the_disk_is_served(self) -> None:
        files = self.host.files()
        enabled = [target for path, target in files.items() if "/sites-enabled/" in path and target]
        assert sorted(self.host.served()) == sorted(files[target] for target in enabled)

    @invariant()
    def the_first_and_the_last_are_kept(self) -> None:
        kept = self.host.kept()
        if self.states:
            assert min(kept) == 1 and max(kept) == max(self.states)


def test_any_chain_against_a_list_of_states():
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_state_names_the_sites_that_were_there():
    assert Earlier(4, "noon", {"a": "0" * 32, "b": ""}).describe() == "backup 4 (a 00000000, live until noon)"
    assert Earlier(4, "noon", {"b": ""}).sites() == "no site of ours"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SUDO_USER": "anne", "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.9 22"}, "anne from 192.0.2.1"),
        ({"SUDO_USER": "anne"}, "anne"),
        ({"SSH_CONNECTION": ""}, pwd.getpwuid(os.getuid()).pw_name),
    ],
)
def test_who_made_a_backup_is_who_logged_in(monkeypatch, environment, words):
    for name in ("SUDO_USER", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert World().by_whom() == words
